package fhir

import (
	"bytes"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"gapwatch/services/internal/admit"
	"gapwatch/services/internal/calendar"
	"gapwatch/services/internal/event"
	"gapwatch/services/internal/mapping"
)

// reader reads one resource.
type reader struct {
	o     Options
	in    *bundle // to look references up in; nil outside a Bundle
	entry int     // of it

	contained []jsontext.Value
	heads     []heading // of contained, once looked at
	byID      map[string]place
	found     found // of contained
	places    places
}

// heading is what a contained resource is called.
type heading struct{ kind, id string }

// places say where the parts of a submission stand, for what the door refuses. All but person are paths within the resource.
type places struct {
	source, record, time, occurred, dose string
	checks, practice, provider           string
	person                               string // of the Patient, or of the reference if there is none
	number, postcode, ethnicity          string // within person
	procedures                           string
	diseases                             string
}

// where is [admit.Submission.Where].
func (p *places) where(part string) string { return named(p.at(part)) }

func (p *places) at(part string) string {
	switch part {
	case "Source":
		return p.source
	case "Record":
		return p.record
	case "Time", "Revision":
		return p.time
	case "Status":
		return "status"
	case "NHSNumber", "Person", "PersonKey", "Previous":
		return below(p.person, p.number)
	case "BirthDate":
		return below(p.person, "birthDate")
	case "Postcode", "LSOA":
		return below(p.person, p.postcode)
	case "Ethnicity":
		return below(p.person, p.ethnicity)
	case "Practice":
		return p.practice
	case "Procedures":
		return p.procedures
	case "Products":
		return "vaccineCode"
	case "Diseases":
		return p.diseases
	case "Checks", "Type", "Programme", "Cohort":
		return p.checks
	case "OccurredAt":
		return p.occurred
	case "Dose", "Doses":
		return p.dose
	case "Provider":
		return p.provider
	}
	return ""
}

var byteOrderMark = []byte("\uFEFF")

// read reads a resource. kind is the resource's type if it is known.
func (r *reader) read(text []byte) (kind string, sub admit.Submission, problem *admit.Problem, skip bool) {
	text = bytes.TrimPrefix(text, byteOrderMark)
	if problem := judgeText(text); problem != nil {
		return "", sub, problem, false
	}
	kind = kindOf(text)
	switch kind {
	case "Immunization":
		var in immunization
		if problem = parse(text, &in, ""); problem == nil {
			sub, problem = r.immunization(&in)
		}
	case "Observation":
		var in observation
		if problem = parse(text, &in, ""); problem == nil {
			sub, problem = r.observation(&in)
		}
	default:
		// Whatever it is, it must be JSON.
		problem = parse(text, &struct{}{}, "")
		switch {
		case problem != nil:
		case kind == "":
			problem = bad(admit.NotFHIR, "resourceType", "must be Immunization or Observation, or the type of a resource that goes with them")
		case kind == "Bundle":
			problem = bad(admit.NotSupported, "resourceType", "must not be Bundle where one resource is expected")
		default:
			return kind, sub, nil, true
		}
	}
	if problem != nil {
		if sub.Record == "" {
			sub.Source, sub.Record = r.named(kind, text)
		}
		return kind, admit.Submission{Source: sub.Source, Record: sub.Record}, problem, false
	}
	found := r.places
	sub.Where = found.where
	return kind, sub, nil, false
}

// named finds which record a resource is of that could not be decoded, so that its sender can find it by its name.
func (r *reader) named(kind string, text []byte) (source, record string) {
	var in struct {
		ID         string       `json:"id"`
		Identifier []identifier `json:"identifier"`
	}
	if kind != "Immunization" && kind != "Observation" || parse(text, &in, "") != nil {
		return "", ""
	}
	source, record, _ = r.identify(kind, in.ID, in.Identifier)
	return source, record
}

// mustUnderstand refuses what may change the meaning of an element in a way that is not known here: FHIR R4 says that such an
// element must not be processed.
func mustUnderstand(implicitRules string, modifiers []jsontext.Value, at string) *admit.Problem {
	if implicitRules != "" {
		return bad(admit.NotSupported, below(at, "implicitRules"), "must not be there: rules that are not known here could change what the resource says")
	}
	if len(modifiers) > 0 {
		return bad(admit.NotSupported, below(at, "modifierExtension[0]"), "must not be there: an extension that is not known here could change what the element says")
	}
	return nil
}

// uriSystem is the identifier system of values that are URIs themselves.
const uriSystem = "urn:ietf:rfc:3986"

// ofResource is places.record of a record without a business identifier.
const ofResource = "id"

// identify finds which record a resource is a version of (see the package comment).
func (r *reader) identify(kind, id string, identifiers []identifier) (source, record string, _ *admit.Problem) {
	if len(id) > 0 && !isID(id) {
		return "", "", bad(string(event.BadIdentifier), "id", "must be 1 to 64 letters, digits, hyphens and dots")
	}
	best, rank, several := -1, 0, false
	for i, x := range identifiers {
		n, ok := identifierRank(x.Use)
		if !ok {
			return "", "", bad(string(event.BadIdentifier), index("identifier", i)+".use", "must be usual, official, temp, secondary or old")
		}
		if n == 0 || x.System == "" || x.Value == "" {
			continue
		}
		switch {
		case n > rank:
			best, rank, several = i, n, false
		case n == rank && (x.System != identifiers[best].System || x.Value != identifiers[best].Value):
			several = true
		}
	}
	switch {
	case several:
		return "", "", bad(string(event.BadIdentifier), "identifier", "must be one, or have one with use official: several of the same use do not say which record this is")
	case best >= 0:
		x := identifiers[best]
		r.places.record = index("identifier", best) + ".value"
		r.places.source = index("identifier", best) + ".system"
		if x.System == uriSystem {
			return r.o.Source, x.Value, nil
		}
		return x.System, x.Value, nil
	case len(identifiers) > 0 && id == "":
		return "", "", bad(string(event.BadIdentifier), "identifier", "must have a system and a value, and a use that is not temp or old")
	case id == "":
		return "", "", missing("identifier", "must be there (a system and a value), or an id")
	}
	r.places.record, r.places.source = ofResource, "identifier"
	return r.o.Source, kind + "/" + id, nil
}

// identifierRank orders the codes of Identifier.use; 0 = does not name a record for good.
func identifierRank(use string) (int, bool) {
	switch use {
	case "official":
		return 3, true
	case "usual", "":
		return 2, true
	case "secondary":
		return 1, true
	case "temp", "old":
		return 0, true
	}
	return 0, false
}

// isID tells whether text is of the FHIR type id.
func isID(text string) bool {
	if len(text) > 64 {
		return false
	}
	for i := range len(text) {
		c := text[i]
		if (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') && c != '-' && c != '.' {
			return false
		}
	}
	return true
}

// revision is what meta.versionId says about earlier versions. It is a number of the server that has the resource: 1 promises nothing
// about a record that goes by its business identifier, which another server may have sent before.
func (r *reader) revision(versionID string) admit.Revision {
	switch {
	case versionID == "" || strings.Trim(versionID, "0123456789") != "":
		return admit.UnknownRevision
	case versionID != "1":
		return admit.Correction
	case r.places.record == ofResource:
		return admit.First
	}
	return admit.UnknownRevision
}

const instantRule = "must be an instant: a date and a time with seconds and an offset"

// version finds when the version was made (see the package comment). last is the element that says it where nothing else does.
func (r *reader) version(m *meta, last, field string) (time.Time, *admit.Problem) {
	var updated, own time.Time
	var ok bool
	if m.LastUpdated != "" {
		if updated, ok = instant(m.LastUpdated); !ok {
			return updated, bad(string(event.BadTime), "meta.lastUpdated", instantRule)
		}
	}
	if last != "" {
		day, ok := dateTime(last)
		if !ok {
			return own, bad(string(event.BadTime), field, "must be a date, or a date and a time with seconds and an offset")
		}
		switch {
		case len(last) > len(time.DateOnly):
			own, _ = instant(last)
		case day:
			d, err := calendar.Parse(last)
			if err != nil {
				return own, bad(string(event.BadTime), field, "must be a date that there is")
			}
			own = d.Begin().UTC()
		}
	}
	e := r.inEntry()
	moments := [...]struct {
		made time.Time
		at   string
	}{{updated, "meta.lastUpdated"}, {at: "Bundle.entry.response.lastModified"}, {r.o.Time, "meta.lastUpdated"}, {own, field}}
	if e != nil {
		moments[1].made, moments[2].at = e.modified, r.in.timeAt
		if r.in.kind == history {
			moments[2].made, moments[3].made = time.Time{}, time.Time{}
		}
		if e.deletion {
			// It is younger than the version that it deletes, which is what the resource says.
			moments[0], moments[1], moments[2] = moments[1], moments[2], moments[0]
		}
	}
	for _, m := range moments {
		if !m.made.IsZero() {
			r.places.time = m.at
			return m.made, nil
		}
	}
	if e != nil && r.in.kind == history {
		return own, missing("meta.lastUpdated", "must be there, or entry.response.lastModified: nothing else tells the versions in a history apart")
	}
	return own, missing("meta.lastUpdated", "must be there, or a Bundle with a timestamp around it, or "+field+" with at least the day")
}

// inEntry is the entry that is read; nil outside a Bundle.
func (r *reader) inEntry() *entry {
	if r.in == nil {
		return nil
	}
	return &r.in.entries[r.entry]
}

// codes are the codings that say what they are a code of.
func codes(c *concept, at string, i int) ([]admit.Code, *admit.Problem) {
	if c == nil || len(c.Coding) == 0 {
		return nil, nil
	}
	return appendCodes(make([]admit.Code, 0, len(c.Coding)), c, at, i)
}

// appendCodes appends them; where they stand is at[i], or at if i is negative.
func appendCodes(to []admit.Code, c *concept, at string, i int) ([]admit.Code, *admit.Problem) {
	for n, x := range c.Coding {
		if x.System == "" || x.Code == "" {
			continue
		}
		if x.System == admit.SNOMED && !mapping.IsSNOMED(x.Code) {
			if i >= 0 {
				at = index(at, i)
			}
			return to, bad(admit.BadCode, at+"."+index("coding", n)+".code", "must be a SNOMED CT identifier whose check digit is right")
		}
		to = append(to, admit.Code{System: x.System, Code: x.Code})
	}
	return to, nil
}
