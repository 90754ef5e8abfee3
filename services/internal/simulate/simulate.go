// Package simulate invents a health system: people, areas, and the events that prevention programmes send about them,
// true ones and every kind of wrong, late and doubled ones. It decides what is true before it invents the noise, so it
// knows what must come out ([Truth]) without counting any event. It reads and writes nothing but files it is asked for.
//
// Everything follows from the seed, the day and the programmes: the same ones give the same messages to the byte.
// Nobody in it exists, and no code in it can be mistaken for a real one: areas carry the letter X, which the ONS gives
// to nobody, practices and PCNs start with SYN.
package simulate

import (
	"fmt"
	"iter"
	"math/rand/v2"
	"slices"
	"time"

	"gapwatch/services/internal/calendar"
	"gapwatch/services/internal/event"
	"gapwatch/services/internal/programme"
)

// Config says what is simulated.
type Config struct {
	Seed       uint64
	People     int       // 1 to 4 million; 0 means 1.5 million
	Now        time.Time // nothing is known that came in later. Required
	Programmes *programme.Set
	NoNoise    bool      // only true events, each once
	Widening   *Widening // nil means [UsualWidening]
}

// Widening is a gap that opens: from a Monday on, in one place, the two most deprived fifths stop coming and the least
// deprived fifth comes early. Within three weeks the gap grows by Points on top of how it grows elsewhere.
type Widening struct {
	Programme string // a seasonal one
	Place     string // name of a place; empty means nowhere
	From      calendar.Day
	Points    float64 // percentage points, about; at most 12
}

// UsualWidening is the one of the demo: flu, Northmoor, since the Monday about six weeks before today, so that it is
// complete on the last complete day.
func UsualWidening(today calendar.Day) *Widening {
	from := today - 41
	for from.Time().Weekday() != time.Monday {
		from--
	}
	return &Widening{Programme: "flu-65", Place: placePlan[0].name, From: from, Points: 9}
}

// Expected is what becomes of the messages of a history.
type Expected struct {
	Messages    int                  // all of them
	Stored      int                  // different versions of records among the valid ones
	Repeats     int                  // published twice under the same id: the stream itself may drop them
	Resends     int                  // a version that was stored already, under a new id
	DeadLetters map[event.Reason]int // the others
	Noise       map[string]int       // how often each kind of noise was told
}

// Dead is the number of all dead letters.
func (e Expected) Dead() int {
	n := 0
	for _, count := range e.DeadLetters {
		n += count
	}
	return n
}

// History is everything that came in up to a day, and what is true about it.
type History struct {
	seed      uint64
	set       *programme.Set
	land      *land
	people    []person
	now       uint32       // seconds since 1970
	today     calendar.Day // of now
	rekeyed   uint32       // when the second key came into use, seconds since 1970
	drafts    []draft
	order     []uint32 // drafts by arrival
	invalid   []invalidMessage
	truth     *Truth
	expected  Expected
	eligible  []eligibleRow
	series    *Series // replay only
	yaml      []byte  // replay only
	campaigns []campaign
	covered   map[uint8][]bool // by seasonal programme whose season is running, then by person; for live events
}

// New simulates a history. An error says which setting cannot be simulated.
func New(c Config) (*History, error) {
	if c.People == 0 {
		c.People = 1_500_000
	}
	if c.People < 1 || c.People > 4_000_000 {
		return nil, fmt.Errorf("simulate %d people: must be 1 to 4,000,000", c.People)
	}
	if c.Programmes == nil || c.Now.IsZero() {
		return nil, fmt.Errorf("simulate: programmes and now must be given")
	}
	set := running(c.Programmes, calendar.Of(c.Now))
	if len(set.Programmes) == 0 {
		return nil, fmt.Errorf("simulate up to %s: must be before the retention of every season is over", c.Now.Format(time.DateOnly))
	}
	b, err := newBuilder(c.Seed, c.Now, set, !c.NoNoise)
	if err != nil {
		return nil, err
	}
	if c.Widening == nil {
		c.Widening = UsualWidening(b.today)
	}
	b.widening = *c.Widening
	if b.widening.Place != "" {
		for i, p := range b.land.places {
			if p.name == b.widening.Place {
				b.widens = uint16(i + 1)
			}
		}
		if b.widens == 0 {
			return nil, fmt.Errorf("widening in %q: no such place; the first is %q", b.widening.Place, placePlan[0].name)
		}
	}
	b.campaigns = campaigns(set, b.today)
	b.people = newPeople(c.Seed, c.People, b.land, b.today)
	b.drafts = make([]draft, 0, c.People*2)
	for i := range set.Programmes {
		b.programme(uint8(i))
	}
	b.countEligible()
	return b.finish(), nil
}

// running is a set without what is refused on a day since its retention is over: seasons, and programmes that have none left.
func running(set *programme.Set, today calendar.Day) *programme.Set {
	kept := set.AsOf(today)
	over := func(p *programme.Programme) bool { return p.Kind != programme.Rolling && len(p.Seasons) == 0 }
	if !slices.ContainsFunc(kept.Programmes, over) {
		return kept
	}
	left := programme.NewSet(kept.Edition, slices.DeleteFunc(slices.Clone(kept.Programmes), over)...)
	left.SHA256 = kept.SHA256
	return left
}

// Messages are all messages in the order in which they came in. It may be called again: the messages are the same.
func (h *History) Messages() iter.Seq[Message] {
	return func(yield func(Message) bool) {
		w := newWriter(h, "R")
		for _, i := range h.order {
			if !yield(w.message(&h.drafts[i])) {
				return
			}
		}
	}
}

// Truth is what must come out of all messages of the history.
func (h *History) Truth() *Truth { return h.truth }

// Expected is what must become of all messages of the history.
func (h *History) Expected() Expected { return h.expected }

// Programmes are those that the events belong to, with the seasons that were kept when the history was made.
func (h *History) Programmes() *programme.Set { return h.set }

// builder makes a history.
type builder struct {
	*History
	r        *rand.Rand
	noisy    bool
	ledger   ledger
	story    []draft // about one fact
	stray    bool    // something in the story arrives before what it replaces
	facts    []fact  // of one person in one programme
	complete bool    // every fact is known by now
	records  uint32  // the last one
	widening Widening
	widens   uint16 // place
}

func newBuilder(seed uint64, now time.Time, set *programme.Set, noisy bool) (*builder, error) {
	first, last := time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(2059, 1, 1, 0, 0, 0, 0, time.UTC)
	if now.Before(first) || now.After(last) {
		return nil, fmt.Errorf("simulate up to %s: must be from 2000 to 2058", now.Format(time.DateOnly))
	}
	if len(set.Programmes) > 255 {
		return nil, fmt.Errorf("simulate %d programmes: must be at most 255", len(set.Programmes))
	}
	for _, p := range set.Programmes {
		if len(p.Seasons) >= 1<<seasonBits {
			return nil, fmt.Errorf("simulate %s: must have fewer than %d seasons", p.ID, 1<<seasonBits)
		}
	}
	l := newLand(seed, set.Edition)
	seconds := uint32(now.Unix())
	h := &History{
		seed: seed, set: set, land: l, now: seconds, today: calendar.Of(now), rekeyed: seconds - 300*86400,
		covered:  map[uint8][]bool{},
		expected: Expected{DeadLetters: map[event.Reason]int{}, Noise: map[string]int{}},
	}
	return &builder{History: h, r: rand.New(rand.NewPCG(seed, 3)), noisy: noisy, ledger: ledger{land: l}}, nil
}

// finish puts everything in the order of arrival.
func (b *builder) finish() *History {
	if b.noisy {
		b.addInvalid()
	}
	b.order = byArrival(b.drafts)
	b.truth = &Truth{set: b.set, land: b.land, rows: b.ledger.rows}
	b.expected.Messages = len(b.drafts)
	return b.History
}

// byArrival sorts stably, by counting 11 bits at a time: comparing took longer than inventing.
func byArrival(drafts []draft) []uint32 {
	order, next := make([]uint32, len(drafts)), make([]uint32, len(drafts))
	for i := range order {
		order[i] = uint32(i)
	}
	const bits = 11
	for shift := 0; shift < 32; shift += bits {
		var from [1<<bits + 1]int
		for i := range drafts {
			from[drafts[i].arrival>>shift&(1<<bits-1)+1]++
		}
		for i := range 1 << bits {
			from[i+1] += from[i]
		}
		for _, i := range order {
			at := &from[drafts[i].arrival>>shift&(1<<bits-1)]
			next[*at] = i
			*at++
		}
		order, next = next, order
	}
	return order
}
