package simulate_test

import (
	"bytes"
	"cmp"
	"encoding/csv"
	"hash/maphash"
	"iter"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"gapwatch/services/internal/calendar"
	"gapwatch/services/internal/event"
	"gapwatch/services/internal/programme"
	"gapwatch/services/internal/simulate"
)

var now = time.Date(2026, 11, 22, 3, 0, 0, 0, time.UTC)

const few = 15_000 // people: a hundredth of the real size

func programmes(t testing.TB) *programme.Set {
	t.Helper()
	set, err := programme.Load("")
	if err != nil {
		t.Fatal(err)
	}
	return set
}

func history(t testing.TB, seed uint64, people int) *simulate.History {
	t.Helper()
	h, err := simulate.New(simulate.Config{Seed: seed, People: people, Now: now, Programmes: programmes(t)})
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// decoded are the events of the valid messages; how often each reason was given for the others is compared.
func decoded(t *testing.T, h *simulate.History) []event.Event {
	t.Helper()
	return decodedAt(t, h, now)
}

func decodedAt(t *testing.T, h *simulate.History, now time.Time) []event.Event {
	t.Helper()
	d := decoder(h.Programmes(), now)
	var events []event.Event
	dead := map[event.Reason]int{}
	n := 0
	for m := range h.Messages() {
		n++
		e, rejection := d.Decode(m.Subject, m.Payload)
		if rejection != nil {
			dead[rejection.Reason]++
			if !strings.Contains(m.MsgID, "|X") {
				t.Errorf("a valid event was refused: %v: %s", rejection, m.Payload)
			}
			continue
		}
		if strings.Contains(m.MsgID, "|X") {
			t.Errorf("an invalid event was taken: %s", m.Payload)
		}
		if m.MsgID != event.MsgID(&e) || m.Subject != event.Subject(&e) {
			t.Errorf("subject %s and id %s do not fit %s", m.Subject, m.MsgID, m.Payload)
		}
		events = append(events, e)
	}
	if want := h.Expected(); !maps.Equal(dead, want.DeadLetters) || n != want.Messages {
		t.Errorf("%d messages, dead letters %v; expected %d, %v", n, dead, want.Messages, want.DeadLetters)
	}
	return events
}

func each(cells []simulate.Cell) iter.Seq2[simulate.Cell, error] {
	return func(yield func(simulate.Cell, error) bool) {
		for _, c := range cells {
			if !yield(c, nil) {
				return
			}
		}
	}
}

func TestTruthIsWhatANaiveCountFinds(t *testing.T) {
	for seed, edition := range map[uint64]int{1: 2025, 2: 2019, 3: 2025} {
		h, err := simulate.New(simulate.Config{Seed: seed, People: few, Now: now, Programmes: programme.NewSet(edition, programmes(t).Programmes...)})
		if err != nil {
			t.Fatal(err)
		}
		dir := t.TempDir()
		if err := h.WriteReference(dir); err != nil {
			t.Fatal(err)
		}
		cells := count(h.Programmes(), readAreas(t, dir, edition), decoded(t, h))
		result, err := simulate.Compare(h.Truth(), each(cells))
		if err != nil {
			t.Fatal(err)
		}
		if result.Mismatches > 0 || result.Cells < 20_000 {
			t.Errorf("seed %d: %d of %d cells differ:\n%s", seed, result.Mismatches, result.Cells, strings.Join(result.First, "\n"))
		}
		moved, lapsed := 0, 0
		for _, c := range cells {
			moved += int(c.MovedIn)
			lapsed += int(c.Lapsed)
		}
		if moved == 0 || lapsed == 0 {
			t.Errorf("seed %d: %d moved, %d lapsed: not much of a test", seed, moved, lapsed)
		}
	}
}

func TestStoredIsTheNumberOfVersions(t *testing.T) {
	h := history(t, 3, few)
	type version struct {
		record  event.RecordID
		version event.Version
	}
	versions, ids := map[version]bool{}, map[string]bool{}
	resends, repeats := 0, 0
	for _, e := range decoded(t, h) {
		v := version{e.RecordID, e.Version}
		switch {
		case ids[event.MsgID(&e)]:
			repeats++
		case versions[v]:
			resends++
		}
		versions[v], ids[event.MsgID(&e)] = true, true
	}
	want := h.Expected()
	if len(versions) != want.Stored || repeats != want.Repeats || resends != want.Resends {
		t.Errorf("%d versions, %d repeats, %d resends; expected %d, %d, %d", len(versions), repeats, resends, want.Stored, want.Repeats, want.Resends)
	}
	if want.Messages != want.Stored+want.Repeats+want.Resends+want.Dead() {
		t.Errorf("the expected numbers do not add up: %+v", want)
	}
}

func TestEveryKindOfNoise(t *testing.T) {
	told := history(t, 4, few).Expected().Noise
	for _, name := range simulate.NoiseKinds() {
		if told[name] == 0 {
			t.Errorf("no %q", name)
		}
		delete(told, name)
	}
	if len(told) > 0 {
		t.Errorf("kinds that NoiseKinds does not list: %v", told)
	}
}

func TestSameSeedSameMessages(t *testing.T) {
	seed := maphash.MakeSeed()
	sum := func(h *simulate.History) uint64 {
		var hash maphash.Hash
		hash.SetSeed(seed)
		for m := range h.Messages() {
			_, _ = hash.WriteString(m.Subject)
			_, _ = hash.WriteString(m.MsgID)
			_, _ = hash.Write(m.Payload)
		}
		return hash.Sum64()
	}
	h := history(t, 5, 2000)
	first := sum(h)
	if sum(h) != first {
		t.Error("the same history gave other messages the second time")
	}
	if again := history(t, 5, 2000); sum(again) != first {
		t.Error("the same seed gave other messages")
	} else if a, b := csvOf(t, h), csvOf(t, again); !bytes.Equal(a, b) {
		t.Error("the same seed gave another truth")
	}
	if sum(history(t, 6, 2000)) == first {
		t.Error("another seed gave the same messages")
	}
}

func csvOf(t *testing.T, h *simulate.History) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := h.Truth().WriteCSV(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestWithoutNoiseEveryMessageIsARecord(t *testing.T) {
	h, err := simulate.New(simulate.Config{Seed: 7, People: 2000, Now: now, Programmes: programmes(t), NoNoise: true})
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range decoded(t, h) {
		if e.Status != event.Completed || e.Correction {
			t.Fatalf("noise: %+v", e)
		}
	}
	e := h.Expected()
	delete(e.Noise, "key change") // not noise but of the people
	delete(e.Noise, "unknown area")
	if e.Stored != e.Messages || len(e.Noise) > 0 {
		t.Errorf("noise: %+v", e)
	}
}

func TestNoNHSNumberButThePlantedOne(t *testing.T) {
	planted := 0
	for m := range history(t, 8, few).Messages() {
		all := slices.Concat([]byte(m.Subject+"\n"+m.MsgID+"\n"), m.Payload)
		rest := bytes.ReplaceAll(all, []byte(simulate.PlantedNumber), []byte("-"))
		if len(rest) < len(all) {
			planted++
		}
		if event.HoldsNHSNumber(rest) {
			t.Fatalf("looks like an NHS number: %s", all)
		}
	}
	if planted == 0 || !event.HoldsNHSNumber([]byte(simulate.PlantedNumber)) || !strings.HasPrefix(simulate.PlantedNumber, "999") {
		t.Errorf("%d messages with the planted number %s", planted, simulate.PlantedNumber)
	}
}

// The order in which messages arrive is not the order in which versions were made, and it is nothing but the past.
func TestArrival(t *testing.T) {
	h := history(t, 9, few)
	made := map[event.RecordID]event.Version{}
	older := 0
	for _, e := range decoded(t, h) {
		if v, ok := made[e.RecordID]; ok && e.Version.Less(v) {
			older++
		}
		made[e.RecordID] = e.Version
		if e.Time.After(now) || e.Day > calendar.Of(e.Time) {
			t.Errorf("of day %s, made at %s", e.Day, e.Time)
		}
	}
	if older < 100 {
		t.Errorf("only %d versions arrived after a newer one", older)
	}
}

// The delay between doing and recording grows with deprivation, and nobody comes on a Sunday.
func TestDelaysAndClinicDays(t *testing.T) {
	h, err := simulate.New(simulate.Config{Seed: 10, People: 30_000, Now: now, Programmes: programmes(t), NoNoise: true})
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := h.WriteReference(dir); err != nil {
		t.Fatal(err)
	}
	a := readAreas(t, dir, 2025)
	var delay, people [6]float64
	weekdays := map[time.Weekday]int{}
	for _, e := range decoded(t, h) {
		q := a.lsoas[e.LSOA].quintile
		if q == "" || q == "0" {
			continue
		}
		delay[q[0]-'0'] += e.Time.Sub(e.Day.Time()).Hours() / 24
		people[q[0]-'0']++
		if e.Programme == "flu-65" {
			weekdays[e.Day.Time().Weekday()]++
		}
	}
	for q := 2; q <= 5; q++ {
		if delay[q]/people[q] >= delay[q-1]/people[q-1] {
			t.Errorf("mean delay of quintile %d is %.1f days, of quintile %d %.1f", q, delay[q]/people[q], q-1, delay[q-1]/people[q-1])
		}
	}
	if weekdays[time.Sunday] > 0 || weekdays[time.Saturday] == 0 || 3*weekdays[time.Saturday] > 2*weekdays[time.Wednesday] {
		t.Errorf("flu by weekday: %v", weekdays)
	}
}

// gaps is the uptake of the least less that of the most deprived fifth on a day, in percentage points: in a place, and
// elsewhere.
func gaps(t *testing.T, h *simulate.History, place string, day calendar.Day) (there, elsewhere float64) {
	t.Helper()
	dir := t.TempDir()
	if err := h.WriteReference(dir); err != nil {
		t.Fatal(err)
	}
	a := readAreas(t, dir, 2025)
	var eligible, covered [2][6]float64
	side := func(p string) int {
		if p == place {
			return 0
		}
		return 1
	}
	for _, r := range readTable(t, dir+"/eligible.csv") {
		if p := a.lsoas[r["lsoa"]]; r["programme"] == "flu-65" && r["valid_from"] == "2026-11-15" && p.quintile != "" && p.quintile != "0" {
			n := 0.0
			for _, c := range r["eligible"] {
				n = 10*n + float64(c-'0')
			}
			eligible[side(p.place)][p.quintile[0]-'0'] += n
		}
	}
	for c := range h.Truth().Cells() {
		if c.Programme == "flu-65" && c.Season == "2026-27" && c.Level == simulate.LevelPCN && c.Day <= day {
			covered[side(c.Place)][c.Quintile] += float64(c.Newly)
		}
	}
	gap := func(i int) float64 { return 100 * (covered[i][5]/eligible[i][5] - covered[i][1]/eligible[i][1]) }
	return gap(0), gap(1)
}

func TestTheGapWidensInOnePlace(t *testing.T) {
	const northmoor = "X07000001"
	from := calendar.Date(2026, 10, 12)
	if got := simulate.UsualWidening(calendar.Of(now)).From; got != from {
		t.Fatalf("widens from %s, not %s", got, from)
	}
	h := history(t, 1, 1_500_000)
	there, elsewhere := gaps(t, h, northmoor, from-1)
	after, afterElsewhere := gaps(t, h, northmoor, from+20)
	if extra := after - there - (afterElsewhere - elsewhere); extra < 6 || extra > 11 {
		t.Errorf("the gap in Northmoor grew from %.1f to %.1f, elsewhere from %.1f to %.1f: %.1f more", there, after, elsewhere, afterElsewhere, extra)
	}
	if d := there - elsewhere; d > 3 || d < -3 {
		t.Errorf("before that, the gap was %.1f in Northmoor and %.1f elsewhere", there, elsewhere)
	}
}

func TestCompareFindsDifferences(t *testing.T) {
	truth := history(t, 11, 1000).Truth()
	all := slices.Collect(truth.Cells())
	compare := func(cells []simulate.Cell) simulate.Comparison {
		t.Helper()
		result, err := simulate.Compare(truth, each(cells))
		if err != nil {
			t.Fatal(err)
		}
		return result
	}
	backwards := slices.Clone(all)
	slices.Reverse(backwards)
	if r := compare(backwards); r.Mismatches != 0 || r.Cells != len(all) || r.Cells != truth.Len() {
		t.Errorf("in another order: %+v", r)
	}
	if r := compare(all[1:]); r.Mismatches != 1 || r.Cells != len(all) {
		t.Errorf("one missing: %+v", r)
	}
	if r := compare(nil); r.Mismatches != len(all) {
		t.Errorf("all missing: %d of %d", r.Mismatches, len(all))
	}
	changed := slices.Clone(all)
	changed[7].MovedOut++
	if r := compare(changed); r.Mismatches != 1 || !strings.Contains(r.First[0], changed[7].Day.String()) {
		t.Errorf("one changed: %+v", r)
	}
	extra := all[3]
	extra.Day += 9999
	if r := compare(append(slices.Clone(all), extra)); r.Mismatches != 1 || r.Cells != len(all)+1 {
		t.Errorf("one too many: %+v", r)
	}
	extra = all[3]
	extra.Place = "E06000001"
	if r := compare(append(slices.Clone(all), extra)); r.Mismatches != 1 {
		t.Errorf("an unknown place: %+v", r)
	}
	extra = all[3]
	extra.Newly, extra.Lapsed, extra.MovedIn, extra.MovedOut = 0, 0, 0, 0
	if r := compare(append(slices.Clone(all), extra)); r.Mismatches != 0 {
		t.Errorf("an empty cell: %+v", r)
	}
	if r := compare(append(slices.Clone(all), all[3])); r.Mismatches != 1 {
		t.Errorf("one twice: %+v", r)
	}
}

func TestWriteCSV(t *testing.T) {
	h := history(t, 12, 500)
	rows, err := csv.NewReader(bytes.NewReader(csvOf(t, h))).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	if len(rows) != h.Truth().Len()+1 || strings.Join(rows[0], ",") != "programme,season,day,place,system,level,code,quintile,newly,lapsed,moved_in,moved_out" {
		t.Errorf("%d rows for %d cells, header %v", len(rows), h.Truth().Len(), rows[0])
	}
}

// In some years the retention of the seasons that are listed today is over, and later of all of them.
func TestLaterYears(t *testing.T) {
	set := programmes(t)
	for year, want := range map[int]int{2029: len(set.Programmes), 2045: 4} {
		at := time.Date(year, 6, 1, 3, 0, 0, 0, time.UTC)
		h, err := simulate.New(simulate.Config{Seed: 1, People: 2000, Now: at, Programmes: set})
		if err != nil {
			t.Fatal(err)
		}
		if events := decodedAt(t, h, at); len(events) == 0 || len(h.Programmes().Programmes) != want {
			t.Errorf("%d: %d events of %d programmes", year, len(events), len(h.Programmes().Programmes))
		}
		if err := h.WriteReference(t.TempDir()); err != nil {
			t.Error(err)
		}
	}
	flu, _ := set.Get("flu-65")
	if _, err := simulate.New(simulate.Config{Seed: 1, People: 1, Now: time.Date(2045, 6, 1, 3, 0, 0, 0, time.UTC), Programmes: programme.NewSet(2025, flu)}); err == nil {
		t.Error("a programme was simulated of which every season is over")
	}
}

func TestNewRefuses(t *testing.T) {
	set := programmes(t)
	for want, c := range map[string]simulate.Config{
		"people":     {People: -1, Now: now, Programmes: set},
		"given":      {People: 10, Now: now},
		"2000":       {People: 10, Now: now.AddDate(-30, 0, 0), Programmes: set},
		"no such":    {People: 10, Now: now, Programmes: set, Widening: &simulate.Widening{Place: "Nowhere"}},
		"1 to 4,000": {People: 5_000_000, Now: now, Programmes: set},
	} {
		if _, err := simulate.New(c); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
}

func TestLive(t *testing.T) {
	h := history(t, 13, few)
	d := decoder(h.Programmes(), now.Add(time.Hour))
	at := now
	clock := func() time.Time { at = at.Add(20 * time.Millisecond); return at }
	run := func() map[string]event.Event {
		records := map[string]event.Event{}
		programmes, versions, n := map[string]int{}, 0, 0
		for m := range h.Live(clock) {
			e, rejection := d.Decode(m.Subject, m.Payload)
			if rejection != nil {
				t.Fatalf("%v: %s", rejection, m.Payload)
			}
			if e.Day != calendar.Of(at) || e.Time.After(at) || at.Sub(e.Time) > time.Hour {
				t.Fatalf("at %s: %s", at, m.Payload)
			}
			if _, ok := records[e.Record]; ok {
				versions++
			}
			records[e.Record] = e
			programmes[e.Programme]++
			if n++; n == 3000 {
				break
			}
		}
		if programmes["flu-65"] < 500 || programmes["covid-autumn"] < 500 || programmes["bp-check"] == 0 || versions < 30 {
			t.Errorf("%v, %d further versions", programmes, versions)
		}
		return records
	}
	first, second := run(), run()
	for record := range second {
		if _, ok := first[record]; ok {
			t.Fatalf("two runs share record %s", record)
		}
	}
}

func BenchmarkGenerate(b *testing.B) {
	set := programmes(b)
	messages := 0
	for b.Loop() {
		h, err := simulate.New(simulate.Config{Seed: 1, People: 150_000, Now: now, Programmes: set})
		if err != nil {
			b.Fatal(err)
		}
		for range h.Messages() {
			messages++
		}
	}
	b.ReportMetric(float64(messages)/b.Elapsed().Seconds(), "messages/s")
}

func TestEachPlaceHasAllQuintiles(t *testing.T) {
	shares := map[string]float64{}
	for seed := range uint64(20) {
		h := history(t, seed, 1)
		dir := t.TempDir()
		if err := h.WriteReference(dir); err != nil {
			t.Fatal(err)
		}
		type key struct{ place, quintile string }
		found, n := map[key]int{}, map[string]int{}
		for code, p := range readAreas(t, dir, 2025).lsoas {
			if p.place == "" || p.quintile == "0" || strings.HasPrefix(code, "X018") {
				continue
			}
			found[key{p.place, p.quintile}]++
			n[p.place]++
		}
		for place := range n {
			for q := range 5 {
				if found[key{place, string(rune('1' + q))}] == 0 {
					t.Errorf("seed %d: no LSOA of quintile %d in %s", seed, q+1, place)
				}
			}
			shares[place] += float64(found[key{place, "1"}]) / float64(n[place]) / 20
		}
	}
	values := slices.SortedFunc(maps.Values(shares), cmp.Compare[float64])
	if len(values) != 10 || values[0] > 0.12 || values[9] < 0.3 {
		t.Errorf("share of LSOAs in the most deprived fifth by place: %v: places should differ", values)
	}
}

// The bus brings people of the most deprived fifth in its place and weeks.
func TestTheBusBringsTheMostDeprived(t *testing.T) {
	h := history(t, 1, 600_000)
	dir := t.TempDir()
	if err := h.WriteReference(dir); err != nil {
		t.Fatal(err)
	}
	loaded := readTable(t, dir+"/interventions.csv")
	if len(loaded) != 2 || loaded[0]["geography"] != "X07000002" || loaded[0]["to"] == "" || loaded[1]["to"] != "" {
		t.Fatalf("interventions: %v", loaded)
	}
	bus := loaded[0]
	from, err := calendar.Parse(bus["from"])
	if err != nil {
		t.Fatal(err)
	}
	// How many came in the three weeks of the bus for each who came in the three weeks before.
	came := func(there bool) float64 {
		before, then := 0.0, 0.0
		for c := range h.Truth().Cells() {
			if c.Programme != bus["programme"] || c.Level != simulate.LevelPCN || c.Quintile != 1 ||
				(c.Place == bus["geography"]) != there || c.Place == "X07000001" || c.Place == "" {
				continue
			}
			switch {
			case c.Day >= from && c.Day < from+21:
				then += float64(c.Newly)
			case c.Day >= from-21 && c.Day < from:
				before += float64(c.Newly)
			}
		}
		return then / before
	}
	if here, elsewhere := came(true), came(false); here < 1.15*elsewhere {
		t.Errorf("from %s: %.2f times as many came as in the weeks before, elsewhere %.2f", from, here, elsewhere)
	}
}
