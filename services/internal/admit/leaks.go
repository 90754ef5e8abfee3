package admit

import (
	"slices"
	"strings"

	"gapwatch/services/internal/calendar"
	"gapwatch/services/internal/mapping"
)

// maxLetters is how many letters an ODS code without a digit has at most: a trust has three, a site five.
const maxLetters = 5

// leaks refuses an event that carries the birth date, the postcode or a name on in a field of another purpose. An ODS code
// may look like a postcode without its space, and a sender's own columns may be mixed up. A name of up to five letters cannot
// be told from an ODS code.
func (a *admission) leaks() *Problem {
	for _, c := range [...]struct{ part, code string }{{"Practice", a.e.Practice}, {"Provider", a.e.Provider}} {
		if len(c.code) > maxLetters && !strings.ContainsAny(c.code, "0123456789") {
			return a.refuse(PersonalData, c.part, "must be an ODS code: one of more than five characters has digits, and this could be a name")
		}
	}
	if a.madeAtBirth() {
		return a.refuse(PersonalData, "Time", "must not be the birth date, which an event does not carry")
	}
	var postcode, born [16]byte
	p := compact(postcode[:0], a.s.Postcode)
	if len(p) < 5 {
		p = nil
	}
	b := compact(born[:0], a.s.BirthDate)
	if len(b) != 8 {
		b = nil
	}
	if p == nil && b == nil {
		return nil
	}
	check := func(part, text string) *Problem {
		if text != "" && (holds(text, p) || holds(text, b)) {
			return a.refuse(PersonalData, part, "must not hold the birth date or the postcode")
		}
		return nil
	}
	if p := check("Practice", a.e.Practice); p != nil {
		return p
	}
	if p := check("Provider", a.e.Provider); p != nil {
		return p
	}
	if p := check("LSOA", a.e.LSOA); p != nil {
		return p
	}
	// A source that the deployment lists for the sender is known to be none, though it may hold a date.
	if !slices.Contains(a.scope.Sources, a.e.Source) {
		if p := check("Source", a.e.Source); p != nil {
			return p
		}
	}
	for _, group := range a.e.Plus {
		if p := check("Plus", group); p != nil {
			return p
		}
	}
	return nil
}

// madeAtBirth tells whether the version was made on the birth date, by UTC or in London: a birth date that stands where the day
// of recording should.
func (a *admission) madeAtBirth() bool {
	born, ok := mapping.ParseBirth(a.s.BirthDate)
	if !ok {
		return false
	}
	made := calendar.Date(a.s.Time.UTC().Date())
	return born == mapping.Born(made) || born == mapping.Born(made+1) && calendar.Of(a.s.Time) == made+1
}

// compact is the letters and digits of a text, in capitals, as far as they have room.
func compact(into []byte, text string) []byte {
	for _, c := range []byte(text) {
		if c = capital(c); c != 0 && len(into) < cap(into) {
			into = append(into, c)
		}
	}
	return into
}

// capital is a letter or digit in capitals, otherwise 0.
func capital(c byte) byte {
	switch {
	case 'a' <= c && c <= 'z':
		return c - ('a' - 'A')
	case 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		return c
	}
	return 0
}

// holds tells whether a text holds what is looked for, whatever else stands between its letters and digits.
func holds(text string, wanted []byte) bool {
	if len(wanted) == 0 || len(text) < len(wanted) {
		return false
	}
	for i := range len(text) {
		n := 0
		for j := i; j < len(text); j++ {
			c := capital(text[j])
			if c == 0 {
				continue
			}
			if c != wanted[n] {
				break
			}
			if n++; n == len(wanted) {
				return true
			}
		}
	}
	return false
}
