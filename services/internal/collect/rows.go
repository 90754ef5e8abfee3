package collect

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/google/uuid"

	"gapwatch/services/internal/event"
)

// Row is one event and where it came from.
type Row struct {
	event.Event
	Stream   uint64    // creation time of the stream, nanoseconds since 1970
	Sequence uint64    // in that stream
	Received time.Time // when JetStream took it
}

// Outcome is what became of a message.
type Outcome int8

// The values are those of the Enum8 in prevention.handled.
const (
	Stored     Outcome = 1
	DeadLetter Outcome = 2
	Lost       Outcome = 3 // it left the stream before anybody read it
)

// HandledRow says what became of one message.
type HandledRow struct {
	Stream, Sequence uint64
	Outcome          Outcome

	Request string // that brought it, empty where that is not known

	// Rejection is why a message became a dead letter; nil for others. Its reason and field are stored, in the fixed words
	// of package event.
	Rejection *event.Rejection
}

// why is what a row says of a dead letter. A field that is none of the contract's is not passed on, wherever it came from:
// it could be a part of the message.
func (r *HandledRow) why() (reason, field string) {
	if r.Rejection == nil {
		return "", ""
	}
	if field = r.Rejection.Field; !slices.Contains(event.Fields, field) {
		field = otherField
	}
	return string(r.Rejection.Reason), field
}

// otherField stands for a field that is none of [event.Fields].
const otherField = "other"

// maxPartitions is how many partitions one insert may touch. ClickHouse refuses more than 100 (error 252) and writes
// one part for each.
const maxPartitions = 50

// InsertRows stores events, in as few inserts as partitions allow. It tries once; an error says nothing about how many
// rows arrived, and inserting the same rows again is harmless. [gapwatch/services/internal/store.Judge] tells what the
// error asks for.
func InsertRows(ctx context.Context, conn driver.Conn, rows []Row) error {
	for _, part := range cut(rows, maxPartitions) {
		if err := insertRows(ctx, conn, part); err != nil {
			return err
		}
	}
	return nil
}

// cut divides rows so that no part has more than most partitions, and a partition is in one part only. A batch that
// needs no cut is returned as it is.
func cut(rows []Row, most int) [][]Row {
	type partition struct{ programme, season string }
	numbers := make(map[partition]int)
	last, lastPart := partition{}, 0
	var parts [][]Row
	whole := func(n int) { // the first n rows all went to part 0
		parts = [][]Row{append(make([]Row, 0, len(rows)), rows[:n]...)}
	}
	for i := range rows {
		p := partition{rows[i].Programme, rows[i].Season}
		if p != last || i == 0 {
			number, known := numbers[p]
			if !known {
				number = len(numbers)
				numbers[p] = number
			}
			last, lastPart = p, number/most
		}
		if lastPart > 0 && parts == nil {
			whole(i)
		}
		if parts != nil {
			if lastPart == len(parts) {
				parts = append(parts, nil)
			}
			parts[lastPart] = append(parts[lastPart], rows[i])
		}
	}
	if parts == nil && len(rows) > 0 {
		return [][]Row{rows}
	}
	return parts
}

// The columns and the types they are sent as. Text goes as plain strings: the server makes its dictionaries faster
// than the driver does. Saying the types also saves asking for them before every insert (HTTP only; with the native
// protocol the server's own are used, and the same slices fit).
var (
	eventColumns = []clickhouse.ColumnNameAndType{
		{Name: "programme", Type: "String"}, {Name: "season", Type: "String"},
		{Name: "person", Type: "UUID"}, {Name: "record_id", Type: "UUID"},
		{Name: "time", Type: "DateTime64(6, 'UTC')"}, {Name: "precedence", Type: "UInt64"},
		{Name: "stream", Type: "UInt64"}, {Name: "sequence", Type: "UInt64"},
		{Name: "status", Type: "Enum8('completed' = 1, 'not-done' = 2, 'entered-in-error' = 3)"},
		{Name: "day", Type: "Date32"}, {Name: "dose", Type: "UInt8"},
		{Name: "lsoa", Type: "String"}, {Name: "ethnicity", Type: "String"},
		{Name: "practice", Type: "String"}, {Name: "provider", Type: "String"},
		{Name: "plus", Type: "Array(String)"}, {Name: "previous", Type: "UUID"},
		{Name: "person_key", Type: "String"}, {Name: "source", Type: "String"}, {Name: "record", Type: "String"},
		{Name: "received", Type: "DateTime64(3, 'UTC')"},
	}
	handledColumns = []clickhouse.ColumnNameAndType{
		{Name: "stream", Type: "UInt64"}, {Name: "sequence", Type: "UInt64"},
		{Name: "outcome", Type: "Enum8('stored' = 1, 'dead letter' = 2, 'lost' = 3)"},
		{Name: "reason", Type: "String"}, {Name: "field", Type: "String"}, {Name: "request", Type: "String"},
	}
)

const (
	insertEvents = `INSERT INTO prevention.events (programme, season, person, record_id, time, precedence, stream, sequence, status, day,
		dose, lsoa, ethnicity, practice, provider, plus, previous, person_key, source, record, received)`
	insertHandled = `INSERT INTO prevention.handled (stream, sequence, outcome, reason, field, request)`
)

func insertRows(ctx context.Context, conn driver.Conn, rows []Row) error {
	return insert(ctx, conn, insertEvents, eventColumns,
		column(rows, func(r *Row) string { return r.Programme }),
		column(rows, func(r *Row) string { return r.Season }),
		column(rows, func(r *Row) uuid.UUID { return uuid.UUID(r.Person) }),
		column(rows, func(r *Row) uuid.UUID { return uuid.UUID(r.RecordID) }),
		column(rows, func(r *Row) time.Time { return time.UnixMicro(r.Version.Micros).UTC() }),
		column(rows, func(r *Row) uint64 { return r.Version.Precedence }),
		column(rows, func(r *Row) uint64 { return r.Stream }),
		column(rows, func(r *Row) uint64 { return r.Sequence }),
		column(rows, func(r *Row) int8 { return int8(r.Status) }),
		column(rows, func(r *Row) time.Time { return r.Day.Time() }),
		column(rows, func(r *Row) uint8 { return r.Dose }),
		column(rows, func(r *Row) string { return r.LSOA }),
		column(rows, func(r *Row) string { return r.Ethnicity }),
		column(rows, func(r *Row) string { return r.Practice }),
		column(rows, func(r *Row) string { return r.Provider }),
		column(rows, func(r *Row) []string { return r.Plus }),
		column(rows, func(r *Row) uuid.UUID { return uuid.UUID(r.Previous) }),
		column(rows, func(r *Row) string { return r.PersonKey }),
		column(rows, func(r *Row) string { return r.Source }),
		column(rows, func(r *Row) string { return r.Record }),
		column(rows, func(r *Row) time.Time { return r.Received }),
	)
}

// InsertHandled says what became of messages. It tries once, and doing it again is harmless.
func InsertHandled(ctx context.Context, conn driver.Conn, rows []HandledRow) error {
	if len(rows) == 0 {
		return nil
	}
	return insert(ctx, conn, insertHandled, handledColumns,
		column(rows, func(r *HandledRow) uint64 { return r.Stream }),
		column(rows, func(r *HandledRow) uint64 { return r.Sequence }),
		column(rows, func(r *HandledRow) int8 { return int8(r.Outcome) }),
		column(rows, func(r *HandledRow) string { reason, _ := r.why(); return reason }),
		column(rows, func(r *HandledRow) string { _, field := r.why(); return field }),
		column(rows, func(r *HandledRow) string { return r.Request }),
	)
}

func column[R, V any](rows []R, value func(*R) V) []V {
	values := make([]V, len(rows))
	for i := range rows {
		values[i] = value(&rows[i])
	}
	return values
}

// insert sends one block in a driver batch of its own: a batch that failed once cannot be used again.
func insert(ctx context.Context, conn driver.Conn, query string, types []clickhouse.ColumnNameAndType, columns ...any) error {
	// An asynchronous insert, which a server's profile may ask for, can be confirmed before it is stored.
	ctx = clickhouse.Context(ctx, clickhouse.WithColumnNamesAndTypes(types), clickhouse.WithSettings(clickhouse.Settings{"async_insert": 0}))
	batch, err := conn.PrepareBatch(ctx, query)
	if err != nil {
		return fmt.Errorf("insert: %w", err)
	}
	for i, values := range columns {
		if err := batch.Column(i).Append(values); err != nil {
			_ = batch.Abort()
			return fmt.Errorf("insert: column %s: %w", types[i].Name, err)
		}
	}
	if err := batch.Send(); err != nil {
		return fmt.Errorf("insert: %w", err)
	}
	return nil
}
