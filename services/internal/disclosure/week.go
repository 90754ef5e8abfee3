package disclosure

import "gapwatch/services/internal/calendar"

// Vintage is the day whose state neighbourhood and ethnicity cells show while complete is the last complete day: the
// last Sunday that is not after it. They are computed once, from the first snapshot in which that Sunday is complete,
// and kept until the next Sunday is: late records do not move them, so that two of them never differ by a day's people.
// In mode none they follow the same weeks, so that charts look alike.
func Vintage(complete calendar.Day) calendar.Day {
	const sunday = 3 // 1970-01-04, a Sunday, is day 3
	since := (complete - sunday) % 7
	if since < 0 {
		since += 7
	}
	return complete - since
}
