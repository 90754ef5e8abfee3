package simulate

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"gapwatch/services/internal/calendar"
	"gapwatch/services/internal/programme"
)

// ReplayConfig says how a published series is replayed.
type ReplayConfig struct {
	Seed    uint64
	Series  *Series
	Now     time.Time // after the series' last day. Required
	NoNoise bool      // only one event for each person
}

// Replay makes one vaccination event for each person that a published series counts, on the day on which the series
// grows, with the noise of [New] around it. People live in LSOAs of the quintile they were counted in, on a synthetic
// geography; those of unknown quintile have no LSOA. The programme is made for the run ([History.ProgrammesYAML]). What
// must come out is the series itself ([History.Series]); [History.Truth] has it by cell.
func Replay(c ReplayConfig) (*History, error) {
	seasons := seasonsOf(c.Series)
	yaml := programmeYAML(c.Series, seasons)
	set, err := programme.Parse("programmes.yaml of the replay", yaml)
	if err != nil {
		return nil, err
	}
	b, err := newBuilder(c.Seed, c.Now, set, !c.NoNoise)
	if err != nil {
		return nil, err
	}
	first, last := seasons[0].Start, seasons[len(seasons)-1].End
	if first < calendar.Date(1971, 1, 1) || last >= b.today {
		return nil, fmt.Errorf("replay %s: its days must be from 1971 to yesterday; they are %s to %s", c.Series.Programme, first, last)
	}
	b.complete = true
	b.series, b.yaml = c.Series, yaml
	b.rekeyed = uint32(first+(last-first)/2) * day

	steps := stepsOf(c.Series, seasons)
	people := 0
	for _, s := range steps {
		people += s.people
	}
	if people == 0 || people > 50_000_000 {
		return nil, fmt.Errorf("replay %s: counts %d people; must be 1 to 50 million", c.Series.Programme, people)
	}
	// One in fifty more: about them nothing true is told.
	b.people = make([]person, people+people/50+1)
	b.drafts = make([]draft, 0, people+people/6)
	r := rand.New(rand.NewPCG(c.Seed, 5))
	next := uint32(0)
	for _, s := range steps {
		for range s.people {
			f := b.counted(r, next, s)
			b.facts = b.facts[:0]
			b.tell(f)
			b.ledger.note(0, s.season, s.day, newly, f.group)
			next++
		}
	}
	for ; int(next) < len(b.people); next++ {
		b.tellNothing(b.counted(r, next, steps[r.IntN(len(steps))]))
	}
	b.ledger.post()
	b.eligibleOf(c.Series, seasons)
	return b.finish(), nil
}

// Series is what a replay must come to; nil for what [New] makes.
func (h *History) Series() *Series { return h.series }

// ProgrammesYAML is the programme file made for a replay; nil for what [New] makes.
func (h *History) ProgrammesYAML() []byte { return h.yaml }

// seasonsOf are the seasons of a series in order of time, from the first to the last day that it has.
func seasonsOf(s *Series) []programme.Season {
	var seasons []programme.Season
	for _, r := range s.Rows {
		i := slices.IndexFunc(seasons, func(s programme.Season) bool { return s.ID == r.Season })
		if i < 0 {
			i = len(seasons)
			seasons = append(seasons, programme.Season{ID: r.Season, Start: r.Day, End: r.Day})
		}
		seasons[i].Start, seasons[i].End = min(seasons[i].Start, r.Day), max(seasons[i].End, r.Day)
	}
	slices.SortFunc(seasons, func(a, b programme.Season) int { return int(a.Start - b.Start) })
	return seasons
}

func programmeYAML(s *Series, seasons []programme.Season) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, `# Made for a replay of a published series. Target and limits are placeholders.
imd: 2025
programmes:
  - id: %q
    name: %q
    kind: seasonal
    event: vaccination
    target: 75
    history_from: %s
    retention: 1200 # however long ago the series was published
    limits: {floor: 100, smallest_change: 1, unknown_area: 10, ceiling: 20}
    seasons:
`, s.Programme, "Replay of "+s.Programme, seasons[0].Start)
	for _, season := range seasons {
		fmt.Fprintf(&b, "      - {id: %q, start: %s, end: %s}\n", season.ID, season.Start, season.End)
	}
	fmt.Fprintf(&b, "    eligible: The people that the published series counts as eligible\n    source: %q\n",
		"Published series, geography "+s.Geography+", replayed on a synthetic geography")
	return b.Bytes()
}

// step is how many people of a quintile are newly covered on a day.
type step struct {
	day      calendar.Day
	season   uint8
	quintile uint8
	people   int
}

// stepsOf are the steps of a series by day: rows hold running totals.
func stepsOf(s *Series, seasons []programme.Season) []step {
	var steps []step
	for i, r := range s.Rows {
		n := r.Covered
		if i > 0 && s.Rows[i-1].Season == r.Season && s.Rows[i-1].Quintile == r.Quintile {
			n -= s.Rows[i-1].Covered
		}
		season := slices.IndexFunc(seasons, func(s programme.Season) bool { return s.ID == r.Season })
		if n > 0 {
			steps = append(steps, step{r.Day, uint8(season), r.Quintile, n})
		}
	}
	slices.SortStableFunc(steps, func(a, b step) int { return int(a.day - b.day) })
	return steps
}

// counted makes somebody who is counted in a quintile, and what is true about them.
func (b *builder) counted(r *rand.Rand, at uint32, s step) fact {
	someone := &b.people[at]
	if r.IntN(250) == 0 {
		someone.traits |= rekeyed
	}
	lives := &b.land.lsoas[r.IntN(len(b.land.lsoas))]
	someone.home = nowhere
	spot := uint16(nowhere)
	if homes := b.land.byQuintile[s.quintile]; s.quintile > 0 {
		someone.home = homes[r.IntN(len(homes))]
		lives = &b.land.lsoas[someone.home-firstSpot]
		spot = someone.home
		// Some systems still write the 2011 code. It is taken where it lies in the same quintile: others count as unknown.
		if old := b.land.oldSpot[someone.home-firstSpot]; b.noisy && old != 0 && b.land.spots[old].quintile == s.quintile && r.IntN(2) == 0 {
			spot = old
		}
	} else if b.noisy && r.IntN(10) == 0 {
		spot = unheardOf
	}
	someone.practice, someone.ethnicity = b.land.register(r, lives)
	return fact{person: at, day: s.day, dose: uint8(r.IntN(2)), group: group{spot, someone.practice, someone.ethnicity}}
}

// eligibleOf spreads the eligible people of each quintile evenly over its LSOAs, anew whenever a quintile's number changes.
func (b *builder) eligibleOf(s *Series, seasons []programme.Season) {
	for at, season := range seasons {
		changes := map[calendar.Day]bool{season.Start: true}
		for i, r := range s.Rows {
			if i > 0 && r.Season == season.ID && s.Rows[i-1].Season == r.Season && s.Rows[i-1].Quintile == r.Quintile && s.Rows[i-1].Eligible != r.Eligible {
				changes[r.Day] = true
			}
		}
		var from []calendar.Day
		for d := range changes {
			from = append(from, d)
		}
		slices.Sort(from)
		for _, d := range from {
			for q := range uint8(6) {
				row, _ := s.on(season.ID, q, d)
				b.spread(uint8(at), d, q, row.Eligible)
			}
		}
	}
}

func (b *builder) spread(season uint8, from calendar.Day, quintile uint8, people int) {
	homes := b.land.byQuintile[quintile]
	if quintile == 0 {
		homes = []uint16{nowhere}
	}
	for i, home := range homes {
		n := people / len(homes)
		if i < people%len(homes) {
			n++
		}
		if n > 0 {
			b.eligible = append(b.eligible, eligibleRow{season: season, from: from, group: group{spot: home}, people: uint32(n)})
		}
	}
}
