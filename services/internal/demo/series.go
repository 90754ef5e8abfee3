package demo

import (
	"context"
	"math"

	"gapwatch/services/internal/calendar"
	"gapwatch/services/internal/rollup"
	"gapwatch/services/internal/simulate"
)

// fifth is a quintile of a season.
type fifth struct {
	season   string
	quintile uint8
}

// series compares a replay with the published series: people covered and eligible, on each day from the first to the last
// that the series has for a quintile.
func (c *checker) series(ctx context.Context) error {
	series := c.h.Series()
	if series == nil {
		return nil
	}
	covered, eligible := map[fifth]map[calendar.Day]int{}, map[fifth]map[calendar.Day]int{}
	versions := map[string]map[calendar.Day]bool{} // of a season's denominator
	note := func(to map[fifth]map[calendar.Day]int, cell rollup.Cell, n int) {
		if cell.Level != rollup.Neighbourhood {
			return
		}
		f := fifth{cell.Season, cell.Quintile}
		if to[f] == nil {
			to[f] = map[calendar.Day]int{}
		}
		to[f][cell.Day] += n
	}
	err := rollup.ReadCells(ctx, c.s.ClickHouse, series.Programme, func(cell rollup.Cell, n rollup.Counts) error {
		note(covered, cell, int(n.Newly-n.Lapsed+n.MovedIn-n.MovedOut))
		return nil
	})
	if err != nil {
		return err
	}
	err = rollup.ReadEligible(ctx, c.s.ClickHouse, series.Programme, func(cell rollup.Cell, people uint64) error {
		note(eligible, cell, int(people))
		if versions[cell.Season] == nil {
			versions[cell.Season] = map[calendar.Day]bool{}
		}
		versions[cell.Season][cell.Day] = true
		return nil
	})
	if err != nil {
		return err
	}
	found, err := simulate.CompareSeries(series, func(yield func(simulate.SeriesRow, error) bool) {
		for f, span := range spans(series) {
			total, people := 0, 0
			for day, n := range covered[f] {
				if day < span.first {
					total += n
				}
			}
			version := calendar.Day(math.MinInt32)
			for day := range versions[f.season] {
				if day <= span.first && day > version {
					version, people = day, eligible[f][day]
				}
			}
			for day := span.first; day <= span.last; day++ {
				total += covered[f][day]
				if versions[f.season][day] {
					people = eligible[f][day] // none if the version names nobody of this fifth
				}
				if !yield(simulate.SeriesRow{Season: f.season, Day: day, Quintile: f.quintile, Covered: total, Eligible: people}, nil) {
					return
				}
			}
		}
	})
	c.add("series", found)
	return err
}

type span struct{ first, last calendar.Day }

func spans(s *simulate.Series) map[fifth]span {
	all := map[fifth]span{}
	for _, r := range s.Rows {
		f := fifth{r.Season, r.Quintile}
		one, ok := all[f]
		if !ok {
			one = span{r.Day, r.Day}
		}
		all[f] = span{min(one.first, r.Day), max(one.last, r.Day)}
	}
	return all
}
