package cases

import (
	"context"
	"fmt"
	"slices"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"gapwatch/services/internal/programme"
)

// Apart is the case with programmes, people and records of its own, so that many cases can share a store. name tells it
// from others; the programmes are those of the case under other ids.
func (c *Case) Apart(set *programme.Set, name string) (Case, []*programme.Programme, error) {
	var programmes []*programme.Programme
	for _, id := range c.Programmes() {
		p, ok := set.Get(id)
		if !ok {
			return Case{}, nil, fmt.Errorf("%s: %s: no programme %q", c.File, c.Title, id)
		}
		own := *p
		own.ID += "-" + name
		programmes = append(programmes, &own)
	}
	named := func(s string, as string) string {
		if s == "" {
			return ""
		}
		return as
	}
	apart := *c
	apart.Title += " (" + name + ")"
	apart.Programme += "-" + name
	apart.Events = slices.Clone(c.Events)
	for i := range apart.Events {
		e := &apart.Events[i]
		e.Record, e.Person, e.Also = name+" "+e.Record, name+" "+e.Person, named(e.Also, name+" "+e.Also)
		e.Programme = named(e.Programme, e.Programme+"-"+name)
	}
	apart.Counts = slices.Clone(c.Counts)
	for i := range apart.Counts {
		n := &apart.Counts[i]
		n.Programme = named(n.Programme, n.Programme+"-"+name)
	}
	return apart, programmes, nil
}

// Insert puts the look-ups of the country into a migrated store, as loads with this number. Errors are the driver's.
func (c *Country) Insert(ctx context.Context, conn driver.Conn, load uint32) error {
	err := insert(ctx, conn, "prevention.areas (batch, lsoa, neighbourhood, place, system, region, quintile_2019, quintile_2025, rank_2025)", func(row func(...any)) {
		for _, a := range c.Areas {
			if a.Place != "" { // otherwise no look-up knows it
				row(uint64(load), a.LSOA, a.Neighbourhood, a.Place, a.System, "", uint8(0), a.Quintile, a.Rank)
			}
		}
	})
	if err != nil {
		return err
	}
	if err := insert(ctx, conn, "prevention.practices (batch, practice, pcn)", func(row func(...any)) {
		for practice, pcn := range c.Practices {
			row(uint64(load), practice, pcn)
		}
	}); err != nil {
		return err
	}
	return insert(ctx, conn, "prevention.loads (load, batch, kind, key, sha256)", func(row func(...any)) {
		for _, kind := range []string{"areas", "practices"} {
			row(load, uint64(load), kind, "", fmt.Sprint(load))
		}
	})
}

// InsertEligible puts the eligible people of some cases into a store, as loads from this number on. Errors are the driver's.
func (c *Country) InsertEligible(ctx context.Context, conn driver.Conn, load uint32, of ...Case) error {
	err := insert(ctx, conn, "prevention.eligible (batch, programme, season, valid_from, lsoa, practice, ethnicity, eligible)", func(row func(...any)) {
		for i := range of {
			for _, e := range of[i].Eligible {
				row(uint64(load), of[i].Programme, e.Season, e.Since, c.Areas[e.Area].LSOA, e.Practice, e.Ethnicity, e.People)
			}
		}
	})
	if err != nil {
		return err
	}
	return insert(ctx, conn, "prevention.loads (load, batch, kind, key, sha256)", func(row func(...any)) {
		n := load
		for i := range of {
			for _, e := range of[i].Eligible {
				row(n, uint64(load), "eligible", fmt.Sprintf("%s/%s/%s", of[i].Programme, e.Season, e.Since), fmt.Sprint(n))
				n++
			}
		}
	})
}

func insert(ctx context.Context, conn driver.Conn, into string, rows func(row func(values ...any))) error {
	batch, err := conn.PrepareBatch(ctx, "INSERT INTO "+into)
	if err != nil {
		return fmt.Errorf("insert into %s: %w", into, err)
	}
	defer batch.Close() //nolint:errcheck // after Send there is nothing to lose
	rows(func(values ...any) {
		if err == nil {
			err = batch.Append(values...)
		}
	})
	if err == nil && batch.Rows() > 0 {
		err = batch.Send()
	}
	if err != nil {
		return fmt.Errorf("insert into %s: %w", into, err)
	}
	return nil
}
