package cases_test

import (
	"context"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/nats-io/nats.go/jetstream"

	"gapwatch/services/internal/calendar"
	"gapwatch/services/internal/cases"
	"gapwatch/services/internal/collect"
	"gapwatch/services/internal/engine/enginetest"
	"gapwatch/services/internal/programme"
	"gapwatch/services/internal/rollup"
	"gapwatch/services/internal/store"
	"gapwatch/services/internal/stream"
	"gapwatch/services/internal/stream/streamtest"
)

func TestMain(m *testing.M) { enginetest.Main(m) }

// TestCasesThroughThePipeline sends every case through NATS, collector, ClickHouse and aggregator: in the order written
// event by event, backwards and rotated in one go. Each case in each order has programmes and people of its own, so that
// all of them share one stream and one store.
func TestCasesThroughThePipeline(t *testing.T) {
	all, country, set := read(t)
	type play struct {
		cases.Case
		order []int
	}
	var stepwise, atOnce []play
	var everything []cases.Case
	var programmes []*programme.Programme
	for i := range all {
		for j, order := range all[i].Orders() {
			apart, own, err := all[i].Apart(set, fmt.Sprintf("c%d-%d", i, j))
			if err != nil {
				t.Fatal(err)
			}
			programmes, everything = append(programmes, own...), append(everything, apart)
			if j == 0 {
				stepwise = append(stepwise, play{apart, order})
			} else {
				atOnce = append(atOnce, play{apart, order})
			}
		}
	}
	p := newPipeline(t, country, programme.NewSet(set.Edition, programmes...), everything)

	for i := range atOnce {
		for _, n := range atOnce[i].order {
			p.send(&atOnce[i].Case, n)
		}
	}
	if result := p.count(); result.Full != len(programmes) {
		t.Errorf("the first tick counted %d programmes in full, want %d", result.Full, len(programmes))
	}
	for round, sent := 0, true; sent; round++ {
		sent = false
		for i := range stepwise {
			if c := &stepwise[i]; round < len(c.order) {
				p.send(&c.Case, c.order[round])
				sent = true
			}
		}
		if result := p.count(); result.Full != 0 {
			t.Errorf("single events were counted by a full recompute: %+v", result)
		}
	}

	for i := range everything {
		c := &everything[i]
		if err := c.Check(p.set, p.ask(c)); err != nil {
			t.Error(err)
		}
	}
	if result, err := p.aggregator.Audit(t.Context()); err != nil || result.Mismatches != 0 || result.Compared == 0 || len(result.Skipped) != 0 {
		t.Errorf("audit: %+v, %v", result, err)
	}
}

// pipeline is a collector and an aggregator with real servers.
type pipeline struct {
	t          *testing.T
	js         jetstream.JetStream
	clickhouse driver.Conn
	set        *programme.Set
	country    *cases.Country
	aggregator *rollup.Aggregator
	sent       uint64
}

func newPipeline(t *testing.T, country *cases.Country, set *programme.Set, all []cases.Case) *pipeline {
	t.Helper()
	set.SHA256 = t.Name()
	p := &pipeline{t: t, set: set, country: country}
	url := enginetest.URL(t)
	if err := store.Migrate(t.Context(), url); err != nil {
		t.Fatal(err)
	}
	var err error
	if p.clickhouse, err = store.Open(url); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.clickhouse.Close() })
	if err := country.Insert(t.Context(), p.clickhouse, 1); err != nil {
		t.Fatal(err)
	}
	if err := country.InsertEligible(t.Context(), p.clickhouse, 2, all...); err != nil {
		t.Fatal(err)
	}
	nats := streamtest.New(t)
	_, p.js = nats.Ensure(stream.Options{})
	_, js := nats.Connect()
	logger := slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn}))
	collector, err := collect.New(collect.Config{JetStream: js, ClickHouse: p.clickhouse, Programmes: set, Logger: logger,
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
	if p.aggregator, err = rollup.New(rollup.Config{ClickHouse: p.clickhouse, Programmes: set, Log: logger}); err != nil {
		t.Fatal(err)
	}
	return p
}

func (p *pipeline) send(c *cases.Case, n int) {
	p.t.Helper()
	subject, id, payload, err := c.Message(p.country, p.set, n)
	if err != nil {
		p.t.Fatal(err)
	}
	if again, err := stream.Publish(p.t.Context(), p.js, stream.Message(subject, id, payload)); err != nil || again {
		p.t.Fatalf("%s, event %d: published before: %v, %v", c.Title, n, again, err)
	}
	p.sent++
}

// count waits until all that was sent is stored, and has it counted.
func (p *pipeline) count() rollup.Result {
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
	return result
}

// ask answers a case's questions from what is published.
func (p *pipeline) ask(c *cases.Case) func(programme, level, season string, day calendar.Day, want cases.Count) cases.Counts {
	p.t.Helper()
	published := map[string]func(level, season string, day calendar.Day, want cases.Count) cases.Counts{}
	for _, id := range c.Programmes() {
		published[id] = p.published(id)
	}
	return func(programme, level, season string, day calendar.Day, want cases.Count) cases.Counts {
		return published[programme](level, season, day, want)
	}
}

func (p *pipeline) published(programme string) func(level, season string, day calendar.Day, want cases.Count) cases.Counts {
	p.t.Helper()
	cells := map[rollup.Cell]rollup.Counts{}
	if err := rollup.ReadCells(p.t.Context(), p.clickhouse, programme, func(c rollup.Cell, n rollup.Counts) error {
		if _, twice := cells[c]; twice {
			p.t.Errorf("cell %+v of %s is there twice", c, programme)
		}
		cells[c] = n
		return nil
	}); err != nil {
		p.t.Fatal(err)
	}
	eligible := map[rollup.Cell]int64{}
	since := map[string][]calendar.Day{}
	if err := rollup.ReadEligible(p.t.Context(), p.clickhouse, programme, func(c rollup.Cell, n uint64) error {
		eligible[c] = int64(n)
		since[c.Season] = append(since[c.Season], c.Day)
		return nil
	}); err != nil {
		p.t.Fatal(err)
	}
	return func(level, season string, day calendar.Day, want cases.Count) cases.Counts {
		var n cases.Counts
		in := func(c rollup.Cell) bool {
			var hood, pcn, ethnicity, fifth string
			switch c.Level {
			case rollup.Neighbourhood:
				hood = c.Code
			case rollup.PCN:
				pcn = c.Code
			case rollup.Ethnicity:
				ethnicity = c.Code
			case rollup.PlaceFifth, rollup.SystemFifth:
				fifth = c.Code
			}
			return string(c.Level) == level && c.Season == season && want.Matches(c.Place, c.System, hood, pcn, ethnicity, fifth, c.Quintile)
		}
		for c, v := range cells {
			if !in(c) || c.Day > day {
				continue
			}
			n.Covered += v.Newly - v.Lapsed + v.MovedIn - v.MovedOut
			if c.Day == day {
				n.Newly, n.Lapsed, n.MovedIn, n.MovedOut = n.Newly+v.Newly, n.Lapsed+v.Lapsed, n.MovedIn+v.MovedIn, n.MovedOut+v.MovedOut
			}
		}
		version := calendar.Day(-1 << 30)
		for _, d := range since[season] {
			if d <= day {
				version = max(version, d)
			}
		}
		for c, v := range eligible {
			if in(c) && c.Day == version {
				n.Eligible += v
			}
		}
		return n
	}
}
