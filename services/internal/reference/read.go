// Package reference keeps reference data in ClickHouse: areas, practices, names, eligible people, published series,
// interventions and flags. It writes what services/internal/load has checked and reads what is in force.
//
// Everything arrives in loads. A load names what it replaces, each by kind and key, and is committed by one insert into
// prevention.loads after all of its rows are in; before that insert they do not exist for any reader, after it all do.
package reference

import (
	"context"
	"embed"
	"fmt"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"gapwatch/services/internal/area"
	"gapwatch/services/internal/calendar"
)

//go:embed queries/*.sql
var queries embed.FS

func query(name string) string {
	text, err := queries.ReadFile("queries/" + name + ".sql")
	if err != nil {
		panic(err) // cannot happen: the file is part of the binary
	}
	return string(text)
}

// Areas reads the areas and practices in force, under the edition of the IMD, 2019 or 2025. Where nothing is loaded every
// area is unknown. To know what it was read as of, call [Generation] first: a load in between only means that the areas
// are newer than that, and the next call of Generation says so. Errors are the driver's: [store.Judge] them.
func Areas(ctx context.Context, conn driver.Conn, edition int) (*area.Index, error) {
	if edition != 2019 && edition != 2025 {
		return nil, fmt.Errorf("IMD edition %d is neither 2019 nor 2025", edition)
	}
	areas := map[string]area.Area{}
	err := Resolved(ctx, conn, func(r area.Resolved) error {
		areas[r.LSOA] = r.Area(edition)
		return nil
	})
	if err != nil {
		return nil, err
	}
	pcns, err := pairs(ctx, conn, query("practices"))
	if err != nil {
		return nil, fmt.Errorf("read practices: %w", err)
	}
	return area.NewIndex(areas, pcns), nil
}

// Resolved hands over every LSOA code in force with both editions of the IMD and their ranks, in no order. It stops at
// the first error of each and returns it; other errors are the driver's.
func Resolved(ctx context.Context, conn driver.Conn, each func(area.Resolved) error) error {
	rows, err := conn.Query(ctx, query("areas"))
	if err != nil {
		return fmt.Errorf("read areas: %w", err)
	}
	defer rows.Close() //nolint:errcheck // rows.Err is checked
	for rows.Next() {
		var r area.Resolved
		if err := rows.Scan(&r.LSOA, &r.Neighbourhood, &r.Place, &r.System, &r.Region,
			&r.Quintile2019, &r.Quintile2025, &r.Rank2019, &r.Rank2025); err != nil {
			return fmt.Errorf("read areas: %w", err)
		}
		if err := each(r); err != nil {
			return err
		}
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("read areas: %w", err)
	}
	return nil
}

// Names reads the names in force of neighbourhoods, places, systems, regions and PCNs by their code. No two levels share
// a code.
func Names(ctx context.Context, conn driver.Conn) (map[string]string, error) {
	names, err := pairs(ctx, conn, query("names"))
	if err != nil {
		return nil, fmt.Errorf("read names: %w", err)
	}
	return names, nil
}

// EligibleRow is one line of a denominator: people eligible from ValidFrom to the day before the season's next ValidFrom.
type EligibleRow struct {
	Season    string
	ValidFrom calendar.Day
	LSOA      string // 2011 or 2021 code, empty = unknown
	Practice  string // ODS code; empty in every row of a season and ValidFrom, or in none
	Ethnicity string // NHS ethnic category code 2001; empty in every row of a season and ValidFrom, or in none
	Eligible  uint32 // people
}

// Eligible hands over the eligible people in force of one programme, in the order of season and ValidFrom. It stops at
// the first error of each and returns it; other errors are the driver's.
func Eligible(ctx context.Context, conn driver.Conn, programmeID string, each func(EligibleRow) error) error {
	rows, err := conn.Query(ctx, query("eligible"), clickhouse.Named("programme", programmeID))
	if err != nil {
		return fmt.Errorf("read eligible people: %w", err)
	}
	defer rows.Close() //nolint:errcheck // rows.Err is checked
	for rows.Next() {
		var r EligibleRow
		var day int32
		if err := rows.Scan(&r.Season, &day, &r.LSOA, &r.Practice, &r.Ethnicity, &r.Eligible); err != nil {
			return fmt.Errorf("read eligible people: %w", err)
		}
		r.ValidFrom = calendar.Day(day)
		if err := each(r); err != nil {
			return err
		}
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("read eligible people: %w", err)
	}
	return nil
}

// pairs reads two columns of text into a map.
func pairs(ctx context.Context, conn driver.Conn, text string) (map[string]string, error) {
	rows, err := conn.Query(ctx, text)
	if err != nil {
		return nil, err
	}
	defer rows.Close() //nolint:errcheck // rows.Err is checked
	m := map[string]string{}
	for rows.Next() {
		var from, to string
		if err := rows.Scan(&from, &to); err != nil {
			return nil, err
		}
		m[from] = to
	}
	return m, rows.Err()
}
