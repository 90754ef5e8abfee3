package area

import (
	"cmp"
	"slices"
	"strconv"
)

// Fifths divide places and systems into fifths of their own eligible people by IMD rank: local fifths, in which the most
// deprived fifth of a well-off place is still its fifth 1. National quintiles are another thing (Area.Quintile).
type Fifths struct {
	places, systems map[string][4]uint32 // the greatest rank in each of the fifths 1 to 4
}

// NewFifths divides by the eligible people of each LSOA. LSOAs are taken in order of rank; one lies in the fifth that its
// middle person lies in, and LSOAs of one rank lie in one fifth. LSOAs of unknown rank are in none.
func NewFifths(ix *Index, eligible map[string]uint64) *Fifths {
	places, systems := map[string]map[uint32]uint64{}, map[string]map[uint32]uint64{}
	add := func(to map[string]map[uint32]uint64, code string, rank uint32, people uint64) {
		if code == "" {
			return
		}
		if to[code] == nil {
			to[code] = map[uint32]uint64{}
		}
		to[code][rank] += people
	}
	for lsoa, people := range eligible {
		if a := ix.Find(lsoa); a.Rank > 0 && people > 0 {
			add(places, a.Place, a.Rank, people)
			add(systems, a.System, a.Rank, people)
		}
	}
	return &Fifths{divide(places), divide(systems)}
}

func divide(areas map[string]map[uint32]uint64) map[string][4]uint32 {
	borders := make(map[string][4]uint32, len(areas))
	for code, people := range areas {
		type step struct {
			rank   uint32
			people uint64
		}
		steps, total := make([]step, 0, len(people)), uint64(0)
		for rank, n := range people {
			steps, total = append(steps, step{rank, n}), total+n
		}
		slices.SortFunc(steps, func(a, b step) int { return cmp.Compare(a.rank, b.rank) })
		var border [4]uint32
		before := uint64(0)
		for _, s := range steps {
			fifth := 5 * (2*before + s.people) / (2 * total) // 0 to 4
			for f := fifth; f < 4; f++ {
				border[f] = s.rank
			}
			before += s.people
		}
		borders[code] = border
	}
	return borders
}

// In is the local fifth of an area in its place and in its system: "1" (most deprived) to "5", or empty where it is not
// known.
func (f *Fifths) In(a Area) (place, system string) {
	return fifth(f.places, a.Place, a.Rank), fifth(f.systems, a.System, a.Rank)
}

func fifth(borders map[string][4]uint32, code string, rank uint32) string {
	border, ok := borders[code]
	if !ok || rank == 0 {
		return ""
	}
	n := 1
	for _, last := range border {
		if rank > last {
			n++
		}
	}
	return strconv.Itoa(n)
}
