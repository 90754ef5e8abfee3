package standalone_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"gapwatch/services/internal/programme"
	"gapwatch/services/internal/rollup"
	"gapwatch/services/internal/standalone"
	"gapwatch/services/internal/stream"
)

type cells map[string]map[rollup.Cell]rollup.Counts

// counted is everything that is counted when the newest stream is handled up to a sequence. With audit, every cell is looked at and put right first, as
// every hour.
func counted(ctx context.Context, t *testing.T, s *standalone.System, set *programme.Set, upTo int, audit bool) (all cells, wrong int) {
	t.Helper()
	a, err := rollup.New(rollup.Config{ClickHouse: s.ClickHouse, Programmes: set})
	if err != nil {
		t.Fatal(err)
	}
	for again := true; again; { // the system's own aggregator does the same work
		result, err := a.Tick(ctx)
		if err != nil {
			t.Fatal(err)
		}
		again = result.Overtaken || result.Waiting || result.At.Sequence != uint64(upTo)
		if audit && !again {
			checked, err := a.Audit(ctx)
			if err != nil {
				t.Fatal(err)
			}
			wrong, audit, again = wrong+checked.Mismatches, len(checked.Skipped) > 0, true
		}
	}
	all = cells{}
	for _, p := range set.Programmes {
		all[p.ID] = map[rollup.Cell]rollup.Counts{}
		if err := rollup.ReadCells(ctx, s.ClickHouse, p.ID, func(c rollup.Cell, n rollup.Counts) error {
			all[p.ID][c] = n
			return nil
		}); err != nil {
			t.Fatal(err)
		}
	}
	return all, wrong
}

// TestBackup does what deploy/BACKUP.md says: the whole folder elsewhere, a ClickHouse that is older than NATS, a NATS that is
// lost, and a NATS that is older.
func TestBackup(t *testing.T) {
	h := history(t, 3)
	all := h.Expected().Stored
	first, second, third := all/4, all/2, 3*all/4
	set := config(t, "").Programmes
	run := func(folder string, work func(context.Context, *standalone.System)) {
		t.Helper()
		if err := standalone.Run(t.Context(), config(t, folder), func(ctx context.Context, s *standalone.System) error {
			work(ctx, s)
			return nil
		}); err != nil && !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
	}
	// copied is a new folder with ClickHouse's files of one and NATS's of another; of none where that is empty.
	copied := func(clickHouse, nats string) string {
		t.Helper()
		folder := t.TempDir()
		for part, of := range map[string]string{"clickhouse": clickHouse, "nats": nats} {
			if of == "" {
				continue
			}
			if err := os.CopyFS(filepath.Join(folder, part), os.DirFS(filepath.Join(of, part))); err != nil {
				t.Fatal(err)
			}
		}
		return folder
	}
	same := func(what string, got, want cells) {
		t.Helper()
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: before (-) and after (+):\n%.2000s", what, diff)
		}
	}
	fill := func(ctx context.Context, s *standalone.System, from, to int) {
		t.Helper()
		publish(ctx, t, s, h, from, to)
		stored(ctx, t, s, to)
	}

	var atFirst, atSecond, atThird cells
	one := t.TempDir()
	run(one, func(ctx context.Context, s *standalone.System) {
		fill(ctx, s, 0, first)
		atFirst, _ = counted(ctx, t, s, set, first, false)
	})
	two := copied(one, one)
	run(two, func(ctx context.Context, s *standalone.System) {
		got, _ := counted(ctx, t, s, set, first, false)
		same("started elsewhere", got, atFirst)
		fill(ctx, s, first, second)
		atSecond, _ = counted(ctx, t, s, set, second, false)
	})
	if cmp.Equal(atFirst, atSecond) {
		t.Fatal("nothing was counted")
	}
	run(copied(two, two), func(ctx context.Context, s *standalone.System) {
		fill(ctx, s, second, third)
		atThird, _ = counted(ctx, t, s, set, third, false)
		got, wrong := counted(ctx, t, s, set, third, true)
		same("audited", got, atThird)
		if wrong != 0 {
			t.Errorf("%d cells are wrong", wrong)
		}
	})

	older := copied(one, two) // ClickHouse is older than NATS
	run(older, func(ctx context.Context, s *standalone.System) {
		got, _ := counted(ctx, t, s, set, first, false)
		same("ClickHouse of then", got, atFirst)
		if err := s.JetStream.DeleteConsumer(ctx, stream.Events, stream.Collector); err != nil {
			t.Error(err)
		}
	})
	run(older, func(ctx context.Context, s *standalone.System) {
		stored(ctx, t, s, second)
		got, wrong := counted(ctx, t, s, set, second, true)
		same("what the stream has is read again", got, atSecond)
		if wrong != 0 {
			t.Errorf("%d cells are wrong", wrong)
		}
	})

	run(copied(two, ""), func(ctx context.Context, s *standalone.System) { // NATS is lost
		got, _ := counted(ctx, t, s, set, second, false)
		same("without NATS", got, atSecond)
		fill(ctx, s, first, third) // senders send again what they sent since then
		got, wrong := counted(ctx, t, s, set, third-first, true)
		same("sent again to a new stream", got, atThird)
		if wrong != 0 {
			t.Errorf("%d cells are wrong", wrong)
		}
	})

	run(copied(two, one), func(ctx context.Context, s *standalone.System) { // NATS is older: not to be done, see BACKUP.md
		fill(ctx, s, second, third)
		got, wrong := counted(ctx, t, s, set, second, true)
		same("an older NATS, after an audit", got, atThird)
		if wrong == 0 {
			t.Error("nothing was late: say so in BACKUP.md")
		}
	})
}
