package reference

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// ErrBusy means that other loads kept coming in between. Nothing was loaded; the same call may work later.
var ErrBusy = errors.New("other loads came in between, again and again; nothing was loaded")

// MaxLoads is the greatest number a load can have: it is the top 20 bits of the id of a snapshot.
const MaxLoads = 1<<20 - 1

// attempts is how often a load that another one overtook starts anew.
const attempts = 20

// slot names what a load replaces.
type slot struct{ kind, key string }

// entry is one line of prevention.loads.
type entry struct {
	slot
	file   string
	sha256 string
	rows   uint64
}

// state is what is in force.
type state struct {
	newest uint32 // number of the newest load, 0 if there is none
	slots  map[slot]inForce
}

type inForce struct {
	load   uint32
	batch  uint64
	sha256 string
	rows   uint64
}

func readState(ctx context.Context, conn driver.Conn) (state, error) {
	s := state{slots: map[slot]inForce{}}
	rows, err := conn.Query(ctx, query("loads_now"))
	if err != nil {
		return s, fmt.Errorf("read loads: %w", err)
	}
	defer rows.Close() //nolint:errcheck // rows.Err is checked
	for rows.Next() {
		var at slot
		var f inForce
		if err := rows.Scan(&at.kind, &at.key, &f.load, &f.batch, &f.sha256, &f.rows); err != nil {
			return s, fmt.Errorf("read loads: %w", err)
		}
		s.slots[at] = f
		s.newest = max(s.newest, f.load)
	}
	if err := rows.Err(); err != nil {
		return s, fmt.Errorf("read loads: %w", err)
	}
	return s, nil
}

// newBatch is a number for the rows of one try to load: no two have the same, and it tells when they were written.
func newBatch() uint64 {
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails
	return uint64(time.Now().UnixMilli())<<20 | binary.LittleEndian.Uint64(b[:])>>44
}

// commit makes the batch the load that follows the newest one. It is false when another load took that number first: then
// what is in force has changed and must be read again. After an error it is unknown whether the load was made.
//
// The compare-and-set is ClickHouse's: of several inserts with one deduplication token the first is kept, on one server
// (non_replicated_deduplication_window) as on replicas. Who was first is then read back.
func commit(ctx context.Context, conn driver.Conn, newest uint32, batch uint64, entries []entry) (bool, error) {
	load := newest + 1
	if load > MaxLoads {
		return false, fmt.Errorf("no load can follow number %d", newest)
	}
	once := clickhouse.Context(ctx, clickhouse.WithSettings(clickhouse.Settings{
		"insert_deduplicate":         1,
		"insert_deduplication_token": fmt.Sprintf("load %d", load),
		"async_insert":               0,
	}))
	rows, err := conn.PrepareBatch(once, query("loads"))
	if err != nil {
		return false, fmt.Errorf("commit load %d: %w", load, err)
	}
	defer rows.Close() //nolint:errcheck // Send reports what matters
	for _, e := range entries {
		if err := rows.Append(load, batch, e.kind, e.key, e.file, e.sha256, e.rows); err != nil {
			return false, fmt.Errorf("commit load %d: %w", load, err)
		}
	}
	if err := rows.Send(); err != nil {
		return false, fmt.Errorf("commit load %d: %w", load, err)
	}
	var mine uint64
	err = conn.QueryRow(ctx, "SELECT count() FROM prevention.loads WHERE load = @load AND batch = @batch",
		clickhouse.Named("load", load), clickhouse.Named("batch", batch)).Scan(&mine)
	if err != nil {
		return false, fmt.Errorf("commit load %d: %w", load, err)
	}
	return mine > 0, nil
}

// RegisterProgrammes records the programme file that counts are made by, named by the SHA-256 of its text in hex. If the
// newest one recorded is the same, nothing is written. Either way it returns the number of that load. Errors are the
// driver's, or [ErrBusy].
func RegisterProgrammes(ctx context.Context, conn driver.Conn, sha256 string) (uint32, error) {
	at := slot{kind: "programmes"}
	for range attempts {
		now, err := readState(ctx, conn)
		if err != nil {
			return 0, err
		}
		if f, ok := now.slots[at]; ok && f.sha256 == sha256 {
			return f.load, nil
		}
		done, err := commit(ctx, conn, now.newest, newBatch(), []entry{{slot: at, sha256: sha256}})
		if err != nil {
			return 0, err
		}
		if done {
			return now.newest + 1, nil
		}
	}
	return 0, ErrBusy
}

// RegisteredProgrammes is the newest programme file recorded, by the number of its load and its SHA-256; 0 if there is none.
func RegisteredProgrammes(ctx context.Context, conn driver.Conn) (load uint32, sha256 string, err error) {
	now, err := readState(ctx, conn)
	f := now.slots[slot{kind: "programmes"}]
	return f.load, f.sha256, err
}

// RegisterRepair makes every number of a programme be counted anew: a load that replaces nothing and is newer than all.
// It returns its number. Errors are the driver's, or [ErrBusy].
func RegisterRepair(ctx context.Context, conn driver.Conn, programmeID string) (uint32, error) {
	for range attempts {
		now, err := readState(ctx, conn)
		if err != nil {
			return 0, err
		}
		done, err := commit(ctx, conn, now.newest, newBatch(), []entry{{slot: slot{kind: "repair", key: programmeID}}})
		if err != nil {
			return 0, err
		}
		if done {
			return now.newest + 1, nil
		}
	}
	return 0, ErrBusy
}
