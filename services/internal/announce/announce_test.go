package announce

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"golang.org/x/sync/errgroup"

	"gapwatch/services/internal/engine"
	"gapwatch/services/internal/engine/enginetest"
	"gapwatch/services/internal/stream"
)

func TestEachChangeIsPublishedOnceInOrder(t *testing.T) {
	r := newRig(t)
	a, registry := r.announcer(nil)
	if n := r.tick(a); n != 0 || len(r.published()) != 0 {
		t.Fatalf("an empty log gave %d", n)
	}
	// Two places by turns, the log written backwards; and one change whose aggregator's clock was slow.
	x, y := changes("flu-65", "X07000001", 1, 4), changes("flu-65", "X07000002", 1, 4)
	for i := range y {
		y[i].decidedAt = y[i].decidedAt.Add(30 * time.Second)
	}
	x[3].decidedAt = start
	other := changes("mmr-2", "X54000001", 1, 1)
	r.log(x[3], y[3], y[2], x[2], other[0], y[1], x[1], y[0], x[0])
	if n := r.tick(a); n != 9 {
		t.Errorf("published %d", n)
	}
	want := []row{x[0], y[0], x[1], y[1], x[2], x[3], y[2], y[3], other[0]}
	r.check(want...)
	more := change("flu-65", "X07000001", 5)
	r.log(more)
	if n := r.tick(a); n != 1 {
		t.Errorf("published %d of one new change", n)
	}
	r.check(append(want, more)...)
	if n := r.tick(a); n != 0 {
		t.Errorf("published %d of nothing new", n)
	}
	if got := metric(t, registry, "gapwatch_verdicts_published_total"); got != 10 {
		t.Errorf("published_total %v", got)
	}
	if e := r.published()[0]; e.Source != "urn:gapwatch" || !e.Time.Equal(start.Add(time.Minute)) {
		t.Errorf("%+v", e)
	}
}

func TestMoreThanOneRead(t *testing.T) {
	r := newRig(t)
	a, registry := r.announcer(nil)
	rows := append(changes("flu-65", "X07000001", 1, 2*perRead+1), changes("mmr-2", "X07000001", 1, 3)...)
	r.log(rows...)
	if n := r.tick(a); n != len(rows) {
		t.Errorf("published %d of %d", n, len(rows))
	}
	r.check(rows...)
	if got := metric(t, registry, "gapwatch_verdicts_pending"); got != 0 {
		t.Errorf("pending %v", got)
	}
}

// Should the log hold a change twice, all announcers take the same row.
func TestAChangeLoggedTwice(t *testing.T) {
	r := newRig(t)
	first, second := change("flu-65", "X07000001", 1), change("flu-65", "X07000001", 1)
	second.verdict, second.decidedAt = "narrowing", first.decidedAt.Add(time.Second)
	r.log(second)
	r.log(first)
	a, _ := r.announcer(nil)
	if n := r.tick(a); n != 1 {
		t.Errorf("published %d", n)
	}
	r.check(first)
	if got := r.published()[0].Data.Verdict; got != "widening" {
		t.Errorf("published the verdict %s", got)
	}
}

var errPower = errors.New("the power went")

// cutOffAt ends an announcer at a step.
func cutOffAt(step Step) func(*Config) {
	return func(c *Config) {
		c.Checkpoint = func(s Step) error {
			if s == step {
				return errPower
			}
			return nil
		}
	}
}

// Wherever an announcer is cut off, above all between the stream's confirmation and the note of it, its successor ends
// with every id once in the stream. NATS restarting meanwhile makes no difference.
func TestCutOff(t *testing.T) {
	for _, c := range []struct {
		step                  Step
		inStream, noted       int
		duplicates, published float64 // by the successor
	}{{Read, 0, 0, 0, 7}, {Confirmed, 7, 0, 7, 0}, {Noted, 7, 7, 0, 0}} {
		for _, restart := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, NATS restarts: %v", c.step, restart), func(t *testing.T) {
				r := newRig(t)
				rows := append(changes("flu-65", "X07000001", 1, 4), changes("mmr-2", "X07000001", 1, 3)...)
				r.log(rows...)
				a, _ := r.announcer(cutOffAt(c.step))
				if err := a.Run(t.Context()); !errors.Is(err, errPower) {
					t.Fatalf("the announcer ended with %v", err)
				}
				if got := len(r.published()); got != c.inStream || r.noted() != c.noted {
					t.Errorf("after the cut %d are in the stream and %d noted, want %d and %d", got, r.noted(), c.inStream, c.noted)
				}
				if restart {
					r.nats.Stop()
					r.nats.Start()
				}
				successor, registry := r.announcer(nil)
				r.tick(successor)
				r.check(rows...)
				if d, p := metric(t, registry, "gapwatch_verdicts_duplicates_total"), metric(t, registry, "gapwatch_verdicts_published_total"); d != c.duplicates || p != c.published {
					t.Errorf("the successor published %v and %v again, want %v and %v", p, d, c.published, c.duplicates)
				}
			})
		}
	}
}

// The tick of an announcer that is told to stop notes what the stream has confirmed.
func TestToldToStopBeforeTheNote(t *testing.T) {
	r := newRig(t)
	rows := changes("flu-65", "X07000001", 1, 3)
	r.log(rows...)
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	a, _ := r.announcer(func(c *Config) {
		c.Checkpoint = func(s Step) error {
			if s == Confirmed {
				cancel()
			}
			return nil
		}
	})
	if err := a.Run(ctx); err != nil {
		t.Fatal(err)
	}
	r.check(rows...)
}

func TestClickHouseGoesBeforeTheNote(t *testing.T) {
	library, err := enginetest.Library()
	if err != nil {
		t.Fatal(err)
	}
	options := engine.Options{DataDir: t.TempDir(), LibPath: library}
	begin := func() *engine.Process {
		process, err := engine.Start(t.Context(), options)
		if err != nil {
			t.Fatal(err)
		}
		options.Listen = process.Addr()
		return process
	}
	process := begin()
	defer func() { process.Stop() }()
	r := newRigOn(t, process.URL())
	rows := changes("flu-65", "X07000001", 1, 5)
	r.log(rows...)
	var once sync.Once
	gone := make(chan struct{})
	a, registry := r.announcer(func(c *Config) {
		c.Checkpoint = func(s Step) error {
			if s == Confirmed {
				once.Do(func() {
					process.Stop()
					close(gone)
				})
			}
			return nil
		}
	})
	stop := running(t, a)
	eventually(t, func() string {
		select {
		case <-gone:
		default:
			return "ClickHouse has not gone"
		}
		if n := metric(t, registry, "gapwatch_verdicts_retries_total"); n < 3 {
			return fmt.Sprintf("%v tries failed", n)
		}
		return ""
	})
	if n := len(r.published()); n != 5 {
		t.Errorf("%d in the stream while ClickHouse is away", n)
	}
	process = begin()
	eventually(t, func() string {
		if n := r.noted(); n != 5 {
			return fmt.Sprintf("%d noted", n)
		}
		return ""
	})
	if err := stop(); err != nil {
		t.Error(err)
	}
	r.check(rows...)
}

func TestNATSIsAway(t *testing.T) {
	r := newRig(t)
	a, registry := r.announcer(func(c *Config) {
		c.Timeout = 2 * time.Second // of a try to publish while NATS is away, but also of a look into the log
		c.Now = func() time.Time { return start.Add(time.Hour) }
	})
	first, second := changes("flu-65", "X07000001", 1, 2), changes("flu-65", "X07000001", 3, 9)
	r.log(first...)
	patient, _ := r.announcer(nil)
	r.tick(patient)
	r.nats.Stop()
	r.log(second...)
	eventually(t, func() string { // on a busy machine a look may take longer
		n, err := a.Tick(t.Context())
		if n != 0 || err == nil || errors.Is(err, ErrStop) {
			t.Fatalf("published %d, %v", n, err)
		}
		if metric(t, registry, "gapwatch_verdicts_pending") == 0 {
			return "the log is not read: " + err.Error()
		}
		return ""
	})
	if noted := r.noted(); noted != 2 {
		t.Errorf("%d noted while NATS is away", noted)
	}
	pending, oldest := metric(t, registry, "gapwatch_verdicts_pending"), metric(t, registry, "gapwatch_verdicts_oldest_pending_seconds")
	if pending != 7 || oldest != 57*60 { // the third change was decided three minutes after start
		t.Errorf("pending %v, the oldest for %v s", pending, oldest)
	}
	stop := running(t, a)
	eventually(t, func() string {
		if n := metric(t, registry, "gapwatch_verdicts_retries_total"); n < 3 {
			return fmt.Sprintf("%v tries failed", n)
		}
		return ""
	})
	r.nats.Start()
	eventually(t, func() string {
		if n := metric(t, registry, "gapwatch_verdicts_pending"); n > 0 {
			return fmt.Sprintf("%v pending", n)
		}
		return ""
	})
	if err := stop(); err != nil {
		t.Error(err)
	}
	r.check(append(first, second...)...)
	if oldest := metric(t, registry, "gapwatch_verdicts_oldest_pending_seconds"); oldest != 0 {
		t.Errorf("the oldest is pending for %v s", oldest)
	}
}

func TestAFullStreamHoldsVerdictsBack(t *testing.T) {
	r := newRig(t)
	small := stream.Options{GapBytes: 8 << 10}
	a, registry := r.announcer(func(c *Config) { c.Streams = small })
	rows := changes("flu-65", "X07000001", 1, 30)
	r.log(rows...)
	n, err := a.Tick(t.Context())
	if !errors.Is(err, stream.ErrFull) || errors.Is(err, ErrStop) || n == 0 || n == len(rows) {
		t.Fatalf("published %d, %v", n, err)
	}
	r.check(rows[:n]...)
	if full, pending := metric(t, registry, "gapwatch_verdicts_stream_full"), metric(t, registry, "gapwatch_verdicts_pending"); full != 1 || pending != float64(30-n) {
		t.Errorf("full %v, pending %v of %d", full, pending, 30-n)
	}
	if _, err := a.Tick(t.Context()); !errors.Is(err, stream.ErrFull) {
		t.Errorf("again: %v", err)
	}
	if err := stream.Ensure(t.Context(), r.js, stream.Options{}); err != nil { // somebody gives it room
		t.Fatal(err)
	}
	if again := r.tick(a); again != 30-n {
		t.Errorf("published %d, want %d", again, 30-n)
	}
	r.check(rows...)
	if full := metric(t, registry, "gapwatch_verdicts_stream_full"); full != 0 {
		t.Errorf("full %v", full)
	}
}

func TestTheStreamIsDeleted(t *testing.T) {
	r := newRig(t)
	a, _ := r.announcer(nil)
	r.log(change("flu-65", "X07000001", 1))
	r.tick(a)
	if err := r.js.DeleteStream(t.Context(), stream.Gap); err != nil {
		t.Fatal(err)
	}
	next := change("flu-65", "X07000001", 2)
	r.log(next)
	if _, err := a.Tick(t.Context()); err == nil || errors.Is(err, ErrStop) {
		t.Fatal(err)
	}
	r.tick(a)
	if events := r.published(); len(events) != 1 || events[0].ID != next.eventID {
		t.Errorf("%+v", events)
	}
}

func TestSeveralAtOnce(t *testing.T) {
	r := newRig(t)
	var rows []row
	for _, programme := range []string{"covid-autumn", "flu-65", "mmr-2"} {
		rows = append(rows, changes(programme, "X07000001", 1, 100)...)
	}
	r.log(rows...)
	const n = 4
	group, ctx := errgroup.WithContext(t.Context())
	var reading sync.WaitGroup
	reading.Add(n)
	published, duplicates := 0.0, 0.0
	var counts []func()
	for range n {
		read := sync.OnceFunc(reading.Done)
		a, registry := r.announcer(func(c *Config) {
			c.Checkpoint = func(s Step) error {
				if s == Read { // all have the same before them
					read()
					reading.Wait()
				}
				return nil
			}
		})
		group.Go(func() error {
			defer read() // it may have failed before that
			_, err := a.Tick(ctx)
			return err
		})
		counts = append(counts, func() {
			published += metric(t, registry, "gapwatch_verdicts_published_total")
			duplicates += metric(t, registry, "gapwatch_verdicts_duplicates_total")
		})
	}
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
	for _, count := range counts {
		count()
	}
	r.check(rows...)
	if published != 300 || duplicates == 0 {
		t.Errorf("published %v, %v again", published, duplicates)
	}
}

// A row that breaks the schema is somebody's defect: it stops the announcer, and holds up its own programme only.
func TestARowThatBreaksTheSchema(t *testing.T) {
	for name, spoil := range map[string]func(*row){
		"level":                  func(r *row) { r.level = "pcn" },
		"verdict":                func(r *row) { r.verdict = "worse" },
		"no sentence":            func(r *row) { r.sentence = "" },
		"no interval":            func(r *row) { r.low = nil },
		"another's id":           func(r *row) { r.eventID = "flu-65/2026-27/X07000001/9" },
		"a gap over 1":           func(r *row) { r.gap = pointer(9.4) },
		"not a number":           func(r *row) { r.slopeII = pointer(math.NaN()) },
		"nothing to compare":     func(r *row) { r.comparator = "" },
		"a space in the code":    func(r *row) { r.code, r.eventID = "North moor", "flu-65/2026-27/North moor/2" },
		"previous is unheard of": func(r *row) { r.previous = "better" },
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			flu, mmr := changes("flu-65", "X07000001", 1, 3), changes("mmr-2", "X07000001", 1, 2)
			spoil(&flu[1])
			r.log(append(flu, mmr...)...)
			a, registry := r.announcer(nil)
			n, err := a.Tick(t.Context())
			if !errors.Is(err, ErrStop) || !strings.Contains(err.Error(), flu[1].eventID) || n != 3 {
				t.Fatalf("published %d, %v", n, err)
			}
			r.check(flu[0], mmr[0], mmr[1])
			if pending := metric(t, registry, "gapwatch_verdicts_pending"); pending != 2 {
				t.Errorf("pending %v", pending)
			}
			if err := a.Run(t.Context()); !errors.Is(err, ErrStop) {
				t.Errorf("Run ended with %v", err)
			}
		})
	}
}

func TestWhatMustBeRepairedStops(t *testing.T) {
	t.Run("no tables", func(t *testing.T) {
		process := enginetest.New(t)
		r := newRigOn(t, process.URL())
		r.exec("DROP TABLE prevention.verdict_published SYNC")
		a, _ := r.announcer(nil)
		if err := a.Run(t.Context()); !errors.Is(err, ErrStop) {
			t.Error(err)
		}
	})
	t.Run("a stream that is not ours", func(t *testing.T) {
		r := newRig(t)
		if _, err := r.js.CreateStream(t.Context(), jetstream.StreamConfig{Name: stream.Gap, Subjects: []string{stream.GapSubjects}, Storage: jetstream.MemoryStorage}); err != nil {
			t.Fatal(err)
		}
		a, _ := r.announcer(nil)
		if err := a.Run(t.Context()); !errors.Is(err, ErrStop) || !errors.Is(err, stream.ErrStream) {
			t.Error(err)
		}
	})
	t.Run("a closed connection", func(t *testing.T) {
		r := newRig(t)
		a, _ := r.announcer(nil)
		r.tick(a)
		r.log(change("flu-65", "X07000001", 1))
		a.config.JetStream.Conn().Close()
		if err := a.Run(t.Context()); !errors.Is(err, ErrStop) {
			t.Error(err)
		}
	})
}

func TestRejectionsThatCannotBeMadeRightHoldNothingBack(t *testing.T) {
	r := newRig(t)
	if _, err := r.js.CreateStream(t.Context(), jetstream.StreamConfig{Name: "OTHER", Subjects: []string{stream.RejectionSubjects}}); err != nil {
		t.Fatal(err)
	}
	rows := changes("flu-65", "X07000001", 1, 2)
	r.log(rows...)
	a, _ := r.announcer(nil)
	r.tick(a)
	r.check(rows...)
}

func TestConfiguration(t *testing.T) {
	r := newRig(t)
	for name, spoil := range map[string]func(*Config){
		"no ClickHouse":        func(c *Config) { c.ClickHouse = nil },
		"no JetStream":         func(c *Config) { c.JetStream = nil },
		"source is no URI":     func(c *Config) { c.Source = "gapwatch" },
		"source with a space":  func(c *Config) { c.Source = "urn:gap watch" },
		"negative interval":    func(c *Config) { c.Interval = -1 },
		"negative stream size": func(c *Config) { c.Streams.GapBytes = -2 },
	} {
		config := Config{ClickHouse: r.store, JetStream: r.js}
		spoil(&config)
		if _, err := New(config); err == nil {
			t.Errorf("%s was taken", name)
		}
	}
	_, registry := r.announcer(nil)
	if _, err := New(Config{ClickHouse: r.store, JetStream: r.js, Registry: registry}); err == nil {
		t.Error("metrics were registered twice")
	}
}
