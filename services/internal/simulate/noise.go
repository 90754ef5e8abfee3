package simulate

import (
	"gapwatch/services/internal/calendar"
	"gapwatch/services/internal/event"
	"gapwatch/services/internal/programme"
)

const (
	minute = 60
	hour   = 60 * minute
	day    = 24 * hour
)

// fact is what is finally true: this person had this on that day, and is counted under that group if it covers.
type fact struct {
	person    uint32
	programme uint8
	cohort    uint8 // index of the season + 1, for cohort programmes
	day       calendar.Day
	dose      uint8
	group     group
}

// tale is a way in which a fact reaches the stream. It writes the story of it, given the plain record of the fact, and
// returns false where it does not fit. Whatever it does, the newest versions of the story's records must say no more
// and no less than the fact; where that is not obvious the tale says why.
type tale struct {
	name  string
	share int // of 1,024 facts
	write func(b *builder, f *fact, d draft) bool
}

var tales = []tale{
	{"repeat", 16, (*builder).repeat},
	{"resend", 14, (*builder).resend},
	{"two systems", 12, (*builder).twoSystems},
	{"two systems a day apart", 12, (*builder).dayApart},
	{"two systems, two areas", 5, (*builder).twoAreas},
	{"two systems, one without area", 4, (*builder).oneWithoutArea},
	{"two systems, one without group", 5, (*builder).oneWithoutGroup},
	{"entered again", 6, (*builder).enteredAgain},
	{"wrong record retracted", 6, (*builder).wrongRecord},
	{"declined before", 5, (*builder).declinedBefore},
	{"late", 16, (*builder).late},
	{"corrected person", 4, (*builder).correctedPerson},
	{"corrected programme", 4, (*builder).correctedProgramme},
	{"corrected day", 5, (*builder).correctedDay},
	{"corrected season", 4, (*builder).correctedSeason},
	{"corrected area", 5, (*builder).correctedArea},
	{"corrected ethnicity", 4, (*builder).correctedEthnicity},
	{"corrected practice", 4, (*builder).correctedPractice},
	{"corrected dose", 4, (*builder).correctedDose},
	{"corrected status", 4, (*builder).correctedStatus},
	{"corrected cohort", 8, (*builder).correctedCohort},
}

// Counted like tales, but they come about in other ways.
const (
	outOfOrder    = "out of order"
	unknownArea   = "unknown area"
	unheardOfArea = "unheard-of area"
	code2011      = "2011 code"
	keyChange     = "key change"
	nothingTrue   = "nothing true"
)

// deck has a tale for each of 1,024 facts; nil is the plain one.
var deck = func() (deck [1024]*tale) {
	at := 0
	for i := range tales {
		for range tales[i].share {
			deck[at] = &tales[i]
			at++
		}
	}
	return deck
}()

// tell writes the events about a fact and notes it in b.facts. A fact that would come in only after now is left out:
// nobody knows it yet.
func (b *builder) tell(f fact) bool {
	plain := b.record(&f)
	if plain.arrival > b.now {
		return false
	}
	b.facts = append(b.facts, f)
	known := len(b.facts)
	if t := deck[b.r.IntN(len(deck))]; t != nil && b.noisy {
		b.begin()
		if t.write(b, &f, plain) && b.inTime() {
			b.commit(t.name)
			b.remark(&f)
			return true
		}
		b.facts = b.facts[:known]
	}
	b.begin()
	b.add(plain)
	b.commit("")
	b.remark(&f)
	return true
}

// remark counts what is special about a fact's group or person.
func (b *builder) remark(f *fact) {
	switch s := int(f.group.spot); {
	case s == nowhere:
		b.expected.Noise[unknownArea]++
	case s == unheardOf:
		b.expected.Noise[unheardOfArea]++
	case s >= firstSpot+len(b.land.lsoas):
		b.expected.Noise[code2011]++
	}
}

func (b *builder) begin() { b.story, b.stray = b.story[:0], false }

func (b *builder) add(d draft) { b.story = append(b.story, d) }

func (b *builder) inTime() bool {
	for i := range b.story {
		if b.story[i].arrival > b.now {
			return false
		}
	}
	return true
}

// commit takes the story into the history.
func (b *builder) commit(name string) {
	for i := range b.story {
		d := &b.story[i]
		switch {
		case d.flags&repeated != 0:
			b.expected.Repeats++
		case d.flags&resent != 0:
			b.expected.Resends++
		default:
			b.expected.Stored++
		}
		if d.made >= b.rekeyed && b.people[d.person].has(rekeyed) {
			b.expected.Noise[keyChange]++
		}
	}
	b.drafts = append(b.drafts, b.story...)
	if name != "" {
		b.expected.Noise[name]++
	}
	if b.stray {
		b.expected.Noise[outOfOrder]++
	}
}

// between is a random number of seconds.
func (b *builder) between(least, most int) uint32 { return uint32(least + b.r.IntN(most-least)) }

// reporting is the mean delay in days between doing and recording, by quintile (0 = unknown).
var reporting = [6]float64{3, 4.5, 3.5, 2.7, 2.0, 1.5}

// record is the plain record of a fact: written down after a delay that differs by quintile, sent soon after.
func (b *builder) record(f *fact) draft {
	d := draft{
		person: f.person, programme: f.programme, cohort: f.cohort, day: int16(f.day), dose: f.dose, status: event.Completed,
		spot: f.group.spot, practice: f.group.practice, ethnicity: f.group.ethnicity,
	}
	b.fresh(&d)
	quintile := b.land.spots[f.group.spot].quintile
	delay := uint32(b.r.ExpFloat64() * reporting[quintile] * day)
	d.made = uint32(f.day)*day + clinicSecond(d.record) + 5*minute + min(delay, 60*day)
	d.arrival = d.made + 1 + uint32(b.r.ExpFloat64()*2*hour)
	if b.complete {
		d.made, d.arrival = min(d.made, b.now), min(d.arrival, b.now)
	}
	return d
}

// fresh makes d another record, of a system that fits the programme.
func (b *builder) fresh(d *draft) {
	b.records++
	d.record = b.records
	n := gps
	if b.set.Programmes[d.programme].EventType == event.TypeVaccination {
		n = vaccinators
	}
	d.source = uint8(b.r.IntN(n))
	d.emission = 1
}

// other is the record of another system about the same.
func (b *builder) other(d draft) draft {
	o := d
	b.records++
	o.record = b.records
	o.source = uint8(len(sources)) - 1 - d.source
	return o
}

// delay makes a draft that many seconds younger.
func (d *draft) delay(seconds uint32) {
	d.made += seconds
	d.arrival += seconds
}

// replace adds two versions of a record. The second is newer: made later, or a correction or retraction of the same
// time, which go before a first version. One in three arrives before the one that it replaces.
func (b *builder) replace(first, second draft) {
	second.emission = first.emission + 1
	if b.r.IntN(4) == 0 {
		second.made = first.made
		if second.status != event.EnteredInError {
			second.flags |= correction
		}
		second.arrival = first.arrival + b.between(minute, 3*day)
	} else {
		second.made = first.made + b.between(hour, 20*day)
		second.arrival = max(first.arrival, second.made) + b.between(minute, 6*hour)
	}
	if b.r.IntN(3) == 0 {
		first.arrival = second.arrival + b.between(minute, 2*day)
		b.stray = true
	}
	b.add(first)
	b.add(second)
}

// retract adds a record and its retraction: nothing is left of it.
func (b *builder) retract(d draft) {
	gone := d
	gone.status = event.EnteredInError
	b.replace(d, gone)
}

// nearby is a day up to a month away on which the programme would take an event in the same season.
func (b *builder) nearby(f *fact, before bool) (calendar.Day, bool) {
	other := f.day + calendar.Day(1+b.r.IntN(28))
	if before {
		other = f.day - calendar.Day(1+b.r.IntN(28))
	}
	p := b.set.Programmes[f.programme]
	if p.Kind != programme.Seasonal {
		return other, true
	}
	was, _ := p.SeasonOn(f.day)
	is, ok := p.SeasonOn(other)
	return other, ok && was.ID == is.ID
}

// known tells whether a spot lies in a place: then no other area goes before it on the same day.
func (b *builder) known(spot uint16) bool { return b.land.spots[spot].place != 0 }

// repeat: the very same message twice.
func (b *builder) repeat(_ *fact, d draft) bool {
	b.add(d)
	d.arrival += b.between(1, 3*day)
	d.flags |= repeated
	b.add(d)
	return true
}

// resend: the same version under a new id. Id and arrival are no part of a version.
func (b *builder) resend(_ *fact, d draft) bool {
	b.add(d)
	d.arrival += b.between(1, 10*day)
	d.emission++
	d.flags |= resent
	b.add(d)
	return true
}

// twoSystems: the GP hears of it and writes it down too. One person on one day counts once, and both say the same group.
func (b *builder) twoSystems(_ *fact, d draft) bool {
	o := b.other(d)
	o.delay(b.between(0, 5*day))
	b.add(d)
	b.add(o)
	return true
}

// dayApart: the other system dates it a day later. Seasonal and cohort programmes count the earlier day, and a day is
// less than the interval between doses. For a rolling programme it is a check of its own, which covers a day longer.
func (b *builder) dayApart(f *fact, d draft) bool {
	p := b.set.Programmes[f.programme]
	o := b.other(d)
	o.day++
	o.delay(day + b.between(0, 5*day))
	switch p.Kind {
	case programme.Rolling:
		second := *f
		second.day++
		b.facts = append(b.facts, second)
	case programme.Seasonal:
		if s, _ := p.SeasonOn(f.day); s.End == f.day {
			return false
		}
		o.spot = b.elsewhere() // not the covering record, so its area does not matter
	}
	b.add(d)
	b.add(o)
	return true
}

func (b *builder) elsewhere() uint16 { return uint16(firstSpot + b.r.IntN(len(b.land.lsoas))) }

// twoAreas: on the same day the other system says another area. Both are known, so the newer version decides: the fact's.
func (b *builder) twoAreas(f *fact, d draft) bool {
	if !b.known(f.group.spot) {
		return false
	}
	o := b.other(d)
	o.spot = b.elsewhere()
	d.delay(b.between(hour, 5*day))
	b.add(o)
	b.add(d)
	return true
}

// oneWithoutArea: on the same day the other system knows no area, or one that no look-up knows. Its version is newer,
// but a known area goes first.
func (b *builder) oneWithoutArea(f *fact, d draft) bool {
	if !b.known(f.group.spot) {
		return false
	}
	o := b.other(d)
	o.spot = uint16(b.r.IntN(2)) // nowhere or unheardOf
	o.delay(b.between(hour, 5*day))
	b.add(d)
	b.add(o)
	return true
}

// oneWithoutGroup: the covering record (of the same day, but newer) does not say ethnicity and practice. They are filled
// from the person's newest other record of the programme, and all of those say the same ethnicity. Practices change with
// a move, which only rolling programmes tell of.
func (b *builder) oneWithoutGroup(f *fact, d draft) bool {
	if f.group.ethnicity == 0 || f.group.practice == noPractice || !b.known(f.group.spot) {
		return false
	}
	b.add(b.other(d))
	d.delay(b.between(hour, 5*day))
	d.ethnicity = 0
	if b.set.Programmes[f.programme].Kind != programme.Rolling {
		d.practice = noPractice
	}
	b.add(d)
	return true
}

// enteredAgain: retracted by mistake, and entered again as a new record.
func (b *builder) enteredAgain(_ *fact, d draft) bool {
	b.retract(d)
	o := d
	b.fresh(&o)
	o.delay(b.between(21*day, 40*day))
	b.add(o)
	return true
}

// wrongRecord: before the true one, there was one that was somebody else's. Retracted, it never was.
func (b *builder) wrongRecord(f *fact, d draft) bool {
	other, ok := b.nearby(f, true)
	if !ok {
		return false
	}
	wrong := b.other(d)
	wrong.day = int16(other)
	if wrong.dose == 1 {
		wrong.dose = 2
	}
	b.retract(wrong)
	b.add(d)
	return true
}

// declinedBefore: not done on an earlier day. That never counts.
func (b *builder) declinedBefore(f *fact, d draft) bool {
	other, ok := b.nearby(f, true)
	if !ok {
		return false
	}
	declined := b.other(d)
	declined.day = int16(other)
	declined.status = event.NotDone
	b.add(declined)
	b.add(d)
	return true
}

// late: weeks under way. It lands on its day all the same.
func (b *builder) late(_ *fact, d draft) bool {
	d.arrival += b.between(14*day, 60*day)
	b.add(d)
	return true
}

// The corrections: a first version that is wrong in one field, and a newer one that says the fact. The newest version of
// a record decides whatever changed in it, so nothing is left of the first.

func (b *builder) correctedPerson(_ *fact, d draft) bool {
	wrong := d
	wrong.person = uint32(b.r.IntN(len(b.people)))
	if wrong.person == d.person {
		return false
	}
	b.replace(wrong, d)
	return true
}

func (b *builder) correctedProgramme(f *fact, d draft) bool {
	right := b.set.Programmes[f.programme]
	first := b.r.IntN(len(b.set.Programmes))
	for i := range b.set.Programmes {
		at := (first + i) % len(b.set.Programmes)
		p := b.set.Programmes[at]
		if p == right || p.EventType != right.EventType {
			continue
		}
		wrong := d
		wrong.programme, wrong.cohort = uint8(at), 0
		if p.Kind == programme.Cohort {
			wrong.cohort = 1
		} else if _, ok := p.SeasonOn(f.day); !ok {
			continue
		}
		b.replace(wrong, d)
		return true
	}
	return false
}

func (b *builder) correctedDay(f *fact, d draft) bool {
	before := b.r.IntN(2) == 0
	other, ok := b.nearby(f, before)
	if !ok {
		return false
	}
	if !before { // nobody can write down a day to come
		d.delay(uint32(other-f.day) * day)
	}
	wrong := d
	wrong.day = int16(other)
	b.replace(wrong, d)
	return true
}

// correctedSeason: the year before was written, which is another season.
func (b *builder) correctedSeason(f *fact, d draft) bool {
	p := b.set.Programmes[f.programme]
	if p.Kind != programme.Seasonal {
		return false
	}
	if _, ok := p.SeasonOn(f.day - 364); !ok {
		return false
	}
	wrong := d
	wrong.day -= 364
	b.replace(wrong, d)
	return true
}

func (b *builder) correctedArea(f *fact, d draft) bool {
	wrong := d
	wrong.spot = b.elsewhere()
	if wrong.spot == f.group.spot {
		return false
	}
	b.replace(wrong, d)
	return true
}

func (b *builder) correctedEthnicity(_ *fact, d draft) bool {
	wrong := d
	wrong.ethnicity = uint8(1 + (int(d.ethnicity)+b.r.IntN(len(ethnicCodes)-2))%(len(ethnicCodes)-1))
	b.replace(wrong, d)
	return wrong.ethnicity != d.ethnicity
}

func (b *builder) correctedPractice(_ *fact, d draft) bool {
	wrong := d
	wrong.practice = uint16(1 + b.r.IntN(len(b.land.practices)))
	b.replace(wrong, d)
	return wrong.practice != d.practice
}

func (b *builder) correctedDose(_ *fact, d draft) bool {
	if b.set.Programmes[d.programme].EventType != event.TypeVaccination {
		return false
	}
	wrong := d
	wrong.dose = 2
	if d.dose == 2 {
		wrong.dose = 1
	}
	b.replace(wrong, d)
	return true
}

func (b *builder) correctedStatus(_ *fact, d draft) bool {
	wrong := d
	wrong.status = event.NotDone
	b.replace(wrong, d)
	return true
}

func (b *builder) correctedCohort(f *fact, d draft) bool {
	seasons := len(b.set.Programmes[f.programme].Seasons)
	if f.cohort == 0 || seasons < 2 {
		return false
	}
	wrong := d
	wrong.cohort = uint8(1 + int(f.cohort)%seasons)
	b.replace(wrong, d)
	return true
}

// tellNothing writes events about something that never was: f is not noted, and nothing of the story counts.
func (b *builder) tellNothing(f fact) {
	if !b.noisy {
		return
	}
	d := b.record(&f)
	b.begin()
	switch b.r.IntN(3) {
	case 0: // a wrong record
		b.retract(d)
	case 1: // declined
		d.status = event.NotDone
		b.add(d)
	case 2: // written down as done, but declined
		declined := d
		declined.status = event.NotDone
		b.replace(d, declined)
	}
	if b.inTime() {
		b.commit(nothingTrue)
	}
}

// tellRetracted writes a record of f that is retracted and stays so.
func (b *builder) tellRetracted(f fact) {
	d := b.record(&f)
	b.begin()
	b.retract(d)
	if b.inTime() {
		b.commit("wrong record retracted")
	}
}

// NoiseKinds are the kinds of noise that [Expected.Noise] counts.
func NoiseKinds() []string {
	kinds := []string{outOfOrder, unknownArea, unheardOfArea, code2011, keyChange, nothingTrue}
	for _, t := range tales {
		kinds = append(kinds, t.name)
	}
	for _, s := range spoilers {
		kinds = append(kinds, "invalid: "+s.name)
	}
	return kinds
}
