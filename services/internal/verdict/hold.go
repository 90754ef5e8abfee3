package verdict

import "gapwatch/services/internal/calendar"

// hold is for how many complete days in a row the findings must differ from a verdict before it is left.
const hold = 3

// State is the verdict in force. The zero value is the state before a season's first complete day: not enough data. It
// is all that has to be kept between runs.
type State struct {
	Day     calendar.Day // the last complete day taken in; meaningful if Started
	Started bool
	InForce Verdict      // empty is NotEnoughData
	Since   calendar.Day // the day from whose finding it is in force
	Differ  int          // how many complete days in a row have said something else, 0 to 2
}

// Verdict is the verdict in force.
func (s State) Verdict() Verdict {
	if s.InForce == "" {
		return NotEnoughData
	}
	return s.InForce
}

// Step takes in the finding of one more complete day and says whether the verdict in force has changed; if so it is the
// finding's. Widening and narrowing come into force at once. Any other verdict needs three complete days in a row that
// differ from the one in force, of which the third decides: a verdict neither flickers nor is withdrawn for a day's dent
// in the data. Days already taken in change nothing, so a replay may start anywhere before the state's day.
func Step(s State, f *Finding) (State, bool) {
	if s.Started && f.Day <= s.Day {
		return s, false
	}
	if s.Started && f.Day > s.Day+1 {
		s.Differ = 0 // not in a row
	}
	s.Day, s.Started = f.Day, true
	if f.Verdict == s.Verdict() {
		s.Differ = 0
		return s, false
	}
	s.Differ++
	if s.Differ < hold && f.Verdict != Widening && f.Verdict != Narrowing {
		return s, false
	}
	s.InForce, s.Since, s.Differ = f.Verdict, f.Day, 0
	return s, true
}
