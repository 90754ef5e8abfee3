package crash_test

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"gapwatch/services/internal/reference"
)

// plan is the size of the test.
type plan struct {
	messages                         int // at least
	collectorKills, aggregatorKills  int
	natsRestarts, engineKills, fails int // fails: everything at once
	repairs                          int // programmes that must be counted anew meanwhile
}

// TestKilledAtRandomEndsWithTruth kills collectors and aggregators, which are real processes, NATS and the engine at
// random moments while events with noise flow, and wants the truth in every cell: nothing lost, nothing counted twice.
func TestKilledAtRandomEndsWithTruth(t *testing.T) {
	p := plan{messages: 200_000, collectorKills: 13, aggregatorKills: 11, natsRestarts: 2, engineKills: 2, fails: 1, repairs: 3}
	if testing.Short() {
		p = plan{messages: 40_000, collectorKills: 4, aggregatorKills: 4, natsRestarts: 1, engineKills: 1, fails: 1, repairs: 1}
	}
	const seed = 2
	begun := time.Now()
	s := newSystem(t, seed, peopleFor(t, seed, p.messages))
	if n := s.history.Expected().Messages; n < p.messages {
		t.Fatalf("%d messages, should be %d at least", n, p.messages)
	}
	h := newHavoc(s, rand.New(rand.NewPCG(seed, 1)))
	events := s.publish(3000)
	h.run(p)
	s.settled(events, h.alive)
	h.accounted()
	for _, process := range h.running() {
		process.stop()
	}
	again := s.redelivered()
	if again == 0 {
		t.Error("no message was delivered again: no kill cut off a batch")
	}
	steps, recomputes := h.publications()
	if steps == 0 || recomputes == 0 {
		t.Errorf("%d publications by steps and %d by full recomputes: want both", steps, recomputes)
	}
	result := s.truth(events.report)
	if kills := h.kills(); kills < p.collectorKills+p.aggregatorKills {
		t.Errorf("%d kills", kills)
	}
	t.Logf("%d messages (%d stored, %d duplicates, %d dead letters) in %.0f s: %s; %d messages were delivered again, counts published by %d steps and %d full recomputes; %d cells compared with the truth, %d mismatches",
		result.EventsPublished, result.Stored, result.Duplicates, result.DeadLettered, time.Since(begun).Seconds(), h.summary(), again, steps, recomputes,
		result.CellsCompared, result.Mismatches)
}

// havoc cuts off what it can.
type havoc struct {
	*system
	rng         *rand.Rand
	collectors  []*process
	aggregators []*process

	restartsOfNATS, killsOfEngine int
	seen                          map[string]bool // ids of snapshots, and whether they are of a step
}

func newHavoc(s *system, rng *rand.Rand) *havoc {
	s.t.Helper()
	h := &havoc{system: s, rng: rng, seen: map[string]bool{}}
	programs := build(s.t)
	for i := range 2 {
		h.collectors = append(h.collectors, newProcess(s.t, fmt.Sprintf("collector-%d", i), filepath.Join(programs, "collector"), func() []string {
			return []string{
				"GAPWATCH_NATS_URL=" + s.nats.URL(), "GAPWATCH_CLICKHOUSE_URL=" + s.engine.URL(),
				fmt.Sprintf("GAPWATCH_COLLECTOR_BATCH=%d", 300+rng.IntN(700)), // other borders at each start
				"GAPWATCH_COLLECTOR_MAX_AGE=50ms",
				"GAPWATCH_COLLECTOR_COLLECTORS=8", // two, and what the killed ones held
				// JetStream gives what a killed one held to another after three times the sum of these.
				"GAPWATCH_COLLECTOR_INSERT_TIMEOUT=8s", "GAPWATCH_COLLECTOR_FLUSH_TIMEOUT=1s",
			}
		}))
		h.aggregators = append(h.aggregators, newProcess(s.t, fmt.Sprintf("aggregator-%d", i), filepath.Join(programs, "aggregator"), func() []string {
			return []string{
				"GAPWATCH_NATS_URL=" + s.nats.URL(), "GAPWATCH_CLICKHOUSE_URL=" + s.engine.URL(),
				"GAPWATCH_AGGREGATOR_INTERVAL=100ms", "GAPWATCH_AGGREGATOR_SHARE=0.9", "GAPWATCH_GAP_SHARE=0.05",
				// From a backlog of this many on it recomputes: some do so soon, others never.
				fmt.Sprintf("GAPWATCH_AGGREGATOR_BACKLOG=%d", []int{3_000, 20_000, 1_000_000}[rng.IntN(3)]),
			}
		}))
	}
	return h
}

// act is something that happens when so many messages are handled.
type act struct {
	at uint64
	do func()
}

// run starts the services and cuts them off, one collector and one aggregator at first and at last, two of each in
// between. It returns when all has happened.
func (h *havoc) run(p plan) {
	h.t.Helper()
	var acts []act
	some := func(n int, do func()) {
		for range n {
			at := 0.01 + 0.97*h.rng.Float64()
			acts = append(acts, act{uint64(at * float64(h.last)), do})
		}
	}
	some(p.collectorKills, func() { h.kill(h.collectors) })
	some(p.aggregatorKills, func() { h.kill(h.aggregators) })
	some(p.natsRestarts, h.restartNATS)
	some(p.engineKills, h.killEngine)
	some(p.fails, h.fail)
	some(p.repairs, h.repair)
	acts = append(acts,
		act{0, func() { h.collectors[0].start(); h.aggregators[0].start() }},
		act{h.last / 4, func() { h.collectors[1].start(); h.aggregators[1].start() }},
		act{h.last * 3 / 4, func() { h.collectors[0].stop(); h.aggregators[0].stop() }})
	slices.SortStableFunc(acts, func(a, b act) int { return int(a.at) - int(b.at) })
	for _, a := range acts {
		if a.at > 0 {
			h.until(fmt.Sprintf("%d messages are handled", a.at), func(ctx context.Context) (bool, any, error) {
				h.alive()
				h.look(ctx)
				handled, err := h.handled(ctx)
				return handled >= a.at, handled, err
			})
		}
		// What was just seen to be handled is about to be acknowledged: let the moment be any.
		<-time.After(time.Duration(h.rng.IntN(400)) * time.Millisecond)
		a.do()
	}
}

func (h *havoc) running() (all []*process) {
	for _, p := range slices.Concat(h.collectors, h.aggregators) {
		if p.run != nil {
			all = append(all, p)
		}
	}
	return all
}

func (h *havoc) alive() {
	h.t.Helper()
	for _, p := range h.running() {
		p.alive()
	}
}

// kill kills one of some processes and starts it again.
func (h *havoc) kill(some []*process) {
	h.t.Helper()
	some = slices.DeleteFunc(slices.Clone(some), func(p *process) bool { return p.run == nil })
	p := some[h.rng.IntN(len(some))]
	p.kill()
	p.start()
}

func (h *havoc) restartNATS() {
	h.t.Helper()
	h.nats.Stop()
	h.kill(h.collectors) // it must wait for NATS
	h.nats.Start()
	h.restartsOfNATS++
}

func (h *havoc) killEngine() {
	h.engine.Kill()
	h.killsOfEngine++
}

// fail is a power cut: all at once.
func (h *havoc) fail() {
	h.t.Helper()
	all := h.running()
	for _, p := range all {
		p.kill()
	}
	h.killEngine()
	h.nats.Stop()
	for _, p := range all {
		p.start()
	}
	h.nats.Start()
	h.restartsOfNATS++
}

// repair has a programme counted anew, as an audit does that finds a mistake.
func (h *havoc) repair() {
	h.t.Helper()
	programmes := h.history.Programmes().Programmes
	id := programmes[h.rng.IntN(len(programmes))].ID
	h.until("a repair is registered", func(ctx context.Context) (bool, any, error) {
		_, err := reference.RegisterRepair(ctx, h.clickhouse, id)
		return err == nil, nil, err
	})
}

// look notes how counts were published: a full recompute gives a slice a new base, a step keeps it. Rows that were
// replaced disappear with time, so it looks again and again.
func (h *havoc) look(ctx context.Context) {
	rows, err := h.clickhouse.Query(ctx, "SELECT concat(programme, ' ', toString(id)), max(base < id) FROM prevention.published WHERE season != '' GROUP BY programme, id")
	if err != nil {
		return // cut off; the next look sees it
	}
	defer rows.Close() //nolint:errcheck // the next look sees it
	for rows.Next() {
		var id string
		var step uint8
		if rows.Scan(&id, &step) == nil {
			h.seen[id] = h.seen[id] || step == 1
		}
	}
	_ = rows.Err() // the next look sees it
}

// publications are how many times a programme was published with new counts.
func (h *havoc) publications() (steps, recomputes int) {
	for _, step := range h.seen {
		if step {
			steps++
		} else {
			recomputes++
		}
	}
	return steps, recomputes
}

// accounted waits until a collector says that no message is unaccounted for.
func (h *havoc) accounted() {
	h.t.Helper()
	client := http.Client{Timeout: time.Minute}
	h.until("no message is unaccounted for", func(ctx context.Context) (bool, any, error) {
		h.alive()
		h.look(ctx)
		for _, c := range h.collectors {
			if c.run == nil {
				continue
			}
			request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+c.metrics+"/metrics", nil)
			if err != nil {
				return false, nil, err
			}
			response, err := client.Do(request)
			if err != nil {
				return false, nil, err
			}
			defer response.Body.Close()
			page, err := io.ReadAll(response.Body)
			if err != nil {
				return false, nil, err
			}
			if !strings.Contains(string(page), "\ngapwatch_unaccounted_messages 0\n") || !strings.Contains(string(page), "\ngapwatch_lost_messages 0\n") ||
				!strings.Contains(string(page), "\ngapwatch_pending_messages 0\n") {
				return false, nil, nil
			}
		}
		return true, nil, nil
	})
}

func (h *havoc) kills() (n int) {
	for _, p := range slices.Concat(h.collectors, h.aggregators) {
		n += p.kills
	}
	return n
}

func (h *havoc) summary() string {
	kills := func(some []*process) (kills, starts int) {
		for _, p := range some {
			kills, starts = kills+p.kills, starts+p.starts
		}
		return kills, starts
	}
	ck, cs := kills(h.collectors)
	ak, as := kills(h.aggregators)
	return fmt.Sprintf("collectors killed %d times (%d starts), aggregators %d times (%d starts), engine %d times, NATS restarted %d times",
		ck, cs, ak, as, h.killsOfEngine, h.restartsOfNATS)
}
