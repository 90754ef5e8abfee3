package heartbeat

import (
	"context"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// counts are messages by what became of them, each message once.
type counts struct{ stored, letters, lost uint64 }

func (c counts) plus(o counts) counts {
	return counts{c.stored + o.stored, c.letters + o.letters, c.lost + o.lost}
}

// handled is how many somebody handled. As a signed number, so that differences may be taken.
func (c counts) handled() int64 { return int64(c.stored + c.letters) }

// ledger counts what became of all messages without reading any of them twice: up to complete every message of the stream
// has its row, and those rows are counted. What is read again is what comes after the first message without a row, which is
// little: collectors hold a few thousand messages at a time, and what is lost gets a row that says so. (One that is handled
// after that counts as lost until a process starts, as in the collector's own metric.)
//
// A process that starts reads all rows once, chunk by chunk, and a heartbeat that is cut off meanwhile goes on where it was.
type ledger struct {
	begun    bool
	stream   uint64 // creation time, nanoseconds; 0 while there is none
	others   counts // of all other streams
	complete uint64
	counted  counts // of this stream up to complete
}

// chunk is how many sequences are looked at in one query, so that its memory is bounded.
const chunk = 1_000_000

// found is what a ledger finds.
type found struct {
	all, here counts // of all streams, of this one
	missing   uint64 // messages that the stream gave out and that have no row
	gone      uint64 // of those, older than what the stream still has
}

// read brings the ledger up to the stream's last message; first is the oldest that it still has. An error is ClickHouse's.
func (l *ledger) read(ctx context.Context, conn driver.Conn, created, first, last uint64) (found, error) {
	if !l.begun || created != l.stream {
		var others counts
		if err := queries.Each(ctx, conn, "others", []any{clickhouse.Named("stream", created)}, func(rows driver.Rows) error {
			return rows.Scan(&others.stored, &others.letters, &others.lost)
		}); err != nil {
			return found{}, err
		}
		*l = ledger{begun: true, stream: created, others: others}
	}
	var f found
	var open counts // after complete
	for from := l.complete; from < last; {
		to := min(from+chunk, last)
		var whole, n, early uint64
		var before, all counts
		if err := queries.Each(ctx, conn, "counts", []any{clickhouse.Named("stream", created), clickhouse.Named("after", from),
			clickhouse.Named("to", to), clickhouse.Named("first", first)}, func(rows driver.Rows) error {
			return rows.Scan(&whole, &before.stored, &before.letters, &before.lost, &n, &all.stored, &all.letters, &all.lost, &early)
		}); err != nil {
			return found{}, err
		}
		if l.complete == from {
			l.complete += whole
			l.counted = l.counted.plus(before)
			all = counts{all.stored - before.stored, all.letters - before.letters, all.lost - before.lost}
		}
		open = open.plus(all)
		f.missing += to - from - n
		if end := min(to+1, first); end > from+1 {
			f.gone += end - from - 1 - early
		}
		from = to
	}
	f.here = l.counted.plus(open)
	f.all = f.here.plus(l.others)
	return f, nil
}
