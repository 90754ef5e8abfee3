package rollup

import (
	"context"
	"fmt"
	"sync"

	"gapwatch/services/internal/area"
	"gapwatch/services/internal/calendar"
	"gapwatch/services/internal/programme"
	"gapwatch/services/internal/reference"
)

// fifths are a programme's local fifths and what they were made from.
type fifths struct {
	*area.Fifths
	areas      uint32 // generation
	generation uint32 // of the programme's eligible people
}

// grounds guards Aggregator.fifths: programmes are counted side by side.
type grounds struct {
	mu sync.Mutex
	of map[string]fifths
}

// ground is where the people of a programme live, as of the reference data in force at the start of the tick.
func (a *Aggregator) ground(ctx context.Context, p *programme.Programme) (ground, error) {
	a.fifths.mu.Lock()
	defer a.fifths.mu.Unlock()
	f, ok := a.fifths.of[p.ID]
	if !ok || f.areas != a.areasAt || f.generation != a.generationOf[p.ID] {
		people, err := a.divided(ctx, p)
		if err != nil {
			return ground{}, fmt.Errorf("eligible people: %w", err)
		}
		f = fifths{area.NewFifths(a.areas, people), a.areasAt, a.generationOf[p.ID]}
		a.fifths.of[p.ID] = f
	}
	return ground{a.areas, f.Fifths}, nil
}

// divided are the eligible people by LSOA that local fifths are made from: those at the start of the newest season, so
// that the fifths stay the same in a season and two seasons are compared by the same line.
func (a *Aggregator) divided(ctx context.Context, p *programme.Programme) (map[string]uint64, error) {
	type version struct {
		season string
		from   calendar.Day
	}
	versions := map[version]map[string]uint64{}
	if err := reference.Eligible(ctx, a.config.ClickHouse, p.ID, func(row reference.EligibleRow) error {
		v := version{row.Season, row.ValidFrom}
		if versions[v] == nil {
			versions[v] = map[string]uint64{}
		}
		versions[v][row.LSOA] += uint64(row.Eligible)
		return nil
	}); err != nil {
		return nil, err
	}
	first := map[string]calendar.Day{} // of each season
	for v := range versions {
		if day, ok := first[v.season]; !ok || v.from < day {
			first[v.season] = v.from
		}
	}
	var newest version
	for season, day := range first {
		if v := (version{season, day}); v.from > newest.from || v.from == newest.from && v.season > newest.season {
			newest = v
		}
	}
	return versions[newest], nil
}
