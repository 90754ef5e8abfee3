// Package bench measures the pipeline against what its parts could do at best, all in one run on one machine: the
// ratios say something wherever it runs, the figures only where they were taken.
package bench

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime/debug"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"gapwatch/services/internal/collect"
	"gapwatch/services/internal/engine"
	"gapwatch/services/internal/event"
	"gapwatch/services/internal/programme"
	"gapwatch/services/internal/rollup"
	"gapwatch/services/internal/store"
	"gapwatch/services/internal/stream"
)

// Result is what `make bench` prints. Rates are events a second, times are seconds.
type Result struct {
	FetchPerS       float64 `json:"fetch_per_s,omitempty"`       // (a) messages fetched from JetStream, nothing else done
	InsertPerS      float64 `json:"insert_per_s,omitempty"`      // (b) the same events, decoded, inserted
	PipelinePerS    float64 `json:"pipeline_per_s,omitempty"`    // (c) JetStream through the collector into ClickHouse
	PipelineOfBound float64 `json:"pipeline_of_bound,omitempty"` // c / (1 / (1/a + 1/b))
	RollupS         float64 `json:"rollup_s,omitempty"`          // (d) a season counted from its events and published
	RollupOfUniq    float64 `json:"rollup_of_uniq,omitempty"`    // d / uniqExact(person) with FINAL over the same rows
	RollupFirstS    float64 `json:"rollup_first_s,omitempty"`    // d on an engine that has just started
	RollupPeakMB    float64 `json:"rollup_peak_mb,omitempty"`    // memory that this takes in both processes, above what they had
	FreshnessP50S   float64 `json:"freshness_p50_s,omitempty"`   // (e) from publish to published number
	FreshnessP99S   float64 `json:"freshness_p99_s,omitempty"`
	SeasonEvents    int     `json:"season_events,omitempty"`

	ViewQueryMS map[string]float64 `json:"view_query_ms,omitempty"` // median of each dashboard query (views/*.sql) on a country's snapshots, milliseconds

	IntakeResult // (f) the door
}

// Config sizes a run.
type Config struct {
	Dir       string        // empty folder for NATS and ClickHouse
	Events    int           // of a, b and c
	Season    int           // events of d, and in the store during e
	Freshness time.Duration // how long e publishes
	Rate      int           // events a second of e
	// Of f: events of each measurement of a rate, and how long the door is held under load.
	IntakeEvents int
	IntakeFor    time.Duration
	OnlyIntake   bool // nothing but f, which needs no ClickHouse
	Log          *slog.Logger
}

// run is one benchmark's servers and connections.
type run struct {
	Config
	set    *programme.Set
	engine *engine.Process
	lib    string // the engine's library
	conn   driver.Conn
	nc     *nats.Conn
	js     jetstream.JetStream
	result Result

	aggregator *rollup.Aggregator // of d and e
}

// Run measures everything. It takes some minutes: most of them store the season.
func Run(ctx context.Context, c Config) (Result, error) {
	r := &run{Config: c}
	if c.OnlyIntake {
		err := r.intake(ctx)
		return r.result, err
	}
	lib, err := engine.Locate(ctx, "", engine.PrintProgress(os.Stderr))
	if err != nil {
		return Result{}, err
	}
	server, err := stream.Embed(ctx, stream.EmbedOptions{Dir: filepath.Join(c.Dir, "nats"), Logger: c.Log})
	if err != nil {
		return Result{}, err
	}
	defer server.Stop()
	r.lib = lib
	if err := r.startEngine(ctx); err != nil {
		return Result{}, err
	}
	defer func() { r.stopEngine() }()
	if err := store.Migrate(ctx, r.engine.URL()); err != nil {
		return Result{}, err
	}
	if r.nc, r.js, err = stream.Connect(stream.ConnectOptions{URL: server.URL(), Name: "bench", Logger: c.Log}); err != nil {
		return Result{}, err
	}
	defer r.nc.Close()
	if r.set, err = programme.Load(""); err != nil {
		return Result{}, err
	}
	if err := stream.Ensure(ctx, r.js, stream.Options{}); err != nil {
		return Result{}, err
	}
	for _, step := range []struct {
		name string
		do   func(context.Context) error
	}{
		{"publish", r.publish}, {"fetch", r.fetch}, {"insert", r.insert}, {"pipeline", r.pipeline},
		{"intake", r.intake}, {"season", r.season}, {"roll-up", r.rollup}, {"freshness", r.freshness}, {"views", r.views},
	} {
		started := time.Now()
		if err := step.do(ctx); err != nil {
			return r.result, fmt.Errorf("%s: %w", step.name, err)
		}
		c.Log.Info("bench", "step", step.name, "seconds", time.Since(started).Seconds())
	}
	return r.result, nil
}

// events are the events of a, b and c: flu jabs of one season, all of different people.
func (r *run) events(each func(e *event.Event) error) error {
	prog, _ := r.set.Get(seasonProgram)
	season, _ := prog.Season(seasonID)
	for i := range uint64(r.Events) {
		day := season.Start + dayOf(i)
		e := eventOf(r.set, seasonProgram, 1<<40+i, fmt.Sprintf("p-%012d", i), day.Time().Add(20*time.Hour), day)
		if err := each(&e); err != nil {
			return err
		}
	}
	return nil
}

func (r *run) publish(ctx context.Context) error {
	publisher, err := stream.NewPublisher(r.nc, stream.PublisherOptions{})
	if err != nil {
		return err
	}
	defer publisher.Close()
	if err := r.events(func(e *event.Event) error {
		return publisher.Publish(ctx, stream.Message(event.Subject(e), event.MsgID(e), event.Encode(e)))
	}); err != nil {
		return err
	}
	return publisher.Flush(ctx)
}

// fetch reads all messages in the collector's batches and does nothing with them.
func (r *run) fetch(ctx context.Context) error {
	consumer, err := r.js.CreateConsumer(ctx, stream.Events, jetstream.ConsumerConfig{AckPolicy: jetstream.AckNonePolicy})
	if err != nil {
		return err
	}
	started := time.Now()
	for got := 0; got < r.Events; {
		batch, err := consumer.Fetch(20_000, jetstream.FetchMaxWait(5*time.Second))
		if err != nil {
			return err
		}
		before := got
		for range batch.Messages() {
			got++
		}
		if err := batch.Error(); err != nil {
			return err
		}
		if got == before {
			return errors.New("messages are missing")
		}
	}
	r.result.FetchPerS = float64(r.Events) / time.Since(started).Seconds()
	return r.js.DeleteConsumer(ctx, stream.Events, consumer.CachedInfo().Name)
}

// insert stores the same events, already decoded, in the collector's batches, and empties the tables again.
func (r *run) insert(ctx context.Context) error {
	rows := make([]collect.Row, 0, r.Events)
	if err := r.events(func(e *event.Event) error {
		rows = append(rows, collect.Row{Event: *e, Stream: streamCreated, Sequence: uint64(len(rows) + 1), Received: e.Time})
		return nil
	}); err != nil {
		return err
	}
	started := time.Now()
	for at := 0; at < len(rows); at += rowsPerInsert {
		if err := collect.InsertRows(ctx, r.conn, rows[at:min(at+rowsPerInsert, len(rows))]); err != nil {
			return err
		}
	}
	r.result.InsertPerS = float64(r.Events) / time.Since(started).Seconds()
	return r.emptyEvents(ctx)
}

// emptyEvents makes room for the next measurement. What was handled stays handled.
func (r *run) emptyEvents(ctx context.Context) error {
	for _, table := range []string{"events", "records"} {
		if err := r.conn.Exec(ctx, "TRUNCATE TABLE prevention."+table); err != nil {
			return err
		}
	}
	debug.FreeOSMemory()
	return nil
}

// collecting runs a collector while do runs.
func (r *run) collecting(ctx context.Context, do func(context.Context) error) error {
	collector, err := collect.New(collect.Config{JetStream: r.js, ClickHouse: r.conn, Programmes: r.set, Logger: r.Log})
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- collector.Run(ctx) }()
	err = do(ctx)
	stop()
	return errors.Join(err, <-ended)
}

// pipeline measures from the collector's start to the last message's acknowledgement.
func (r *run) pipeline(ctx context.Context) error {
	started := time.Now()
	err := r.collecting(ctx, func(ctx context.Context) error {
		return poll(ctx, func() (bool, error) {
			var handled uint64
			err := r.conn.QueryRow(ctx, "SELECT count() FROM prevention.handled").Scan(&handled)
			return handled >= uint64(r.Events), err
		})
	})
	r.result.PipelinePerS = float64(r.Events) / time.Since(started).Seconds()
	r.result.PipelineOfBound = r.result.PipelinePerS / (1 / (1/r.result.FetchPerS + 1/r.result.InsertPerS))
	if err != nil {
		return err
	}
	return r.emptyEvents(ctx)
}

// poll asks every 200 ms until the answer is yes.
func poll(ctx context.Context, ask func() (bool, error)) error {
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for {
		if yes, err := ask(); yes || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

func (r *run) startEngine(ctx context.Context) (err error) {
	if r.engine, err = engine.Start(ctx, engine.Options{DataDir: filepath.Join(r.Dir, "clickhouse"), LibPath: r.lib, Logger: r.Log}); err != nil {
		return err
	}
	r.conn, err = store.Open(r.engine.URL())
	return err
}

func (r *run) stopEngine() {
	if r.conn != nil {
		r.conn.Close() //nolint:errcheck // the engine stops next
	}
	r.engine.Stop()
}

func (r *run) season(ctx context.Context) error {
	if err := country(ctx, r.conn); err != nil {
		return err
	}
	r.result.SeasonEvents = r.Season
	return Season(ctx, r.conn, r.set, r.Season, func(done int) {
		if done%1_000_000 == 0 {
			r.Log.Info("bench", "season", done)
		}
	})
}

// rollup measures the first publication of the season, which reads every event and writes every cell, and the plainest
// exact count of the same people on the same parts. Of both, the second of two is taken: neither pays for what the engine
// reads first. What the collector left is not merged meanwhile. Memory is that of the first roll-up, on an engine that has
// just started: what it still holds from a count would hide what the roll-up takes.
func (r *run) rollup(ctx context.Context) error {
	if err := r.merges(ctx, "STOP"); err != nil {
		return err
	}
	var uniq time.Duration
	for range 2 {
		started := time.Now()
		var people uint64
		if err := r.conn.QueryRow(ctx, "SELECT uniqExact(person) FROM prevention.events FINAL WHERE programme = ? AND season = ?",
			seasonProgram, seasonID).Scan(&people); err != nil {
			return err
		}
		uniq = time.Since(started)
	}
	r.stopEngine()
	err := r.startEngine(ctx)
	if err != nil {
		return err
	}
	if err := r.merges(ctx, "STOP"); err != nil {
		return err
	}
	debug.FreeOSMemory()
	peak := watchMemory()
	took, err := r.publishSeason(ctx)
	if err != nil {
		return err
	}
	r.result.RollupFirstS, r.result.RollupPeakMB = took.Seconds(), peak()
	for _, table := range []string{"uptake_months", "eligible_cells", "published"} {
		if err := r.conn.Exec(ctx, "TRUNCATE TABLE prevention."+table); err != nil {
			return err
		}
	}
	if took, err = r.publishSeason(ctx); err != nil {
		return err
	}
	r.result.RollupS, r.result.RollupOfUniq = took.Seconds(), took.Seconds()/uniq.Seconds()
	return r.merges(ctx, "START")
}

// publishSeason has a new aggregator publish all there is, and says how long that took.
func (r *run) publishSeason(ctx context.Context) (took time.Duration, err error) {
	if r.aggregator, err = rollup.New(rollup.Config{ClickHouse: r.conn, Programmes: r.set, Threads: 2, Log: r.Log}); err != nil {
		return 0, err
	}
	started := time.Now()
	_, err = r.aggregator.Tick(ctx)
	return time.Since(started), err
}

// merges has the engine begin no merge of what collectors write, or begin them again.
func (r *run) merges(ctx context.Context, verb string) error {
	for _, table := range []string{"events", "records", "links", "handled"} {
		if err := r.conn.Exec(ctx, "SYSTEM "+verb+" MERGES prevention."+table); err != nil {
			return err
		}
	}
	return nil
}
