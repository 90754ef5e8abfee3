// Package verdict says whether the gap in uptake between the least and the most deprived fifth has changed: widening,
// narrowing, steady, or not enough data with what is missing. It is pure: daily counts in, findings out.
//
// [Judge] compares each complete day of a series with its comparator. [Step] folds the findings into the verdict that
// is shown, logged and published, which does not flicker. [Finding.Sentence] says it in plain words.
//
// The interval of a change is wide enough that the verdict may be looked at every day: with no true change fewer than 1
// in 100 place-seasons are ever called widening, and as few narrowing. What that costs, and from which size a place can
// be judged, is measured by package power (go run ./services/verdictpower).
package verdict

import "gapwatch/services/internal/calendar"

// Verdict is what is said about a gap. The strings are part of the published event.
type Verdict string

// The four verdicts (design rule 10).
const (
	Widening      Verdict = "widening"        // the interval of the change is above 0 and the change is one that matters
	Narrowing     Verdict = "narrowing"       // the same below 0
	Steady        Verdict = "steady"          // the whole interval is within the smallest change that matters
	NotEnoughData Verdict = "not enough data" // everything else; Finding.Missing says what is missing
)

// Comparator is what a day is compared with. The strings are part of the published event.
type Comparator string

// The comparators. Which one applies to which programme is said at [Judge].
const (
	NoComparator Comparator = ""
	LastSeason   Comparator = "same day of last season"
	DaysEarlier  Comparator = "28 days earlier"
	YearEarlier  Comparator = "same day a year earlier"
)

// Finding is what one complete day says by itself. Gaps and changes are fractions of 1, uptake of quintile 5 (least
// deprived) minus uptake of quintile 1 (most deprived): positive when the least deprived do better.
type Finding struct {
	Day     calendar.Day
	Verdict Verdict
	Missing Missing // set if the verdict is NotEnoughData

	GapKnown bool // Gap is set
	Gap      float64
	Uptake   float64 // overall, unknown quintile included; 0 without eligible people

	Comparator Comparator   // also set where the comparison was not possible in the end
	Against    calendar.Day // the day compared with; set if Comparator is
	Compared   bool         // Before to Phi are set
	Before     float64      // the gap on that day; within one season with the later day's eligible people
	Change     float64      // Gap - Before
	Low, High  float64      // interval of Change, corrected for repeated looks
	Needed     float64      // the smallest change that would be a verdict of widening or narrowing here
	Phi        float64      // the over-dispersion that the interval allows for, at least 1
	AtEnd      bool         // the last season was shorter: compared with its last day

	// EqualKnown is set for LastSeason if that season reached today's overall uptake. EqualGap is its gap on EqualDay, the
	// first day it had. It tells a season that runs ahead or behind from one in which the fifths have drawn apart.
	EqualKnown bool
	EqualGap   float64
	EqualDay   calendar.Day
}

// Reason says which rule withholds a verdict.
type Reason string

// The reasons, in the order in which they are looked for.
const (
	TooFewEligible    Reason = "too few eligible"        // Quintile has Have eligible people, Limit are needed
	CoveredOver       Reason = "covered over eligible"   // Quintile has Have covered, more than the Limit eligible
	UnknownArea       Reason = "unknown area"            // a share Have of the covered has no known quintile, over Limit
	HistoryIncomplete Reason = "history incomplete"      // rolling: complete from Until on
	TooEarly          Reason = "too early"               // no last season, and before Until
	TooLittleUptake   Reason = "too little uptake"       // no last season, and overall uptake Have is under Limit
	EligibleChanged   Reason = "eligible people changed" // Quintile: Have eligible now, Limit on the day compared with
	ChangeTooSmall    Reason = "change too small"        // it would take a change of Limit; the interval reaches Have to either side
)

// Missing is what a verdict lacks. Its fields are explained at the reasons.
type Missing struct {
	Reason      Reason // empty: nothing is missing
	Quintile    int    // 1 or 5
	Have, Limit float64
	Until       calendar.Day
	Then        bool // it is the day compared with that lacks it
}
