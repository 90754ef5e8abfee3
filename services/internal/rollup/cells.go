package rollup

import (
	"gapwatch/services/internal/area"
	"gapwatch/services/internal/calendar"
	"gapwatch/services/internal/uptake"
)

// Level says what the code of a cell is.
type Level string

// The levels that counts are kept at; place, system, region and PCN totals are sums of them.
const (
	Neighbourhood Level = "neighbourhood" // code is the MSOA
	PCN           Level = "pcn"           // code is the PCN of the registered practice
	Ethnicity     Level = "ethnicity"     // code is the NHS ethnic category
	PlaceFifth    Level = "place fifth"   // code is the local fifth of the place: 1 = most deprived to 5
	SystemFifth   Level = "system fifth"  // code is the local fifth of the system
)

// Cell is the smallest group of people and day that counts are kept for.
type Cell struct {
	Season        string
	Day           calendar.Day
	Place, System string // empty = unknown
	Level         Level
	Code          string // empty = unknown
	Quintile      uint8  // 1 = most deprived to 5, 0 = unknown
}

// slice is what is published as one: a season of a programme in a place.
type slice struct{ season, place string }

func (c Cell) slice() slice { return slice{c.Season, c.Place} }

// Counts are the numbers of people whose cover changed in a cell.
type Counts struct {
	Newly, Lapsed, MovedIn, MovedOut int64
}

func (c Counts) plus(d Counts, sign int64) Counts {
	return Counts{c.Newly + sign*d.Newly, c.Lapsed + sign*d.Lapsed, c.MovedIn + sign*d.MovedIn, c.MovedOut + sign*d.MovedOut}
}

// ground is where the people of a programme live: areas, and the local fifths that its eligible people make.
type ground struct {
	*area.Index
	fifths *area.Fifths
}

// cellsOf are the cells of a group on a day, one for each level.
func cellsOf(ix ground, season string, day calendar.Day, g uptake.Group) [len(levels)]Cell {
	a := ix.Find(g.LSOA)
	cell := Cell{Season: season, Day: day, Place: a.Place, System: a.System, Quintile: a.Quintile}
	neighbourhood, pcn, ethnicity, inPlace, inSystem := cell, cell, cell, cell, cell
	neighbourhood.Level, neighbourhood.Code = Neighbourhood, a.Neighbourhood
	pcn.Level, pcn.Code = PCN, ix.PCN(g.Practice)
	ethnicity.Level, ethnicity.Code = Ethnicity, g.Ethnicity
	inPlace.Level, inSystem.Level = PlaceFifth, SystemFifth
	inPlace.Code, inSystem.Code = ix.fifths.In(a)
	return [...]Cell{neighbourhood, pcn, ethnicity, inPlace, inSystem}
}

// eachCount calls add with what one change adds to each cell it concerns. A renewal counts only at the levels where
// the cell differs.
func eachCount(ix ground, ch uptake.Change, add func(Cell, Counts)) {
	switch ch.Kind {
	case uptake.Newly:
		for _, c := range cellsOf(ix, ch.Season, ch.Day, ch.To) {
			add(c, Counts{Newly: 1})
		}
	case uptake.Lapsed:
		for _, c := range cellsOf(ix, ch.Season, ch.Day, ch.From) {
			add(c, Counts{Lapsed: 1})
		}
	case uptake.Moved:
		from, to := cellsOf(ix, ch.Season, ch.Day, ch.From), cellsOf(ix, ch.Season, ch.Day, ch.To)
		for i := range from {
			if from[i] != to[i] {
				add(from[i], Counts{MovedOut: 1})
				add(to[i], Counts{MovedIn: 1})
			}
		}
	}
}
