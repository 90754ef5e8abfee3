package fhir

import (
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"gapwatch/services/internal/admit"
	"gapwatch/services/internal/event"
)

// The systems of NHS England and of UK Core that persons and organisations are read by.
const (
	nhsNumberSystem = "https://fhir.nhs.uk/Id/nhs-number"
	odsSystem       = "https://fhir.nhs.uk/Id/ods-organization-code"
	odsSiteSystem   = "https://fhir.nhs.uk/Id/ods-site-code"

	ethnicExtension     = "https://fhir.hl7.org.uk/StructureDefinition/Extension-UKCore-EthnicCategory"
	ethnicSystem        = "https://fhir.hl7.org.uk/CodeSystem/UKCore-EthnicCategory"
	ethnicEnglandSystem = "https://fhir.hl7.org.uk/CodeSystem/UKCore-EthnicCategoryEngland"
)

// person finds who it was done to: the Patient that field refers to, or the NHS number that the reference itself gives. day is when
// it was done, for the address; it need not be well formed.
func (r *reader) person(sub *admit.Submission, ref *reference, field, day string) *admit.Problem {
	if ref == nil {
		return missing(field, "must be there")
	}
	if ref.Type != "" && ref.Type != "Patient" {
		return bad(admit.BadPatient, field+".type", "must be Patient")
	}
	own := ""
	if ref.Identifier != nil && ref.Identifier.System == nhsNumberSystem {
		own = ref.Identifier.Value
	}
	found, problem := r.patient(ref, field, own != "")
	if problem != nil {
		return problem
	}
	if found.text == nil {
		sub.NHSNumber = own
		r.places.person, r.places.number = field, "identifier.value"
		r.places.postcode, r.places.ethnicity = "identifier", "identifier"
		return nil
	}
	p := r.patientAt(found)
	if p.problem != nil {
		problem := *p.problem
		return &problem
	}
	r.places.person = found.at
	if problem := r.who(sub, &p.patient, found.at); problem != nil {
		return problem
	}
	if own != "" && digitsOf(own) != digitsOf(sub.NHSNumber) {
		return bad(admit.BadPatient, field+".identifier.value", "must be the NHS number of the Patient that is referred to")
	}
	if problem := r.about(sub, p, found.at, day); problem != nil && sub.Status != event.EnteredInError {
		return problem
	}
	return nil
}

// patient finds the Patient that ref leads to. Its text is nil where that is none that came along, which is no problem where
// identified says that ref gives the NHS number itself.
func (r *reader) patient(ref *reference, field string, identified bool) (none target, _ *admit.Problem) {
	inside := -1
	r.look()
	for i, h := range r.heads {
		if h.kind == "Patient" {
			if inside >= 0 {
				return none, bad(admit.BadPatient, "contained", "must hold one Patient, not several")
			}
			inside = i
		}
	}
	refers := field + ".reference"
	if ref.Reference == "" {
		switch {
		case inside >= 0:
			return none, missing(refers, "must be there and lead to the contained Patient")
		case !identified:
			return none, bad(admit.BadPatient, field, "must refer to a Patient that came along, or have an identifier that is an NHS number")
		}
		return none, nil
	}
	if inside >= 0 && ref.Reference[0] != '#' {
		return none, bad(admit.BadPatient, refers, "must lead to the contained Patient: # and its id")
	}
	to, found := r.resolve(ref.Reference)
	switch found {
	case foundSeveral:
		return none, bad(admit.BadPatient, refers, "must lead to one resource of the Bundle, not several")
	case foundOne:
		if to.kind != "Patient" {
			return none, bad(admit.BadPatient, refers, "must lead to a Patient")
		}
		return to, nil
	}
	// A reference to a place elsewhere may be all that there is beside an identifier; a contained resource is here or nowhere.
	if ref.Reference[0] == '#' || !identified {
		return none, bad(admit.BadPatient, refers, "must lead to a Patient that is contained or in the Bundle, or stand beside an identifier that is an NHS number")
	}
	return none, nil
}

// who finds the NHS number of a Patient.
func (r *reader) who(sub *admit.Submission, p *patient, at string) *admit.Problem {
	if problem := mustUnderstand(p.ImplicitRules, p.ModifierExtension, at); problem != nil {
		return problem
	}
	for i, x := range p.Link {
		if x.Type == "replaced-by" {
			return bad(admit.BadPatient, below(at, index("link", i)), "must not be replaced-by: send the Patient that replaces this one")
		}
	}
	for i, x := range p.Identifier {
		// An old one was another number of the person's, such as one of two that were merged.
		if x.System != nhsNumberSystem || x.Value == "" || x.Use == "old" {
			continue
		}
		if sub.NHSNumber == "" {
			sub.NHSNumber, r.places.number = x.Value, index("identifier", i)+".value"
		} else if digitsOf(x.Value) != digitsOf(sub.NHSNumber) {
			return bad(admit.BadPatient, below(at, "identifier"), "must hold one NHS number, not several that differ")
		}
	}
	if sub.NHSNumber == "" {
		return missing(below(at, "identifier"), "must hold an NHS number (system "+nhsNumberSystem+")")
	}
	return nil
}

func digitsOf(number string) string {
	return strings.Map(func(c rune) rune {
		if c == ' ' || c == '-' {
			return -1
		}
		return c
	}, number)
}

// person is a Patient that was read.
type person struct {
	patient
	problem  *admit.Problem
	practice string // its ODS code
	at       string // where that stands within the Patient
}

// patientAt reads a Patient, once for all records of a Bundle.
func (r *reader) patientAt(t target) *person {
	if t.entry >= 0 && r.in.people[t.entry] != nil {
		return r.in.people[t.entry]
	}
	p := &person{}
	if p.problem = parse(t.text, &p.patient, t.at); p.problem == nil {
		p.practice, p.at = r.within(t, p.Contained).practice(&p.patient)
	}
	if t.entry >= 0 {
		r.in.people[t.entry] = p
	}
	return p
}

// practice finds the ODS code of the practice, and where it stands.
func (r *reader) practice(p *patient) (code, at string) {
	for i := range p.GeneralPractitioner {
		if code, ok := r.organisation(&p.GeneralPractitioner[i], 0); ok {
			return code, index("generalPractitioner", i)
		}
	}
	if p.ManagingOrganization != nil {
		if code, ok := r.organisation(p.ManagingOrganization, 0); ok {
			return code, "managingOrganization"
		}
	}
	return "", ""
}

// about reads what else counts about a Patient.
func (r *reader) about(sub *admit.Submission, p *person, at, day string) *admit.Problem {
	if p.BirthDate != "" && !isDate(p.BirthDate) {
		return bad(admit.BadBirthDate, below(at, "birthDate"), "must be a date, a month or a year")
	}
	sub.BirthDate = p.BirthDate
	r.places.postcode = "address"
	i, problem := residence(p.Address, at, day)
	if problem != nil {
		return problem
	}
	if i >= 0 {
		sub.Postcode, r.places.postcode = p.Address[i].PostalCode, index("address", i)+".postalCode"
	}
	sub.Ethnicity, r.places.ethnicity = ethnicity(p.Extension)
	if p.practice != "" {
		sub.Practice, r.places.practice = p.practice, below(at, p.at)
	}
	return nil
}

// residence picks where the person lived on a day: a home address before one without a use before a temporary one; never an old
// one, a work or billing one, one for post only, or one whose period does not hold the day. -1: none, or several postcodes
// that nothing chooses between, since an unknown area is better than a wrong one.
func residence(addresses []address, at, day string) (int, *admit.Problem) {
	best, rank, several := -1, 0, false
	for i, a := range addresses {
		n := 0
		switch a.Use {
		case "home":
			n = 3
		case "":
			n = 2
		case "temp":
			n = 1
		case "old", "work", "billing":
		default:
			return -1, bad(admit.BadValue, below(at, index("address", i)+".use"), "must be home, work, temp, old or billing")
		}
		if p := a.Period; p != nil {
			if p.Start != "" && !isDateTime(p.Start) || p.End != "" && !isDateTime(p.End) {
				return -1, bad(admit.BadValue, below(at, index("address", i)+".period"), "must be from and to a date, or a date and a time with an offset")
			}
			if !p.holds(day) {
				n = 0
			}
		}
		if n == 0 || a.PostalCode == "" || a.Type == "postal" {
			continue
		}
		switch {
		case n > rank:
			best, rank, several = i, n, false
		case n == rank && !samePostcode(a.PostalCode, addresses[best].PostalCode):
			several = true
		}
	}
	if several {
		return -1, nil
	}
	return best, nil
}

func isDateTime(text string) bool {
	_, ok := dateTime(text)
	return ok
}

// holds tells whether a day lies in a period. Its ends belong to it, and one that is only a month or a year is all of that.
func (p *period) holds(day string) bool {
	day = cut(day, len("2006-01-02"))
	start, end := cut(p.Start, len(day)), cut(p.End, len(day))
	return cut(day, len(start)) >= start && cut(day, len(end)) <= end
}

func cut(text string, n int) string { return text[:min(n, len(text))] }

func samePostcode(a, b string) bool {
	return strings.EqualFold(strings.ReplaceAll(a, " ", ""), strings.ReplaceAll(b, " ", ""))
}

// ethnicity reads the NHS ethnic category 2001 out of the extension of UK Core. A second character is local use and left away; 99 is
// "not known", which is the same as nothing said.
func ethnicity(list []extension) (code, at string) {
	for i, x := range list {
		if x.URL != ethnicExtension || x.ValueCodeableConcept == nil {
			continue
		}
		for n, c := range x.ValueCodeableConcept.Coding {
			if c.System != ethnicSystem && c.System != ethnicEnglandSystem || c.Code == "" || c.Code == "99" {
				continue
			}
			code := c.Code
			if len(code) == 2 {
				code = code[:1]
			}
			return code, index("extension", i) + ".valueCodeableConcept." + index("coding", n) + ".code"
		}
	}
	return "", "extension"
}

// hops is how many resources lie between a reference and the organisation that it stands for: a role and its location, say.
const hops = 3

// organisation finds the ODS code that a reference stands for: its own identifier, or that of the organisation it leads to in the
// resource or the Bundle. Where it leads nowhere, or to somebody without an ODS code, nobody is known.
func (r *reader) organisation(ref *reference, hop int) (string, bool) {
	if code, ok := ods(ref.Identifier); ok {
		return code, true
	}
	if ref.Reference == "" || hop == hops {
		return "", false
	}
	to, found := r.resolve(ref.Reference)
	if found != foundOne {
		return "", false
	}
	switch to.kind {
	case "Organization", "Location", "HealthcareService", "PractitionerRole":
	default:
		return "", false
	}
	known, key := r.memory(to), foundAt{to.index(), hop}
	code, there := known.organisations[key]
	if !there {
		code = r.party(to, hop)
		if known.organisations == nil {
			known.organisations = map[foundAt]string{}
		}
		known.organisations[key] = code
	}
	return code, code != ""
}

// party reads the ODS code of an organisation; empty if it has none.
func (r *reader) party(at target, hop int) string {
	var p party
	if parse(at.text, &p, "") != nil {
		return ""
	}
	for i := range p.Identifier {
		if code, ok := ods(&p.Identifier[i]); ok {
			return code
		}
	}
	within := r.within(at, p.Contained)
	for _, next := range [...]*reference{p.Organization, p.ManagingOrganization, p.ProvidedBy} {
		if next != nil {
			if code, ok := within.organisation(next, hop+1); ok {
				return code
			}
		}
	}
	return ""
}

// found is what was read of resources that references lead to: many may lead to one, and it is read once.
type found struct {
	organisations map[foundAt]string // ODS codes
	readings      map[int][2]bool    // of observations: whether they are a systolic and a diastolic value
}

type foundAt struct{ index, hop int }

// memory is where what was read of a target is kept.
func (r *reader) memory(t target) *found {
	if t.entry >= 0 {
		return &r.in.found
	}
	return &r.found
}

// ods reads an ODS code. X99999 and X99998 are what NHS forms hold for "not known" and "not applicable".
func ods(x *identifier) (string, bool) {
	if x == nil || x.System != odsSystem && x.System != odsSiteSystem || x.Value == "" || x.Use == "old" {
		return "", false
	}
	code := strings.ToUpper(x.Value)
	return code, code != "X99999" && code != "X99998"
}

// What came of a reference.
type finding uint8

const (
	foundNone finding = iota
	foundOne
	foundSeveral
)

// target is the resource that a reference leads to.
type target struct {
	text   []byte
	kind   string
	at     string
	entry  int // of the Bundle; -1 for one that is contained
	inside int // of contained
}

func (t target) index() int {
	if t.entry >= 0 {
		return t.entry
	}
	return t.inside
}

// within is a reader of the references in a resource that a reference led to.
func (r *reader) within(t target, contained []jsontext.Value) *reader {
	if t.entry < 0 {
		return r // contained beside it
	}
	return &reader{o: r.o, in: r.in, entry: t.entry, contained: contained}
}

// resolve finds the resource that a reference leads to.
func (r *reader) resolve(ref string) (none target, _ finding) {
	if ref[0] != '#' {
		if r.in == nil {
			return none, foundNone
		}
		return r.in.resolve(ref, r.entry)
	}
	r.look()
	at, ok := r.byID[ref[1:]]
	switch {
	case !ok:
		return none, foundNone
	case at.several:
		return none, foundSeveral
	}
	return target{text: r.contained[at.entry], kind: r.heads[at.entry].kind, at: index("contained", at.entry), entry: -1, inside: at.entry}, foundOne
}

// look finds out what the contained resources are, once.
func (r *reader) look() {
	if r.heads != nil || len(r.contained) == 0 {
		return
	}
	r.heads, r.byID = make([]heading, len(r.contained)), make(map[string]place, len(r.contained))
	for i, text := range r.contained {
		h := &r.heads[i]
		if h.kind, h.id = head(text); h.id != "" {
			at, several := r.byID[h.id]
			if !several {
				at.entry = i
			}
			at.several = several
			r.byID[h.id] = at
		}
	}
}
