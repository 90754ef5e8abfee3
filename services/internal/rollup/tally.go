package rollup

import (
	"cmp"
	"errors"
	"fmt"
	"math/bits"
	"slices"

	"gapwatch/services/internal/calendar"
	"gapwatch/services/internal/uptake"
)

// tally counts everybody of a programme. It holds eight bytes for each cell, day and column that is not 0, however many
// people are in it, and numbers instead of names, so that counting one is cheap.
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

	log, spare []uint64 // counts that are not in their series yet: the series above, the entry's at below
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
	entries []entry // in order of at, each at most once
	matched int     // days found stored with the same counts
}

// entry is one count of a series: at is a day and a column, of two bits.
type entry struct{ at, n uint32 }

// logCounts is how many counts wait until they are folded in: few enough for little memory, many enough that folding
// costs little a count.
const logCounts = 2_000_000

// fold adds counts of one series, one for each element and sorted, to the entries.
func (s *series) fold(counts []uint64) {
	distinct := 1
	for i := 1; i < len(counts); i++ {
		if counts[i] != counts[i-1] {
			distinct++
		}
	}
	// From the back, so that the entries move within their own slice; then close the space that known ones left.
	old := len(s.entries)
	s.entries = slices.Grow(s.entries, distinct)[:old+distinct]
	to, from := len(s.entries), old
	for i := len(counts); i > 0; {
		at, n := uint32(counts[i-1]), uint32(0)
		for ; i > 0 && uint32(counts[i-1]) == at; i-- {
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
}

// fold brings what is in the log into the series.
func (t *tally) fold() {
	t.spare = slices.Grow(t.spare[:0], len(t.log))[:len(t.log)]
	t.log, t.spare = sortNumbers(t.log, t.spare)
	for from := 0; from < len(t.log); {
		of, to := t.log[from]>>32, from+1
		for to < len(t.log) && t.log[to]>>32 == of {
			to++
		}
		t.series[of].fold(t.log[from:to])
		from = to
	}
	t.log = t.log[:0]
}

// sortNumbers sorts some numbers with the help of another slice as long, and returns the two, the sorted one first. It
// goes digit by digit from the least, which for millions is some times faster than comparing.
func sortNumbers(some, spare []uint64) (sorted, other []uint64) {
	const digit = 11
	differ := uint64(0)
	for _, n := range some {
		differ |= n ^ some[0]
	}
	for shift := uint(0); differ>>shift != 0; shift += digit {
		shift += uint(bits.TrailingZeros64(differ >> shift))
		var starts [1 << digit]uint32
		for _, n := range some {
			starts[n>>shift&(1<<digit-1)]++
		}
		at := uint32(0)
		for i, n := range starts {
			starts[i] = at
			at += n
		}
		for _, n := range some {
			to := &starts[n>>shift&(1<<digit-1)]
			spare[*to] = n
			*to++
		}
		some, spare = spare, some
	}
	return some, spare
}

// The columns of an entry.
const (
	newly = iota
	lapsed
	movedIn
	movedOut
)

func newTally(areas ground, texts *codes) *tally {
	return &tally{areas: areas, texts: texts}
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

// add counts one change.
func (t *tally) add(ch *uptake.Change) error {
	n, err := t.numbered(ch)
	if err != nil {
		return err
	}
	t.count(n, t.group(&ch.From), t.group(&ch.To))
	return nil
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

// group is a group in numbers. Its texts come from codes.
func (t *tally) group(g *uptake.Group) group {
	return group{t.texts.numbers[g.LSOA], t.texts.numbers[g.Practice], uint8(letterCode(g.Ethnicity))}
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
	if len(t.log) >= logCounts {
		t.fold()
	}
}

// note writes one count down.
func (t *tally) note(series, day uint32, column uint8) {
	t.log = append(t.log, uint64(series)<<32|uint64(day)<<2|uint64(column))
}

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

// finish must be called after the last count and before anything is read.
func (t *tally) finish() error {
	t.fold()
	t.log, t.spare = nil, nil
	if len(t.corners.values) >= 1<<25 || len(t.hoods.values) >= 1<<26 || len(t.codes.values) >= 1<<26 {
		return errors.New("more areas than can be counted")
	}
	return nil
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
