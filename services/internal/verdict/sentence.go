package verdict

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Subject is what a sentence speaks about.
type Subject struct {
	Programme, Geography string // names
	LocalFifths          bool   // the gap is between the geography's own fifths, not between national quintiles

	SIIKnown bool
	SII      float64 // slope index of inequality of the same day (logit), fraction of 1; named beside the gap
}

// Sentence says a finding in one plain sentence, figures in percentage points to 0.1:
//
//	Flu 65+ in Northmoor: the gap is 9.4 points, 2.1 more than on the same day of last season (1.3 to 2.9).
func (f *Finding) Sentence(s Subject) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s in %s: ", s.Programme, s.Geography)
	if !f.GapKnown {
		fmt.Fprintf(&b, "not enough data for a verdict: %s.", f.Missing.Words())
		return b.String()
	}
	if s.LocalFifths {
		b.WriteString("the gap between its own fifths is ")
	} else {
		b.WriteString("the gap is ")
	}
	b.WriteString(points(f.Gap) + " points")
	if s.SIIKnown {
		b.WriteString(" (SII " + points(s.SII) + ")")
	}
	if f.Compared {
		b.WriteString(", " + f.comparison())
	}
	if f.EqualKnown {
		b.WriteString("; at the same overall uptake last season it was " + points(f.EqualGap))
	}
	if f.Verdict == NotEnoughData {
		b.WriteString("; not enough data for a verdict: " + f.Missing.Words())
	}
	return b.String() + "."
}

// comparison is the change with its interval. An interval is given in the direction of the change where it is one.
func (f *Finding) comparison() string {
	change, low, high, than := f.Change, f.Low, f.High, " more than "
	if points(change)[0] == '-' {
		change, than = -change, " less than "
		if f.High <= 0 {
			low, high = -f.High, -f.Low
		}
	}
	interval := " (" + points(low) + " to " + points(high) + ")"
	if low < 0 {
		interval = " (interval of the change " + points(low) + " to " + points(high) + ")"
	}
	words := points(change) + than
	if f.Verdict == Steady {
		words = "steady: " + words
	}
	return words + f.day() + interval
}

// day names the day compared with.
func (f *Finding) day() string {
	switch {
	case f.Comparator == LastSeason && f.AtEnd:
		return "at the end of last season"
	case f.Comparator == LastSeason:
		return "on the same day of last season"
	case f.Comparator == YearEarlier:
		return "on the same day a year earlier"
	}
	return string(f.Comparator)
}

// Words says what is missing, as part of a sentence; empty if nothing is.
func (m Missing) Words() string {
	then := ""
	if m.Then {
		then = " on the day compared with"
	}
	switch m.Reason {
	case TooFewEligible:
		return fmt.Sprintf("quintile %d has %s eligible people%s, fewer than %s", m.Quintile, number(m.Have), then, number(m.Limit))
	case CoveredOver:
		return fmt.Sprintf("quintile %d has %s covered of %s eligible people%s", m.Quintile, number(m.Have), number(m.Limit), then)
	case UnknownArea:
		return fmt.Sprintf("%s %% of covered people have no known area%s, the limit is %s %%", percent(m.Have, m.Limit), then, short(m.Limit))
	case HistoryIncomplete:
		return fmt.Sprintf("history incomplete, the first verdict is for %s", m.Until)
	case TooEarly:
		return fmt.Sprintf("there is no last season to compare with, and 28 days earlier is before the start; the first verdict is for %s", m.Until)
	case TooLittleUptake:
		return fmt.Sprintf("overall uptake is %s %%, a first season is judged from %s %% on", percent(m.Have, m.Limit), short(m.Limit))
	case EligibleChanged:
		return fmt.Sprintf("eligible people changed: quintile %d has %s, on the day compared with it had %s", m.Quintile, number(m.Have), number(m.Limit))
	case ChangeTooSmall:
		if m.Have < m.Limit { // seen well enough, but neither one that matters for sure nor for sure none
			return fmt.Sprintf("the change is too near the %s points that matter", points(m.Limit))
		}
		return fmt.Sprintf("it would take a change of %s points", points(math.Ceil(m.Limit*1000-1e-9)/1000))
	}
	return ""
}

// points is a fraction in percentage points to 0.1.
func points(f float64) string {
	s := strconv.FormatFloat(f*100, 'f', 1, 64)
	if s == "-0.0" {
		return "0.0"
	}
	return s
}

// short is a fraction in percent without needless digits.
func short(f float64) string {
	return strconv.FormatFloat(math.Round(f*1000)/10, 'f', -1, 64)
}

// percent is a fraction in percent: whole, except where that would hide on which side of the limit it lies.
func percent(f, limit float64) string {
	if whole := math.Round(f * 100); (whole > limit*100) == (f > limit) && (whole < limit*100) == (f < limit) {
		return strconv.FormatFloat(whole, 'f', 0, 64)
	}
	return strconv.FormatFloat(f*100, 'f', 2, 64)
}

// number is a whole number with separated thousands.
func number(f float64) string {
	s := strconv.FormatFloat(f, 'f', 0, 64)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
