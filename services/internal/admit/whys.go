package admit

// Why an item counts for no programme.
const (
	WhyNotWatched  = "no programme takes this kind of vaccine or check"
	WhyUnknownCode = "the mapping knows none of the codes"
	WhyNoSeason    = "the day or the cohort is in no season of the programme"
	WhyNotAllowed  = "the programme that takes it is none that the sender may send"
	WhyOutside     = "the age or dose is outside what the programme takes"
	WhyNotDone     = "it was not done"
	WhySubpotent   = "the vaccination was subpotent"
	WhyIncomplete  = "the check is without a part that it needs"
)

// What was left out of an item that is taken.
const (
	WhyBadPostcode     = "the postcode is none: the area is counted as unknown"
	WhyUnknownPostcode = "the postcode is not in the look-up file: the area is counted as unknown"
	WhyDosesDisagree   = "the dose is left out: the procedure says another one"
)

// Whys is every value that this package gives [Result.Why]: one of them, or two with a semicolon between. A decoder's own
// words ([Submission.Why]) may stand in place of WhyNotDone, WhySubpotent and WhyIncomplete.
var Whys = []string{
	WhyNotWatched, WhyUnknownCode, WhyNoSeason, WhyNotAllowed, WhyOutside, WhyNotDone, WhySubpotent, WhyIncomplete,
	WhyBadPostcode, WhyUnknownPostcode, WhyDosesDisagree, WhyDosesDisagree + "; " + WhyBadPostcode, WhyDosesDisagree + "; " + WhyUnknownPostcode,
}
