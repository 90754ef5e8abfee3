package simulate

import (
	"iter"
	"math/rand/v2"
	"strconv"
	"time"

	"gapwatch/services/internal/calendar"
	"gapwatch/services/internal/event"
	"gapwatch/services/internal/programme"
)

// remembered is how many of the last live events may still be sent again, corrected or retracted.
const remembered = 500

// Live goes on after the history for as long as it is asked: at each step one message about today. now is asked each time. One in
// thirty sends an earlier one again, corrects it or takes it back. It keeps no truth. Who was not covered at the end of
// the history comes first, the less deprived sooner.
//
// How often to take a message is the caller's business. Records are named after the moment of the first one, so that
// another run on the same store tells of other records. It ends where no programme takes events of today.
func (h *History) Live(now func() time.Time) iter.Seq[Message] {
	return func(yield func(Message) bool) {
		start := now()
		l := &live{
			h: h,
			r: rand.New(rand.NewPCG(h.seed, uint64(start.UnixNano()))),
			w: newWriter(h, "L"+strconv.FormatInt(start.UnixMilli(), 36)+"."),
		}
		for {
			d, ok := l.next(now())
			if !ok || !yield(l.w.message(&d)) {
				return
			}
		}
	}
}

type live struct {
	h       *History
	r       *rand.Rand
	w       *writer
	records uint32
	recent  []draft
}

func (l *live) next(now time.Time) (draft, bool) {
	if len(l.recent) > 50 && l.r.IntN(30) == 0 {
		return l.again(now), true
	}
	d, ok := l.fresh(now)
	if !ok {
		return d, false
	}
	if len(l.recent) == remembered {
		l.recent[l.r.IntN(remembered)] = d
	} else {
		l.recent = append(l.recent, d)
	}
	return d, true
}

// again sends something about one of the last events, once.
func (l *live) again(now time.Time) draft {
	i := l.r.IntN(len(l.recent))
	d := l.recent[i]
	l.recent[i] = l.recent[len(l.recent)-1]
	l.recent = l.recent[:len(l.recent)-1]
	made := uint32(now.Unix()) - 1
	switch l.r.IntN(5) {
	case 0: // the same message
	case 1: // the same version
		d.emission++
	case 2: // an area corrected
		d.emission++
		d.made = made
		d.flags = correction
		d.spot = uint16(firstSpot + l.r.IntN(len(l.h.land.lsoas)))
	case 3: // from another system
		d.record = l.record()
		d.source = uint8(len(sources)) - 1 - d.source
		d.emission = 1
		d.made = made
	case 4:
		d.emission++
		d.made = made
		d.status = event.EnteredInError
		if covered := l.h.covered[d.programme]; covered != nil {
			covered[d.person] = false
		}
	}
	return d
}

func (l *live) record() uint32 {
	l.records++
	return l.records
}

// choose draws a programme that takes events of today, three in four times a seasonal one if one is running. Cohorts are
// left out: a child's two doses lie years apart, so there is nothing to see today.
func (l *live) choose(today calendar.Day) (at uint8, season programme.Season, ok bool) {
	var seasonal, rolling []uint8
	for i, p := range l.h.set.Programmes {
		_, running := p.SeasonOn(today)
		switch {
		case p.Kind == programme.Rolling:
			rolling = append(rolling, uint8(i))
		case p.Kind == programme.Seasonal && running:
			seasonal = append(seasonal, uint8(i))
		}
	}
	from := seasonal
	if len(seasonal) == 0 || len(rolling) > 0 && l.r.IntN(4) == 0 {
		from = rolling
	}
	if len(from) == 0 {
		return 0, season, false
	}
	at = from[l.r.IntN(len(from))]
	season, _ = l.h.set.Programmes[at].SeasonOn(today)
	return at, season, true
}

// fresh is a jab or check of today; false if no programme takes any.
func (l *live) fresh(now time.Time) (draft, bool) {
	h := l.h
	today := calendar.Of(now)
	at, season, ok := l.choose(today)
	if !ok {
		return draft{}, false
	}
	p := h.set.Programmes[at]
	if p.Kind == programme.Seasonal && h.covered[at] == nil { // the season began after the history
		h.covered[at] = make([]bool, len(h.people))
	}
	covered := h.covered[at]
	// When hardly anybody is left who is due, somebody comes a second time.
	i := uint32(0)
	for range 3000 {
		i = uint32(l.r.IntN(len(h.people)))
		someone := &h.people[i]
		if eligible(p, season, someone, today) && (covered == nil || !covered[i]) && l.r.IntN(10) >= 5-int(h.land.spots[someone.home].quintile) {
			break
		}
	}
	if covered != nil {
		covered[i] = true
	}
	someone := &h.people[i]
	n := gps
	if p.EventType == event.TypeVaccination {
		n = vaccinators
	}
	return draft{
		made: uint32(now.Unix()) - 1 - uint32(l.r.IntN(60)), person: i, record: l.record(), day: int16(today), spot: someone.home,
		practice: someone.practice, ethnicity: someone.ethnicity, programme: at, source: uint8(l.r.IntN(n)),
		status: event.Completed, emission: 1,
	}, true
}
