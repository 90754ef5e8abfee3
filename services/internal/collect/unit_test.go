package collect

import (
	"context"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"gapwatch/services/internal/engine/enginetest"
	"gapwatch/services/internal/event"
	"gapwatch/services/internal/store"
	"gapwatch/services/internal/stream"
	"gapwatch/services/internal/stream/streamtest"
)

func TestCutKeepsPartitionsWholeAndRowsComplete(t *testing.T) {
	rows := make([]Row, 1000)
	for i := range rows {
		rows[i] = Row{Event: event.Event{Programme: fmt.Sprint("p", i%7), Season: fmt.Sprint("s", i%31)}, Sequence: uint64(i)}
	}
	for _, most := range []int{1, 2, 50, 216, 217, 1000} {
		seen, where := make(map[uint64]bool), make(map[string]int)
		parts := cut(rows, most)
		for number, part := range parts {
			partitions := make(map[string]bool)
			for i := range part {
				p := part[i].Programme + "/" + part[i].Season
				if was, ok := where[p]; ok && was != number {
					t.Fatalf("at most %d: %s is in parts %d and %d", most, p, was, number)
				}
				where[p] = number
				partitions[p] = true
				seen[part[i].Sequence] = true
			}
			if len(partitions) > most || len(part) == 0 {
				t.Errorf("at most %d: part %d has %d partitions and %d rows", most, number, len(partitions), len(part))
			}
		}
		if len(seen) != len(rows) || len(parts) != (217+most-1)/most {
			t.Errorf("at most %d: %d rows in %d parts", most, len(seen), len(parts))
		}
	}
	if parts := cut(nil, 50); len(parts) != 0 {
		t.Errorf("no rows: %d parts", len(parts))
	}
	if parts := cut(rows[:1], 50); len(parts) != 1 || &parts[0][0] != &rows[0] {
		t.Errorf("a batch that needs no cut was copied")
	}
}

func TestBothIsWhatTwoListsOfRunsShare(t *testing.T) {
	for _, c := range []struct{ a, b, want []run }{
		{nil, []run{{1, 5}}, nil},
		{[]run{{1, 5}}, []run{{6, 9}}, nil},
		{[]run{{1, 5}}, []run{{5, 9}}, []run{{5, 5}}},
		{[]run{{1, 100}}, []run{{3, 3}, {7, 9}, {100, 200}}, []run{{3, 3}, {7, 9}, {100, 100}}},
		{[]run{{1, 2}, {4, 8}, {10, 10}}, []run{{2, 5}, {7, 11}}, []run{{2, 2}, {4, 5}, {7, 8}, {10, 10}}},
	} {
		if got := both(c.a, c.b); !reflect.DeepEqual(got, c.want) {
			t.Errorf("%v and %v: %v", c.a, c.b, got)
		}
		if got := both(c.b, c.a); !reflect.DeepEqual(got, c.want) {
			t.Errorf("%v and %v: %v", c.b, c.a, got)
		}
	}
}

func TestStampTellsStreamsOfOneNameApart(t *testing.T) {
	first, second := time.Unix(1000, 0), time.Unix(2000, 5)
	for _, c := range []struct {
		created []time.Time
		taken   time.Time
		want    time.Time
	}{
		{[]time.Time{first}, first.Add(time.Second), first},
		{[]time.Time{first}, first.Add(-time.Hour), first}, // a restored stream
		{[]time.Time{first, second}, second.Add(-1), first},
		{[]time.Time{first, second}, second, second},
		{[]time.Time{first, second}, second.Add(time.Hour), second},
	} {
		if got := stamp(c.created, c.taken); got != uint64(c.want.UnixNano()) {
			t.Errorf("%v of %v: %d", c.taken, c.created, got)
		}
	}
}

func TestUnaccounted(t *testing.T) {
	for _, c := range []struct {
		b       balance
		pending uint64
		want    uint64
	}{
		{balance{}, 0, 0},
		{balance{missing: 7}, 7, 0},
		{balance{missing: 7}, 9, 0}, // two are handled and not acknowledged yet
		{balance{missing: 7}, 4, 3},
		{balance{missing: 7, gone: 2}, 9, 2},
		{balance{missing: 7, lost: 5}, 7, 5},
	} {
		if got := c.b.unaccounted(c.pending); got != c.want {
			t.Errorf("%+v with %d pending: %d", c.b, c.pending, got)
		}
	}
}

// between is a stream of which something happens just before it says what was deleted from it.
type between struct {
	jetstream.Stream
	happens func()
}

func (b between) Info(ctx context.Context, o ...jetstream.StreamInfoOpt) (*jetstream.StreamInfo, error) {
	if len(o) > 0 {
		b.happens()
	}
	return b.Stream.Info(ctx, o...)
}

// A message with an NHS number is handled and then removed: where that happens while the ledger looks, it is not missing.
func TestHandledAndRemovedMeanwhileIsNotGone(t *testing.T) {
	url := enginetest.URL(t)
	if err := store.Migrate(t.Context(), url); err != nil {
		t.Fatal(err)
	}
	conn, err := store.Open(url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	_, js := streamtest.New(t).Ensure(stream.Options{})
	st, err := js.Stream(t.Context(), stream.Events)
	if err != nil {
		t.Fatal(err)
	}
	created := uint64(st.CachedInfo().Created.UnixNano())
	for i := range 4 {
		if _, err := js.PublishMsg(t.Context(), stream.Message("prevention.events.vaccination.flu-65", fmt.Sprint(i), nil)); err != nil {
			t.Fatal(err)
		}
	}
	remove := func(sequence uint64) {
		if err := InsertHandled(t.Context(), conn, []HandledRow{{Stream: created, Sequence: sequence, Outcome: DeadLetter}}); err != nil {
			t.Fatal(err)
		}
		if err := st.DeleteMsg(t.Context(), sequence); err != nil {
			t.Fatal(err)
		}
	}
	remove(2)
	info, err := st.Info(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	l := &ledger{conn: conn, lostAfter: time.Hour, now: time.Now}
	got, err := l.balance(t.Context(), between{st, func() { remove(3) }}, info)
	if want := (balance{missing: 2}); err != nil || got != want {
		t.Errorf("%+v, %v; want %+v", got, err, want)
	}
}

func TestValidateNamesWhatIsWrong(t *testing.T) {
	err := Config{Batch: -1, MaxAge: -1, Owners: 99, RetryFirst: time.Hour}.Validate()
	if err == nil {
		t.Fatal("nothing was wrong")
	}
	for _, want := range []string{"JetStream is missing", "ClickHouse is missing", "Programmes is missing", "Batch is not between", "MaxAge is not positive",
		"Owners is not between", "RetryMost is less than RetryFirst"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in %q", want, err)
		}
	}
}

// However slow ClickHouse is: as many suspects as there can be take no more than half of the time.
func TestSuspectsLeaveTimeForOthers(t *testing.T) {
	c := &Collector{Config: Config{}.withDefaults()}
	for _, took := range []time.Duration{time.Millisecond, 400 * time.Millisecond, 1800 * time.Millisecond} {
		if again := c.comeAgain(took); again < c.RetryMost || again < 2*(someRows-1)*took {
			t.Errorf("batches of %v come again in %v", took, again)
		}
	}
	if again := c.comeAgain(time.Hour); again != c.ackWait() { // ClickHouse was away meanwhile
		t.Errorf("after an hour they come again in %v", again)
	}
}

// What does not come back was stored by another collector, and says nothing of the table any more.
func TestSuspectsThatDoNotComeBack(t *testing.T) {
	var s suspects
	soon, later := time.Now().Add(-time.Nanosecond), time.Now().Add(time.Hour)
	for i := range uint64(15) {
		s.add(position{1, i}, 0, soon)
	}
	s.add(position{1, 99}, 0, later)
	if n := s.open(); n != 1 {
		t.Errorf("%d are open", n)
	}
}

// A row is refused, others are stored, and it is refused again: in this order, whatever is stored while it is tried.
func TestSuspectsAreGuiltyAfterAnotherWasStored(t *testing.T) {
	var s suspects
	one, later := position{1, 1}, time.Now().Add(time.Hour)
	before := s.now()
	s.somethingStored() // by another owner, while the row was tried
	if s.add(one, before, later) || s.add(one, s.now(), later) {
		t.Error("guilty with nothing stored in between")
	}
	before = s.now()
	s.somethingStored()
	if s.add(one, before, later) {
		t.Error("guilty for what was stored while the row was tried")
	}
	if !s.add(one, s.now(), later) || s.open() != 0 {
		t.Error("not guilty")
	}
}
