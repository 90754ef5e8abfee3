package fhir

import (
	"slices"

	"gapwatch/services/internal/admit"
	"gapwatch/services/internal/event"
)

// The codes that say that an observation is a blood pressure, and which part of one (HL7's vital signs profiles; the codes that GP
// Connect groups into one blood pressure). A panel needs both parts as components or, in a Bundle, as observations that it has
// as members. Which panels count, and for what, is the mapping's to say.
var (
	pressures = set(admit.LOINC, "85354-9", "55284-4", "35094-2", "96607-7", "18684-1").
			and(admit.SNOMED, "75367002", "163020007", "386534000", "364090009", "46973005", "413153004", "723232008", "163033001", "163034007", "163035008")
	systolic = set(admit.LOINC, "8480-6", "8459-0", "8460-8", "8461-6", "96608-5").
			and(admit.SNOMED, "271649006", "72313002", "163030003", "407554009", "400974009", "407556006", "413606001",
			"314440001", "314445006", "314446007", "314449000", "198081000000101", "251070002")
	diastolic = set(admit.LOINC, "8462-4", "8453-3", "8454-1", "8455-8", "96609-3").
			and(admit.SNOMED, "271650006", "1091811000000102", "163031004", "407555005", "400975005", "407557002", "413605002",
			"314453003", "314460009", "314461008", "314462001", "198091000000104", "174255007")
)

type codeSet map[admit.Code]bool

func set(system string, codes ...string) codeSet { return codeSet{}.and(system, codes...) }

func (s codeSet) and(system string, codes ...string) codeSet {
	for _, code := range codes {
		s[admit.Code{System: system, Code: code}] = true
	}
	return s
}

func (s codeSet) holdsAny(c *concept) bool {
	return c != nil && slices.ContainsFunc(c.Coding, func(x coding) bool { return s[admit.Code(x)] })
}

func (r *reader) observation(in *observation) (sub admit.Submission, problem *admit.Problem) {
	if in.Related != nil {
		return sub, bad(admit.OldFHIR, "related", "must not be there: it is not of FHIR R4, where hasMember says it")
	}
	if in.Context != nil {
		return sub, bad(admit.OldFHIR, "context", "must not be there: it is not of FHIR R4, where encounter says it")
	}
	sub.Type = event.TypeHealthCheck
	r.places.checks = "code"
	if sub.Source, sub.Record, problem = r.identify("Observation", in.ID, in.Identifier); problem != nil {
		return sub, problem
	}
	if problem = mustUnderstand(in.ImplicitRules, in.ModifierExtension, ""); problem != nil {
		return sub, problem
	}
	sub.Revision = r.revision(in.Meta.VersionID)
	switch in.Status {
	case "final":
		sub.Status = event.Completed
	case "amended", "corrected":
		sub.Status, sub.Revision = event.Completed, admit.Correction
	case "cancelled":
		sub.Status, sub.Why = event.NotDone, "its status is cancelled"
	case "preliminary", "registered", "unknown":
		sub.Status, sub.Why = event.NotDone, "its status says that it is not final: send it again when it is"
	case "entered-in-error":
		sub.Status = event.EnteredInError
	case "":
		return sub, missing("status", "must be there")
	default:
		return sub, bad(string(event.UnknownStatus), "status", "must be a code of FHIR R4's observation-status")
	}
	if e := r.inEntry(); e != nil && e.deletion {
		sub.Status, sub.Why = event.EnteredInError, ""
	}
	if in.Issued != "" {
		if _, ok := instant(in.Issued); !ok {
			return sub, bad(string(event.BadTime), "issued", instantRule)
		}
	}
	if sub.Time, problem = r.version(&in.Meta, in.Issued, "issued"); problem != nil {
		return sub, problem
	}
	done, problem := r.done(in)
	if done == "" && sub.Status == event.NotDone && problem != nil && problem.Reason == string(event.MissingField) {
		problem = nil // what is not done, or not yet, has no day
	}
	if problem != nil && sub.Status != event.EnteredInError {
		return sub, problem
	}
	sub.OccurredAt = done
	r.contained = in.Contained
	if problem = r.person(&sub, in.Subject, "subject", done); problem != nil {
		return sub, problem
	}
	if problem = r.checked(&sub, in); problem != nil {
		if sub.Status != event.EnteredInError {
			return sub, problem
		}
		sub.Checks = nil
	}
	for i := range in.Performer {
		if code, ok := r.organisation(&in.Performer[i], 0); ok {
			sub.Provider, r.places.provider = code, index("performer", i)
			break
		}
	}
	return sub, nil
}

// done finds when it was done. A period (a blood pressure over a day) is done when it ends.
func (r *reader) done(in *observation) (string, *admit.Problem) {
	at, text := "", ""
	given := 0
	if in.EffectiveDateTime != "" {
		at, text = "effectiveDateTime", in.EffectiveDateTime
		given++
	}
	if in.EffectiveInstant != "" {
		at, text = "effectiveInstant", in.EffectiveInstant
		given++
	}
	if p := in.EffectivePeriod; p != nil {
		at, text = "effectivePeriod.end", p.End
		if text == "" {
			at, text = "effectivePeriod.start", p.Start
		}
		given++
	}
	if in.EffectiveTiming != nil {
		at = "effectiveTiming"
		given++
	}
	r.places.occurred = at
	if given == 0 {
		r.places.occurred = "effectiveDateTime"
		return "", missing("effectiveDateTime", "must be there")
	}
	if given > 1 {
		return "", bad(admit.NotFHIR, at, "must be the only one of effectiveDateTime, effectiveInstant, effectivePeriod and effectiveTiming")
	}
	if at == "effectiveTiming" {
		return "", bad(admit.NotSupported, at, "must be effectiveDateTime: a timing says no day to count it on")
	}
	day, ok := dateTime(text)
	if text == "" {
		return "", missing(at, "must be there")
	}
	if !ok {
		return "", bad(string(event.BadDay), at, "must be a date, or a date and a time with seconds and an offset")
	}
	if !day {
		return "", bad(string(event.BadDay), at, "must say the day")
	}
	return text, nil
}

// checked reads what was checked, and whether it came to a result.
func (r *reader) checked(sub *admit.Submission, in *observation) (problem *admit.Problem) {
	if in.Code == nil {
		return missing("code", "must be there")
	}
	if sub.Checks, problem = codes(in.Code, "code", -1); problem != nil {
		return problem
	}
	up, down := false, false
	for i, c := range in.Component {
		if len(c.ModifierExtension) > 0 {
			return mustUnderstand("", c.ModifierExtension, index("component", i))
		}
		if _, problem := appendCodes(nil, orNone(c.Code), index("component", i)+".code", -1); problem != nil {
			return problem
		}
		if (c.ValueQuantity != nil && c.ValueQuantity.Value != nil || c.ValueInteger != nil) && c.DataAbsentReason == nil {
			up = up || systolic.holdsAny(c.Code)
			down = down || diastolic.holdsAny(c.Code)
		}
	}
	pressure := slices.ContainsFunc(sub.Checks, func(c admit.Code) bool { return pressures[c] || systolic[c] || diastolic[c] })
	if pressure && (!up || !down) {
		u, d := r.members(in)
		up, down = up || u, down || d
	}
	if sub.Status != event.Completed {
		return nil
	}
	switch {
	case pressure && !up && !down:
		sub.Incomplete, sub.Why = true, "the blood pressure has neither a systolic nor a diastolic value"
	case pressure && !up:
		sub.Incomplete, sub.Why = true, "the blood pressure has no systolic value"
	case pressure && !down:
		sub.Incomplete, sub.Why = true, "the blood pressure has no diastolic value"
	case !pressure && in.DataAbsentReason != nil:
		sub.Incomplete, sub.Why = true, "it has no result but a dataAbsentReason"
	}
	return nil
}

func orNone(c *concept) *concept {
	if c == nil {
		return &concept{}
	}
	return c
}

// members looks for the parts of a blood pressure among the observations of the Bundle that a panel says it is made of, and in
// the observation itself.
func (r *reader) members(in *observation) (up, down bool) {
	up, down = readings(in)
	for _, ref := range in.HasMember {
		if ref.Reference == "" || up && down {
			continue
		}
		to, found := r.resolve(ref.Reference)
		if found != foundOne || to.kind != "Observation" {
			continue
		}
		known := r.memory(to)
		has, there := known.readings[to.index()]
		if !there {
			var member observation
			if parse(to.text, &member, "") == nil {
				switch member.Status {
				case "final", "amended", "corrected":
					has[0], has[1] = readings(&member)
				}
			}
			if known.readings == nil {
				known.readings = map[int][2]bool{}
			}
			known.readings[to.index()] = has
		}
		up, down = up || has[0], down || has[1]
	}
	return up, down
}

// readings tells whether an observation has a systolic and a diastolic value.
func readings(o *observation) (up, down bool) {
	if o.ValueQuantity == nil || o.ValueQuantity.Value == nil || o.DataAbsentReason != nil {
		return false, false
	}
	return systolic.holdsAny(o.Code), diastolic.holdsAny(o.Code)
}
