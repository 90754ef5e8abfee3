package admit

import (
	"encoding/hex"
	"errors"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"gapwatch/services/internal/calendar"
	"gapwatch/services/internal/event"
	"gapwatch/services/internal/mapping"
	"gapwatch/services/internal/postcode"
	"gapwatch/services/internal/programme"
	"gapwatch/services/internal/pseudonym"
)

// Door decides what becomes of submissions. It may be used by several goroutines at once.
//
// # Versions
//
// The newest version of a record decides, whatever changed in it, so a version that counts for no programme must still
// reach the store where an earlier one may be counting: it goes there as a retraction of the record. What a version says
// may be judged differently when programmes, seasons or mapping have changed since, and a sender who then sends the same
// again must be able to count. So versions of one time are told apart by up to a microsecond either way. From the one that
// gives way to all others to the one that wins:
//
//  1. counts for no programme, and nothing is known of earlier versions: a retraction, a microsecond earlier
//  2. counts, first or unknown revision
//  3. by the sender's word does not count (not done, subpotent, incomplete), first or unknown; or a correction that counts
//     for no programme: a retraction at that time
//  4. a correction that counts: a microsecond later
//  5. a correction that by the sender's word does not count; the sender's own retraction: a retraction, a microsecond later
//
// Versions that a sender made within two microseconds of each other are taken for versions of one time. A first version that does
// not count is not published at all.
type Door struct {
	Programmes *programme.Set   // required
	Mapping    *mapping.Tables  // required, of the same programmes
	Keys       pseudonym.Keys   // required
	Postcodes  *postcode.Index  // nil where there is no look-up: then no postcode is known
	Now        func() time.Time // required: the clock that "in the future" is judged by

	once    sync.Once
	decoder event.Decoder
	day     atomic.Uint64 // the hour that was asked for last, and the London day that it lies in
}

// today is the London day of a moment. Midnight in London is on the hour everywhere, so one answer holds for an hour.
func (d *Door) today(now time.Time) calendar.Day {
	hour := uint64(uint32(now.Unix() / 3600))
	if kept := d.day.Load(); kept>>32 == hour {
		return calendar.Day(int32(uint32(kept)))
	}
	day := calendar.Of(now)
	d.day.Store(hour<<32 | uint64(uint32(day)))
	return day
}

// Any in a list of a [Scope] stands for everything.
const Any = "*"

// Scope is what a sender may send. An empty list allows nothing.
type Scope struct {
	Sources    []string // URIs as in the events, exactly; or Any
	Programmes []string // ids; or Any
}

func (s Scope) source(source string) bool {
	return slices.Contains(s.Sources, source) || slices.Contains(s.Sources, Any)
}

func (s Scope) programme(p *programme.Programme) bool {
	return slices.Contains(s.Programmes, p.ID) || slices.Contains(s.Programmes, Any)
}

// Result is what becomes of a submission that is not refused. Nothing in it tells the person, birth date or postcode.
type Result struct {
	// Publish says that Event is to be published under Subject with MsgID as its message id; Payload is its JSON.
	Publish        bool
	Event          event.Event
	Payload        []byte // the caller's to keep
	Subject, MsgID string

	// NoProgramme says that the record counts for no programme. Publish may be true all the same: then an earlier version
	// of the record may be counting, and Event retracts it.
	NoProgramme bool
	// Why says what the sender should know, one of [Whys]: why there is no programme, or what was left out. May be empty.
	Why string
	// Record is what the record is called in answers and logs: the HMAC that is also Event.Record.
	Record string
}

// Admit decides what becomes of a submission of a sender: a result, or the problem that refuses it. Both depend on
// nothing but the submission, the scope, the door and the clock; the clock decides only what is in the future and which
// seasons are still kept. The same submission always has the same event id.
//
// A submission is judged in this order: who sent what kind of record, whose it is, whether it counts for a programme, and
// last, as the event that it became, by the collector's own decoder.
func (d *Door) Admit(s *Submission, scope Scope) (Result, *Problem) {
	d.once.Do(func() { d.decoder.Programmes, d.decoder.Now = d.Programmes, d.Now })
	a := admission{door: d, s: s, scope: scope, now: d.Now()}
	a.today = d.today(a.now)
	if p := a.envelope(); p != nil {
		return Result{}, p
	}
	if p := a.person(); p != nil {
		return Result{}, p
	}
	if s.Status == event.EnteredInError {
		return a.retraction(time.Microsecond, false, "")
	}
	if why := notCounted(s); why != "" {
		later := time.Duration(0)
		if s.Revision == Correction {
			later = time.Microsecond
		}
		return a.uncounted(later, why)
	}
	if p := a.when(); p != nil {
		return Result{}, p
	}
	why, p := a.place()
	if p != nil {
		return Result{}, p
	}
	if why != "" {
		later := -time.Microsecond
		if s.Revision == Correction {
			later = 0
		}
		return a.uncounted(later, why)
	}
	return a.counted()
}

// notCounted is why a submission does not count by the sender's own word; empty if it does.
func notCounted(s *Submission) string {
	why := ""
	switch {
	case s.Status == event.NotDone:
		why = WhyNotDone
	case s.Subpotent:
		why = WhySubpotent
	case s.Incomplete:
		why = WhyIncomplete
	}
	if why != "" && s.Why != "" {
		return s.Why
	}
	return why
}

// admission is one submission on its way.
type admission struct {
	door  *Door
	s     *Submission
	scope Scope
	now   time.Time
	today calendar.Day

	e     event.Event
	named *programme.Programme // by the sender; nil if it names none, or one that there is not
	birth mapping.Birth
	kinds mapping.Kinds // that the codes stand for
	by    string        // the part of the submission that says so
	why   string
}

// refuse is a problem with a part of the submission.
func (a *admission) refuse(reason, part, rule string) *Problem {
	field := part
	if a.s.Where != nil {
		field = a.s.Where(part)
	}
	return &Problem{Reason: reason, Field: field, Rule: rule}
}

func (a *admission) missing(part string) *Problem {
	return a.refuse(string(event.MissingField), part, "must be there")
}

// envelope checks who sends what kind of record, and which version of it.
func (a *admission) envelope() *Problem {
	s := a.s
	switch {
	case s.Source == "":
		return a.missing("Source")
	case strings.TrimSpace(s.Record) == "":
		return a.missing("Record")
	case s.Time.IsZero():
		return a.missing("Time")
	case !a.scope.source(s.Source):
		return a.refuse(NotAllowed, "Source", "must be a source that the sender may send")
	case s.Status != event.Completed && s.Status != event.NotDone && s.Status != event.EnteredInError:
		return a.refuse(string(event.UnknownStatus), "Status", "must be completed, entered-in-error or not-done")
	case s.Type != "" && s.Type != event.TypeVaccination && s.Type != event.TypeHealthCheck:
		return a.refuse(string(event.UnknownType), "Type", "must be one of the types that are taken")
	}
	if s.Programme != "" {
		p, known := a.door.Programmes.Get(s.Programme)
		switch {
		case known && a.scope.programme(p) && (s.Type == "" || s.Type == p.EventType):
			a.named = p
		case s.Status == event.EnteredInError: // it counts for nothing: any programme will do
		case !known:
			return a.refuse(string(event.UnknownProgramme), "Programme", "must be an id from programmes.yaml")
		case !a.scope.programme(p):
			return a.refuse(NotAllowed, "Programme", "must be a programme that the sender may send")
		default:
			return a.refuse(string(event.SubjectMismatch), "Type", "must be the type of the programme's events")
		}
	}
	a.e.Type = s.Type
	if a.e.Type == "" && a.named != nil {
		a.e.Type = a.named.EventType
	}
	a.e.Source = s.Source
	a.e.Record = a.door.Keys.Record(s.Source, s.Record)
	a.e.Time = s.Time.Truncate(time.Microsecond).UTC()
	return a.codes()
}

// person finds the pseudonym.
func (a *admission) person() *Problem {
	s, keys := a.s, a.door.Keys
	if s.Person == (event.Pseudonym{}) {
		n, err := pseudonym.ParseNHSNumber(s.NHSNumber)
		if errors.Is(err, pseudonym.ErrMissing) {
			return a.missing("NHSNumber")
		}
		if err != nil {
			return a.refuse(BadNHSNumber, "NHSNumber", err.Error())
		}
		if s.Status != event.EnteredInError {
			// Of several vaccinations under one id only the newest would count.
			if id, err := pseudonym.ParseNHSNumber(s.Record); err == nil && id == n {
				return a.refuse(PersonalData, "Record", "must not be the person's NHS number: each record needs an id of its own")
			}
		}
		a.e.PersonKey, a.e.Person, a.e.Previous = keys.Person(n)
		return nil
	}
	if s.NHSNumber != "" {
		return a.refuse(string(event.NotPseudonym), "NHSNumber", "must not be given beside a pseudonym")
	}
	none := s.Previous == event.Pseudonym{}
	switch {
	case s.PersonKey == "":
		return a.missing("PersonKey")
	case s.PersonKey == keys.CurrentID() && none && keys.PreviousID() != "":
		return a.refuse(string(event.MissingField), "Previous", "must be there during a key change: the same person's pseudonym under the key before")
	case s.PersonKey == keys.PreviousID() && !none:
		return a.refuse(string(event.NotPseudonym), "Previous", "must be left out where the pseudonym is under the key before")
	case s.PersonKey != keys.CurrentID() && s.PersonKey != keys.PreviousID():
		return a.refuse(BadPersonKey, "PersonKey", "must be the id of the key that is in use, or of the key before during a key change")
	}
	a.e.Person, a.e.PersonKey, a.e.Previous = s.Person, s.PersonKey, s.Previous
	return nil
}

// when checks the day and the birth date.
func (a *admission) when() *Problem {
	s := a.s
	if s.OccurredAt == "" {
		return a.missing("OccurredAt")
	}
	var ok bool
	if a.e.Day, ok = event.ParseDay(s.OccurredAt); !ok {
		return a.refuse(string(event.BadDay), "OccurredAt", "must be a date or a time as in RFC 3339")
	}
	if a.e.Day < firstDay {
		return a.refuse(string(event.BadDay), "OccurredAt", "must not be before 1900")
	}
	if a.e.Day > a.today {
		return a.refuse(string(event.BadDay), "OccurredAt", "must not be after today in Europe/London")
	}
	if s.BirthDate == "" {
		return nil
	}
	if a.birth, ok = mapping.ParseBirth(s.BirthDate); !ok {
		return a.refuse(BadBirthDate, "BirthDate", "must be a date from 1900 on, YYYY-MM-DD, or its year or month")
	}
	if a.birth.First() > a.e.Day {
		return a.refuse(BadBirthDate, "BirthDate", "must not be after the day it was done")
	}
	return nil
}

// firstDay is the first day that events are taken for.
var firstDay = calendar.Date(1900, 1, 1)

// counted finishes an event that counts.
func (a *admission) counted() (Result, *Problem) {
	s := a.s
	if a.birth == mapping.Born(a.e.Day) {
		return Result{}, a.refuse(PersonalData, "OccurredAt", "must not be the birth date, which an event does not carry")
	}
	a.e.Status = event.Completed
	if s.Revision == Correction {
		a.e.Correction = true
		a.e.Time = a.e.Time.Add(time.Microsecond)
	}
	a.e.LSOA = s.LSOA
	if s.LSOA == "" && s.Postcode != "" {
		a.area()
	}
	a.e.Ethnicity, a.e.Practice, a.e.Provider = s.Ethnicity, s.Practice, s.Provider
	if a.e.Plus = s.Plus; len(s.Plus) > 1 {
		a.e.Plus = slices.Clone(s.Plus)
		slices.Sort(a.e.Plus)
		a.e.Plus = slices.Compact(a.e.Plus)
	}
	return a.finish(Result{})
}

// area finds the LSOA of the postcode. One that is not known never drops an event.
func (a *admission) area() {
	why := WhyBadPostcode
	if code, ok := postcode.Parse(a.s.Postcode); ok {
		var known bool
		if a.e.LSOA, known = a.door.Postcodes.Get(code); known {
			return
		}
		why = WhyUnknownPostcode
	}
	if a.why != "" {
		why = a.why + "; " + why
	}
	a.why = why
}

// finish gives the event its id and puts it through the collector's own gate.
func (a *admission) finish(r Result) (Result, *Problem) {
	e := &a.e
	if p := a.leaks(); p != nil {
		return Result{}, p
	}
	v := event.NewVersion(e)
	e.ID = id(e.Record, v)
	payload := event.Encode(e)
	subject := event.Subject(e)
	stored, rejection := a.door.decoder.DecodeAt(subject, payload, a.now)
	if rejection != nil {
		return Result{}, a.refuse(string(rejection.Reason), a.part(rejection.Field), rejection.Detail)
	}
	r.Publish, r.Event, r.Payload, r.Subject, r.MsgID = true, stored, payload, subject, event.MsgID(e)
	r.Record, r.Why = e.Record, a.why
	return r, nil
}

// id is the id of a version of a record: the same for the same content.
func id(record string, v event.Version) string {
	var version [16]byte
	for i := range 8 {
		version[i] = byte(v.Micros >> (56 - 8*i))
		version[8+i] = byte(v.Precedence >> (56 - 8*i))
	}
	text := make([]byte, 0, len(record)+1+2*len(version))
	text = append(append(text, record...), '-')
	return string(hex.AppendEncode(text, version[:]))
}

// part is the part of a submission that a field of an event comes from.
func (a *admission) part(field string) string {
	if field == "data.person" && a.s.Person != (event.Pseudonym{}) {
		return "Person"
	}
	if p, ok := parts[field]; ok {
		return p
	}
	return field
}

var parts = map[string]string{
	"id": "Record", "source": "Source", "type": "Type", "time": "Time", "data.record": "Record", "data.status": "Status",
	"data.person": "NHSNumber", "data.personKey": "PersonKey", "data.personPrevious": "Previous", "data.programme": "Programme",
	"data.occurredAt": "OccurredAt", "data.lsoa": "LSOA", "data.dose": "Dose", "data.cohort": "Cohort",
	"data.ethnicity": "Ethnicity", "data.practice": "Practice", "data.provider": "Provider", "data.plus": "Plus",
	"data.correction": "Revision",
}
