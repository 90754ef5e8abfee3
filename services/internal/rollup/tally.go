package rollup

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"gapwatch/services/internal/calendar"
	"gapwatch/services/internal/uptake"
)

// tally counts everybody of a programme. It holds eight bytes for each cell, day and column that is not 0, however many
// people are in it, and numbers instead of names, so that counting one is cheap.
type tally struct {
	areas   ground
	series  []series
	index   map[uint64]int32  // by seriesKey.packed
	spots   map[string]spot   // by LSOA
	pcns    map[string]uint32 // by practice
	codes   numbering[string] // PCN codes
	seasons numbering[string]
	corners numbering[corner]
	hoods   numbering[string]
}

// corner is a place, system and quintile: what all levels share.
type corner struct {
	place, system string
	quintile      uint8
}

// spot is what an LSOA gives to each level.
type spot struct{ corner, hood, placeFifth, systemFifth uint32 }

type seriesKey struct {
	level        uint8 // index into levels
	season       uint16
	corner, code uint32
}

var levels = [...]Level{Neighbourhood, PCN, Ethnicity, PlaceFifth, SystemFifth}

// packed is the key in one number, which maps look up several times faster than a struct. The widths are far above
// what a country has; add checks them.
func (k seriesKey) packed() uint64 {
	return uint64(k.level)<<61 | uint64(k.season)<<51 | uint64(k.corner)<<26 | uint64(k.code)
}

// series are the counts of one cell over the days.
type series struct {
	key     seriesKey
	entries []entry  // in order of at, each at most once
	pending []uint32 // what was counted since the last fold, at by at
	matched int      // days found stored with the same counts
}

// entry is one count of a series: at is a day and a column, of two bits.
type entry struct{ at, n uint32 }

// pendingCounts is how many counts wait until they are folded in: few enough for little memory, many enough that
// folding costs little a count.
const pendingCounts = 64

// fold adds what is pending to the entries.
func (s *series) fold() {
	if len(s.pending) == 0 {
		return
	}
	slices.Sort(s.pending)
	distinct := 1
	for i := 1; i < len(s.pending); i++ {
		if s.pending[i] != s.pending[i-1] {
			distinct++
		}
	}
	// From the back, so that the entries move within their own slice; then close the space that known ones left.
	old := len(s.entries)
	s.entries = slices.Grow(s.entries, distinct)[:old+distinct]
	to, from := len(s.entries), old
	for i := len(s.pending); i > 0; {
		at, n := s.pending[i-1], uint32(0)
		for ; i > 0 && s.pending[i-1] == at; i-- {
			n++
		}
		for ; from > 0 && s.entries[from-1].at > at; from-- {
			to--
			s.entries[to] = s.entries[from-1]
		}
		if from > 0 && s.entries[from-1].at == at {
			n += s.entries[from-1].n
			from--
		}
		to--
		s.entries[to] = entry{at, n}
	}
	if from < to {
		s.entries = append(s.entries[:from], s.entries[to:]...)
	}
	s.pending = s.pending[:0]
}

// The columns of an entry.
const (
	newly = iota
	lapsed
	movedIn
	movedOut
)

func newTally(areas ground) *tally {
	return &tally{areas: areas, index: map[uint64]int32{}, spots: map[string]spot{}, pcns: map[string]uint32{}}
}

// numbering gives each of a few values a number.
type numbering[T comparable] struct {
	values  []T
	numbers map[T]uint32
}

func (n *numbering[T]) number(v T) uint32 {
	if i, ok := n.numbers[v]; ok {
		return i
	}
	if n.numbers == nil {
		n.numbers = map[T]uint32{}
	}
	i := uint32(len(n.values))
	n.values, n.numbers[v] = append(n.values, v), i
	return i
}

// add counts one change. It is eachCount with numbers for names.
func (t *tally) add(ch *uptake.Change) error {
	if ch.Day < 0 || ch.Day >= 1<<30 {
		return fmt.Errorf("day %v cannot be counted", ch.Day)
	}
	season := uint16(t.seasons.number(ch.Season))
	if season >= 1<<10 || len(t.corners.values) >= 1<<25 || len(t.hoods.values) >= 1<<26 || len(t.codes.values) >= 1<<26 {
		return errors.New("more seasons or areas than can be counted")
	}
	switch ch.Kind {
	case uptake.Newly:
		for _, k := range t.keys(season, &ch.To) {
			t.count(k, ch.Day, newly)
		}
	case uptake.Lapsed:
		for _, k := range t.keys(season, &ch.From) {
			t.count(k, ch.Day, lapsed)
		}
	case uptake.Moved:
		from, to := t.keys(season, &ch.From), t.keys(season, &ch.To)
		for i := range from {
			if from[i] != to[i] {
				t.count(from[i], ch.Day, movedOut)
				t.count(to[i], ch.Day, movedIn)
			}
		}
	}
	return nil
}

func (t *tally) keys(season uint16, g *uptake.Group) [len(levels)]seriesKey {
	at, ok := t.spots[g.LSOA]
	if !ok {
		a := t.areas.Find(g.LSOA)
		inPlace, inSystem := t.areas.fifths.In(a)
		at = spot{t.corners.number(corner{a.Place, a.System, a.Quintile}), t.hoods.number(a.Neighbourhood), letterCode(inPlace), letterCode(inSystem)}
		t.spots[g.LSOA] = at
	}
	pcn, ok := t.pcns[g.Practice]
	if !ok {
		pcn = t.codes.number(t.areas.PCN(g.Practice))
		t.pcns[g.Practice] = pcn
	}
	return [...]seriesKey{
		{0, season, at.corner, at.hood},
		{1, season, at.corner, pcn},
		{2, season, at.corner, letterCode(g.Ethnicity)},
		{3, season, at.corner, at.placeFifth},
		{4, season, at.corner, at.systemFifth},
	}
}

// letterCode is the number of an ethnic category or a local fifth, which is one letter or digit, or empty.
func letterCode(category string) uint32 {
	if category == "" {
		return 0
	}
	return uint32(category[0])
}

func (t *tally) code(k seriesKey) string {
	switch {
	case k.level == 0:
		return t.hoods.values[k.code]
	case k.level == 1:
		return t.codes.values[k.code]
	case k.code == 0:
		return ""
	}
	return string(rune(k.code))
}

func (t *tally) count(k seriesKey, day calendar.Day, column uint32) {
	i, ok := t.index[k.packed()]
	if !ok {
		i = int32(len(t.series))
		t.series, t.index[k.packed()] = append(t.series, series{key: k}), i
	}
	s := &t.series[i]
	if len(s.pending) == pendingCounts {
		s.fold()
	}
	s.pending = append(s.pending, uint32(day)<<2|column)
}

// finish must be called after the last add and before anything is read.
func (t *tally) finish() {
	for i := range t.series {
		t.series[i].fold()
		t.series[i].pending = nil
	}
}

// inOrder are the series in the order of the table, so that ClickHouse need not sort what is written.
func (t *tally) inOrder() []int32 {
	order := make([]int32, len(t.series))
	for i := range order {
		order[i] = int32(i)
	}
	slices.SortFunc(order, func(i, j int32) int {
		a, b := t.series[i].key, t.series[j].key
		x, y := t.corners.values[a.corner], t.corners.values[b.corner]
		return cmp.Or(cmp.Compare(t.seasons.values[a.season], t.seasons.values[b.season]), cmp.Compare(x.place, y.place),
			cmp.Compare(x.system, y.system), cmp.Compare(a.level, b.level), cmp.Compare(t.code(a), t.code(b)),
			cmp.Compare(x.quintile, y.quintile))
	})
	return order
}

func (t *tally) slice(k seriesKey) slice {
	return slice{t.seasons.values[k.season], t.corners.values[k.corner].place}
}

// each calls do with every cell of some slices that has counts, day after day.
func (t *tally) each(wanted func(slice) bool, do func(Cell, Counts) error) error {
	for _, i := range t.inOrder() {
		s := &t.series[i]
		if wanted != nil && !wanted(t.slice(s.key)) {
			continue
		}
		at := t.corners.values[s.key.corner]
		c := Cell{Season: t.seasons.values[s.key.season], Place: at.place, System: at.system, Quintile: at.quintile, Level: levels[s.key.level]}
		c.Code = t.code(s.key)
		for rest := s.entries; len(rest) > 0; {
			day := rest[0].at >> 2
			c.Day = calendar.Day(day)
			if err := do(c, take(&rest, day)); err != nil {
				return err
			}
		}
	}
	return nil
}

// take counts the entries of a day off the front.
func take(entries *[]entry, day uint32) Counts {
	var n Counts
	rest := *entries
	for len(rest) > 0 && rest[0].at>>2 == day {
		switch count := int64(rest[0].n); rest[0].at & 3 {
		case newly:
			n.Newly = count
		case lapsed:
			n.Lapsed = count
		case movedIn:
			n.MovedIn = count
		case movedOut:
			n.MovedOut = count
		}
		rest = rest[1:]
	}
	*entries = rest
	return n
}

// comparison is what a full recompute finds about what is stored.
type comparison struct {
	compared, wrong int            // cells
	changed         map[slice]bool // slices in which any cell differs
}

// matches compares one stored cell and remembers that it was stored.
func (t *tally) matches(c Cell, stored Counts, result *comparison) {
	result.compared++
	if s := t.find(c); s != nil {
		i, _ := slices.BinarySearchFunc(s.entries, uint32(c.Day)<<2, func(e entry, at uint32) int { return cmp.Compare(e.at, at) })
		rest := s.entries[i:]
		if take(&rest, uint32(c.Day)) == stored {
			s.matched++
			return
		}
	}
	result.wrong++
	result.changed[c.slice()] = true
}

// find is the series of a cell, nil if nobody was counted in it.
func (t *tally) find(c Cell) *series {
	season, ok := t.seasons.numbers[c.Season]
	at, known := t.corners.numbers[corner{c.Place, c.System, c.Quintile}]
	var code uint32
	coded := true
	level := slices.Index(levels[:], c.Level)
	switch c.Level {
	case Neighbourhood:
		code, coded = t.hoods.numbers[c.Code]
	case PCN:
		code, coded = t.codes.numbers[c.Code]
	default:
		code = letterCode(c.Code)
	}
	if !ok || !known || !coded || level < 0 {
		return nil
	}
	i, ok := t.index[seriesKey{uint8(level), uint16(season), at, code}.packed()]
	if !ok {
		return nil
	}
	return &t.series[i]
}

// missing completes a comparison with the cells that were counted but not stored, after all stored ones were matched.
func (t *tally) missing(result *comparison) {
	for i := range t.series {
		s := &t.series[i]
		days := 0
		for rest := s.entries; len(rest) > 0; days++ {
			take(&rest, rest[0].at>>2)
		}
		if days > s.matched {
			result.wrong += days - s.matched
			result.changed[t.slice(s.key)] = true
		}
	}
}
