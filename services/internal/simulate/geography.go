package simulate

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
)

// Sizes of the synthetic geography. Deciles follow from ranks scaled to England's number of LSOAs, so that the
// published rank and decile of the real files keep their meaning.
const (
	lsoasPerNeighbourhood = 5
	practicesPerPCN       = 5
	england2025           = 33755 // LSOAs ranked by IMD 2025
	england2019           = 32844 // LSOAs ranked by IMD 2019
)

// placePlan is the shape of the places: neighbourhoods, PCNs and how well off they are (0 = poor, 1 = rich).
var placePlan = []struct {
	name           string
	neighbourhoods int
	pcns           int
	wealth         float64
}{
	{"Northmoor", 26, 4, 0.42},
	{"Brackenford", 24, 4, 0.30},
	{"Copperwick", 22, 4, 0.55},
	{"Dunmerrow", 20, 3, 0.65},
	{"Eldersfold", 18, 3, 0.35},
	{"Fennickby", 17, 3, 0.50},
	{"Gorsebridge", 16, 3, 0.72},
	{"Harrowmere", 14, 2, 0.60},
	{"Inglethorn", 13, 2, 0.45},
	{"Juniper Vale", 10, 2, 0.78},
}

// noPractice is the index of "not registered, or not said"; practices start at 1.
const noPractice = 0

// The NHS ethnic category codes 2001; index 0 is "not said".
var ethnicCodes = []string{"", "A", "B", "C", "D", "E", "F", "G", "H", "J", "K", "L", "M", "N", "P", "R", "S", "Z"}

// named is an area that has a code and a name.
type named struct{ code, name string }

// lsoa is a 2021 LSOA. Indices of areas start at 1: 0 is "unknown" everywhere in this package.
type lsoa struct {
	code                         string
	neighbourhood, place, system uint16
	rank2025                     int
	parents                      []int     // 2011 LSOAs that it was made from, indices into land.old
	practices                    [3]uint16 // where its people are registered
	ethnicity                    [5]uint8
	weight                       float64 // share of people, relative
}

// lsoa11 is a 2011 LSOA.
type lsoa11 struct {
	code     string
	change   string // ONS change code: U unchanged, S split, M merged, X complex
	parts    []int  // 2021 LSOAs, indices into land.lsoas
	rank2019 int
}

// spot is a value that an event's LSOA field may have, with the areas that the look-ups must find for it.
type spot struct {
	code                         string
	neighbourhood, place, system uint16
	quintile                     uint8
}

// Spots with a meaning of their own; the 2021 LSOAs follow, then the 2011 codes that are no 2021 code.
const (
	nowhere   = 0 // no LSOA given
	unheardOf = 1 // a well-formed code that no look-up knows
	firstSpot = 2
)

// land is the synthetic geography. Every code carries the letter X, which the ONS gives to nobody.
type land struct {
	region         named
	systems        []named
	places         []named
	neighbourhoods []named
	lsoas          []lsoa
	old            []lsoa11
	practices      []string // by index - 1
	practicePCN    []uint16 // by practice index, 0 first
	pcns           []named
	spots          []spot
	oldSpot        []uint16    // by LSOA: the spot of a 2011 code that its people may still be recorded under, 0 if none
	byQuintile     [6][]uint16 // spots of 2021 LSOAs by quintile under the edition
}

// newLand makes the geography for a seed. edition is the IMD that quintiles are counted by.
func newLand(seed uint64, edition int) *land {
	r := rand.New(rand.NewPCG(seed, 1))
	l := &land{
		region:  named{"X12000001", "Synthetic Region"},
		systems: []named{{"X54000001", "NHS Synthetic Hills Integrated Care Board"}, {"X54000002", "NHS Synthetic Coast Integrated Care Board"}},
	}
	l.practicePCN = []uint16{noPractice}
	scores := []float64{}
	for p, plan := range placePlan {
		l.places = append(l.places, named{fmt.Sprintf("X07%06d", p+1), plan.name})
		firstPractice := len(l.practicePCN)
		for range plan.pcns {
			l.pcns = append(l.pcns, named{fmt.Sprintf("SYNP%02d", len(l.pcns)+1), fmt.Sprintf("%s PCN %d", plan.name, len(l.pcns)+1)})
			for range practicesPerPCN {
				l.practices = append(l.practices, fmt.Sprintf("SYN%03d", len(l.practices)+1))
				l.practicePCN = append(l.practicePCN, uint16(len(l.pcns)))
			}
		}
		for n := range plan.neighbourhoods {
			l.neighbourhoods = append(l.neighbourhoods, named{fmt.Sprintf("X02%06d", len(l.neighbourhoods)+1), fmt.Sprintf("%s %03d", plan.name, n+1)})
			local := r.NormFloat64() * 0.16
			diversity := r.Float64() * r.Float64()
			for range lsoasPerNeighbourhood {
				a := lsoa{
					code:          fmt.Sprintf("X01%06d", len(l.lsoas)+1),
					neighbourhood: uint16(len(l.neighbourhoods)),
					place:         uint16(p + 1),
					system:        1,
					weight:        0.8 + 0.4*r.Float64(),
				}
				// Fennickby lies in two systems, most of it in the first, as 13 real local authorities do: the system goes by LSOA.
				if p > 5 || p == 5 && n > plan.neighbourhoods/2 {
					a.system = 2
				}
				for i := range a.practices {
					a.practices[i] = uint16(firstPractice + r.IntN(plan.pcns*practicesPerPCN))
				}
				for i := range a.ethnicity {
					a.ethnicity[i] = 1 // A, White British
					if i > 0 && r.Float64() < 0.25+diversity {
						a.ethnicity[i] = uint8(2 + r.IntN(len(ethnicCodes)-2))
					}
				}
				l.lsoas = append(l.lsoas, a)
				scores = append(scores, plan.wealth+local+r.NormFloat64()*0.2)
			}
		}
	}
	// One practice that no look-up knows: its PCN stays unknown.
	l.practices = append(l.practices, "SYN999")
	l.practicePCN = append(l.practicePCN, 0)
	l.rank(scores)
	l.cut2011(r, scores)
	l.resolve(edition)
	return l
}

// unlistedPractice is the practice that no look-up knows.
func (l *land) unlistedPractice() uint16 { return uint16(len(l.practices)) }

// rank orders the LSOAs by score. The last neighbourhood of each place gets one LSOA of every fifth, so that each place
// has all five whatever the seed.
func (l *land) rank(scores []float64) {
	fifth := len(l.lsoas) / 5
	var queues [5][]int
	var others []int
	for i, a := range l.lsoas {
		next := i + lsoasPerNeighbourhood
		if next >= len(l.lsoas) || l.lsoas[next].place != a.place {
			queues[i%lsoasPerNeighbourhood] = append(queues[i%lsoasPerNeighbourhood], i)
		} else {
			others = append(others, i)
		}
	}
	slices.SortStableFunc(others, func(a, b int) int { return cmp.Compare(scores[a], scores[b]) })
	for q := range queues {
		n := fifth - len(queues[q])
		queues[q] = append(queues[q], others[:n]...)
		others = others[n:]
		slices.SortStableFunc(queues[q], func(a, b int) int { return cmp.Compare(scores[a], scores[b]) })
		for i, at := range queues[q] {
			l.lsoas[at].rank2025 = 1 + (q*fifth+i)*england2025/len(l.lsoas)
		}
	}
}

// cut2011 makes the 2011 LSOAs: most are unchanged, some were split, merged or cut anew.
func (l *land) cut2011(r *rand.Rand, scores []float64) {
	type change struct {
		code  string
		parts [][]int // for each 2011 LSOA its 2021 parts, as offsets
	}
	changes := []change{
		{"S", [][]int{{0, 1}}},
		{"S", [][]int{{0, 1, 2}}},
		{"M", [][]int{{0}, {0}}},
		{"X", [][]int{{0, 1}, {1}}},
	}
	taken := make([]bool, len(l.lsoas))
	oldScores := []float64{}
	add := func(code, changeCode string, parts []int) {
		score := 0.0
		for _, p := range parts {
			l.lsoas[p].parents = append(l.lsoas[p].parents, len(l.old))
			score += scores[p] / float64(len(parts))
		}
		l.old = append(l.old, lsoa11{code: code, change: changeCode, parts: parts})
		oldScores = append(oldScores, score+r.NormFloat64()*0.05)
	}
	changed := 0
	for i, n := 0, 0; i+2 < len(l.lsoas); i++ {
		a, b := &l.lsoas[i], &l.lsoas[i+1]
		// One split reaches over the border of two places and one over that of two systems within a place: their 2011
		// codes have no known place, or no known system. The others are strewn about; 13 mod 15 lets some reach over
		// the border of a neighbourhood.
		border := a.place == 1 && b.place == 2 || a.place == b.place && a.system != b.system
		if taken[i] || taken[i+1] || taken[i+2] || !border && i%15 != 13 {
			continue
		}
		c := changes[n%len(changes)]
		if border {
			c = changes[0]
		}
		n++
		for _, parts := range c.parts {
			at := make([]int, len(parts))
			for j, offset := range parts {
				at[j] = i + offset
				taken[i+offset] = true
			}
			changed++
			add(fmt.Sprintf("X01%06d", 800000+changed), c.code, at)
		}
	}
	for i := range l.lsoas {
		if !taken[i] {
			add(l.lsoas[i].code, "U", []int{i})
		}
	}
	order := make([]int, len(l.old))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(oldScores[a], oldScores[b]) })
	for place, at := range order {
		l.old[at].rank2019 = 1 + place*england2019/len(order)
	}
}

// decile is the published decile of a rank among n LSOAs, 1 = most deprived.
func decile(rank, n int) int { return (rank-1)*10/n + 1 }

// resolve says where each value of an event's LSOA field lies: what all parts of a 2011 code share, else unknown.
func (l *land) resolve(edition int) {
	whole := make([]spot, len(l.lsoas))
	for i, a := range l.lsoas {
		quintile := (decile(a.rank2025, england2025) + 1) / 2
		if edition == 2019 { // published by 2011 LSOA: what all parents share
			quintile = l.quintile2019(a.parents[0])
			for _, p := range a.parents {
				if l.quintile2019(p) != quintile {
					quintile = 0
				}
			}
		}
		whole[i] = spot{code: a.code, neighbourhood: a.neighbourhood, place: a.place, system: a.system, quintile: uint8(quintile)}
		l.byQuintile[quintile] = append(l.byQuintile[quintile], uint16(firstSpot+i))
	}
	l.spots = append([]spot{{}, {code: "X01999999"}}, whole...)
	l.oldSpot = make([]uint16, len(l.lsoas))
	for _, o := range l.old {
		if o.change == "U" {
			continue
		}
		s := whole[o.parts[0]]
		s.code = o.code
		for _, p := range o.parts[1:] {
			w := whole[p]
			s.neighbourhood = keep(s.neighbourhood, w.neighbourhood)
			s.place = keep(s.place, w.place)
			s.system = keep(s.system, w.system)
			s.quintile = keep(s.quintile, w.quintile)
		}
		for _, p := range o.parts {
			l.oldSpot[p] = uint16(len(l.spots))
		}
		l.spots = append(l.spots, s)
	}
}

func (l *land) quintile2019(old int) int { return (decile(l.old[old].rank2019, england2019) + 1) / 2 }

// keep is the value that both share, else 0.
func keep[T uint8 | uint16](a, b T) T {
	if a == b {
		return a
	}
	return 0
}
