// Package calendar counts the days that uptake is counted by: calendar days in Europe/London.
package calendar

import (
	"fmt"
	"time"
	_ "time/tzdata" // a machine without a zone database must count the same days
)

// Day is a calendar day: days since 1970-01-01, which is day 0. Days before it are negative.
type Day int32

// Far is later than any day that is counted: the end of something that does not end.
const Far Day = 1 << 30

var london = func() *time.Location {
	loc, err := time.LoadLocation("Europe/London")
	if err != nil {
		panic(err) // cannot happen: the zone database is linked in
	}
	return loc
}()

// Of is the Europe/London day that t lies in.
func Of(t time.Time) Day {
	y, m, d := t.In(london).Date()
	return Date(y, m, d)
}

// Date is the day of a year, month and day of the month; values outside their range carry over as in [time.Date].
func Date(year int, month time.Month, day int) Day {
	seconds := time.Date(year, month, day, 0, 0, 0, 0, time.UTC).Unix()
	if seconds < 0 {
		seconds -= 86399 // floor, not truncation towards zero
	}
	return Day(seconds / 86400)
}

// Parse reads a day written as 2026-10-03.
func Parse(s string) (Day, error) {
	t, err := time.Parse(time.DateOnly, s)
	if err != nil {
		return 0, fmt.Errorf("%q is not a date (YYYY-MM-DD)", s)
	}
	return Date(t.Date()), nil
}

// Time is midnight UTC of the day, which is how ClickHouse's Date32 is handed over.
func (d Day) Time() time.Time { return time.Unix(int64(d)*86400, 0).UTC() }

// Begin is the first moment of the day in Europe/London: what a time is that was only said as a date.
func (d Day) Begin() time.Time {
	y, m, day := d.Time().Date()
	return time.Date(y, m, day, 0, 0, 0, 0, london)
}

// String is the day as 2026-10-03.
func (d Day) String() string { return d.Time().Format(time.DateOnly) }

// AddMonths is the same date n months later or, where that month has no such date, the first day of the month after
// it. So a cover that starts on d and lasts n months is over on d.AddMonths(n): from 31 August, six months last until
// the last day of February and are over on 1 March.
func (d Day) AddMonths(n int) Day {
	y, m, day := d.Time().Date()
	return min(Date(y, m+time.Month(n), day), Date(y, m+time.Month(n)+1, 1))
}
