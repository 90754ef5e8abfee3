package calendar_test

import (
	"testing"
	"time"

	"gapwatch/services/internal/calendar"
)

func day(t *testing.T, s string) calendar.Day {
	t.Helper()
	d, err := calendar.Parse(s)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestDayIsTheLondonDay(t *testing.T) {
	for instant, want := range map[string]string{
		"2025-07-01T23:30:00Z":      "2025-07-02", // summer time: already tomorrow in London
		"2025-01-01T23:30:00Z":      "2025-01-01",
		"2025-10-26T00:30:00+01:00": "2025-10-26", // the night the clocks go back
		"2025-03-30T00:59:59Z":      "2025-03-30",
		"1969-12-31T22:59:59Z":      "1969-12-31", // British Standard Time: one hour ahead all year
		"1969-12-31T23:00:00Z":      "1970-01-01",
		"1900-01-01T00:00:00Z":      "1900-01-01",
	} {
		at, err := time.Parse(time.RFC3339, instant)
		if err != nil {
			t.Fatal(err)
		}
		if got := calendar.Of(at).String(); got != want {
			t.Errorf("%s is %s in London, want %s", instant, got, want)
		}
	}
}

func TestAddMonthsEndsACover(t *testing.T) {
	for _, c := range []struct {
		from   string
		months int
		over   string
	}{
		{"2025-01-15", 12, "2026-01-15"},
		{"2025-08-31", 6, "2026-03-01"}, // no 31 February: covered to its last day
		{"2023-08-31", 6, "2024-03-01"},
		{"2025-08-28", 6, "2026-02-28"},
		{"2024-02-29", 12, "2025-03-01"},
		{"2024-02-29", 48, "2028-02-29"},
		{"2025-12-31", 2, "2026-03-01"},
		{"2025-12-31", 60, "2030-12-31"},
	} {
		if got := day(t, c.from).AddMonths(c.months); got != day(t, c.over) {
			t.Errorf("%s + %d months is over on %s, want %s", c.from, c.months, got, c.over)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	for _, s := range []string{"", "2025-02-29", "2025-1-1", "01/02/2025", "2025-01-01T00:00:00Z"} {
		if _, err := calendar.Parse(s); err == nil {
			t.Errorf("%q was taken for a day", s)
		}
	}
}

func TestADayBeginsAtMidnightInLondon(t *testing.T) {
	for date, want := range map[string]string{
		"2025-07-30": "2025-07-29T23:00:00Z",
		"2025-01-30": "2025-01-30T00:00:00Z",
		"2025-03-30": "2025-03-30T00:00:00Z", // the clocks go forward at 01:00
		"2025-10-26": "2025-10-25T23:00:00Z",
		"1969-12-31": "1969-12-30T23:00:00Z",
	} {
		begin := day(t, date).Begin()
		if got := begin.UTC().Format(time.RFC3339); got != want {
			t.Errorf("%s begins at %s, want %s", date, got, want)
		}
		if calendar.Of(begin) != day(t, date) || calendar.Of(begin.Add(-1)) == day(t, date) {
			t.Errorf("%s does not begin at %s", date, begin)
		}
	}
}
