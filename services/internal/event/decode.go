package event

import (
	"sync"
	"time"
	"unicode/utf8"

	"gapwatch/services/internal/calendar"
	"gapwatch/services/internal/programme"
)

// Limits of an event. The JSON Schemas say the same, where a schema can.
const (
	MaxBytes        = 1 << 20         // of a message, 1,048,576
	MaxDepth        = 32              // objects and arrays in each other
	MaxAhead        = 5 * time.Minute // that time may be ahead of the clock here
	MaxIdentifier   = 128             // characters of id and data.record
	MaxSource       = 255             // characters of source
	MaxName         = 64              // characters of data.personKey, data.programme and data.cohort
	MaxGroups       = 16              // entries of data.plus
	MaxGroup        = 32              // characters of one
	MaxDose         = 9
	pseudonymDigits = 2 * len(Pseudonym{})
)

// Decoder turns messages into events. It may be used by several goroutines at once.
type Decoder struct {
	// Programmes are those that events may belong to. Required; not changed while the decoder is in use.
	Programmes *programme.Set
	// Now is the clock that [Decoder.Decode] judges "in the future" by. Required for that.
	Now func() time.Time

	once     sync.Once
	expected map[string]expectation // by programme id
	pool     sync.Pool              // of *scratch
}

// expectation is what an event of a programme must look like outside data.
type expectation struct {
	programme *programme.Programme
	subject   string
	keptTo    map[string]calendar.Day // by season: the last day of its retention
}

func (d *Decoder) start() {
	d.expected = make(map[string]expectation, len(d.Programmes.Programmes))
	for _, p := range d.Programmes.Programmes {
		x := expectation{programme: p, subject: subject(p.EventType, p.ID), keptTo: make(map[string]calendar.Day)}
		for _, season := range p.Seasons {
			x.keptTo[season.ID] = p.KeptTo(season)
		}
		d.expected[p.ID] = x
	}
}

// Decode reads the message that came on a subject. Either the event is whole and valid in every field and the rejection
// is nil, or the rejection says why it can never be accepted. Whether a message is accepted depends on nothing but the
// message, the programmes and the clock. The event keeps no reference to payload.
//
// Where several things are wrong the first of these is reported: size, encoding, JSON, something like an NHS number,
// the CloudEvents attributes, data, the subject, the season.
func (d *Decoder) Decode(subject string, payload []byte) (Event, *Rejection) {
	return d.DecodeAt(subject, payload, d.Now())
}

// DecodeAt is Decode by another clock: now is the moment that "in the future" is judged by.
func (d *Decoder) DecodeAt(subject string, payload []byte, now time.Time) (Event, *Rejection) {
	d.once.Do(d.start)
	s, _ := d.pool.Get().(*scratch)
	if s == nil {
		s = newScratch()
	}
	defer d.pool.Put(s)

	var e Event
	rejection, parsed := d.decode(s, &e, subject, payload, now)
	if rejection == nil {
		return e, nil
	}
	if HoldsNHSNumber(payload) || HoldsNHSNumber([]byte(subject)) {
		rejection.Identifying = true
	}
	rejection.Payload = parsed && !rejection.Identifying && isPseudonym(s.text(fieldPerson))
	return Event{}, rejection
}

// decode fills e. It also tells whether payload could be parsed, so that s.fields is that message's.
func (d *Decoder) decode(s *scratch, e *Event, subject string, payload []byte, now time.Time) (_ *Rejection, parsed bool) {
	if len(payload) > MaxBytes {
		return reject(TooLarge, "payload", "must have at most 1,048,576 bytes"), false
	}
	if !utf8.Valid(payload) {
		return reject(NotUTF8, "payload", "must be UTF-8"), false
	}
	deep, rejection := s.parse(payload)
	if rejection != nil {
		return rejection, false
	}
	if HoldsNHSNumber(payload) {
		return reject(NHSNumber, s.holder(), "must not hold ten digits that pass for an NHS number"), true
	}
	if deep {
		return reject(TooDeep, "payload", "must nest at most 32 objects and arrays"), true
	}
	if rejection := s.attributes(e, now); rejection != nil {
		return rejection, true
	}
	expected, rejection := d.data(s, e, now)
	if rejection == nil {
		rejection = expected.place(e, subject, now)
	}
	if rejection != nil {
		return rejection, true
	}
	e.RecordID, s.work = recordID(s.work, e.Source, e.Record)
	e.Version, s.work = version(s.work, e)
	return nil, true
}

// place checks that the event belongs to the programme it names and finds the season it is counted in.
func (x expectation) place(e *Event, subject string, now time.Time) *Rejection {
	if e.Type != x.programme.EventType {
		return reject(SubjectMismatch, "type", "must be the type of the programme's events")
	}
	if subject != x.subject {
		return reject(SubjectMismatch, "subject", "must be prevention.events.<kind>.<programme> with the kind of type and data.programme")
	}
	var season programme.Season
	var found bool
	if x.programme.Kind == programme.Cohort {
		if season, found = x.programme.Season(e.Cohort); !found {
			return reject(NoSeason, "data.cohort", "must be one of the programme's seasons")
		}
	} else {
		// A sender may know the cohort of a person whatever the programme. Where it decides nothing it says nothing.
		e.Cohort = ""
		if season, found = x.programme.SeasonOn(e.Day); !found {
			return reject(NoSeason, "data.occurredAt", "must lie in one of the programme's seasons")
		}
	}
	if x.gone(season, now) {
		return reject(NoSeason, "data.occurredAt", "must lie in a season that is still kept: the programme's retention is over")
	}
	e.Season = season.ID
	return nil
}

// gone tells whether a season's retention was over then. London is ahead of Greenwich or with it, and finding its day costs
// more than all else here, so it is asked in the last days only.
func (x expectation) gone(season programme.Season, now time.Time) bool {
	if x.programme.Kind == programme.Rolling || calendar.Day(now.Unix()/86400)+1 <= x.keptTo[season.ID] {
		return false
	}
	return calendar.Of(now) > x.keptTo[season.ID]
}

func reject(reason Reason, field, detail string) *Rejection {
	return &Rejection{Reason: reason, Field: field, Detail: detail}
}
