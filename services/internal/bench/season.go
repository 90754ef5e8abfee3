package bench

import (
	"context"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"gapwatch/services/internal/calendar"
	"gapwatch/services/internal/collect"
	"gapwatch/services/internal/event"
	"gapwatch/services/internal/programme"
)

// The country of the benchmark: about as many places and LSOAs as England has.
const (
	places         = 300
	hoodsPerPlace  = 23
	lsoasPerHood   = 5
	practices      = 6000
	seasonDays     = 150
	rowsPerInsert  = 20_000
	seasonID       = "2024-25"
	seasonProgram  = "flu-65"
	streamCreated  = 1_700_000_000_000_000_000
	ethnicCategory = "ABCDEFGHJKLMNPRSZ"
)

// country writes the look-ups of the benchmark's country.
func country(ctx context.Context, conn driver.Conn) error {
	for _, query := range []string{
		fmt.Sprintf(`INSERT INTO prevention.areas (batch, lsoa, neighbourhood, place, system, region, quintile_2019, quintile_2025)
			SELECT 1, format('X01{}', leftPad(toString(number), 6, '0')), format('X02{}', leftPad(toString(intDiv(number, %d)), 6, '0')),
			       format('X07{}', leftPad(toString(intDiv(number, %d)), 6, '0')), format('X54{}', leftPad(toString(intDiv(number, %d)), 6, '0')), 'X12000001', 0,
			       greatest(1, least(5, toInt64(1 + sipHash64(intDiv(number, %d)) %% 5) + if(number %% 5 = 0, 1, 0)))
			FROM numbers(%d)`, lsoasPerHood, lsoasPerHood*hoodsPerPlace, lsoasPerHood*hoodsPerPlace*8, lsoasPerHood, places*hoodsPerPlace*lsoasPerHood),
		fmt.Sprintf(`INSERT INTO prevention.practices (batch, practice, pcn) SELECT 1, format('SYN{}', toString(number)), format('SYNP{}', toString(intDiv(number, 5))) FROM numbers(%d)`, practices),
		`INSERT INTO prevention.loads (load, batch, kind, key, sha256) VALUES (1, 1, 'areas', '', 'bench'), (1, 1, 'practices', '', 'bench')`,
	} {
		if err := conn.Exec(ctx, query); err != nil {
			return err
		}
	}
	return nil
}

// eventOf makes an event of a person. The person's area, practice and ethnicity follow from the number.
func eventOf(set *programme.Set, programmeID string, person uint64, record string, made time.Time, day calendar.Day) event.Event {
	prog, _ := set.Get(programmeID)
	e := event.Event{ID: record, Source: "urn:bench", Type: prog.EventType, Time: made, Record: record, Status: event.Completed,
		PersonKey: "k1", Programme: programmeID, Day: day}
	binary.BigEndian.PutUint64(e.Person[:], person*0x9E3779B97F4A7C15) // spread over the key space as hashes are
	binary.BigEndian.PutUint64(e.Person[8:], mix(person^0x5bd1e995))
	lsoa := mix(person) % (places * hoodsPerPlace * lsoasPerHood)
	e.LSOA = fmt.Sprintf("X01%06d", lsoa)
	place := lsoa / (hoodsPerPlace * lsoasPerHood)
	e.Practice = fmt.Sprintf("SYN%d", place*(practices/places)+lsoa%(practices/places))
	e.Ethnicity = "A"
	if other := mix(person + 1); other%5 == 0 {
		e.Ethnicity = ethnicCategory[other/5%17:][:1]
	}
	switch prog.Kind {
	case programme.Rolling:
		e.Season = programme.RollingSeason
	case programme.Cohort:
		e.Cohort, e.Season, e.Dose = "2025-26", "2025-26", 2
	default:
		if season, ok := prog.SeasonOn(day); ok {
			e.Season = season.ID
		}
	}
	e.RecordID = event.NewRecordID(e.Source, e.Record)
	e.Version = event.NewVersion(&e)
	return e
}

func mix(x uint64) uint64 {
	x ^= x >> 33
	x *= 0xff51afd7ed558ccd
	x ^= x >> 33
	x *= 0xc4ceb9fe1a85ec53
	return x ^ x>>33
}

// Season stores n events of one season in inserts as large as the collector's, and marks them handled: of a
// hundred about two are the same jab from another system, two a corrected day, two a corrected person, two a retraction and
// one a version that says the same later.
func Season(ctx context.Context, conn driver.Conn, set *programme.Set, n int, progress func(done int)) error {
	rng := rand.New(rand.NewPCG(1, 1))
	prog, _ := set.Get(seasonProgram)
	season, _ := prog.Season(seasonID)
	rows := make([]collect.Row, 0, rowsPerInsert)
	handled := make([]collect.HandledRow, 0, rowsPerInsert)
	people := uint64(0)
	for i := range n {
		roll := rng.IntN(100)
		person := people
		if roll < 9 && people > 1000 {
			person = rng.Uint64N(people)
		} else {
			people++
		}
		day := season.Start + dayOf(person)
		made := day.Time().Add(20 * time.Hour)
		record := fmt.Sprintf("r-%012d", person)
		holder := person
		switch {
		case person == people-1:
		case roll < 2:
			record = fmt.Sprintf("s-%012d", person) // the same jab from another system
		case roll < 4:
			day, made = day+1, made.Add(48*time.Hour)
		case roll < 6:
			made = made.Add(72 * time.Hour)
			holder = person + 1 // it was somebody else's
		default:
			made = made.Add(96 * time.Hour)
		}
		e := eventOf(set, seasonProgram, holder, record, made, day)
		if roll >= 6 && roll < 8 && person != people-1 {
			e.Status = event.EnteredInError
			e.Version = event.NewVersion(&e)
		}
		rows = append(rows, collect.Row{Event: e, Stream: streamCreated, Sequence: uint64(i + 1), Received: made})
		handled = append(handled, collect.HandledRow{Stream: streamCreated, Sequence: uint64(i + 1), Outcome: collect.Stored})
		if len(rows) == rowsPerInsert || i == n-1 {
			if err := collect.InsertRows(ctx, conn, rows); err != nil {
				return err
			}
			if err := collect.InsertHandled(ctx, conn, handled); err != nil {
				return err
			}
			rows, handled = rows[:0], handled[:0]
			progress(i + 1)
		}
	}
	return nil
}

// dayOf spreads events over the days of a season.
func dayOf(n uint64) calendar.Day { return calendar.Day(mix(n+2) % seasonDays) }
