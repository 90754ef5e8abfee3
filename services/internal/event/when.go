package event

import (
	"time"

	"gapwatch/services/internal/calendar"
)

// firstDay is the first day that is taken, and the first that a Date32 column can hold.
var firstDay = calendar.Date(1900, 1, 1)

// parseTime reads a time as in RFC 3339, 2026-10-03T09:30:00Z or with an offset, and cuts it to microseconds, which is
// what is kept. Unlike time.Parse it takes nothing else: no comma, no offset of 25 hours. A leap second is refused,
// as Go and ClickHouse cannot tell it from the next one.
func parseTime(text []byte) (time.Time, bool) {
	var none time.Time
	if len(text) < len("2006-01-02T15:04:05Z") || (text[10] != 'T' && text[10] != 't') || text[13] != ':' || text[16] != ':' {
		return none, false
	}
	year, month, day, ok := parseDate(text[:10])
	hour, okHour := number(text[11:13], 23)
	minute, okMinute := number(text[14:16], 59)
	second, okSecond := number(text[17:19], 59)
	if !ok || !okHour || !okMinute || !okSecond {
		return none, false
	}
	text = text[19:]
	nanos := 0
	if text[0] == '.' {
		i, scale := 1, 100_000_000
		for ; i < len(text) && isDigit(text[i]); i++ {
			nanos += int(text[i]-'0') * scale
			scale /= 10
		}
		if i == 1 || i > 10 {
			return none, false
		}
		text = text[i:]
	}
	offset, ok := parseOffset(text)
	if !ok {
		return none, false
	}
	return time.Date(year, month, day, hour, minute, second-offset, nanos/1000*1000, time.UTC), true
}

// ParseTime reads a time as the field time of an event is read: RFC 3339 with an offset, cut to microseconds.
func ParseTime(text string) (time.Time, bool) { return parseTime([]byte(text)) }

// parseOffset reads Z or +01:00, in seconds east of Greenwich.
func parseOffset(text []byte) (int, bool) {
	if len(text) == 1 && (text[0] == 'Z' || text[0] == 'z') {
		return 0, true
	}
	if len(text) != len("+00:00") || text[3] != ':' || (text[0] != '+' && text[0] != '-') {
		return 0, false
	}
	hours, okHours := number(text[1:3], 23)
	minutes, okMinutes := number(text[4:6], 59)
	seconds := hours*3600 + minutes*60
	if text[0] == '-' {
		seconds = -seconds
	}
	return seconds, okHours && okMinutes
}

// parseDay reads a date, or a time as the Europe/London day that it lies in.
func parseDay(text []byte) (calendar.Day, bool) {
	if len(text) == len("2006-01-02") {
		year, month, day, ok := parseDate(text)
		return calendar.Date(year, month, day), ok
	}
	t, ok := parseTime(text)
	return calendar.Of(t), ok
}

// ParseDay reads a day as the field data.occurredAt of an event is read: a date, or a time as in RFC 3339, which means the
// Europe/London day that it lies in.
func ParseDay(text string) (calendar.Day, bool) { return parseDay([]byte(text)) }

// parseDate reads ten characters as a date that exists.
func parseDate(text []byte) (int, time.Month, int, bool) {
	year, okYear := number(text[:4], 9999)
	month, okMonth := number(text[5:7], 12)
	day, okDay := number(text[8:], 31)
	if !okYear || !okMonth || !okDay || text[4] != '-' || text[7] != '-' || month == 0 || day == 0 {
		return 0, 0, 0, false
	}
	if day > 28 && day > time.Date(year, time.Month(month)+1, 0, 0, 0, 0, 0, time.UTC).Day() {
		return 0, 0, 0, false
	}
	return year, time.Month(month), day, true
}

// number reads digits, and nothing else, up to a greatest value.
func number(text []byte, most int) (int, bool) {
	n := 0
	for _, c := range text {
		if !isDigit(c) {
			return 0, false
		}
		n = n*10 + int(c-'0')
	}
	return n, n <= most
}
