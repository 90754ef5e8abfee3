package admit_test

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/nats-io/nats.go/jetstream"

	"gapwatch/services/internal/admit"
	"gapwatch/services/internal/calendar"
	"gapwatch/services/internal/cases"
	"gapwatch/services/internal/collect"
	"gapwatch/services/internal/engine/enginetest"
	"gapwatch/services/internal/event"
	"gapwatch/services/internal/rollup"
	"gapwatch/services/internal/store"
	"gapwatch/services/internal/stream"
	"gapwatch/services/internal/stream/streamtest"
)

func TestMain(m *testing.M) { enginetest.Main(m) }

// person is the NHS number of a person of the test: 999 and six digits, and the check digit.
func person(t testing.TB, n int) string {
	t.Helper()
	for i := n * 100; ; i++ {
		nine := fmt.Sprintf("999%06d", i)
		sum := 0
		for j, c := range nine {
			sum += int(c-'0') * (10 - j)
		}
		if check := (11 - sum%11) % 11; check < 10 {
			return fmt.Sprintf("%s%d", nine, check)
		}
	}
}

// at is a version of a flu vaccination on 10 October 2024 of somebody of 70, made so many hours after it.
func at(hours int, changes ...func(*admit.Submission)) admit.Submission {
	s := flu()
	s.BirthDate, s.OccurredAt, s.Plus = "1954-06-01", "2024-10-10", nil
	s.Time = time.Date(2024, 10, 10, 12, 0, 0, 0, time.UTC).Add(time.Duration(hours) * time.Hour)
	for _, change := range changes {
		change(&s)
	}
	return s
}

func sixtyFour(s *admit.Submission) { s.BirthDate = "1960-06-01" } // on 31 March 2025
func hpv(s *admit.Submission)       { s.Procedures, s.Diseases = sct("761841000"), nil }
func covid(s *admit.Submission) {
	s.Procedures, s.Diseases, s.BirthDate = sct("840534001"), nil, "1940-01-01"
}
func summer(s *admit.Submission)     { s.OccurredAt = "2024-08-01" }
func first(s *admit.Submission)      { s.Revision = admit.First }
func correction(s *admit.Submission) { s.Revision = admit.Correction }
func deleted(s *admit.Submission)    { s.Status = event.EnteredInError }
func undone(s *admit.Submission)     { s.Status = event.NotDone }
func subpotent(s *admit.Submission)  { s.Subpotent = true }
func pharmacy(s *admit.Submission) {
	s.Source, s.Record, s.OccurredAt = "https://pharmacy.example/12", "ph-7", "2024-11-01"
}
func rich(s *admit.Submission) { s.Postcode = "QQ1 1AB" }

// story is what a sender or two say of one person's vaccination, one version a step, and how many people that counts for
// in flu-65 after each of them.
type story struct {
	title  string
	said   []admit.Submission
	counts []int64
}

var stories = []story{
	{"the birth date is corrected to 64 and back", []admit.Submission{at(0), at(1, sixtyFour), at(2)}, []int64{1, 0, 1}},
	{"the code is corrected to a vaccine that nothing watches, and back", []admit.Submission{at(0), at(1, hpv), at(2, correction)}, []int64{1, 0, 1}},
	{"the date is corrected out of every season, and back", []admit.Submission{at(0), at(1, summer, correction), at(2)}, []int64{1, 0, 1}},
	{"the code is corrected to another programme's", []admit.Submission{at(0), at(1, covid)}, []int64{1, 0}},
	{"a correction at equal time", []admit.Submission{at(0, first), at(0, correction, sixtyFour)}, []int64{1, 0}},
	{"a correction at equal time comes first", []admit.Submission{at(0, correction, sixtyFour), at(0, first)}, []int64{0, 0}},
	{"a correction that counts, at equal time", []admit.Submission{at(0, first, sixtyFour), at(0, correction)}, []int64{0, 1}},
	{"a correction that counts comes first", []admit.Submission{at(0, correction), at(0, first, summer)}, []int64{1, 1}},
	{"a deletion over an update over a new one, at equal time", []admit.Submission{at(0, first), at(0, correction), at(0, deleted)}, []int64{1, 1, 0}},
	{"the same backwards", []admit.Submission{at(0, deleted), at(0, correction), at(0, first)}, []int64{0, 0, 0}},
	{"not done after all, and done", []admit.Submission{at(0), at(1, undone), at(2)}, []int64{1, 0, 1}},
	{"subpotent", []admit.Submission{at(0), at(1, subpotent, correction)}, []int64{1, 0}},
	{"an older version comes late", []admit.Submission{at(5), at(1, sixtyFour), at(2, deleted)}, []int64{1, 1, 1}},
	{"two senders, one person", []admit.Submission{at(0), at(0, pharmacy), at(1, deleted), at(1, pharmacy, deleted)}, []int64{1, 1, 1, 0}},
	{"moved to a less deprived area", []admit.Submission{at(0), at(1, rich, correction)}, []int64{1, 1}},
	{"never a programme", []admit.Submission{at(0, first, sixtyFour), at(1, hpv), at(2, summer)}, []int64{0, 0, 0}},
}

// ethnicity tells the stories apart: each has an ethnic category of its own.
const ethnicities = "ABCDEFGHJKLMNPRSZ"

// TestThroughThePipeline puts submissions through the door, NATS, collector, ClickHouse and aggregator, and counts people.
func TestThroughThePipeline(t *testing.T) {
	p := newPipeline(t)
	const keyChange = "Z"
	if len(stories) > strings.Index(ethnicities, keyChange) {
		t.Fatal("more stories than ethnic categories")
	}
	// A person whose records come before, during and after a key change, from three systems.
	var persons []*admit.Door
	for _, keys := range [][2]string{{"k1", ""}, {"k2", "k1"}, {"k2", ""}, {"k2", ""}} {
		d := doorOf(t, p.door.Programmes)
		d.Now, d.Keys = time.Now, keysOf(t, keys[0], keys[1])
		persons = append(persons, d)
	}
	for step := range 4 {
		want := map[string]int64{}
		for i, s := range stories {
			if step < len(s.said) {
				said := s.said[step]
				said.NHSNumber, said.Record, said.Ethnicity = person(t, i), fmt.Sprintf("%s of story %d", said.Record, i), ethnicities[i:i+1]
				p.send(p.door, said)
			}
			want[ethnicities[i:i+1]] = s.counts[min(step, len(s.counts)-1)]
		}
		said := at(step, func(s *admit.Submission) {
			s.NHSNumber, s.Ethnicity, s.Record = person(t, 999), keyChange, "rec"
			s.Source = fmt.Sprintf("urn:system:%d", step)
			s.OccurredAt = fmt.Sprintf("2024-10-%02d", 25-step)
		})
		p.send(persons[step], said)
		want[keyChange] = 1
		p.count()
		got := p.covered("flu-65", "2024-25")
		for i, s := range stories {
			if e := ethnicities[i : i+1]; got[e] != want[e] {
				t.Errorf("%s: %d people after version %d, want %d", s.title, got[e], step+1, want[e])
			}
		}
		if got[keyChange] != 1 {
			t.Errorf("key change: one person is counted %d times after record %d", got[keyChange], step+1)
		}
	}
	if got := p.covered("covid-autumn", "2024-25"); got["D"] != 1 || len(got) != 1 {
		t.Errorf("covid-autumn: %v, want the one whose code was corrected", got)
	}
	if result, err := p.aggregator.Audit(t.Context()); err != nil || result.Mismatches != 0 || result.Compared == 0 {
		t.Errorf("audit: %+v, %v", result, err)
	}
}

// pipeline is a collector and an aggregator with real servers.
type pipeline struct {
	t          *testing.T
	door       *admit.Door
	js         jetstream.JetStream
	clickhouse driver.Conn
	aggregator *rollup.Aggregator
	sent       uint64
}

func newPipeline(t *testing.T) *pipeline {
	t.Helper()
	p := &pipeline{t: t, door: newDoor(t)}
	p.door.Now = time.Now
	_, country, err := cases.Read()
	if err != nil {
		t.Fatal(err)
	}
	url := enginetest.URL(t)
	if err := store.Migrate(t.Context(), url); err != nil {
		t.Fatal(err)
	}
	if p.clickhouse, err = store.Open(url); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.clickhouse.Close() })
	if err := country.Insert(t.Context(), p.clickhouse, 1); err != nil {
		t.Fatal(err)
	}
	nats := streamtest.New(t)
	_, p.js = nats.Ensure(stream.Options{})
	_, js := nats.Connect()
	logger := slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn}))
	collector, err := collect.New(collect.Config{JetStream: js, ClickHouse: p.clickhouse, Programmes: p.door.Programmes, Logger: logger,
		MaxAge: 20 * time.Millisecond, InsertTimeout: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- collector.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	if p.aggregator, err = rollup.New(rollup.Config{ClickHouse: p.clickhouse, Programmes: p.door.Programmes, Log: logger}); err != nil {
		t.Fatal(err)
	}
	return p
}

// send publishes what the door makes of a submission, if anything.
func (p *pipeline) send(d *admit.Door, s admit.Submission) {
	p.t.Helper()
	r := admitted(p.t, d, s)
	if !r.Publish {
		return
	}
	if again, err := stream.Publish(p.t.Context(), p.js, stream.Message(r.Subject, r.MsgID, r.Payload)); err != nil || again {
		p.t.Fatalf("published before: %v, %v", again, err)
	}
	p.sent++
}

// count waits until all that was sent is stored, and has it counted.
func (p *pipeline) count() {
	p.t.Helper()
	deadline := time.Now().Add(5 * time.Minute)
	ticks := time.NewTicker(10 * time.Millisecond)
	defer ticks.Stop()
	for {
		var stored, dead uint64
		if err := p.clickhouse.QueryRow(p.t.Context(), "SELECT countIf(outcome = 'stored'), countIf(outcome != 'stored') FROM prevention.handled FINAL").Scan(&stored, &dead); err != nil {
			p.t.Fatal(err)
		}
		if stored == p.sent {
			break
		}
		if dead > 0 || time.Now().After(deadline) {
			p.t.Fatalf("%d events were sent, %d are stored, %d are not", p.sent, stored, dead)
		}
		<-ticks.C
	}
	result, err := p.aggregator.Tick(p.t.Context())
	if err != nil {
		p.t.Fatal(err)
	}
	if result.At.Sequence != p.sent {
		p.t.Fatalf("counted up to %d, want %d", result.At.Sequence, p.sent)
	}
}

// covered is how many people are covered at the end of a season, by ethnic category.
func (p *pipeline) covered(programme, season string) map[string]int64 {
	p.t.Helper()
	counts := map[string]int64{}
	if err := rollup.ReadCells(p.t.Context(), p.clickhouse, programme, func(c rollup.Cell, n rollup.Counts) error {
		if c.Level == rollup.Ethnicity && c.Season == season && c.Day <= calendar.Date(2025, 3, 31) {
			counts[c.Code] += n.Newly - n.Lapsed + n.MovedIn - n.MovedOut
		}
		return nil
	}); err != nil {
		p.t.Fatal(err)
	}
	for code, n := range counts {
		if n == 0 {
			delete(counts, code)
		}
	}
	return counts
}
