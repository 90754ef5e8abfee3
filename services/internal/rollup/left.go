package rollup

import (
	"context"
	"encoding/binary"
	"slices"
	"sync"

	chproto "github.com/ClickHouse/ch-go/proto"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/go-faster/city"
	"github.com/google/uuid"

	"gapwatch/services/internal/event"
)

// left are the records that more than one person or programme holds versions of, with the home of the newest: only that
// counts.
type left struct {
	homes []home  // the first one is not used
	first numbers // of the homes of each record, by half of its id
	bits  []uint64
}

// home is where the newest version of a record is.
type home struct {
	record uuid.UUID
	holder uint64
	next   uint32 // the next one with the same half of the id, 0 = none
}

// leftBits is the width of a number that most records which never changed hands are known by at once.
const leftBits = 22

func newLeft() *left {
	return &left{homes: make([]home, 1), bits: make([]uint64, 1<<leftBits/64)}
}

func (l *left) add(at home) {
	half := binary.LittleEndian.Uint64(at.record[:])
	at.next, _ = l.first.get(half)
	l.first.set(half, uint32(len(l.homes)))
	l.homes = append(l.homes, at)
	l.bits[half>>(64-leftBits)/64] |= 1 << (half >> (64 - leftBits) % 64)
}

// rows appends, for each of some records that somebody holds in a programme, whether it has left. One after the other,
// without anything in between, this is several times faster.
func (l *left) rows(gone []bool, records, people []uuid.UUID, programme uint64) []bool {
	gone = slices.Grow(gone, len(records))
	for i := range records {
		half := binary.LittleEndian.Uint64(records[i][:])
		maybe := l.bits[half>>(64-leftBits)/64]&(1<<(half>>(64-leftBits)%64)) != 0
		gone = append(gone, maybe && l.has(half, records[i], people[i], programme))
	}
	return gone
}

// has tells whether a record that a person holds in a programme has left for somebody or something else.
func (l *left) has(half uint64, record, person uuid.UUID, programme uint64) bool {
	for i, _ := l.first.get(half); i != 0; i = l.homes[i].next {
		if at := &l.homes[i]; at.record == record {
			return at.holder != holder(person, programme)
		}
	}
	return false
}

// programmeHash is what ClickHouse's cityHash64 makes of a programme's id.
func programmeHash(id string) uint64 { return city.CH64([]byte(id)) }

// holder is a person in a programme as versions.sql names them. ClickHouse keeps a UUID as two numbers.
func holder(person uuid.UUID, programme uint64) uint64 {
	slices.Reverse(person[:8])
	slices.Reverse(person[8:])
	return city.CH64(person[:]) ^ programme
}

// versions is what versions.sql says of some records, column by column.
type versions struct {
	record     chproto.ColUUID
	holder     chproto.ColUInt64
	micros     chproto.ColInt64
	precedence chproto.ColUInt64
	sorted
}

// columns are those of versions.sql, in its order.
func (v *versions) columns() []column {
	return []column{columnOf(&v.record), columnOf(&v.holder), columnOf(&v.micros), columnOf(&v.precedence)}
}

func (v *versions) version(row uint32) event.Version {
	return event.Version{Micros: v.micros[row], Precedence: v.precedence[row]}
}

// newest is the row of the newest of some versions of one record, and whether all have the same holder.
func (v *versions) newest(rows []uint32) (newest uint32, oneHolder bool) {
	newest, oneHolder = rows[0], true
	for _, row := range rows[1:] {
		oneHolder = oneHolder && v.holder[row] == v.holder[newest]
		if v.version(newest).Less(v.version(row)) {
			newest = row
		}
	}
	return newest, oneHolder
}

// leftRecords are the records that have changed hands up to a position. All versions of all records are looked through
// here: grouping them by record takes ClickHouse longer than handing them over.
func (a *Aggregator) leftRecords(ctx context.Context, to Position) (*left, error) {
	if a.left != nil && a.leftAt == to {
		return a.left, nil
	}
	var rows uint64
	if err := a.each(ctx, "records", nil, func(r driver.Rows) error { return r.Scan(&rows) }); err != nil {
		return nil, err
	}
	var mu sync.Mutex // of found and a.shared
	found := newLeft()
	err := inPortions(ctx, a.config.Threads, rows, func(ctx context.Context, some *versions, i, of uint64) error {
		return a.readColumns(ctx, "versions", between(i, of, to), rows/of, some.columns())
	}, func(some *versions, i, of uint64) error {
		some.sort(some.record, nil, i, of)
		mu.Lock()
		defer mu.Unlock()
		return some.each(some.record, func(rows []uint32) error {
			if row, oneHolder := some.newest(rows); !oneHolder {
				found.add(home{record: some.record[row], holder: some.holder[row]})
				a.shared[event.RecordID(some.record[row])] = struct{}{}
			}
			return nil
		})
	})
	if err != nil {
		return nil, err
	}
	a.left, a.leftAt = found, to
	if to.After(a.sharedUpTo) {
		a.sharedUpTo = to
	}
	return found, nil
}
