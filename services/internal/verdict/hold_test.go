package verdict

import (
	"testing"

	"gapwatch/services/internal/calendar"
)

// Each letter is a day's finding (w, n, s, - for not enough data), below it the verdict in force after it.
func TestStep(t *testing.T) {
	letters := map[byte]Verdict{'w': Widening, 'n': Narrowing, 's': Steady, '-': NotEnoughData}
	for name, c := range map[string][2]string{
		"widening at once":              {"--w", "--w"},
		"held three days":               {"w---", "www-"},
		"a dent does not end it":        {"w--w--w", "wwwwwww"},
		"nor two of different kinds":    {"w-sww", "wwwww"},
		"the third day decides":         {"w-s-", "www-"},
		"the third day decides (2)":     {"w--s", "wwws"},
		"straight to narrowing":         {"wn", "wn"},
		"out of a dent to narrowing":    {"w--n", "wwwn"},
		"steady takes three days":       {"sss", "--s"},
		"steady is held too":            {"sss-s--s---", "--ssssssss-"},
		"widening again, counted fresh": {"w---w---", "www-www-"},
	} {
		var s State
		for i := range c[1] {
			before := s.Verdict()
			var changed bool
			s, changed = Step(s, &Finding{Day: calendar.Day(100 + i), Verdict: letters[c[0][i]]})
			if want := letters[c[1][i]]; s.Verdict() != want || changed != (want != before) {
				t.Errorf("%s: day %d: %s (changed %v), want %s", name, i, s.Verdict(), changed, want)
			}
			if changed && s.Since != calendar.Day(100+i) {
				t.Errorf("%s: since %d", name, s.Since)
			}
		}
	}
}

func TestStepIsAReplayableFold(t *testing.T) {
	finding := func(day calendar.Day, v Verdict) *Finding { return &Finding{Day: day, Verdict: v} }
	s, _ := Step(State{}, finding(-3, Widening)) // days before 1970 are days too
	if s.Verdict() != Widening {
		t.Fatal(s)
	}
	s, _ = Step(s, finding(-2, Steady))
	s, _ = Step(s, finding(-1, Steady))
	for day := range calendar.Day(3) { // a replay of what was taken in
		if again, changed := Step(s, finding(day-3, Narrowing)); changed || again != s {
			t.Errorf("day %d taken in twice: %+v", day-3, again)
		}
	}
	// Day 0 was not judged: the days that differ are not in a row.
	if after, changed := Step(s, finding(1, Steady)); changed || after.Differ != 1 {
		t.Errorf("%+v", after)
	}
	if after, changed := Step(s, finding(0, Steady)); !changed || after.Verdict() != Steady || after.Since != 0 {
		t.Errorf("%+v", after)
	}
}
