package rollup

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"

	"gapwatch/services/internal/calendar"
	"gapwatch/services/internal/uptake"
)

// tally counts everybody of a programme. It holds two bytes for each cell, column and day of a month in which anybody was
// counted, however many people, and numbers instead of names, so that counting one is cheap.
type tally struct {
	areas   ground
	texts   *codes
	series  []series
	index   numbers           // by seriesKey.packed
	spots   [][]spot          // by season and number of the LSOA, those known so far
	pcns    []uint32          // by number of the practice, less one, likewise
	codes   numbering[string] // PCN codes
	seasons numbering[string]
	corners numbering[corner]
	hoods   numbering[string]

	pages [][]page         // pagesAtOnce in each but the last
	taken uint32           // pages
	full  map[place]uint32 // how often a count has begun again at 0
}

// corner is a place, system and quintile: what all levels share.
type corner struct {
	place, system string
	quintile      uint8
}

// spot is where the people of an LSOA count in a season: numbers of series, where nothing else decides.
type spot struct {
	known                         bool
	corner                        uint32
	hood, placeFifth, systemFifth uint32
}

// group is a uptake.Group in numbers: of the LSOA and the practice among codes, and the letter of the ethnic category.
type group struct {
	lsoa, practice uint32
	ethnicity      uint8
}

// numbered is an uptake.Change without its groups.
type numbered struct {
	season uint16
	day    uint32
	kind   uptake.Kind
}

type seriesKey struct {
	level        uint8 // index into levels
	season       uint16
	corner, code uint32
}

var levels = [...]Level{Neighbourhood, PCN, Ethnicity, PlaceFifth, SystemFifth}

// packed is the key in one number, which maps look up several times faster than a struct. The widths are far above
// what a country has; numbered and finish check them.
func (k seriesKey) packed() uint64 {
	return uint64(k.level)<<61 | uint64(k.season)<<51 | uint64(k.corner)<<26 | uint64(k.code)
}

// series are the counts of one cell over the days.
type series struct {
	key     seriesKey
	columns [4]days
	matched int // days found stored with the same counts
}

// days are one column of a series: the numbers of its pages, 0 = nobody was counted on any of their days.
type days struct {
	first uint32 // pageDays times this is the first page's first day
	pages []uint32
}

// page holds the counts of pageDays days, on one line of the processor's cache.
type page [pageDays]uint16

const pageDays = 32

// place is a count of a page: the number of the page, and the day in it.
type place struct{ page, day uint32 }

// pagesAtOnce is how many pages are made at once: growing never copies one.
const pagesAtOnce = 4096

// The columns of a series.
const (
	newly = iota
	lapsed
	movedIn
	movedOut
)

func newTally(areas ground, texts *codes) *tally {
	return &tally{areas: areas, texts: texts, full: map[place]uint32{}}
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

// numbered is a change without its groups, in numbers.
func (t *tally) numbered(ch *uptake.Change) (numbered, error) {
	if ch.Day < 0 || ch.Day >= 1<<30 {
		return numbered{}, fmt.Errorf("day %v cannot be counted", ch.Day)
	}
	season := t.seasons.number(ch.Season)
	if season >= 1<<10 {
		return numbered{}, errors.New("more seasons than can be counted")
	}
	return numbered{uint16(season), uint32(ch.Day), ch.Kind}, nil
}

// count counts one change. It is eachCount with numbers for names.
func (t *tally) count(ch numbered, from, to group) {
	switch ch.kind {
	case uptake.Newly:
		for _, s := range t.seriesOf(ch.season, to) {
			t.note(s, ch.day, newly)
		}
	case uptake.Lapsed:
		for _, s := range t.seriesOf(ch.season, from) {
			t.note(s, ch.day, lapsed)
		}
	case uptake.Moved:
		from, to := t.seriesOf(ch.season, from), t.seriesOf(ch.season, to)
		for i := range from {
			if from[i] != to[i] {
				t.note(from[i], ch.day, movedOut)
				t.note(to[i], ch.day, movedIn)
			}
		}
	}
}

// note counts one person.
func (t *tally) note(series, day, column uint32) {
	in := &t.series[series].columns[column]
	number := uint32(0)
	if i := day/pageDays - in.first; i < uint32(len(in.pages)) {
		number = in.pages[i]
	}
	if number == 0 {
		number = t.pageFor(in, day/pageDays)
	}
	n := &t.pages[number/pagesAtOnce][number%pagesAtOnce][day%pageDays]
	if *n++; *n == 0 {
		t.full[place{number, day % pageDays}]++
	}
}

// pageFor gives a column of a series one more page.
func (t *tally) pageFor(in *days, at uint32) uint32 {
	switch {
	case len(in.pages) == 0:
		in.first, in.pages = at, make([]uint32, 1, 8)
	case at < in.first:
		in.pages = slices.Insert(in.pages, 0, make([]uint32, in.first-at)...)
		in.first = at
	default:
		in.pages = append(in.pages, make([]uint32, max(0, int(at-in.first)+1-len(in.pages)))...)
	}
	t.taken++ // the first one stays empty: its number stands for none
	if int(t.taken/pagesAtOnce) >= len(t.pages) {
		t.pages = append(t.pages, make([]page, pagesAtOnce))
	}
	in.pages[at-in.first] = t.taken
	return t.taken
}

// at is how many people were counted on a day.
func (t *tally) at(in *days, day uint32) int64 {
	i := day/pageDays - in.first
	if i >= uint32(len(in.pages)) || in.pages[i] == 0 {
		return 0
	}
	number := in.pages[i]
	n := int64(t.pages[number/pagesAtOnce][number%pagesAtOnce][day%pageDays])
	if len(t.full) > 0 {
		n += int64(t.full[place{number, day % pageDays}]) << 16
	}
	return n
}

// on are the counts of a series on a day.
func (t *tally) on(s *series, day uint32) Counts {
	return Counts{t.at(&s.columns[newly], day), t.at(&s.columns[lapsed], day), t.at(&s.columns[movedIn], day), t.at(&s.columns[movedOut], day)}
}

// eachDay calls do with every day of a series on which anybody was counted.
func (t *tally) eachDay(s *series, do func(day uint32, n Counts) error) error {
	first, end := uint32(math.MaxUint32), uint32(0)
	for i := range s.columns {
		if in := &s.columns[i]; len(in.pages) > 0 {
			first, end = min(first, in.first), max(end, in.first+uint32(len(in.pages)))
		}
	}
	for at := first; at < end; at++ {
		var of [len(s.columns)]*page
		for i := range s.columns {
			of[i] = t.pageOf(&s.columns[i], at)
		}
		for i := range uint32(pageDays) {
			if of[newly][i]|of[lapsed][i]|of[movedIn][i]|of[movedOut][i] == 0 && len(t.full) == 0 {
				continue
			}
			if n := t.on(s, at*pageDays+i); n != (Counts{}) {
				if err := do(at*pageDays+i, n); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// pageOf is the page of a column that begins at pageDays times a number, an empty one where there is none.
func (t *tally) pageOf(in *days, at uint32) *page {
	number := uint32(0)
	if i := at - in.first; i < uint32(len(in.pages)) {
		number = in.pages[i]
	}
	if number == 0 {
		return &noDays
	}
	return &t.pages[number/pagesAtOnce][number%pagesAtOnce]
}

var noDays page

// seriesOf are the series that a group counts in, one for each level.
func (t *tally) seriesOf(season uint16, g group) [len(levels)]uint32 {
	for int(season) >= len(t.spots) {
		t.spots = append(t.spots, nil)
	}
	if int(g.lsoa) >= len(t.spots[season]) {
		t.spots[season] = append(t.spots[season], make([]spot, len(t.texts.texts)-len(t.spots[season]))...)
	}
	if int(g.practice) >= len(t.pcns) {
		t.pcns = append(t.pcns, make([]uint32, len(t.texts.texts)-len(t.pcns))...)
	}
	at := &t.spots[season][g.lsoa]
	if !at.known {
		a := t.areas.Find(t.texts.texts[g.lsoa])
		inPlace, inSystem := t.areas.fifths.In(a)
		corner := t.corners.number(corner{a.Place, a.System, a.Quintile})
		*at = spot{true, corner,
			t.numberOf(seriesKey{0, season, corner, t.hoods.number(a.Neighbourhood)}),
			t.numberOf(seriesKey{3, season, corner, letterCode(inPlace)}),
			t.numberOf(seriesKey{4, season, corner, letterCode(inSystem)})}
	}
	pcn := &t.pcns[g.practice]
	if *pcn == 0 {
		*pcn = t.codes.number(t.areas.PCN(t.texts.texts[g.practice])) + 1
	}
	return [...]uint32{at.hood, t.numberOf(seriesKey{1, season, at.corner, *pcn - 1}),
		t.numberOf(seriesKey{2, season, at.corner, uint32(g.ethnicity)}), at.placeFifth, at.systemFifth}
}

// numberOf is the number of a series, which is new if it was not there.
func (t *tally) numberOf(k seriesKey) uint32 {
	packed := k.packed()
	i, ok := t.index.get(packed)
	if !ok {
		i = uint32(len(t.series))
		t.series = append(t.series, series{key: k})
		t.index.set(packed, i)
	}
	return i
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

// finish must be called after the last count.
func (t *tally) finish() error {
	if len(t.corners.values) >= 1<<25 || len(t.hoods.values) >= 1<<26 || len(t.codes.values) >= 1<<26 {
		return errors.New("more areas than can be counted")
	}
	return nil
}

// inOrder are the series in the order of the table, so that ClickHouse need not sort what is written.
func (t *tally) inOrder() []int32 {
	seasons, hoods, codes := ranks(t.seasons.values, cmp.Compare), ranks(t.hoods.values, cmp.Compare), ranks(t.codes.values, cmp.Compare)
	areas := ranks(t.corners.values, func(a, b corner) int {
		return cmp.Or(cmp.Compare(a.place, b.place), cmp.Compare(a.system, b.system))
	})
	type at struct {
		slice, cell uint64
		series      int32
	}
	var order []at
	for i := range t.series {
		k := t.series[i].key
		code := uint64(k.code) // a letter or a digit
		switch k.level {
		case 0:
			code = hoods[k.code]
		case 1:
			code = codes[k.code]
		}
		order = append(order, at{seasons[k.season]<<32 | areas[k.corner],
			uint64(k.level)<<40 | code<<8 | uint64(t.corners.values[k.corner].quintile), int32(i)})
	}
	slices.SortFunc(order, func(a, b at) int { return cmp.Or(cmp.Compare(a.slice, b.slice), cmp.Compare(a.cell, b.cell)) })
	series := make([]int32, len(order))
	for i := range order {
		series[i] = order[i].series
	}
	return series
}

// ranks says where each of some values comes among them; equal ones come in one place.
func ranks[T any](values []T, compare func(a, b T) int) []uint64 {
	order := make([]int, len(values))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(i, j int) int { return compare(values[i], values[j]) })
	ranks := make([]uint64, len(values))
	for n, i := range order[min(1, len(order)):] {
		ranks[i] = ranks[order[n]]
		if compare(values[order[n]], values[i]) != 0 {
			ranks[i] = uint64(n + 1)
		}
	}
	return ranks
}

func (t *tally) slice(k seriesKey) slice {
	return slice{t.seasons.values[k.season], t.corners.values[k.corner].place}
}

// cut divides series, which come season by season, into stretches of at most maxSeasons seasons that have at most so many
// cells, or are a single one.
func (t *tally) cut(order []int32, cells int) [][]int32 {
	var stretches [][]int32
	for i, sum, seasons := 0, 0, 0; i < len(order); i++ {
		days := 0 // at most
		for _, in := range t.series[order[i]].columns {
			days += len(in.pages) * pageDays
		}
		if i > 0 && t.series[order[i]].key.season != t.series[order[i-1]].key.season {
			seasons++
		}
		if i == 0 || sum+days > cells || seasons > maxSeasons {
			stretches, sum, seasons = append(stretches, nil), 0, 1
		}
		last := &stretches[len(stretches)-1]
		*last, sum = append(*last, order[i]), sum+days
	}
	return stretches
}

// each calls do with every cell of some series that has counts, day after day.
func (t *tally) each(some []int32, do func(Cell, Counts) error) error {
	for _, i := range some {
		s := &t.series[i]
		at := t.corners.values[s.key.corner]
		c := Cell{Season: t.seasons.values[s.key.season], Place: at.place, System: at.system, Quintile: at.quintile, Level: levels[s.key.level]}
		c.Code = t.code(s.key)
		if err := t.eachDay(s, func(day uint32, n Counts) error {
			c.Day = calendar.Day(day)
			return do(c, n)
		}); err != nil {
			return err
		}
	}
	return nil
}

// cells is how many cells have counts.
func (t *tally) cells() uint64 {
	cells := uint64(0)
	for i := range t.series {
		cells += uint64(t.days(&t.series[i]))
	}
	return cells
}

// days is on how many days anybody was counted in a series.
func (t *tally) days(s *series) int {
	days := 0
	_ = t.eachDay(s, func(uint32, Counts) error { days++; return nil }) // it has no error
	return days
}

// comparison is what a full recompute finds about what is stored.
type comparison struct {
	compared, wrong int            // cells
	changed         map[slice]bool // slices in which any cell differs
}

// matches compares one stored cell and remembers that it was stored.
func (t *tally) matches(c Cell, stored Counts, result *comparison) {
	result.compared++
	if s := t.find(c); s != nil && t.on(s, uint32(c.Day)) == stored {
		s.matched++
		return
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
	i, ok := t.index.get(seriesKey{uint8(level), uint16(season), at, code}.packed())
	if !ok {
		return nil
	}
	return &t.series[i]
}

// missing completes a comparison with the cells that were counted but not stored, after all stored ones were matched.
func (t *tally) missing(result *comparison) {
	for i := range t.series {
		s := &t.series[i]
		if days := t.days(s); days > s.matched {
			result.wrong += days - s.matched
			result.changed[t.slice(s.key)] = true
		}
	}
}
