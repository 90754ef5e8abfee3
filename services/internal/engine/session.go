package engine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"
)

// store is the open data folder. Each query gets a session of its own: opening one takes a fifth of a millisecond, and
// nothing that a query sets (settings, parameters, current database, temporary tables) can reach another query.
type store struct {
	lib   *library
	args  []string
	slots chan struct{} // one element for each running query
	tags  atomic.Uint64

	keeper *connection // keeps the engine up between queries

	mu      sync.Mutex
	open    int           // connections beside the keeper
	closing bool          // no new query
	drained chan struct{} // closed when closing and none is open
}

// openStore opens the folder. An error means stop: another process has it open, or it is not readable.
func openStore(lib *library, maxQueries int, args ...string) (*store, error) {
	s := &store{
		lib: lib, args: args, slots: make(chan struct{}, maxQueries), drained: make(chan struct{}),
	}
	var err error
	lib.keepSignalHandlers(func() { s.keeper, err = lib.connect(s.args...) })
	if err != nil {
		return nil, err
	}
	return s, nil
}

// close refuses new queries, waits for the running ones and closes the folder; without that the process crashes on its
// way out. When ctx ends first it returns ctx's error, and the folder stays open.
func (s *store) close(ctx context.Context) error {
	s.mu.Lock()
	if !s.closing {
		s.closing = true
		if s.open == 0 {
			close(s.drained)
		}
	}
	s.mu.Unlock()
	select {
	case <-s.drained:
		s.keeper.close()
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// connect opens a connection beside the keeper: for a query, or to kill one while the store closes.
func (s *store) connect(kill bool) (*connection, error) {
	s.mu.Lock()
	if s.closing && (!kill || s.open == 0) {
		s.mu.Unlock()
		return nil, errClosed
	}
	s.open++
	s.mu.Unlock()
	conn, err := s.lib.connect(s.args...)
	if err != nil {
		s.release()
	}
	return conn, err
}

func (s *store) disconnect(conn *connection) {
	conn.close()
	s.release()
}

func (s *store) release() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.open--; s.closing && s.open == 0 {
		close(s.drained)
	}
}

// session runs one query.
type session struct {
	store *store
	conn  *connection
	tag   string // begins the log_comment, by which the query is found to be cancelled
}

// session waits for a free slot. It returns ctx's error when the client has gone meanwhile, and errClosed on shutdown.
func (s *store) session(ctx context.Context) (*session, error) {
	select {
	case s.slots <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	conn, err := s.connect(false)
	if err != nil {
		<-s.slots
		return nil, err
	}
	return &session{store: s, conn: conn, tag: fmt.Sprintf("gapwatch-%d", s.tags.Add(1))}, nil
}

func (x *session) close() {
	x.store.disconnect(x.conn)
	<-x.store.slots
}

// killEvery is how often a cancelled query is told to stop: one that has not yet begun does not hear the first time.
const killEvery = 50 * time.Millisecond

// cancelWith stops the session's query when ctx ends. The function it returns must be called when the query is over
// and before the session is closed.
func (x *session) cancelWith(ctx context.Context) (stop func()) {
	over := make(chan struct{})
	unregister := context.AfterFunc(ctx, func() {
		conn, err := x.store.connect(true)
		if err != nil {
			return
		}
		defer x.store.disconnect(conn)
		ticker := time.NewTicker(killEvery)
		defer ticker.Stop()
		for {
			select {
			case <-over:
				return
			default:
			}
			_, _ = conn.exec("KILL QUERY WHERE splitByChar(' ', Settings['log_comment'])[1] = "+quote(x.tag)+" ASYNC", "Null")
			select {
			case <-over:
				return
			case <-ticker.C:
			}
		}
	})
	return func() {
		close(over)
		unregister()
	}
}

// run executes a query and writes its output to out in the format given: block by block if the format allows that and
// the statement is a SELECT, else at the end. begin is called before the first byte, when the query has not failed yet.
func (x *session) run(ctx context.Context, query, format string, streamable bool, begin func(), out io.Writer) error {
	stop := x.cancelWith(ctx)
	defer stop()
	if streamable {
		done, err := x.stream(ctx, query, format, begin, out)
		if done {
			return err
		}
	}
	data, err := x.conn.exec(query, format)
	if err != nil {
		return err
	}
	begin()
	_, err = out.Write(data)
	return err
}

// notStreamable is the code, BAD_ARGUMENTS, with which the engine refuses to stream what is not a SELECT, before doing any of it.
const notStreamable = 36

// stream reports done = false when the statement is not a SELECT, and has not been run.
func (x *session) stream(ctx context.Context, query, format string, begin func(), out io.Writer) (done bool, err error) {
	lib, conn := x.conn.lib, x.conn.raw()
	handle := x.conn.openStream(query, format)
	if handle == nil {
		return true, errors.New("engine: no result")
	}
	if message := lib.errorText(handle); message != "" {
		lib.destroy(handle)
		exception := parseException(message)
		if exception.Code == notStreamable && strings.Contains(message, "Streaming query is not supported") {
			return false, nil
		}
		return true, exception
	}
	finished := false
	defer func() {
		// A stream that is at its end must not be cancelled: the engine has freed what that would touch.
		if !finished {
			lib.cancel(conn, handle)
		}
		lib.destroy(handle)
	}()
	for first := true; ; first = false {
		end, err := x.fetch(ctx, handle, first, begin, out)
		if end {
			finished = true
			return true, err
		}
		if err != nil {
			return true, err
		}
	}
}

// fetch writes out the next chunk. end: the engine has nothing more to give, by success or by failure.
func (x *session) fetch(ctx context.Context, handle unsafe.Pointer, first bool, begin func(), out io.Writer) (end bool, err error) {
	lib := x.conn.lib
	chunk := lib.fetch(x.conn.raw(), handle)
	if chunk == nil {
		if first {
			begin()
		}
		return true, nil
	}
	defer lib.destroy(chunk)
	if message := lib.errorText(chunk); message != "" {
		return true, parseException(message)
	}
	if first {
		begin()
	}
	if data := lib.bytes(chunk); len(data) > 0 {
		if _, err := out.Write(data); err != nil {
			return false, err
		}
	}
	if lib.rowsRead(chunk) == 0 {
		return true, nil
	}
	return false, ctx.Err()
}
