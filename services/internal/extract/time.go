package extract

import (
	"path"
	"strings"
	"time"

	"gapwatch/services/internal/calendar"
	"gapwatch/services/internal/event"
)

// ParseFileTime reads when an extract was made out of the name of an NHS batch file, which ends in an underscore and the time:
// MMR_Vaccinations_v5_X26_20250730T11525000.csv. The last two digits are the hours ahead of UTC, 00 or 01. It is false for
// a name that says no time.
func ParseFileTime(name string) (time.Time, bool) {
	name = path.Base(strings.ReplaceAll(name, `\`, "/"))
	name = strings.TrimSuffix(name, path.Ext(name))
	at := strings.LastIndexByte(name, '_')
	text := name[at+1:]
	if at < 0 || len(text) != len("20250730T11525000") {
		return time.Time{}, false
	}
	written, ok := parseDateAndTime(text)
	if !ok {
		return time.Time{}, false
	}
	return event.ParseTime(written)
}

// parseDate8 writes YYYYMMDD as YYYY-MM-DD.
func parseDate8(text string) (string, bool) {
	if len(text) != 8 || !digits(text) {
		return "", false
	}
	date := text[:4] + "-" + text[4:6] + "-" + text[6:]
	return date, isDate(date)
}

// parseDateAndTime writes YYYYMMDDThhmmss, with the hours ahead of UTC behind it or not, as RFC 3339 does. Without them it
// is UTC, as the specification has it. YYYYMMDD alone becomes a date: only the day counts.
func parseDateAndTime(text string) (string, bool) {
	if len(text) == 8 {
		return parseDate8(text)
	}
	if len(text) != 15 && len(text) != 17 || text[8] != 'T' || !digits(text[:8]) || !digits(text[9:]) {
		return "", false
	}
	offset := "Z"
	if len(text) == 17 {
		switch text[15:] {
		case "00":
		case "01":
			offset = "+01:00"
		default:
			return "", false
		}
	}
	year, month, day := text[:4], text[4:6], text[6:8]
	hour, minute, second := text[9:11], text[11:13], text[13:15]
	if !isDate(text[:4]+"-"+month+"-"+day) || hour > "23" || minute > "59" || second > "59" {
		return "", false
	}
	return year + "-" + month + "-" + day + "T" + hour + ":" + minute + ":" + second + offset, true
}

// parseVersion reads a time as RFC 3339 has it, or a date as midnight in London, cut to microseconds.
func parseVersion(text string) (time.Time, bool) {
	if isDate(text) {
		return midnight(text)
	}
	return event.ParseTime(text)
}

// midnight is the first moment of a day in London.
func midnight(date string) (time.Time, bool) {
	day, err := calendar.Parse(date)
	return day.Begin().UTC(), err == nil
}

// isDate tells whether text is YYYY-MM-DD and there is such a day.
func isDate(text string) bool {
	if len(text) != len(time.DateOnly) || text[4] != '-' || text[7] != '-' || !digits(text[:4]) || !digits(text[5:7]) || !digits(text[8:]) {
		return false
	}
	year := int(text[0]-'0')*1000 + int(text[1]-'0')*100 + int(text[2]-'0')*10 + int(text[3]-'0')
	month, day := int(text[5]-'0')*10+int(text[6]-'0'), int(text[8]-'0')*10+int(text[9]-'0')
	if month < 1 || month > 12 || day < 1 {
		return false
	}
	last := 31
	switch month {
	case 4, 6, 9, 11:
		last = 30
	case 2:
		last = 28
		if year%4 == 0 && (year%100 != 0 || year%400 == 0) {
			last = 29
		}
	}
	return day <= last
}

// isBirthDate takes a date, a month or a year.
func isBirthDate(text string) bool {
	switch len(text) {
	case len("2026"):
		return digits(text)
	case len("2026-10"):
		return isDate(text + "-01")
	}
	return isDate(text)
}

func digits(text string) bool {
	for i := range len(text) {
		if text[i] < '0' || text[i] > '9' {
			return false
		}
	}
	return true
}
