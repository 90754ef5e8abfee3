package rollup

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"

	"gapwatch/services/internal/calendar"
	"gapwatch/services/internal/event"
	"gapwatch/services/internal/programme"
	"gapwatch/services/internal/uptake"
)

// A row of everybody.sql in RowBinary: fixed width, so that ten million of them are read without a call per field.
const (
	rowPerson     = 0
	rowRecord     = 16
	rowMicros     = 32
	rowPrecedence = 40
	rowStatus     = 48
	rowDay        = 49
	rowDose       = 53
	rowSeason     = 54
	rowLSOA       = 62
	rowEthnicity  = 70
	rowPractice   = 71
	rowWidth      = 79
)

// portionRows is about how many rows are held at once, twice: one portion is counted while the next is read.
const portionRows = 150_000

// everybody calls do for every person of a programme, with every version of every record up to a position, sorted by
// record. The slice is used again for the next person. ClickHouse would sort ten million rows by person at three times
// the cost of reading them, so people come in portions of pseudonyms and are sorted here.
func (a *Aggregator) everybody(ctx context.Context, p *programme.Programme, to Position, do func(event.Pseudonym, []uptake.Record) error) error {
	texts, err := newCodes(a.areas, p)
	if err != nil {
		return err
	}
	var rows uint64
	if err := a.each(ctx, "rows_of", []any{clickhouse.Named("programme", p.ID)}, func(r driver.Rows) error { return r.Scan(&rows) }); err != nil {
		return err
	}
	if rows == 0 {
		return nil
	}
	portions := rows/portionRows + 1
	group, ctx := errgroup.WithContext(ctx)
	full, empty := make(chan []byte), make(chan []byte, 2)
	empty <- nil
	empty <- nil
	group.Go(func() error {
		defer close(full)
		for i := range portions {
			var buffer []byte
			select {
			case buffer = <-empty:
			case <-ctx.Done():
				return ctx.Err()
			}
			buffer, err := a.portion(ctx, p, to, i, portions, buffer[:0])
			if err != nil {
				return err
			}
			select {
			case full <- buffer:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		return nil
	})
	group.Go(func() error {
		var order []rowOrder
		var records []uptake.Record
		for buffer := range full {
			if uint64(len(buffer)) > math.MaxUint32 {
				return errors.New("one portion of pseudonyms has more rows than can be counted: pseudonyms are not spread evenly")
			}
			order = sortRows(buffer, order[:0])
			for i := 0; i < len(order); {
				person := buffer[order[i].at:][:16]
				records = records[:0]
				for ; i < len(order) && bytes.Equal(buffer[order[i].at:][:16], person); i++ {
					records = append(records, readRow(buffer[order[i].at:][:rowWidth], texts, p.Kind == programme.Cohort))
				}
				if len(records) > 1 {
					slices.SortFunc(records, func(a, b uptake.Record) int { return bytes.Compare(a.ID[:], b.ID[:]) })
				}
				if err := do(event.Pseudonym(uuidOf(person)), records); err != nil {
					return err
				}
			}
			empty <- buffer
		}
		return nil
	})
	return group.Wait()
}

// portion reads the rows of one of several equal parts of all pseudonyms.
func (a *Aggregator) portion(ctx context.Context, p *programme.Programme, to Position, i, of uint64, buffer []byte) ([]byte, error) {
	query, err := queries.ReadFile("queries/everybody.sql")
	if err != nil {
		return nil, err
	}
	body, err := a.config.ClickHouse.QueryFormat(ctx, "RowBinary", string(query), append(upTo(to),
		clickhouse.Named("programme", p.ID), clickhouse.Named("threads", a.config.Threads),
		clickhouse.Named("first", border(i, of).String()), clickhouse.Named("beyond", border((i+1)%of, of).String()),
		clickhouse.Named("last", i+1 == of))...)
	if err != nil {
		return nil, fmt.Errorf("everybody: %w", err)
	}
	defer body.Close()
	reader := bufio.NewReaderSize(body, 1<<18)
	for {
		if cap(buffer)-len(buffer) < rowWidth*1024 {
			buffer = slices.Grow(buffer, max(len(buffer)/2, rowWidth*portionRows/2))
		}
		n, err := reader.Read(buffer[len(buffer):cap(buffer)])
		buffer = buffer[:len(buffer)+n]
		switch {
		case err == nil:
		case errors.Is(err, io.EOF): // and nothing else: an answer that is cut off ends with ErrUnexpectedEOF
			if len(buffer)%rowWidth != 0 {
				return nil, fmt.Errorf("everybody: the answer ends within a row: %w", io.ErrUnexpectedEOF)
			}
			return buffer, nil
		default:
			return nil, fmt.Errorf("everybody: %w", err)
		}
	}
}

// border is where part i of all pseudonyms begins. ClickHouse compares the second half of a UUID first; with both
// halves alike the order does not matter.
func border(i, of uint64) uuid.UUID {
	var id uuid.UUID
	at := i * (math.MaxUint64/of + 1)
	if of == 1 {
		at = 0
	}
	binary.BigEndian.PutUint64(id[:8], at)
	binary.BigEndian.PutUint64(id[8:], at)
	return id
}

type rowOrder struct {
	person uint64 // the first half of the pseudonym
	at     uint32 // offset in the buffer
}

// sortRows brings the rows of one person together.
func sortRows(buffer []byte, order []rowOrder) []rowOrder {
	for at := 0; at < len(buffer); at += rowWidth {
		order = append(order, rowOrder{binary.LittleEndian.Uint64(buffer[at:]), uint32(at)})
	}
	slices.SortFunc(order, func(a, b rowOrder) int {
		if a.person != b.person {
			return cmp.Compare(a.person, b.person)
		}
		return cmp.Compare(binary.LittleEndian.Uint64(buffer[a.at+8:]), binary.LittleEndian.Uint64(buffer[b.at+8:]))
	})
	return order
}

// readRow takes a row apart; cohorts tells whether the season is looked at.
func readRow(row []byte, texts codes, cohorts bool) uptake.Record {
	r := uptake.Record{
		ID: event.RecordID(uuidOf(row[rowRecord:])),
		Version: event.Version{
			Micros:     int64(binary.LittleEndian.Uint64(row[rowMicros:])),
			Precedence: binary.LittleEndian.Uint64(row[rowPrecedence:]),
		},
		Status:   event.Status(row[rowStatus]),
		Day:      calendar.Day(int32(binary.LittleEndian.Uint32(row[rowDay:]))),
		Dose:     row[rowDose],
		LSOA:     texts.text(binary.LittleEndian.Uint64(row[rowLSOA:])),
		Practice: texts.text(binary.LittleEndian.Uint64(row[rowPractice:])),
	}
	if cohorts {
		r.Cohort = texts.text(binary.LittleEndian.Uint64(row[rowSeason:]))
	}
	if letter := row[rowEthnicity]; letter != 0 {
		r.Ethnicity = letters[letter : letter+1]
	}
	return r
}

// letters holds every one-letter text, so that none has to be made.
var letters = func() string {
	b := make([]byte, 128)
	for i := range b {
		b[i] = byte(i)
	}
	return string(b)
}()

// uuidOf turns ClickHouse's two little-endian halves into the usual order of bytes.
func uuidOf(b []byte) (id uuid.UUID) {
	binary.BigEndian.PutUint64(id[:8], binary.LittleEndian.Uint64(b))
	binary.BigEndian.PutUint64(id[8:], binary.LittleEndian.Uint64(b[8:]))
	return id
}
