package verdict

import (
	"testing"

	"gapwatch/services/internal/calendar"
)

func TestSentences(t *testing.T) {
	place := Subject{Programme: "Flu 65+", Geography: "Northmoor"}
	widening := Finding{
		Verdict: Widening, GapKnown: true, Gap: 0.094, Compared: true, Comparator: LastSeason, Before: 0.073,
		Change: 0.021, Low: 0.013, High: 0.029, Needed: 0.01,
	}
	with := func(f Finding, change func(*Finding)) Finding { change(&f); return f }
	missing := func(m Missing) Finding {
		return Finding{Verdict: NotEnoughData, GapKnown: true, Gap: 0.094, Missing: m}
	}
	for want, c := range map[string]struct {
		f Finding
		s Subject
	}{
		"Flu 65+ in Northmoor: the gap is 9.4 points, 2.1 more than on the same day of last season (1.3 to 2.9).":                        {widening, place},
		"Flu 65+ in Northmoor: the gap is 9.4 points (SII 10.9), 2.1 more than on the same day of last season (1.3 to 2.9).":             {widening, Subject{"Flu 65+", "Northmoor", false, true, 0.1094}},
		"Flu 65+ in Northmoor: the gap between its own fifths is 9.4 points, 2.1 more than on the same day of last season (1.3 to 2.9).": {widening, Subject{"Flu 65+", "Northmoor", true, false, 0}},
		"Flu 65+ in Northmoor: the gap is 9.4 points, 2.1 more than on the same day of last season (1.3 to 2.9); at the same overall uptake last season it was 8.1.": {
			with(widening, func(f *Finding) { f.EqualKnown, f.EqualGap = true, 0.081 }), place},
		"Flu 65+ in Northmoor: the gap is 9.4 points, 2.1 more than at the end of last season (1.3 to 2.9).": {
			with(widening, func(f *Finding) { f.AtEnd = true }), place},
		"Flu 65+ in Northmoor: the gap is 9.4 points, 2.1 more than 28 days earlier (1.3 to 2.9).": {
			with(widening, func(f *Finding) { f.Comparator = DaysEarlier }), place},
		"Flu 65+ in Northmoor: the gap is 9.4 points, 2.1 more than on the same day a year earlier (1.3 to 2.9).": {
			with(widening, func(f *Finding) { f.Comparator = YearEarlier }), place},
		"Flu 65+ in Northmoor: the gap is 9.4 points, 2.1 less than on the same day of last season (1.3 to 2.9).": {
			with(widening, func(f *Finding) { f.Verdict, f.Change, f.Low, f.High = Narrowing, -0.021, -0.029, -0.013 }), place},
		"Flu 65+ in Northmoor: the gap is -0.4 points, 2.1 less than on the same day of last season (1.3 to 2.9).": {
			with(widening, func(f *Finding) {
				f.Verdict, f.Gap, f.Change, f.Low, f.High = Narrowing, -0.004, -0.021, -0.029, -0.013
			}), place},
		"Flu 65+ in Northmoor: the gap is 9.4 points, steady: 0.2 less than on the same day of last season (interval of the change -0.8 to 0.4).": {
			with(widening, func(f *Finding) { f.Verdict, f.Change, f.Low, f.High = Steady, -0.002, -0.008, 0.004 }), place},
		"Flu 65+ in Northmoor: the gap is 9.4 points, steady: 0.0 more than on the same day of last season (interval of the change -0.6 to 0.6).": {
			with(widening, func(f *Finding) { f.Verdict, f.Change, f.Low, f.High = Steady, -0.0001, -0.0061, 0.0059 }), place},
		"Flu 65+ in Northmoor: the gap is 9.4 points, 2.1 more than on the same day of last season (interval of the change -4.9 to 9.1); not enough data for a verdict: it would take a change of 7.0 points.": {
			with(widening, func(f *Finding) {
				f.Verdict, f.Low, f.High, f.Missing = NotEnoughData, -0.049, 0.091, Missing{Reason: ChangeTooSmall, Have: 0.07, Limit: 0.07}
			}), place},
		"Flu 65+ in Northmoor: the gap is 9.4 points, 0.8 more than on the same day of last season (0.1 to 1.5); not enough data for a verdict: the change is too near the 1.0 points that matter.": {
			with(widening, func(f *Finding) {
				f.Verdict, f.Change, f.Low, f.High, f.Missing = NotEnoughData, 0.008, 0.001, 0.015, Missing{Reason: ChangeTooSmall, Have: 0.007, Limit: 0.01}
			}), place},
		"Flu 65+ in Northmoor: not enough data for a verdict: quintile 1 has 80 eligible people, fewer than 100.": {
			Finding{Verdict: NotEnoughData, Missing: Missing{Reason: TooFewEligible, Quintile: 1, Have: 80, Limit: 100}}, place},
		"Flu 65+ in Northmoor: not enough data for a verdict: quintile 5 has 12,001 covered of 12,000 eligible people.": {
			Finding{Verdict: NotEnoughData, Missing: Missing{Reason: CoveredOver, Quintile: 5, Have: 12001, Limit: 12000}}, place},
		"Flu 65+ in Northmoor: the gap is 9.4 points; not enough data for a verdict: 7 % of covered people have no known area, the limit is 5 %.": {
			missing(Missing{Reason: UnknownArea, Have: 0.0712, Limit: 0.05}), place},
		"Flu 65+ in Northmoor: the gap is 9.4 points; not enough data for a verdict: 5.02 % of covered people have no known area on the day compared with, the limit is 5 %.": {
			missing(Missing{Reason: UnknownArea, Have: 0.0502, Limit: 0.05, Then: true}), place},
		"Flu 65+ in Northmoor: the gap is 9.4 points; not enough data for a verdict: history incomplete, the first verdict is for 2027-04-29.": {
			missing(Missing{Reason: HistoryIncomplete, Until: calendar.Date(2027, 4, 29)}), place},
		"Flu 65+ in Northmoor: the gap is 9.4 points; not enough data for a verdict: there is no last season to compare with, and 28 days earlier is before the start; the first verdict is for 2026-10-29.": {
			missing(Missing{Reason: TooEarly, Until: calendar.Date(2026, 10, 29)}), place},
		"Flu 65+ in Northmoor: the gap is 9.4 points; not enough data for a verdict: overall uptake is 8 %, a first season is judged from 10 % on.": {
			missing(Missing{Reason: TooLittleUptake, Have: 0.0812, Limit: 0.1}), place},
		"Flu 65+ in Northmoor: the gap is 9.4 points; not enough data for a verdict: eligible people changed: quintile 1 has 1,021,300, on the day compared with it had 43,900.": {
			missing(Missing{Reason: EligibleChanged, Quintile: 1, Have: 1021300, Limit: 43900}), place},
	} {
		if got := c.f.Sentence(c.s); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
	if words := (Missing{}).Words(); words != "" {
		t.Errorf("nothing missing: %q", words)
	}
}
