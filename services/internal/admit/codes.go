package admit

import (
	"slices"

	"gapwatch/services/internal/event"
	"gapwatch/services/internal/mapping"
	"gapwatch/services/internal/programme"
)

// codes finds the kinds of vaccine or check that the codes stand for. Procedures and diseases must not contradict each
// other; products decide where neither is known.
func (a *admission) codes() *Problem {
	s, tables := a.s, a.door.Mapping
	vaccine := len(s.Procedures)+len(s.Diseases)+len(s.Products) > 0
	switch {
	case a.e.Type != "":
	case vaccine && len(s.Checks) == 0:
		a.e.Type = event.TypeVaccination
	case !vaccine && len(s.Checks) > 0:
		a.e.Type = event.TypeHealthCheck
	case s.Status == event.Completed:
		return a.refuse(string(event.MissingField), "Programme", "must be there where neither the type nor a code says what was done")
	}
	if a.e.Type == event.TypeHealthCheck {
		a.by = "Checks"
		for _, c := range s.Checks {
			if k, known := tables.Check(c.System, c.Code); known {
				a.kinds = a.kinds.With(k)
			}
		}
		return nil
	}
	var byProcedure, byDisease mapping.Kinds
	for _, c := range s.Procedures {
		if k, _, known := tables.Procedure(c.System, c.Code); known {
			byProcedure = byProcedure.With(k)
		}
	}
	odd := false // a set that is none of the tables, with a disease that the procedure's vaccine is not against
	for _, set := range s.Diseases {
		if k, known := a.disease(set); known {
			byDisease = byDisease.With(k)
		} else if byProcedure != 0 {
			odd = odd || a.odd(set, byProcedure)
		}
	}
	if byDisease == 0 || byProcedure != 0 && byProcedure&byDisease == 0 {
		// One vaccine may be recorded as several protocols, one for each disease or some.
		if k, known := a.disease(slices.Concat(s.Diseases...)); known {
			byDisease = byDisease.With(k)
		}
	}
	switch {
	case byProcedure != 0 && byDisease != 0:
		a.by, a.kinds = "Procedures", byProcedure&byDisease
	case byProcedure != 0:
		a.by, a.kinds = "Procedures", byProcedure
		if odd {
			a.kinds = 0
		}
	case byDisease != 0:
		a.by, a.kinds = "Diseases", byDisease
	default:
		a.by = "Products"
		for _, c := range s.Products {
			if k, known := tables.Product(c.System, c.Code); known {
				a.kinds = a.kinds.With(k)
			}
		}
	}
	if a.kinds == 0 && byProcedure != 0 && s.Status == event.Completed {
		return a.refuse(CodesDisagree, "Procedures", "must be of the vaccine that is against the diseases")
	}
	return nil
}

// odd tells whether a set holds a disease that the tables know and that none of the vaccines is against.
func (a *admission) odd(codes []Code, vaccines mapping.Kinds) bool {
	for _, c := range codes {
		bit, known := a.door.Mapping.Disease(c.Code)
		if !known || c.System != SNOMED {
			continue
		}
		against := false
		for k := range vaccines.All {
			against = against || a.door.Mapping.Against(k, bit)
		}
		if !against {
			return true
		}
	}
	return false
}

// disease is the vaccine against a set of diseases. One that the tables do not know makes another set of it.
func (a *admission) disease(codes []Code) (mapping.Kind, bool) {
	var set uint64
	for _, c := range codes {
		if c.System != SNOMED {
			continue
		}
		bit, known := a.door.Mapping.Disease(c.Code)
		if !known {
			return 0, false
		}
		set |= bit
	}
	return a.door.Mapping.Vaccine(set)
}

// place finds the programme. why says that there is none, and why.
func (a *admission) place() (why string, _ *Problem) {
	if a.named != nil {
		return a.placeNamed()
	}
	s := a.s
	if a.kinds == 0 {
		if len(s.Procedures)+len(s.Diseases)+len(s.Products)+len(s.Checks) == 0 {
			return "", a.refuse(string(event.MissingField), "Programme", "must be there where no code says what was done")
		}
		return WhyUnknownCode, nil
	}
	var match mapping.Match
	best := mapping.NotWatched
	for k := range a.kinds.All {
		dose, disagree := a.doseOf(k)
		m, answer := a.door.Mapping.Find(k, mapping.Done{Day: a.e.Day, Birth: a.birth, Dose: dose, Cohort: s.Cohort})
		if answer == mapping.Found {
			if match.Programme != nil && match.Programme.ID != m.Programme.ID {
				return "", a.refuse(CodesDisagree, a.by, "must not be for two programmes: one record counts for one")
			}
			match, a.e.Dose = m, dose
			if disagree {
				a.why = WhyDosesDisagree
			}
		}
		best = max(best, answer)
	}
	if best == mapping.Found {
		if !a.scope.programme(match.Programme) {
			// It may have been for a programme of the sender's before.
			return WhyNotAllowed, nil
		}
		a.e.Programme, a.e.Cohort = match.Programme.ID, match.Cohort
		if !a.running(match.Programme) {
			return WhyNoSeason, nil
		}
		return "", nil
	}
	return a.none(best)
}

// none is why there is no programme, or what is needed to tell.
func (a *admission) none(answer mapping.Answer) (why string, _ *Problem) {
	switch answer {
	case mapping.NotWatched:
		return WhyNotWatched, nil
	case mapping.NoSeason:
		return WhyNoSeason, nil
	case mapping.Outside:
		return WhyOutside, nil
	case mapping.NeedsDose:
		return "", a.refuse(string(event.MissingField), "Dose", "must be there: the programme depends on it")
	case mapping.OtherCohort:
		return "", a.refuse(CodesDisagree, "Cohort", "must be the cohort of the birth date")
	}
	if a.birth.Known() {
		return "", a.refuse(BadBirthDate, "BirthDate", "must be known to the day: the programme depends on it")
	}
	return "", a.refuse(string(event.MissingField), "BirthDate", "must be there: the programme depends on it")
}

// placeNamed checks the programme that the sender names. The sender answers for age and dose.
func (a *admission) placeNamed() (why string, _ *Problem) {
	p, tables := a.named, a.door.Mapping
	if a.kinds != 0 && tables.Leads(p) {
		agree := false
		for k := range a.kinds.All {
			agree = agree || tables.Takes(k, p)
		}
		if !agree {
			return "", a.refuse(CodesDisagree, "Programme", "must be one that takes what the codes say")
		}
	}
	a.e.Programme = p.ID
	a.e.Dose = a.s.Dose
	for k := range a.kinds.All {
		if tables.Leads(p) && !tables.Takes(k, p) {
			continue
		}
		dose, disagree := a.doseOf(k)
		if a.e.Dose = dose; disagree {
			a.why = WhyDosesDisagree
		}
		break
	}
	if p.Kind == programme.Cohort {
		of, answer := tables.CohortOf(p, a.birth, a.s.Cohort)
		a.e.Cohort = a.s.Cohort
		switch {
		case answer == mapping.OtherCohort:
			return a.none(answer)
		case a.s.Cohort == "" && answer == mapping.NoSeason:
			return WhyNoSeason, nil
		case a.s.Cohort == "" && answer != mapping.Found:
			return "", a.refuse(string(event.MissingField), "Cohort", "must be there, or the birth date")
		case a.s.Cohort == "":
			a.e.Cohort = of
		}
	}
	if !a.running(p) {
		return WhyNoSeason, nil
	}
	return "", nil
}

// running tells whether the event is in a season that is listed and still kept.
func (a *admission) running(p *programme.Programme) bool {
	season, listed := p.SeasonOn(a.e.Day)
	if p.Kind == programme.Cohort {
		season, listed = p.Season(a.e.Cohort)
	}
	return listed && a.today <= p.KeptTo(season)
}

// doseOf is the dose for a kind of vaccine: the one that the protocol or the procedure says. Where both do and differ,
// none of them is to be trusted: then the number of days with a record decides.
func (a *admission) doseOf(k mapping.Kind) (dose uint8, disagree bool) {
	dose = a.protocolDose(k)
	for _, c := range a.s.Procedures {
		of, said, known := a.door.Mapping.Procedure(c.System, c.Code)
		if !known || of != k || said == 0 {
			continue
		}
		if dose != 0 && dose != said {
			return 0, true
		}
		dose = said
	}
	return dose, false
}

// protocolDose is the dose of the protocol against the diseases of a vaccine, or the one that all protocols say.
func (a *admission) protocolDose(k mapping.Kind) uint8 {
	doses := a.s.Doses
	for i, set := range a.s.Diseases {
		if i >= len(doses) {
			break
		}
		if of, known := a.disease(set); known && of == k {
			return doses[i]
		}
	}
	if a.s.Dose != 0 || len(doses) == 0 || slices.ContainsFunc(doses, func(dose uint8) bool { return dose != doses[0] }) {
		return a.s.Dose
	}
	return doses[0]
}
