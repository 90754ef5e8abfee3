package simulate

import (
	"cmp"
	"encoding/csv"
	"fmt"
	"io"
	"iter"
	"slices"
	"strconv"

	"gapwatch/services/internal/calendar"
	"gapwatch/services/internal/programme"
)

// Levels of cells: what Cell.Code is.
const (
	LevelNeighbourhood = "neighbourhood" // MSOA
	LevelPCN           = "pcn"           // PCN of the practice
	LevelEthnicity     = "ethnicity"     // NHS ethnic category code 2001
)

var levels = []string{LevelNeighbourhood, LevelPCN, LevelEthnicity}

// Cell is how the number of covered people changes on one day in the smallest group that is counted, as in
// prevention.uptake_months. Empty codes and quintile 0 mean "unknown".
type Cell struct {
	Programme, Season                string
	Level                            string // LevelNeighbourhood, LevelPCN or LevelEthnicity
	Place, System, Code              string
	Quintile                         uint8 // 1 = most deprived fifth to 5 = least
	Day                              calendar.Day
	Newly, Lapsed, MovedIn, MovedOut uint32 // people
}

// A cell's key is packed into 62 bits, and the lowest two say which of the four counts: for each person, changes are
// noted as such numbers, sorted and counted.
const (
	newly = iota
	lapsed
	movedIn
	movedOut

	countBits, dayBits, quintileBits, codeBits, systemBits, placeBits, levelBits, seasonBits = 2, 18, 3, 9, 4, 5, 2, 6
	dayZero                                                                                  = 1 << 16 // days may lie before 1970
)

type row struct {
	key    uint64 // without the bits of the count
	counts [4]uint32
}

// Truth is what must come out, cell by cell: known because the simulator decides it before it invents the events.
type Truth struct {
	set  *programme.Set
	land *land
	rows []row // sorted by key
}

// group is what a covered person is counted under.
type group struct {
	spot, practice uint16
	ethnicity      uint8
}

// key packs the cell of a group at one of the levels.
func (l *land) key(programme, season uint8, level int, g group, day calendar.Day, count uint64) uint64 {
	s := &l.spots[g.spot]
	code := s.neighbourhood
	switch level {
	case 1:
		code = l.practicePCN[g.practice]
	case 2:
		code = uint16(g.ethnicity)
	}
	key := uint64(programme)
	key = key<<seasonBits | uint64(season)
	key = key<<levelBits | uint64(level)
	key = key<<placeBits | uint64(s.place)
	key = key<<systemBits | uint64(s.system)
	key = key<<codeBits | uint64(code)
	key = key<<quintileBits | uint64(s.quintile)
	key = key<<dayBits | uint64(day+dayZero)
	return key<<countBits | count
}

// ledger notes what happens to people's cover.
type ledger struct {
	land  *land
	notes []uint64
	rows  []row
}

func (l *ledger) note(programme, season uint8, day calendar.Day, count uint64, g group) {
	for level := range levels {
		l.notes = append(l.notes, l.land.key(programme, season, level, g, day, count))
	}
}

// move notes a renewal in another group, at the levels where the cell differs.
func (l *ledger) move(programme, season uint8, day calendar.Day, from, to group) {
	for level := range levels {
		left, joined := l.land.key(programme, season, level, from, day, movedOut), l.land.key(programme, season, level, to, day, movedIn)
		if left>>countBits != joined>>countBits {
			l.notes = append(l.notes, left, joined)
		}
	}
}

// post counts what was noted. It is called after each programme: later notes never concern the same cells.
func (l *ledger) post() {
	slices.Sort(l.notes)
	for _, n := range l.notes {
		key := n >> countBits
		if last := len(l.rows) - 1; last < 0 || l.rows[last].key != key {
			l.rows = append(l.rows, row{key: key})
		}
		l.rows[len(l.rows)-1].counts[n&(1<<countBits-1)]++
	}
	l.notes = l.notes[:0]
}

// Len is the number of cells.
func (t *Truth) Len() int { return len(t.rows) }

// Cells are all cells in which anything happens, in a fixed order.
func (t *Truth) Cells() iter.Seq[Cell] {
	return func(yield func(Cell) bool) {
		for _, r := range t.rows {
			if !yield(t.cell(r)) {
				return
			}
		}
	}
}

func (t *Truth) cell(r row) Cell {
	key := r.key
	take := func(bits int) uint64 {
		v := key & (1<<bits - 1)
		key >>= bits
		return v
	}
	c := Cell{Newly: r.counts[newly], Lapsed: r.counts[lapsed], MovedIn: r.counts[movedIn], MovedOut: r.counts[movedOut]}
	c.Day = calendar.Day(take(dayBits)) - dayZero
	c.Quintile = uint8(take(quintileBits))
	code := take(codeBits)
	c.System = codeOf(t.land.systems, take(systemBits))
	c.Place = codeOf(t.land.places, take(placeBits))
	level := take(levelBits)
	c.Level = levels[level]
	switch level {
	case 0:
		c.Code = codeOf(t.land.neighbourhoods, code)
	case 1:
		c.Code = codeOf(t.land.pcns, code)
	case 2:
		c.Code = ethnicCodes[code]
	}
	season := take(seasonBits)
	p := t.set.Programmes[key]
	c.Programme, c.Season = p.ID, seasonID(p, uint8(season))
	return c
}

func codeOf(list []named, i uint64) string {
	if i == 0 {
		return ""
	}
	return list[i-1].code
}

func seasonID(p *programme.Programme, season uint8) string {
	if p.Kind == programme.Rolling {
		return programme.RollingSeason
	}
	return p.Seasons[season].ID
}

// WriteCSV writes all cells with a header. Errors are the writer's.
func (t *Truth) WriteCSV(w io.Writer) error {
	out := csv.NewWriter(w)
	header := []string{"programme", "season", "day", "place", "system", "level", "code", "quintile", "newly", "lapsed", "moved_in", "moved_out"}
	if err := out.Write(header); err != nil {
		return err
	}
	number := func(n uint32) string { return strconv.FormatUint(uint64(n), 10) }
	for c := range t.Cells() {
		record := []string{c.Programme, c.Season, c.Day.String(), c.Place, c.System, c.Level, c.Code, number(uint32(c.Quintile)),
			number(c.Newly), number(c.Lapsed), number(c.MovedIn), number(c.MovedOut)}
		if err := out.Write(record); err != nil {
			return err
		}
	}
	out.Flush()
	return out.Error()
}

// Comparison is what [Compare] found.
type Comparison struct {
	Cells      int      // different cells that truth or actual has
	Mismatches int      // cells of which at least one count differs, or that only one side has
	First      []string // the first few differences in words
}

const mentioned = 10 // differences that are put into words

// Compare holds actual cells, in any order, against the truth. A cell whose counts are all 0 is the same as none; cells
// given several times are added up. An error is one that actual yields; nothing was found then.
func Compare(t *Truth, actual iter.Seq2[Cell, error]) (Comparison, error) {
	var result Comparison
	differs := func(format string, args ...any) {
		result.Mismatches++
		if len(result.First) < mentioned {
			result.First = append(result.First, fmt.Sprintf(format, args...))
		}
	}
	index := t.index()
	found := make([]row, 0, len(t.rows))
	for c, err := range actual {
		if err != nil {
			return Comparison{}, err
		}
		key, ok := index.key(c)
		if !ok {
			result.Cells++
			differs("%s: is of no programme, season or area that was simulated", describe(c))
			continue
		}
		found = append(found, row{key, [4]uint32{c.Newly, c.Lapsed, c.MovedIn, c.MovedOut}})
	}
	slices.SortFunc(found, func(a, b row) int { return cmp.Compare(a.key, b.key) })

	i, j := 0, 0
	for i < len(t.rows) || j < len(found) {
		var want, got row
		switch {
		case j == len(found) || i < len(t.rows) && t.rows[i].key < found[j].key:
			want = t.rows[i]
			got.key = want.key
		default:
			got.key = found[j].key
			want.key = got.key
			if i < len(t.rows) && t.rows[i].key == got.key {
				want = t.rows[i]
			}
		}
		for j < len(found) && found[j].key == got.key {
			for k := range got.counts {
				got.counts[k] += found[j].counts[k]
			}
			j++
		}
		if i < len(t.rows) && t.rows[i].key == got.key {
			i++
		}
		if want.counts == [4]uint32{} && got.counts == [4]uint32{} {
			continue
		}
		result.Cells++
		if want != got {
			differs("%s: newly, lapsed, moved in, moved out are %v, should be %v", describe(t.cell(got)), got.counts, want.counts)
		}
	}
	return result, nil
}

func describe(c Cell) string {
	return fmt.Sprintf("%s %s %s, place %q, system %q, %s %q, quintile %d", c.Programme, c.Season, c.Day, c.Place, c.System, c.Level, c.Code, c.Quintile)
}

// codes finds indices by code.
type codes struct {
	set             *programme.Set
	programmes      map[string]uint64
	places, systems map[string]uint64
	level           map[string]uint64
	code            [3]map[string]uint64
}

func (t *Truth) index() codes {
	number := func(list []named) map[string]uint64 {
		m := map[string]uint64{"": 0}
		for i, n := range list {
			m[n.code] = uint64(i + 1)
		}
		return m
	}
	c := codes{set: t.set, programmes: map[string]uint64{}, level: map[string]uint64{}, places: number(t.land.places), systems: number(t.land.systems)}
	for i, p := range t.set.Programmes {
		c.programmes[p.ID] = uint64(i)
	}
	for i, l := range levels {
		c.level[l] = uint64(i)
	}
	ethnic := map[string]uint64{}
	for i, e := range ethnicCodes {
		ethnic[e] = uint64(i)
	}
	c.code = [3]map[string]uint64{number(t.land.neighbourhoods), number(t.land.pcns), ethnic}
	return c
}

func (x codes) key(c Cell) (uint64, bool) {
	i, ok1 := x.programmes[c.Programme]
	if !ok1 {
		return 0, false
	}
	p := x.set.Programmes[i]
	season := slices.IndexFunc(p.Seasons, func(s programme.Season) bool { return s.ID == c.Season })
	if p.Kind == programme.Rolling && c.Season == programme.RollingSeason {
		season = 0
	}
	level, ok2 := x.level[c.Level]
	place, ok3 := x.places[c.Place]
	system, ok4 := x.systems[c.System]
	code, ok5 := x.code[level][c.Code]
	if season < 0 || !ok2 || !ok3 || !ok4 || !ok5 || c.Quintile > 5 || c.Day < -dayZero || c.Day >= 1<<dayBits-dayZero {
		return 0, false
	}
	key := i
	key = key<<seasonBits | uint64(season)
	key = key<<levelBits | level
	key = key<<placeBits | place
	key = key<<systemBits | system
	key = key<<codeBits | code
	key = key<<quintileBits | uint64(c.Quintile)
	return key<<dayBits | uint64(c.Day+dayZero), true
}
