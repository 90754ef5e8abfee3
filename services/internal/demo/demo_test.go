package demo

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"gapwatch/services/internal/engine/enginetest"
	"gapwatch/services/internal/programme"
	"gapwatch/services/internal/simulate"
	"gapwatch/services/internal/simulate/feed"
	"gapwatch/services/internal/standalone"
	"gapwatch/services/internal/store"
	"gapwatch/services/internal/stream"
)

func TestMain(m *testing.M) { enginetest.Main(m) }

func config(t *testing.T) standalone.Config {
	t.Helper()
	library, err := enginetest.Library()
	if err != nil {
		t.Fatal(err)
	}
	programmes, err := programme.Load("")
	if err != nil {
		t.Fatal(err)
	}
	return standalone.Config{Folder: filepath.Join(t.TempDir(), "data"), Programmes: programmes, Library: library,
		NATSListen: anyPort, ClickHouseListen: anyPort, MetricsListen: anyPort}
}

func synthetic(t *testing.T, people int) *simulate.History {
	t.Helper()
	h, err := simulate.New(simulate.Config{Seed: 7, People: people, Now: time.Now(), Programmes: config(t).Programmes})
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func ready(h *simulate.History) func() (*simulate.History, error) {
	return func() (*simulate.History, error) { return h, nil }
}

// What make demo ONCE=1 does, at a hundredth of its size.
func TestOnce(t *testing.T) {
	h := synthetic(t, 15_000)
	result := once(t, h)
	want := h.Expected()
	if result.EventsPublished != want.Messages || result.Stored != want.Stored || result.Duplicates != want.Repeats+want.Resends ||
		result.DeadLettered != want.Dead() || result.CellsCompared < h.Truth().Len()+h.Eligible().Len() {
		t.Errorf("%+v; expected %+v", result, want)
	}
}

// What make replay does: the series changes its denominator, has a fifth that begins later, and people of no known area.
func TestReplay(t *testing.T) {
	rows := "programme,season,geography,day,quintile,covered,eligible\n"
	for day := 1; day <= 9; day++ {
		for quintile := range 6 {
			if quintile == 3 && day < 4 || (day+quintile)%3 == 0 {
				continue // days without a row
			}
			rows += fmt.Sprintf("flu,2023-24,England,2023-10-%02d,%d,%d,%d\n", day, quintile, 40*day*(quintile+1), 3000+50*(day/5))
		}
	}
	series, err := simulate.ReadSeries(strings.NewReader(rows), "", "")
	if err != nil {
		t.Fatal(err)
	}
	h, err := simulate.Replay(simulate.ReplayConfig{Seed: 7, Series: series, Now: time.Now()})
	if err != nil {
		t.Fatal(err)
	}
	if result := once(t, h); result.CellsCompared < h.Truth().Len()+len(series.Rows) {
		t.Errorf("%+v", result)
	}
}

// once runs a history and returns its result, which must be good and the only line.
func once(t *testing.T, h *simulate.History) (result Result) {
	t.Helper()
	var out, progress bytes.Buffer
	if err := Once(t.Context(), config(t), ready(h), &out, &progress); err != nil {
		t.Fatalf("%v\n%s%s", err, &progress, &out)
	}
	if err := json.Unmarshal(out.Bytes(), &result); err != nil || strings.Count(out.String(), "\n") != 1 {
		t.Fatalf("%q: %v", out.String(), err)
	}
	if !result.Good() || result.EventsPublished != result.Stored+result.Duplicates+result.DeadLettered {
		t.Errorf("%+v", result)
	}
	return result
}

// The check finds what is wrong: here one event too many, one cell overwritten, and one message that nobody handled.
func TestCheckFindsWhatIsWrong(t *testing.T) {
	h := synthetic(t, 1500)
	c := bulk(config(t))
	err := standalone.Run(t.Context(), c, func(ctx context.Context, s *standalone.System) error {
		var progress bytes.Buffer
		sent, err := fill(ctx, s, h, c.Folder, &progress)
		if err != nil {
			return err
		}
		checked := func() (Result, string) {
			r, differences, err := Check(ctx, s, h, sent)
			if err != nil {
				t.Fatal(err)
			}
			return r, strings.Join(differences, "\n")
		}
		if r, differences := checked(); !r.Good() {
			t.Errorf("%+v\n%s", r, differences)
		}

		n := 0
		live := func(yield func(simulate.Message) bool) {
			for m := range h.Live(time.Now) {
				if n++; n > 1 || !yield(m) {
					return
				}
			}
		}
		if _, err := feed.Publish(ctx, s.NATS, live, feed.Options{}); err != nil {
			return err
		}
		if err := counted(ctx, s, h.Programmes()); err != nil {
			return err
		}
		r, differences := checked()
		if r.Mismatches == 0 || r.Unaccounted != 0 || !strings.Contains(differences, "counts: ") || !strings.Contains(differences, "versions of records stored: ") {
			t.Errorf("one event too many: %+v\n%s", r, differences)
		}

		if err := s.ClickHouse.Exec(ctx, "ALTER TABLE prevention.handled DELETE WHERE sequence = 5 SETTINGS mutations_sync = 1"); err != nil {
			return err
		}
		if r, differences := checked(); r.Unaccounted != 1 || !strings.Contains(differences, "1 messages of the stream were not handled") {
			t.Errorf("one message not handled: %+v\n%s", r, differences)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// watched is output that ends a run when it has shown a text so often.
type watched struct {
	mu    sync.Mutex
	text  strings.Builder
	until string
	times int
	stop  func()
}

func (w *watched) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.text.Write(p)
	if strings.Count(w.text.String(), w.until) >= w.times {
		w.stop()
	}
	return len(p), nil
}

// A demo started again shows the same history, without publishing it again.
func TestShowGoesOn(t *testing.T) {
	c := config(t)
	live := make(chan struct{}) // it runs as it is configured, no longer as suits the history
	c.Gap.Hold = sync.OnceValue(func() bool {
		close(live)
		return true // whether verdicts are in a table already is a matter of luck
	})
	show := func() (table, progress string) {
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		out := &watched{until: "gap in percentage points", times: 1, stop: func() {
			select {
			case <-live:
			case <-time.After(5 * time.Minute):
				t.Error("live events are counted as a history is")
			}
			stop()
		}}
		var said bytes.Buffer
		if err := Show(ctx, c, Options{Seed: 7, People: 1500, PerSecond: 50, Out: out, Progress: &said}); err != nil {
			t.Fatalf("%v\n%s", err, &said)
		}
		return out.text.String(), said.String()
	}
	first, said := show()
	if !strings.Contains(said, "published and stored") || !strings.Contains(said, "stopped; the data stay") {
		t.Errorf("first start: %s", said)
	}
	for _, p := range c.Programmes.Programmes {
		if !strings.Contains(first, p.ID) {
			t.Errorf("%s is not in\n%s", p.ID, first)
		}
	}
	again, said := show()
	if strings.Contains(said, "published and stored") || !strings.Contains(said, "going on with the data") {
		t.Errorf("second start: %s", said)
	}
	if mmr := line(first, "mmr-2"); mmr == "" || line(again, "mmr-2") != mmr { // live events are of other programmes
		t.Errorf("first\n%s\nthen\n%s", first, again)
	}
	err := Show(t.Context(), c, Options{Seed: 8, People: 1500, Out: &bytes.Buffer{}, Progress: &bytes.Buffer{}})
	if err == nil || !strings.Contains(err.Error(), "holds the demo of 1,500 people with seed 7") {
		t.Errorf("another demo in the same folder: %v", err)
	}
}

// What a store holds already is neither counted with invented people nor changed. The demo goes on with what it stored itself.
func TestStoreThatIsNotEmpty(t *testing.T) {
	url := enginetest.New(t).URL()
	if err := store.Migrate(t.Context(), url); err != nil {
		t.Fatal(err)
	}
	conn, err := store.Open(url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	const loaded = "INSERT INTO prevention.areas (batch, lsoa) VALUES (1, 'E01000001')"
	rows := func() (n uint64) {
		t.Helper()
		if err := conn.QueryRow(t.Context(), "SELECT sum(total_rows) FROM system.tables WHERE database = 'prevention'").Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	if err := conn.Exec(t.Context(), loaded); err != nil {
		t.Fatal(err)
	}
	before := rows()
	c := config(t)
	c.ClickHouseURL = url
	once := func() error {
		return Once(t.Context(), c, ready(synthetic(t, 1)), &bytes.Buffer{}, &bytes.Buffer{})
	}
	show := func() error {
		ctx, stop := context.WithTimeout(t.Context(), 10*time.Minute)
		defer stop()
		out := &watched{until: "gap in percentage points", times: 1, stop: stop}
		err := Show(ctx, c, Options{Seed: 7, People: 1500, PerSecond: 50, Out: out, Progress: &bytes.Buffer{}})
		if errors.Is(ctx.Err(), context.DeadlineExceeded) { // which Show takes for being told to stop
			t.Fatalf("it has shown nothing in ten minutes: %v", err)
		}
		return err
	}
	const found = "holds 0 rows of events and 1 of reference data"
	for name, start := range map[string]func() error{"once": once, "show": show} {
		if err := start(); !errors.Is(err, ErrNotEmpty) || !strings.Contains(err.Error(), url+" "+found) || !strings.Contains(err.Error(), "GAPWATCH_CLICKHOUSE_URL") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if after := rows(); after != before {
		t.Errorf("%d rows, then %d", before, after)
	}

	if err := conn.Exec(t.Context(), "TRUNCATE TABLE prevention.areas"); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := show(); err != nil {
			t.Errorf("its own store: %v", err)
		}
	}
	if err := once(); !errors.Is(err, ErrNotEmpty) {
		t.Errorf("once in the demo's store: %v", err)
	}
	c.ClickHouseURL = ""
	if err := show(); err == nil || !strings.Contains(err.Error(), "is stored in ClickHouse at "+strconv.Quote(url)) {
		t.Errorf("the engine instead of the demo's store: %v", err)
	}

	c = config(t)
	if err := standalone.Run(t.Context(), c, func(ctx context.Context, s *standalone.System) error { return s.ClickHouse.Exec(ctx, loaded) }); err != nil {
		t.Fatal(err)
	}
	if err := show(); !errors.Is(err, ErrNotEmpty) || !strings.Contains(err.Error(), c.Folder+" "+found) || !strings.Contains(err.Error(), "GAPWATCH_DATA") {
		t.Errorf("another's folder: %v", err)
	}
}

func line(text, start string) string {
	for l := range strings.Lines(text) {
		if strings.HasPrefix(l, start) {
			return l
		}
	}
	return ""
}

// A run that is stopped while history comes in ends cleanly, and the next start takes in the rest.
func TestShowStoppedHalfWay(t *testing.T) {
	c := config(t)
	ctx, stop := context.WithCancel(t.Context())
	progress := &watched{until: "reference files", times: 1, stop: stop}
	if err := Show(ctx, c, Options{Seed: 7, People: 1500, PerSecond: 50, Out: progress, Progress: progress}); err != nil {
		t.Fatalf("%v\n%s", err, progress.text.String())
	}
	h, err := simulate.New(simulate.Config{Seed: 7, People: 1500, Now: readNow(t, c), Programmes: c.Programmes})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop = context.WithCancel(t.Context())
	defer stop()
	out := &watched{until: "gap in percentage points", times: 1, stop: stop}
	if err := Show(ctx, c, Options{Seed: 7, People: 1500, PerSecond: 1e-9, Out: out, Progress: &bytes.Buffer{}}); err != nil {
		t.Fatal(err)
	}
	err = standalone.Run(t.Context(), c, func(ctx context.Context, s *standalone.System) error {
		events, err := s.JetStream.Stream(ctx, stream.Events)
		if err != nil {
			return err
		}
		var stored uint64
		if err := s.ClickHouse.QueryRow(ctx, storedQuery).Scan(&stored); err != nil {
			return err
		}
		if live := 1; int(stored) < h.Expected().Stored || int(stored) > h.Expected().Stored+live {
			t.Errorf("%d stored, %d messages; should be %d", stored, events.CachedInfo().State.LastSeq, h.Expected().Stored)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func readNow(t *testing.T, c standalone.Config) time.Time {
	t.Helper()
	m, begun, err := readMark(c, Options{Seed: 7, People: 1500})
	if err != nil || !begun {
		t.Fatal(err)
	}
	return m.Now
}

func TestOnceThatIsStoppedSaysSo(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	progress := &watched{until: "reference files", times: 1, stop: stop}
	var out bytes.Buffer
	c := config(t)
	err := Once(ctx, c, ready(synthetic(t, 1500)), &out, progress)
	if !errors.Is(err, context.Canceled) || out.Len() > 0 {
		t.Errorf("%v, %q", err, out.String())
	}
	left, err := filepath.Glob(filepath.Join(filepath.Dir(c.Folder), ".cache", "*"))
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
	if _, err := os.Stat(c.Folder); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("it made the demo's folder: %v", err)
	}
}

// The mark that is there is never cut short, as it would be for a demo that is killed while it writes: the file that had it
// before, here under a second name, still has all of it.
func TestTheMarkIsReplacedNotWrittenOver(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "data")
	m := mark{Seed: 7, People: 1500, Now: time.Date(2026, 11, 20, 9, 0, 0, 0, time.UTC)}
	if err := m.write(folder); err != nil {
		t.Fatal(err)
	}
	before, err := os.ReadFile(markFile(folder))
	if err != nil {
		t.Fatal(err)
	}
	kept := filepath.Join(folder, "kept")
	if err := os.Link(markFile(folder), kept); err != nil {
		t.Fatal(err)
	}
	m.Complete = true
	if err := m.write(folder); err != nil {
		t.Fatal(err)
	}
	if after, err := os.ReadFile(kept); err != nil || !bytes.Equal(after, before) {
		t.Errorf("it was written over: %q, %v", after, err)
	}
	read, begun, err := readMark(standalone.Config{Folder: folder}, Options{Seed: 7, People: 1500})
	if err != nil || !begun || read != m {
		t.Errorf("read %+v, %v, %v; want %+v", read, begun, err, m)
	}
}
