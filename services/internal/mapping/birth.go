package mapping

import (
	"strconv"
	"time"

	"gapwatch/services/internal/calendar"
)

// Birth is the days that somebody may be born on, both included. The zero value means that nothing is known.
type Birth struct {
	first, last calendar.Day
	known       bool
}

// Known tells whether anything is known.
func (b Birth) Known() bool { return b.known }

// First is the earliest day of birth.
func (b Birth) First() calendar.Day { return b.first }

// Born is the Birth of somebody born on that day.
func Born(day calendar.Day) Birth { return Birth{first: day, last: day, known: true} }

// ParseBirth reads a birth date from 1900 on: YYYY-MM-DD, or as much of it as is known, YYYY-MM or YYYY.
func ParseBirth(text string) (Birth, bool) {
	if len(text) != 4 && len(text) != 7 && len(text) != 10 {
		return Birth{}, false
	}
	year, ok := digits(text[:4])
	if !ok || year < 1900 {
		return Birth{}, false
	}
	if len(text) == 4 {
		return Birth{calendar.Date(year, 1, 1), calendar.Date(year, 12, 31), true}, true
	}
	month, ok := digits(text[5:7])
	if !ok || text[4] != '-' || month < 1 || month > 12 {
		return Birth{}, false
	}
	first := calendar.Date(year, time.Month(month), 1)
	next := calendar.Date(year, time.Month(month)+1, 1)
	if len(text) == 7 {
		return Birth{first, next - 1, true}, true
	}
	day, ok := digits(text[8:])
	born := first + calendar.Day(day) - 1
	if !ok || text[7] != '-' || day < 1 || born >= next {
		return Birth{}, false
	}
	return Born(born), true
}

func digits(text string) (int, bool) {
	for _, c := range []byte(text) {
		if c < '0' || c > '9' {
			return 0, false
		}
	}
	n, err := strconv.Atoi(text)
	return n, err == nil
}

// birthday is the day on which somebody born on a day reaches an age. Who is born on 29 February does so on 1 March of a
// year without that day.
func birthday(born calendar.Day, age int) calendar.Day { return born.AddMonths(12 * age) }

// bornBy is the last day of birth of those who have reached an age on a day.
func bornBy(age int, on calendar.Day) calendar.Day {
	born := on.AddMonths(-12*age) + 1
	for birthday(born, age) > on {
		born--
	}
	return born
}

// span is a stretch of days, both ends included.
type span struct{ first, last calendar.Day }

// ever is all days.
var ever = span{-calendar.Far, calendar.Far}

func (s span) empty() bool { return s.first > s.last }

func (s span) and(o span) span { return span{max(s.first, o.first), min(s.last, o.last)} }

// ageOn is the days of birth of those whose age on a day is within [from, to].
func ageOn(from, to int, on calendar.Day) span {
	s := ever
	if from > 0 {
		s.last = bornBy(from, on)
	}
	if to < anyAge {
		s.first = bornBy(to+1, on) + 1
	}
	return s
}

// anyAge is older than anybody.
const anyAge = 1000
