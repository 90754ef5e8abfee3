package gap_test

import (
	"context"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/google/go-cmp/cmp"
	"golang.org/x/sync/errgroup"

	"gapwatch/services/internal/calendar"
	"gapwatch/services/internal/disclosure"
	"gapwatch/services/internal/engine/enginetest"
	"gapwatch/services/internal/gap"
	"gapwatch/services/internal/inequality"
	"gapwatch/services/internal/programme"
	"gapwatch/services/internal/store"
)

func TestMain(m *testing.M) { enginetest.Main(m) }

// The programme of the tests: flu in two seasons, watched on the last day of January.
const (
	flu       = "flu-65"
	thisYear  = "2024-25"
	lastYear  = "2023-24"
	allPlaces = 7
)

var (
	today   = calendar.Date(2025, 1, 31)
	seasons = map[string]calendar.Day{}
)

// world is a store in which the roll-up has published cells, as made up by a test.
type world struct {
	t    *testing.T
	conn driver.Conn
	set  *programme.Set
	id   uint64 // sequence of the next snapshot
}

func newWorld(t *testing.T) *world {
	t.Helper()
	url := enginetest.New(t).URL()
	if err := store.Migrate(t.Context(), url); err != nil {
		t.Fatal(err)
	}
	conn, err := store.Open(url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	all, err := programme.Load("")
	if err != nil {
		t.Fatal(err)
	}
	p, _ := all.Get(flu)
	for _, s := range p.Seasons {
		seasons[s.ID] = s.Start
	}
	w := &world{t: t, conn: conn, set: programme.NewSet(2025, p)}
	w.exec(`INSERT INTO prevention.loads (load, batch, kind, key, sha256) VALUES (1, 1, 'areas', '', 'x'), (1, 1, 'names', 'place/x', 'x')`)
	for i := range allPlaces {
		w.exec(fmt.Sprintf(`INSERT INTO prevention.areas (batch, lsoa, neighbourhood, place, system, region, quintile_2019, quintile_2025, rank_2025)
			VALUES (1, 'X0100000%d', 'X0200000%d', '%s', 'X54000001', 'X12000001', 1, 1, 1)`, i, i, place(i)))
		w.exec(fmt.Sprintf(`INSERT INTO prevention.names (batch, level, relation, code, name) VALUES (1, 'place', 'x', '%s', 'Place %d')`, place(i), i))
	}
	return w
}

func place(i int) string { return fmt.Sprintf("X0700000%d", i) }

func (w *world) exec(query string) {
	w.t.Helper()
	if err := w.conn.Exec(context.Background(), query); err != nil {
		w.t.Fatalf("%s: %v", query, err)
	}
}

// people are how many of a place's quintile are newly covered on each day of a season, and eligible all along.
type people struct {
	eligible uint32
	newly    func(day int) uint32 // of the season, 0 is its first
}

// months is what appendCell fills: prevention.uptake_months, with one day in each row.
const months = "uptake_months (programme, season, place, system, level, code, quintile, id, month, days.day, days.newly, days.lapsed, days.moved_in, days.moved_out)"

func appendCell(batch driver.Batch, on calendar.Day, newly uint32, rest ...any) error {
	year, month, day := on.Time().Date()
	none := []uint32{0}
	return batch.Append(append(rest, calendar.Date(year, month, 1).Time(), []uint8{uint8(day)}, []uint32{newly}, none, none, none)...)
}

// publish writes cells as the roll-up does and publishes them. Each place has one neighbourhood and one PCN, and every
// local fifth is the national quintile.
func (w *world) publish(season string, of func(place, quintile int) people) {
	w.t.Helper()
	w.id++
	ctx := context.Background()
	id := new(big.Int).Or(new(big.Int).Lsh(big.NewInt(1<<44|1), 64), new(big.Int).SetUint64(w.id))
	cells, err := w.conn.PrepareBatch(ctx, "INSERT INTO prevention."+months)
	if err != nil {
		w.t.Fatal(err)
	}
	eligible, err := w.conn.PrepareBatch(ctx, "INSERT INTO prevention.eligible_cells (programme, season, valid_from, place, system, level, code, quintile, generation, eligible)")
	if err != nil {
		w.t.Fatal(err)
	}
	published, err := w.conn.PrepareBatch(ctx, "INSERT INTO prevention.published (programme, season, place, id, base)")
	if err != nil {
		w.t.Fatal(err)
	}
	check := func(err error) {
		if err != nil {
			w.t.Helper()
			w.t.Fatal(err)
		}
	}
	check(published.Append(flu, "", "", id, id))
	start := seasons[season]
	for i := range allPlaces {
		check(published.Append(flu, season, place(i), id, id))
		for q := range 6 {
			p := of(i, q)
			for level, code := range map[string]string{"neighbourhood": fmt.Sprintf("X0200000%d", i), "pcn": "P", "ethnicity": "A",
				"place fifth": strings.Trim(fmt.Sprint(q), "0"), "system fifth": strings.Trim(fmt.Sprint(q), "0")} {
				if p.eligible > 0 {
					check(eligible.Append(flu, season, start.Time(), place(i), "X54000001", level, code, uint8(q), uint32(1), p.eligible))
				}
				for day := start; p.newly != nil && day <= today; day++ {
					if n := p.newly(int(day - start)); n > 0 {
						check(appendCell(cells, day, n, flu, season, place(i), "X54000001", level, code, uint8(q), id))
					}
				}
			}
		}
	}
	check(cells.Send())
	check(eligible.Send())
	check(published.Send())
}

func (w *world) keeper(change func(*gap.Config)) *gap.Keeper {
	w.t.Helper()
	c := gap.Config{ClickHouse: w.conn, Programmes: w.set, Settle: -1, Now: func() time.Time { return today.Time().Add(12 * time.Hour) }}
	if change != nil {
		change(&c)
	}
	k, err := gap.New(c)
	if err != nil {
		w.t.Fatal(err)
	}
	return k
}

func (w *world) tick(k *gap.Keeper) gap.Result {
	w.t.Helper()
	r, err := k.Tick(context.Background())
	if err != nil {
		w.t.Fatal(err)
	}
	return r
}

// lines are the rows of a query as text.
func (w *world) lines(query string) []string {
	w.t.Helper()
	var text string
	if err := w.conn.QueryRow(context.Background(), "SELECT arrayStringConcat(groupArray(line), '\n') FROM ("+query+")").Scan(&text); err != nil {
		w.t.Fatalf("%s: %v", query, err)
	}
	if text == "" {
		return nil
	}
	return strings.Split(text, "\n")
}

// usual is a season in which 120 to 160 of 60,000 come a day in each quintile, more in the less deprived.
func usual(_, quintile int) people {
	if quintile == 0 {
		return people{}
	}
	return people{60_000, func(int) uint32 { return uint32(110 + 10*quintile) }}
}

// widens is as usual but that in one place half of quintile 1 stay away from a day of the season on.
func widens(in, from int) func(int, int) people {
	return func(place, quintile int) people {
		p := usual(place, quintile)
		if place == in && quintile == 1 {
			p.newly = func(day int) uint32 {
				if day >= from {
					return 40
				}
				return 120
			}
		}
		return p
	}
}

func TestEveryDayIsMeasuredFromShownCounts(t *testing.T) {
	w := newWorld(t)
	w.publish(thisYear, func(place, quintile int) people {
		p := usual(place, quintile)
		if place == 1 && quintile == 1 {
			p.newly = func(day int) uint32 { return map[int]uint32{0: 3, 40: 1}[day] } // few people for a long time
		}
		return p
	})
	k := w.keeper(nil)
	first := w.tick(k)
	if days := int(today-seasons[thisYear]) + 1; first.Days != days*(allPlaces*2+2+1+1) { // places and system with local fifths, region, PCN
		t.Errorf("%d rows for %d days", first.Days, days)
	}
	if again := w.tick(w.keeper(nil)); again.Days != 0 {
		t.Errorf("%d rows were written again by a keeper that started afresh", again.Days)
	}
	for _, level := range []string{"place", "system"} {
		var covered, eligible []uint64
		var gapValue, sii float64
		query := `SELECT covered, eligible, assumeNotNull(gap), assumeNotNull(sii) FROM prevention.gap_days FINAL
			WHERE level = ? AND fifths = 'national' AND code IN ('X07000000', 'X54000001') AND day = toDate32(?)`
		if err := w.conn.QueryRow(t.Context(), query, level, today.String()).Scan(&covered, &eligible, &gapValue, &sii); err != nil {
			t.Fatal(err)
		}
		var shown inequality.Quintiles
		parts := map[string]int{"place": 1, "system": allPlaces}[level]
		for q := range shown { // every part is rounded by itself
			var sum disclosure.Sum
			for i := range parts {
				n := uint64(120+10*q) * uint64(today-seasons[thisYear]+1)
				if i == 1 && q == 0 {
					n = 4
				}
				sum.Add(disclosure.NHSEngland.Cell(inequality.Count{Covered: n, Eligible: 60_000}))
			}
			shown[q], _ = sum.Cell().Count()
		}
		want := inequality.Of(shown, 100)
		wantGap, _ := want.Gap.Get()
		wantSII, _ := want.SII.Get()
		if gapValue != wantGap.Value || sii != wantSII.Value {
			t.Errorf("%s: gap %v and SII %v, want %v and %v", level, gapValue, sii, wantGap.Value, wantSII.Value)
		}
	}
	if small := w.lines(`SELECT concat(code, ' ', toString(day)) AS line FROM prevention.gap_days FINAL
		WHERE arrayExists(n -> n BETWEEN 1 AND 7, arrayConcat(shown_covered, shown_eligible))`); len(small) > 0 {
		t.Errorf("small numbers are shown: %v", small[:min(3, len(small))])
	}
	if why := w.lines(`SELECT concat(withheld[2], ': ', splitByChar('\n', not_computed)[1]) AS line FROM prevention.gap_days FINAL
		WHERE code = 'X07000001' AND fifths = 'national' AND day = toDate32('` + today.String() + `')`); !cmp.Equal(why, []string{"suppressed: gap: quintile 1: no eligible people known"}) &&
		!cmp.Equal(why, []string{"suppressed: gap: quintile 1: nobody eligible"}) {
		t.Logf("%v", why)
		if len(why) != 1 || !strings.HasPrefix(why[0], "suppressed: gap: quintile 1") {
			t.Errorf("a suppressed quintile is measured: %v", why)
		}
	}
}

func TestLateEventsChangeTheirDaysAndNoOthers(t *testing.T) {
	w := newWorld(t)
	w.publish(thisYear, usual)
	k := w.keeper(nil)
	w.tick(k)
	w.publish(thisYear, func(place, quintile int) people {
		p := usual(place, quintile)
		if place == 2 && quintile == 3 {
			p.newly = func(day int) uint32 {
				if day == 100 {
					return 200
				}
				return 140
			}
		}
		return p
	})
	days := int(today-seasons[thisYear]) + 1 - 100
	if r := w.tick(k); r.Days != days*(2+2+1+1) { // the place and the system with local fifths, region, PCN
		t.Errorf("%d rows were written for %d days", r.Days, days)
	}
}

func TestAWideningIsCalledOnceWhateverIsCutOff(t *testing.T) {
	w := newWorld(t)
	w.publish(lastYear, usual)
	w.publish(thisYear, widens(3, 60))
	cut := errors.New("cut off")
	for _, at := range []string{"verdict_log", "judged"} { // before a change is logged, and between that and the standing
		_, err := w.keeper(func(c *gap.Config) {
			c.Checkpoint = func(name string) error {
				if strings.HasPrefix(name, at) {
					return cut
				}
				return nil
			}
		}).Tick(t.Context())
		if !errors.Is(err, cut) {
			t.Fatalf("%s: %v; %v", at, err, w.lines(`SELECT concat(sentence, ' ', missing) AS line FROM prevention.judged FINAL WHERE level = 'place'`))
		}
	}
	w.tick(w.keeper(nil))
	w.tick(w.keeper(nil))
	log := w.lines(`SELECT concat(event_id, ' ', verdict) AS line FROM prevention.verdict_log WHERE verdict IN ('widening', 'narrowing') AND level = 'place' ORDER BY code, n`)
	if len(log) != 1 || !strings.HasSuffix(log[0], "widening") || !strings.HasPrefix(log[0], "flu-65/2024-25/X07000003/") {
		t.Errorf("the log says %q", log)
	}
	if ids := w.lines(`SELECT event_id AS line FROM prevention.verdict_log GROUP BY event_id HAVING count() > 1`); len(ids) > 0 {
		t.Errorf("logged more than once: %v", ids)
	}
	sentence := w.lines(`SELECT sentence AS line FROM prevention.verdict_log WHERE verdict = 'widening' AND level = 'place'`)
	if len(sentence) != 1 || !strings.Contains(sentence[0], "in Place 3: the gap is") || !strings.Contains(sentence[0], "more than on the same day of last season") {
		t.Errorf("it says %q", sentence)
	}

	// Late events revise what is shown, not what was said.
	said := w.lines(`SELECT toString(tuple(*)) AS line FROM prevention.verdict_log ORDER BY event_id`)
	w.publish(thisYear, usual)
	w.tick(w.keeper(nil))
	if now := w.lines(`SELECT toString(tuple(*)) AS line FROM prevention.verdict_log ORDER BY event_id`); !slices.Equal(said, now) {
		t.Errorf("the log has changed:\n%s", cmp.Diff(said, now))
	}
}

func TestTwoKeepersSayTheSameOnce(t *testing.T) {
	w := newWorld(t)
	w.publish(lastYear, usual)
	w.publish(thisYear, widens(2, 60))
	var group errgroup.Group
	for i := range 2 {
		k := w.keeper(func(c *gap.Config) { // their clocks differ, and so do the rows
			c.Now = func() time.Time { return today.Time().Add(12*time.Hour + time.Duration(i)*time.Second) }
		})
		group.Go(func() error {
			_, err := k.Tick(context.Background())
			return err
		})
	}
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
	ids := w.lines(`SELECT event_id AS line FROM prevention.verdict_log ORDER BY event_id`)
	if n := len(ids); n == 0 || len(slices.Compact(ids)) != n {
		t.Errorf("logged: %v", ids)
	}
}

func TestNothingIsSaidWhileAHistoryComesIn(t *testing.T) {
	w := newWorld(t)
	now := today.Time().Add(8 * time.Hour)
	k := w.keeper(func(c *gap.Config) {
		c.Settle, c.Now = 10*time.Minute, func() time.Time { return now }
	})
	w.publish(lastYear, usual)
	said := func() int {
		return len(w.lines(`SELECT code AS line FROM prevention.judged UNION ALL SELECT code FROM prevention.neighbourhood_weeks`))
	}
	for share := range uint32(4) { // a quarter more each five minutes
		w.publish(thisYear, func(place, quintile int) people {
			p := usual(place, quintile)
			if p.newly != nil {
				p.newly = func(int) uint32 { return 30 * (share + 1) }
			}
			return p
		})
		w.tick(k)
		now = now.Add(5 * time.Minute)
	}
	w.tick(k)
	if n := said(); n > 0 && len(w.lines(`SELECT code AS line FROM prevention.judged`)) > 0 {
		t.Errorf("%d rows were said of a history that was still coming in", n)
	}
	now = now.Add(6 * time.Minute)
	w.tick(k)
	if len(w.lines(`SELECT code AS line FROM prevention.judged`)) == 0 {
		t.Error("nothing is said of a history that is in")
	}
}

func TestTheWeeksOfSmallAreasStayAsTheyWereShown(t *testing.T) {
	w := newWorld(t)
	w.publish(thisYear, usual)
	weeks := func() []string {
		return w.lines(`SELECT toString((day, code, covered, rank)) AS line FROM prevention.neighbourhood_weeks FINAL ORDER BY day, code`)
	}
	k := w.keeper(nil)
	w.tick(k)
	before := weeks()
	if len(before) == 0 || len(before)%allPlaces != 0 {
		t.Fatalf("%d rows", len(before))
	}
	w.publish(thisYear, func(place, quintile int) people {
		p := usual(place, quintile)
		if p.newly != nil {
			p.newly = func(int) uint32 { return 1 }
		}
		return p
	})
	w.tick(k)
	if after := weeks(); !slices.Equal(before, after) {
		t.Errorf("weeks have changed:\n%s", cmp.Diff(before, after))
	}
}

func TestAPlaceWithoutQuintile1IsJudgedByItsOwnFifths(t *testing.T) {
	w := newWorld(t)
	of := func(place, quintile int) people {
		p := usual(place, quintile)
		if place == 4 && quintile == 1 {
			p = people{50, func(int) uint32 { return 0 }}
		}
		return p
	}
	w.publish(thisYear, of)
	w.tick(w.keeper(nil))
	got := w.lines(`SELECT concat(code, ' ', fifths) AS line FROM prevention.judged FINAL WHERE level = 'place' ORDER BY code`)
	for i, line := range got {
		want := place(i) + " national"
		if i == 4 {
			want = place(i) + " local"
		}
		if line != want {
			t.Errorf("%q, want %q", line, want)
		}
	}
	if len(got) != allPlaces {
		t.Errorf("%d places are judged", len(got))
	}
}

func TestWhatAnInterventionDidAndWhereTheSeasonIsHeading(t *testing.T) {
	w := newWorld(t)
	w.exec(`INSERT INTO prevention.loads (load, batch, kind, key, sha256) VALUES (2, 9, 'interventions', 'flu-65', 'x')`)
	w.exec(`INSERT INTO prevention.interventions (batch, programme, geography, from_day, to_day, label) VALUES
		(9, 'flu-65', 'X07000005', '2024-12-01', '2024-12-28', 'vaccination bus'), (9, 'flu-65', 'E09999999', '2024-12-01', '2024-12-28', 'elsewhere')`)
	from := int(calendar.Date(2024, 12, 1) - seasons[thisYear])
	w.publish(thisYear, func(place, quintile int) people {
		p := usual(place, quintile)
		if place == 5 && quintile == 1 {
			p.newly = func(day int) uint32 {
				if day >= from {
					return 220
				}
				return 120
			}
		}
		return p
	})
	w.tick(w.keeper(nil))
	got := w.lines(`SELECT concat(code, ' ', measure, ' ', ifNull(toString(round(effect, 4)), not_computed), ' ', toString(places)) AS line
		FROM prevention.intervention_effects FINAL ORDER BY code DESC, measure DESC`)
	want := []string{ // 100 more of 60,000 a day for 28 days: 1.2 points a week, 4.7 points of the gap
		"X07000005 weekly pace of quintile 1 0.0117 6", "X07000005 gap -0.0467 6",
		"E09999999 weekly pace of quintile 1 not a place that has counts 0", "E09999999 gap not a place that has counts 0",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if n := w.lines(`SELECT concat(level, ' ', toString(quintile), ' ', status) AS line FROM prevention.trajectories FINAL WHERE code = 'X54000001' AND end_uptake > 0.2 AND end_high <= 1`); len(n) != 5 {
		t.Errorf("trajectories of the system: %v", n)
	}
}

func TestPublishedSeriesAreMeasuredAsTheyAre(t *testing.T) {
	w := newWorld(t)
	w.exec(`INSERT INTO prevention.loads (load, batch, kind, key, sha256) VALUES (3, 7, 'history', 'other/2020/England', 'x')`)
	w.exec(`INSERT INTO prevention.history (batch, programme, season, geography, day, quintile, covered, eligible)
		SELECT 7, 'other', '2020', 'England', toDate32('2020-12-08') + day, q, 6 + q * (day + 1), 1000
		FROM (SELECT intDiv(number, 6) AS day, number % 6 AS q FROM numbers(18))`)
	k := w.keeper(nil)
	w.tick(k)
	got := w.lines(`SELECT concat(toString(day), ' ', toString(shown_covered[2]), ' ', toString(round(assumeNotNull(gap), 6))) AS line
		FROM prevention.gap_days FINAL WHERE level = 'published series' ORDER BY day`)
	if diff := cmp.Diff([]string{"2020-12-08 7 0.004", "2020-12-09 8 0.008", "2020-12-10 9 0.012"}, got); diff != "" {
		t.Error(diff)
	}
}
