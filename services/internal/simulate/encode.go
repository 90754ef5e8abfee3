package simulate

import (
	"encoding/hex"
	"strconv"
	"sync"
	"time"

	"gapwatch/services/internal/calendar"
	"gapwatch/services/internal/event"
	"gapwatch/services/internal/programme"
)

// Message is one message for the stream PREVENTION_EVENTS, ready to be published.
type Message struct {
	Subject string
	MsgID   string // for the header Nats-Msg-Id
	Payload []byte // the receiver's to keep
}

// draft is one message before it is written out. There are millions, so it is packed, which bounds what can
// be simulated: days from 1970 to 2059, 65,000 spots.
type draft struct {
	arrival   uint32 // when the stream gets it, seconds since 1970: the order of publication
	made      uint32 // when this version of the record was made, seconds since 1970
	person    uint32
	record    uint32
	day       int16
	spot      uint16
	practice  uint16
	programme uint8
	cohort    uint8 // index of the season + 1, for cohort programmes; 0 otherwise
	source    uint8
	status    event.Status
	dose      uint8
	ethnicity uint8
	emission  uint8 // which message about the record: part of the CloudEvents id
	flags     flags
}

type flags uint8

const (
	correction flags = 1 << iota // data.correction
	repeated                     // the same message once more
	resent                       // the same version under a new id
	invalid                      // draft.record is an index into History.invalid
)

// sources are the sending systems. The first two are GP systems.
var sources = []string{
	"urn:gapwatch:synthetic:gp-north", "urn:gapwatch:synthetic:gp-south", "urn:gapwatch:synthetic:pharmacy",
	"urn:gapwatch:synthetic:centre", "urn:gapwatch:synthetic:school", "urn:gapwatch:synthetic:records",
}

const gps, vaccinators = 2, 4 // the first so many of sources

// Keys of pseudonyms. The second came into use on History.rekeyed, for the people who have traits rekeyed.
const oldKey, newKey = "synthetic-1", "synthetic-2"

// mix is the output function of splitmix64: a good 64-bit hash of a counter.
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// pseudonym is somebody's pseudonym under one of the two keys.
func (h *History) pseudonym(person uint32, key uint64) (p event.Pseudonym) {
	a := mix(h.seed ^ key<<62 ^ uint64(person)<<1)
	b := mix(a ^ h.seed)
	for i := range 8 {
		p[i], p[8+i] = byte(a>>(8*i)), byte(b>>(8*i))
	}
	return p
}

// days are all days that a draft can hold, written out: formatting them again and again took a third of the time.
var days = sync.OnceValue(func() []byte {
	text := make([]byte, 0, 10<<15)
	for d := range calendar.Day(1 << 15) {
		text = d.Time().AppendFormat(text, time.DateOnly)
	}
	return text
})

func appendDay(b []byte, day calendar.Day) []byte {
	if day < 0 || day >= 1<<15 {
		return day.Time().AppendFormat(b, time.DateOnly)
	}
	return append(b, days()[10*int(day):10*int(day)+10]...)
}

func appendTwo(b []byte, n uint32) []byte { return append(b, byte('0'+n/10), byte('0'+n%10)) }

// appendClock writes seconds of a day as T08:30:00.
func appendClock(b []byte, seconds uint32) []byte {
	b = appendTwo(append(b, 'T'), seconds/3600)
	b = appendTwo(append(b, ':'), seconds/60%60)
	return appendTwo(append(b, ':'), seconds%60)
}

// clinicSecond is the time of day (UTC) at which the thing of a record was done: between 07:00 and 16:59, so that the
// day is the same in UTC and in London.
func clinicSecond(record uint32) uint32 { return 7*3600 + uint32(mix(uint64(record))%36000) }

// kindOf is the third part of a programme's subjects.
func kindOf(p *programme.Programme) string {
	if p.EventType == event.TypeHealthCheck {
		return event.KindHealthCheck
	}
	return event.KindVaccination
}

// writer turns drafts into messages.
type writer struct {
	h        *History
	prefix   string   // of records and ids
	subjects []string // by programme
	heads    []string // by programme: from source to time
	slab     []byte
}

func newWriter(h *History, prefix string) *writer {
	w := &writer{h: h, prefix: prefix}
	for _, p := range h.set.Programmes {
		w.subjects = append(w.subjects, event.SubjectPrefix+kindOf(p)+"."+p.ID)
		w.heads = append(w.heads, `","type":"`+p.EventType+`","time":"`)
	}
	return w
}

// message writes out a draft. Payloads share slabs of memory: one allocation for each would cost more than the writing.
func (w *writer) message(d *draft) Message {
	if d.flags&invalid != 0 {
		return w.h.invalid[d.record].message
	}
	const slab, most = 1 << 20, 1 << 10
	if cap(w.slab)-len(w.slab) < most {
		w.slab = make([]byte, 0, slab)
	}
	from := len(w.slab)
	w.slab = w.append(w.slab, d)
	source := sources[d.source]
	id := make([]byte, 0, 64)
	id = append(append(id, source...), '|')
	return Message{
		Subject: w.subjects[d.programme],
		MsgID:   string(w.appendID(id, d)),
		Payload: w.slab[from:len(w.slab):len(w.slab)],
	}
}

// appendRecord writes the record's identity: a prefix and eight digits, so never ten that pass for an NHS number.
func (w *writer) appendRecord(b []byte, record uint32) []byte {
	b = append(append(b, w.prefix...), "00000000"...)
	for i := len(b) - 1; record > 0; i, record = i-1, record/10 {
		b[i] = byte('0' + record%10)
	}
	return b
}

func (w *writer) appendID(b []byte, d *draft) []byte {
	return append(w.appendRecord(b, d.record), '.', '0'+d.emission)
}

func appendPseudonym(b []byte, p event.Pseudonym) []byte {
	b = hex.AppendEncode(b, p[:])
	return append(b, '"')
}

// append writes the CloudEvent. What a version does not say (clock times, whether a date alone is given) follows from
// record and time made, so that a version that is sent again is the same to the byte.
func (w *writer) append(b []byte, d *draft) []byte {
	h := w.h
	look := mix(uint64(d.record)<<32 | uint64(d.made))
	b = append(b, `{"specversion":"1.0","id":"`...)
	b = w.appendID(b, d)
	b = append(b, `","source":"`...)
	b = append(b, sources[d.source]...)
	b = append(b, w.heads[d.programme]...)
	b = appendDay(b, calendar.Day(d.made/86400))
	b = appendClock(b, d.made%86400)
	if look&3 == 0 { // some systems write fractions of a second
		b = append(b, '.')
		b = strconv.AppendUint(b, 100+(look>>2)%900, 10)
	}
	b = append(b, `Z","datacontenttype":"application/json","data":{"record":"`...)
	b = w.appendRecord(b, d.record)
	b = append(b, `","status":"`...)
	b = append(b, d.status.String()...)
	b = append(b, `","person":"`...)
	if h.people[d.person].has(rekeyed) && d.made >= h.rekeyed {
		b = appendPseudonym(b, h.pseudonym(d.person, 1))
		b = append(b, `,"personKey":"`+newKey+`","personPrevious":"`...)
		b = appendPseudonym(b, h.pseudonym(d.person, 0))
	} else {
		b = appendPseudonym(b, h.pseudonym(d.person, 0))
		b = append(b, `,"personKey":"`+oldKey+`"`...)
	}
	b = append(b, `,"programme":"`...)
	b = append(b, h.set.Programmes[d.programme].ID...)
	b = append(b, `","occurredAt":"`...)
	b = appendOccurred(b, d, look>>16)
	b = append(b, `","lsoa":"`...)
	b = append(b, h.land.spots[d.spot].code...)
	b = append(b, '"')
	if d.dose != 0 {
		b = append(b, `,"dose":`...)
		b = append(b, '0'+d.dose)
	}
	if d.cohort != 0 {
		b = append(b, `,"cohort":"`...)
		b = append(b, h.set.Programmes[d.programme].Seasons[d.cohort-1].ID...)
		b = append(b, '"')
	}
	if d.ethnicity != 0 {
		b = append(b, `,"ethnicity":"`...)
		b = append(b, ethnicCodes[d.ethnicity]...)
		b = append(b, '"')
	}
	if d.practice != noPractice {
		b = append(b, `,"practice":"`...)
		b = append(b, h.land.practices[d.practice-1]...)
		b = append(b, '"')
	}
	b = append(b, `,"provider":"SYNV`...)
	b = append(b, '0'+d.source)
	b = append(b, '"')
	switch {
	case h.people[d.person].has(severeMentalIllness):
		b = append(b, `,"plus":["smi"]`...)
	case h.people[d.person].has(learningDisability):
		b = append(b, `,"plus":["ld"]`...)
	}
	if d.flags&correction != 0 {
		b = append(b, `,"correction":true`...)
	}
	if look>>40&63 == 0 { // a field that nobody asked for
		b = append(b, `,"systemVersion":"4.2"`...)
	}
	return append(b, "}}"...)
}

// appendOccurred writes the day in one of the ways that systems do: a date, a time in UTC, in summer a local time, and
// rarely an hour of the night that in UTC belongs to the day before. From May to August London is one hour ahead.
func appendOccurred(b []byte, d *draft, look uint64) []byte {
	day := calendar.Day(d.day)
	second := clinicSecond(d.record)
	if look&3 == 0 || uint32(day)*86400+second > d.made {
		return appendDay(b, day)
	}
	summer := day.Time().Month() >= time.May && day.Time().Month() <= time.August
	switch {
	case summer && look>>2&31 == 0:
		return append(appendClock(appendDay(b, day-1), 23*3600+second%3600), 'Z')
	case summer && look>>2&1 == 1:
		return append(appendClock(appendDay(b, day), second+3600), "+01:00"...)
	}
	return append(appendClock(appendDay(b, day), second), 'Z')
}
