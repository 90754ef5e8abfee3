// Package erase removes a person from everything that Gapwatch keeps: the stream of events, the dead letters, and the
// tables of ClickHouse. People are named by their pseudonyms; services/erase makes them from NHS numbers.
//
// # The order, and why nothing comes back
//
// A pass first waits until the collectors have acknowledged every message that the stream has: a message that is removed
// unread would count as lost, and one that a collector holds would be stored after it was removed. Then it finds all
// pseudonyms of the people (prevention.links), removes their messages from the stream so that no file of it holds them
// any more, their dead letters, and their rows. Passes are repeated until one finds nothing. The links go last, since
// they say who else is meant: a run that is cut off anywhere is finished by the same run again.
//
// A record that was once another's and whose newest version is the erased person's loses all its versions: the newest
// decides who counts, and without it an older one would. A still newer one that comes in meanwhile, for somebody else, stays.
//
// At the end the programmes concerned are counted afresh (a load of kind repair), and prevention.erasures says that an
// erasure was done: when, by whom, under which reference, how much. It never says who was erased.
package erase

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"slices"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/google/uuid"
	"github.com/nats-io/nats.go/jetstream"

	"gapwatch/services/internal/event"
	"gapwatch/services/internal/reference"
	"gapwatch/services/internal/store"
	"gapwatch/services/internal/stream"
)

//go:embed queries/*.sql
var files embed.FS

var queries = store.Queries{Files: files}

// Config is what an erasure needs.
type Config struct {
	ClickHouse driver.Conn
	JetStream  jetstream.JetStream
	Log        *slog.Logger // nil for silence

	People    []event.Pseudonym // at least one; those that they are linked with are erased as well
	Reference string            // number of the request where it was decided, so that both can be found together
	By        string            // who runs it
	DryRun    bool              // count, and change nothing

	// Patience is how long collectors may take to handle what the stream has. Default 5 minutes.
	Patience time.Duration
	// Checkpoint, where set, is called before each change with its name; an error ends the run there. For crash tests.
	Checkpoint func(name string) error
}

// Result says what an erasure did, or what a dry run would do.
type Result struct {
	Pseudonyms  int      // of the people
	Messages    uint64   // of the stream of events
	DeadLetters uint64   // removed
	Rows        uint64   // of ClickHouse
	Programmes  []string // that are counted afresh
}

// Errors that a caller can do something about.
var (
	ErrCollectors = errors.New("the collectors have not handled what the stream holds, and nothing more was removed: see that one runs, then run this again")
	ErrBusy       = errors.New("another erasure is reading the stream, or one was cut off less than a minute ago: try again")
)

// note is what references and names may look like: no room for a person in them.
var note = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9 ._/@-]{0,63}$`)

var pseudonymRule = regexp.MustCompile(`(?i)[0-9a-f]{32}`)

func (c *Config) check() error {
	for _, text := range []struct{ what, value string }{{"reference", c.Reference}, {"name of who runs it", c.By}} {
		switch {
		case !note.MatchString(text.value):
			return fmt.Errorf("erase: the %s must be 1 to 64 letters, digits, spaces and . _ / @ -", text.what)
		case event.HoldsNHSNumber([]byte(text.value)) || pseudonymRule.MatchString(text.value):
			return fmt.Errorf("erase: the %s must not name the person: it is kept", text.what)
		}
	}
	if len(c.People) == 0 {
		return errors.New("erase: nobody is named")
	}
	if c.Patience == 0 {
		c.Patience = 5 * time.Minute
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return nil
}

// run is one erasure at work.
type run struct {
	Config
	id     uuid.UUID
	people map[event.Pseudonym]struct{}
	shared map[event.RecordID]struct{} // records of which others held earlier versions
	result Result

	began    bool
	removing bool // rows: not known to have ended
}

// Run erases people. It may be run again at any time, also after it was cut off anywhere: then it does what is left to
// do. An error says what could not be done; what was removed before it stays removed.
func Run(ctx context.Context, c Config) (Result, error) {
	if err := c.check(); err != nil {
		return Result{}, err
	}
	r := &run{Config: c, id: uuid.New(), people: map[event.Pseudonym]struct{}{}}
	if err := r.name(ctx, c.People); err != nil {
		return r.result, err
	}
	err := r.erase(ctx)
	if !r.removing { // otherwise ClickHouse may still be at it, and looks here for whom; it forgets them after a day
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 30*time.Second)
		defer cancel()
		err = errors.Join(err, r.exec(ctx, "forget"))
	}
	return r.result, err
}

func (r *run) erase(ctx context.Context) error {
	var read uint64 // the stream up to here, for the people known by then
	for {
		last, err := r.settled(ctx)
		if err != nil {
			return err
		}
		known := len(r.people)
		if err := r.follow(ctx); err != nil {
			return err
		}
		if len(r.people) != known {
			read = 0
		}
		if err := r.findShared(ctx); err != nil {
			return err
		}
		messages, err := r.sweep(ctx, stream.Events, read+1, last, &r.result.Messages)
		if err != nil {
			return err
		}
		letters, err := r.sweep(ctx, stream.DeadLetters, 1, 0, &r.result.DeadLetters)
		if err != nil {
			return err
		}
		rows, err := r.removeRows(ctx)
		if err != nil {
			return err
		}
		read = last
		r.result.Rows += rows
		r.result.Pseudonyms = len(r.people)
		if r.DryRun {
			return nil
		}
		if messages+letters+rows == 0 {
			return r.finish(ctx)
		}
	}
}

// name writes people into prevention.removing, where the other queries find them.
func (r *run) name(ctx context.Context, people []event.Pseudonym) error {
	ids := make([]uuid.UUID, 0, len(people))
	for _, p := range people {
		if _, known := r.people[p]; !known {
			r.people[p] = struct{}{}
			ids = append(ids, uuid.UUID(p))
		}
	}
	return store.Insert(ctx, r.ClickHouse, "removing (run, kind, id)", "", len(ids), func(i int) []any { return []any{r.id, "person", ids[i]} })
}

// follow finds everybody who is linked with the people, directly or through others.
func (r *run) follow(ctx context.Context) error {
	for {
		var found []event.Pseudonym
		if err := r.each(ctx, "links", func(rows driver.Rows) error {
			var other uuid.UUID
			err := rows.Scan(&other)
			found = append(found, event.Pseudonym(other))
			return err
		}); err != nil || len(found) == 0 {
			return err
		}
		if err := r.name(ctx, found); err != nil {
			return err
		}
	}
}

// findShared finds the records that must go with all the versions that they have now.
func (r *run) findShared(ctx context.Context) error {
	r.shared = map[event.RecordID]struct{}{}
	var versions [][]any
	if err := r.each(ctx, "records", func(rows driver.Rows) error {
		var id uuid.UUID
		var made time.Time
		var precedence uint64
		err := rows.Scan(&id, &made, &precedence)
		versions = append(versions, []any{r.id, "record", id, made, precedence})
		r.shared[event.RecordID(id)] = struct{}{}
		return err
	}); err != nil {
		return err
	}
	return store.Insert(ctx, r.ClickHouse, "removing (run, kind, id, time, precedence)", "", len(versions), func(i int) []any { return versions[i] })
}

// removeRows removes the people's rows from ClickHouse and says how many there were.
func (r *run) removeRows(ctx context.Context) (uint64, error) {
	var rows uint64
	var programmes []string
	if err := r.each(ctx, "found", func(found driver.Rows) error { return found.Scan(&rows, &programmes) }); err != nil {
		return 0, err
	}
	r.result.Programmes = append(r.result.Programmes, programmes...)
	slices.Sort(r.result.Programmes)
	r.result.Programmes = slices.Compact(r.result.Programmes)
	if rows == 0 || r.DryRun {
		return rows, nil
	}
	if err := r.begin(ctx); err != nil {
		return rows, err
	}
	for _, name := range []string{"remove_events", "remove_records", "remove_links"} {
		if err := r.checkpoint(name); err != nil {
			return rows, err
		}
		r.removing = true
		if err := r.exec(ctx, name); err != nil {
			return rows, err
		}
		r.removing = false
	}
	return rows, nil
}

// begin notes durably that this run changes something, so that a run after it knows if it was cut off.
func (r *run) begin(ctx context.Context) error {
	if r.began {
		return nil
	}
	r.began = true
	return r.log(ctx, "begun")
}

func (r *run) log(ctx context.Context, phase string) error {
	return store.Insert(ctx, r.ClickHouse, "erasures (run, phase, at, reference, asked_by, messages, dead_letters, rows)", "", 1, func(int) []any {
		return []any{r.id, phase, time.Now().UTC(), r.Reference, r.By, r.result.Messages, r.result.DeadLetters, r.result.Rows}
	})
}

// finish has the programmes counted afresh and says what was done. Where a run before this one was cut off, it may have
// been so before it had its programmes counted: then all are.
func (r *run) finish(ctx context.Context) error {
	if err := r.begin(ctx); err != nil {
		return err
	}
	var unfinished uint64
	if err := r.each(ctx, "unfinished", func(rows driver.Rows) error { return rows.Scan(&unfinished) }); err != nil {
		return err
	}
	if unfinished > 1 { // this one is
		if err := r.each(ctx, "programmes", func(rows driver.Rows) error {
			var programme string
			err := rows.Scan(&programme)
			r.result.Programmes = append(r.result.Programmes, programme)
			return err
		}); err != nil {
			return err
		}
		slices.Sort(r.result.Programmes)
		r.result.Programmes = slices.Compact(r.result.Programmes)
	}
	if err := r.checkpoint("repair"); err != nil {
		return err
	}
	for _, programme := range r.result.Programmes {
		if _, err := reference.RegisterRepair(ctx, r.ClickHouse, programme); err != nil {
			return fmt.Errorf("have programme %s counted afresh: %w", programme, err)
		}
	}
	if err := r.checkpoint("log"); err != nil {
		return err
	}
	if unfinished > 1 {
		if err := r.exec(ctx, "finish"); err != nil {
			return err
		}
	}
	if err := r.log(ctx, "done"); err != nil {
		return err
	}
	r.Log.Info("a person was erased", "reference", r.Reference, "by", r.By, "messages", r.result.Messages, "dead_letters", r.result.DeadLetters, "rows", r.result.Rows)
	return nil
}

func (r *run) each(ctx context.Context, name string, scan func(driver.Rows) error) error {
	return queries.Each(ctx, r.ClickHouse, name, []any{clickhouse.Named("run", r.id.String())}, scan)
}

func (r *run) exec(ctx context.Context, name string) error {
	text, err := files.ReadFile("queries/" + name + ".sql")
	if err != nil {
		return err
	}
	if err := r.ClickHouse.Exec(ctx, string(text), clickhouse.Named("run", r.id.String())); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

func (r *run) checkpoint(name string) error {
	if r.Checkpoint == nil {
		return nil
	}
	return r.Checkpoint(name)
}
