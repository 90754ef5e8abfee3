// Package inequality holds the measures of inequality in uptake between
// deprivation quintiles: intervals of a share, absolute gap, ratio, SII and RII.
// It is pure: counts in, measures out, no input or output.
package inequality

// Count is the people of one group on one day.
type Count struct {
	Covered  uint64 // people of the group who are covered
	Eligible uint64 // people of the group who are eligible
}

// Quintiles are the counts of the five deprivation quintiles of one geography.
// Index 0 is quintile 1 (the most deprived fifth), index 4 is quintile 5 (the
// least deprived). People of unknown quintile are in none.
type Quintiles [5]Count
