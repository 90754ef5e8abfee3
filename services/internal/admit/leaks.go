package admit

import (
	"slices"
	"strings"

	"gapwatch/services/internal/calendar"
	"gapwatch/services/internal/mapping"
	"gapwatch/services/internal/postcode"
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
	if p := a.carried(); p != nil {
		return p
	}
	for _, c := range [...]struct{ part, code string }{{"Practice", a.e.Practice}, {"Provider", a.e.Provider}} {
		if isPostcode(c.code) || isDate(c.code) {
			return a.refuse(PersonalData, c.part, "must be an ODS code: this could be a postcode or a date")
		}
	}
	return nil
}

// carried refuses the birth date and the postcode of the submission itself.
func (a *admission) carried() *Problem {
	var place, born, dayFirst [16]byte
	p := compact(place[:0], a.s.Postcode)
	if len(p) < 5 {
		p = nil
	}
	b := compact(born[:0], a.s.BirthDate)
	var d []byte // as 28/02/1960 is written
	if len(b) != 8 {
		b = nil
	} else {
		d = append(append(append(dayFirst[:0], b[6:]...), b[4:6]...), b[:4]...)
	}
	if p == nil && b == nil {
		return nil
	}
	check := func(part, text string) *Problem {
		if text != "" && (holds(text, p) || holds(text, b) || holds(text, d)) {
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
	// Somebody may live in E01021960 and be born on 1 February 1960: of an LSOA only the year first says something.
	if holds(a.e.LSOA, p) || holds(a.e.LSOA, b) {
		return a.refuse(PersonalData, "LSOA", "must not hold the birth date or the postcode")
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

// isPostcode tells whether a code is a whole postcode of the United Kingdom without its space, as no ODS code is: an area of one
// or two letters, a district of a digit and perhaps another character, and a digit and two letters.
func isPostcode(code string) bool {
	if _, ok := postcode.Parse(code); !ok || len(code) > 7 {
		return false
	}
	district := strings.TrimLeft(code[:len(code)-3], "ABCDEFGHIJKLMNOPQRSTUVWXYZ")
	area := len(code) - 3 - len(district)
	return area <= 2 && (len(district) == 1 || len(district) == 2) && district[0] <= '9'
}

// isDate tells whether a code is a date from 1900 on, year or day first.
func isDate(code string) bool {
	if len(code) != 8 {
		return false
	}
	_, yearFirst := mapping.ParseBirth(code[:4] + "-" + code[4:6] + "-" + code[6:])
	_, dayFirst := mapping.ParseBirth(code[4:] + "-" + code[2:4] + "-" + code[:2])
	return yearFirst || dayFirst
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
