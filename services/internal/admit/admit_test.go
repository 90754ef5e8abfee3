package admit_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"gapwatch/services/internal/admit"
	"gapwatch/services/internal/event"
	"gapwatch/services/internal/programme"
)

// A whole event, field by field.
func TestAdmitted(t *testing.T) {
	d := newDoor(t)
	s := flu()
	r := admitted(t, d, s)
	e := r.Event
	if !r.Publish || r.NoProgramme || r.Why != "" || r.Record != e.Record || r.Subject != "prevention.events.vaccination.flu-65" ||
		r.MsgID != e.Source+"|"+e.ID {
		t.Errorf("%+v", r)
	}
	if e.Source != s.Source || e.Type != event.TypeVaccination || e.Status != event.Completed || e.Correction || e.Programme != "flu-65" ||
		e.Season != "2026-27" || e.Cohort != "" || e.Day.String() != "2026-11-20" || e.LSOA != "X01000001" || e.Ethnicity != "A" || e.Practice != "A81001" ||
		e.Provider != "FA123" || !slices.Equal(e.Plus, []string{"ld", "smi"}) || e.PersonKey != "k1" || e.Previous != (event.Pseudonym{}) ||
		!e.Time.Equal(time.Date(2026, 11, 20, 9, 31, 22, 123456000, time.UTC)) {
		t.Errorf("%+v", e)
	}
	if e.Record == s.Record || len(e.Record) != 32 {
		t.Errorf("record %q", e.Record)
	}
	again, rejection := (&event.Decoder{Programmes: d.Programmes, Now: d.Now}).Decode(r.Subject, r.Payload)
	if rejection != nil || !reflect.DeepEqual(again, e) {
		t.Errorf("%v\n%+v\n%+v", rejection, again, e)
	}
}

// The same submission has the same id whenever it comes and whatever door it comes through; another version has another.
func TestSameInputSameID(t *testing.T) {
	one := admitted(t, newDoor(t), flu())
	later := newDoor(t)
	later.Now = func() time.Time { return noon.AddDate(0, 1, 0) }
	two := admitted(t, later, flu())
	if one.Event.ID != two.Event.ID || string(one.Payload) != string(two.Payload) || one.MsgID != two.MsgID {
		t.Error("another id for the same submission")
	}
	seen := map[string]string{one.Event.ID: "first"}
	for name, change := range map[string]func(*admit.Submission){
		"record": func(s *admit.Submission) { s.Record = "vacc-2" },
		"source": func(s *admit.Submission) { s.Source = "https://gp.example/systems/2" },
		"time":   func(s *admit.Submission) { s.Time = s.Time.Add(time.Second) },
		"day":    func(s *admit.Submission) { s.OccurredAt = "2026-11-19" },
		"status": func(s *admit.Submission) { s.Status = event.EnteredInError },
		"area":   func(s *admit.Submission) { s.Postcode = "QQ1 1AB" },
		"person": func(s *admit.Submission) { s.NHSNumber = "9990548609" },
		"update": func(s *admit.Submission) { s.Revision = admit.Correction },
	} {
		s := flu()
		change(&s)
		id := admitted(t, newDoor(t), s).Event.ID
		if other, twice := seen[id]; twice {
			t.Errorf("%s and %s have one id", name, other)
		}
		seen[id] = name
	}
}

// One thing wrong at a time: reason, field in the sender's terms, rule.
func TestProblems(t *testing.T) {
	for _, c := range []struct {
		title  string
		change func(*admit.Submission)
		want   string
	}{
		{"no source", func(s *admit.Submission) { s.Source = "" }, "missing field: at.Source must be there"},
		{"a source that is no URI", func(s *admit.Submission) { s.Source = "gp" }, "bad source: at.Source must be an absolute URI (RFC 3986) of at most 255 characters"},
		{"an NHS number in the source", func(s *admit.Submission) { s.Source += "/9434765919" }, "NHS number: at.Source must not hold ten digits that pass for an NHS number"},
		{"no record", func(s *admit.Submission) { s.Record = "" }, "missing field: at.Record must be there"},
		{"the NHS number as the record", func(s *admit.Submission) { s.Record = "9434765919" }, "personal data: at.Record must not be the person's NHS number: each record needs an id of its own"},
		{"no time", func(s *admit.Submission) { s.Time = time.Time{} }, "missing field: at.Time must be there"},
		{"a time in the future", func(s *admit.Submission) { s.Time = noon.Add(6 * time.Minute) }, "bad time: at.Time must be at most 5 minutes ahead of now"},
		{"no status", func(s *admit.Submission) { s.Status = 0 }, "unknown status: at.Status must be completed, entered-in-error or not-done"},
		{"another type", func(s *admit.Submission) { s.Type = "x" }, "unknown type: at.Type must be one of the types that are taken"},
		{"no NHS number", func(s *admit.Submission) { s.NHSNumber = "" }, "missing field: at.NHSNumber must be there"},
		{"a wrong NHS number", func(s *admit.Submission) { s.NHSNumber = "9434765918" }, "bad NHS number: at.NHSNumber must pass the modulus 11 check of NHS numbers"},
		{"a short NHS number", func(s *admit.Submission) { s.NHSNumber = "943476591" }, "bad NHS number: at.NHSNumber must be ten digits, together or as 3-3-4 with spaces or dashes between"},
		{"a pseudonym beside the number", func(s *admit.Submission) { s.Person[0] = 1 }, "not a pseudonym: at.NHSNumber must not be given beside a pseudonym"},
		{"a pseudonym without its key", func(s *admit.Submission) { s.NHSNumber, s.Person[0] = "", 1 }, "missing field: at.PersonKey must be there"},
		{"a pseudonym under another key", func(s *admit.Submission) { s.NHSNumber, s.Person[0], s.PersonKey = "", 1, "k9" },
			"bad person key: at.PersonKey must be the id of the key that is in use, or of the key before during a key change"},
		{"no day", func(s *admit.Submission) { s.OccurredAt = "" }, "missing field: at.OccurredAt must be there"},
		{"no such day", func(s *admit.Submission) { s.OccurredAt = "2026-02-29" }, "bad day: at.OccurredAt must be a date or a time as in RFC 3339"},
		{"a day in the future", func(s *admit.Submission) { s.OccurredAt = "2026-11-23" }, "bad day: at.OccurredAt must not be after today in Europe/London"},
		{"a day before 1900", func(s *admit.Submission) { s.OccurredAt = "1899-12-31" }, "bad day: at.OccurredAt must not be before 1900"},
		{"no birth date", func(s *admit.Submission) { s.BirthDate = "" }, "missing field: at.BirthDate must be there: the programme depends on it"},
		{"too little of the birth date", func(s *admit.Submission) { s.BirthDate = "1962" }, "bad birth date: at.BirthDate must be known to the day: the programme depends on it"},
		{"no birth date at all", func(s *admit.Submission) { s.BirthDate = "28/02/1960" }, "bad birth date: at.BirthDate must be a date from 1900 on, YYYY-MM-DD, or its year or month"},
		{"born after it", func(s *admit.Submission) { s.BirthDate = "2026-11-21" }, "bad birth date: at.BirthDate must not be after the day it was done"},
		{"no code", func(s *admit.Submission) { s.Procedures, s.Diseases = nil, nil }, "missing field: at.Programme must be there where no code says what was done"},
		{"no code and no type", func(s *admit.Submission) { s.Procedures, s.Diseases, s.Type = nil, nil, "" },
			"missing field: at.Programme must be there where neither the type nor a code says what was done"},
		{"procedure and disease", func(s *admit.Submission) { s.Diseases = [][]admit.Code{sct("14189004", "36989005", "36653000")} },
			"codes disagree: at.Procedures must be of the vaccine that is against the diseases"},
		{"procedure and some of the diseases", func(s *admit.Submission) { s.Diseases = [][]admit.Code{sct("14189004", "408752008")} },
			"codes disagree: at.Procedures must be of the vaccine that is against the diseases"},
		{"two programmes", func(s *admit.Submission) {
			s.Procedures, s.Diseases, s.BirthDate = sct("822851000000102", "1324681000000101"), nil, "1940-01-01"
		}, "codes disagree: at.Procedures must not be for two programmes: one record counts for one"},
		{"an unknown programme", func(s *admit.Submission) { s.Programme = "flu" }, "unknown programme: at.Programme must be an id from programmes.yaml"},
		{"a programme of another type", func(s *admit.Submission) { s.Programme = "bp-check" }, "subject mismatch: at.Type must be the type of the programme's events"},
		{"a programme that the codes do not lead to", func(s *admit.Submission) { s.Programme = "mmr-2" }, "codes disagree: at.Programme must be one that takes what the codes say"},
		{"a cohort that is another", func(s *admit.Submission) { *s = mmr(); s.Cohort = "2025-26" }, "codes disagree: at.Cohort must be the cohort of the birth date"},
		{"a named cohort that is another", func(s *admit.Submission) { *s = mmr(); s.Cohort, s.Programme = "2025-26", "mmr-2" }, "codes disagree: at.Cohort must be the cohort of the birth date"},
		{"a named cohort, and a birth date of none", func(s *admit.Submission) {
			*s = mmr()
			s.Cohort, s.Programme, s.BirthDate = "2025-26", "mmr-2", "1960-02-28"
		},
			"codes disagree: at.Cohort must be the cohort of the birth date"},
		{"a named cohort, and a year of birth of others", func(s *admit.Submission) {
			*s = mmr()
			s.Cohort, s.Programme, s.BirthDate = "2024-25", "mmr-2", "2021"
		},
			"codes disagree: at.Cohort must be the cohort of the birth date"},
		{"no cohort", func(s *admit.Submission) { *s = mmr(); s.BirthDate, s.Programme = "", "mmr-2" }, "missing field: at.Cohort must be there, or the birth date"},
		{"done on the day of birth", func(s *admit.Submission) { s.Programme, s.BirthDate = "flu-65", "2026-11-20" }, "personal data: at.OccurredAt must not be the birth date, which an event does not carry"},
		{"an LSOA that is none", func(s *admit.Submission) { s.LSOA = "E0100001" }, "bad LSOA: at.LSOA must be E, W, S, N or X and eight digits, or empty"},
		{"an ethnic category that is none", func(s *admit.Submission) { s.Ethnicity = "a" }, "bad ethnicity: at.Ethnicity must be a code of the NHS ethnic category 2001 (one of ABCDEFGHJKLMNPRSZ) or empty"},
		{"a practice that is none", func(s *admit.Submission) { s.Practice = "a81001" }, "bad ODS code: at.Practice must be an ODS code (3 to 12 capital letters and digits) or empty"},
		{"an NHS number as the practice", func(s *admit.Submission) { s.Practice = "9434765919" }, "NHS number: at.Practice must not hold ten digits that pass for an NHS number"},
		{"the postcode as the provider", func(s *admit.Submission) { s.Provider = "QQ11AA" }, "personal data: at.Provider must not hold the birth date or the postcode"},
		{"a name as the provider", func(s *admit.Submission) { s.Provider = "PRESCOT" }, "personal data: at.Provider must be an ODS code: one of more than five characters has digits, and this could be a name"},
		{"a name as the practice", func(s *admit.Submission) { s.Practice = "MCADAM" }, "personal data: at.Practice must be an ODS code: one of more than five characters has digits, and this could be a name"},
		{"recorded on the day of birth", func(s *admit.Submission) { s.Time = time.Date(1960, 2, 28, 0, 0, 0, 0, time.UTC) }, "personal data: at.Time must not be the birth date, which an event does not carry"},
		{"the columns of practice and postcode mixed up", func(s *admit.Submission) { s.Practice, s.Postcode = "SW1A1AA", "A81001" }, "personal data: at.Practice must be an ODS code: this could be a postcode or a date"},
		{"a postcode as the provider, and none in its place", func(s *admit.Submission) { s.Provider, s.Postcode = "M11AE", "" }, "personal data: at.Provider must be an ODS code: this could be a postcode or a date"},
		{"a date as the practice, and no birth date", func(s *admit.Submission) { s.Practice, s.BirthDate, s.Programme = "28021960", "", "flu-65" },
			"personal data: at.Practice must be an ODS code: this could be a postcode or a date"},
		{"the birth date with the day first as a group", func(s *admit.Submission) { s.Plus = []string{"28-02-1960"} }, "personal data: at.Plus must not hold the birth date or the postcode"},
		{"the birth date as the practice", func(s *admit.Submission) { s.Practice = "19600228" }, "personal data: at.Practice must not hold the birth date or the postcode"},
		{"the birth date as a group", func(s *admit.Submission) { s.Plus = []string{"b-1960-02-28"} }, "personal data: at.Plus must not hold the birth date or the postcode"},
		{"the birth date as an LSOA", func(s *admit.Submission) { s.LSOA = "E19600228" }, "personal data: at.LSOA must not hold the birth date or the postcode"},
		{"the postcode in the source", func(s *admit.Submission) { s.Source = "urn:gp:qq1-1aa" }, "personal data: at.Source must not hold the birth date or the postcode"},
		{"a dose of ten", func(s *admit.Submission) { s.Dose = 10 }, "bad dose: at.Dose must be a whole number from 1 to 9"},
		{"a dose of a check", func(s *admit.Submission) { *s = pressure(); s.Dose = 1 }, "bad dose: at.Dose must be left out: only vaccinations have doses"},
		{"a group that is none", func(s *admit.Submission) { s.Plus = []string{"SMI"} }, "bad groups: at.Plus must be a list of at most 16 names: lower-case letters, digits and hyphens, at most 32 of them"},
	} {
		s := flu()
		c.change(&s)
		s.Where = func(part string) string { return "at." + part }
		r, problem := newDoor(t).Admit(&s, everything)
		if problem == nil {
			t.Errorf("%s: taken: %+v", c.title, r)
			continue
		}
		if problem.Error() != c.want {
			t.Errorf("%s:\n got %s\nwant %s", c.title, problem.Error(), c.want)
		}
		if !slices.Contains(admit.Reasons, problem.Reason) {
			t.Errorf("%s: the reason %q is not on the list", c.title, problem.Reason)
		}
		if !reflect.ValueOf(r).IsZero() {
			t.Errorf("%s: a result beside the problem", c.title)
		}
	}
}

// What counts for no programme: nothing is published of a first version, a retraction of any other.
func TestNoProgramme(t *testing.T) {
	for _, c := range []struct {
		title  string
		change func(*admit.Submission)
		why    string
		under  string // programme, season and day of the retraction
	}{
		{"too young", func(s *admit.Submission) { s.BirthDate = "1970-01-01" }, admit.WhyOutside, "flu-65 2026-27 2026-11-20"},
		{"out of season", func(s *admit.Submission) { s.OccurredAt = "2026-08-01" }, admit.WhyNoSeason, "flu-65 2026-27 2026-11-20"},
		{"an old season", func(s *admit.Submission) { s.OccurredAt = "2019-11-01" }, admit.WhyNoSeason, "flu-65 2026-27 2026-11-20"},
		{"a vaccine that nothing watches", func(s *admit.Submission) { s.Procedures, s.Diseases = sct("761841000"), nil }, admit.WhyNotWatched, "flu-65 2026-27 2026-11-20"},
		{"a code that nobody knows", func(s *admit.Submission) { s.Procedures, s.Diseases = sct("408752008"), nil }, admit.WhyUnknownCode, "flu-65 2026-27 2026-11-20"},
		{"not done", func(s *admit.Submission) { s.Status, s.OccurredAt, s.BirthDate = event.NotDone, "", "" }, admit.WhyNotDone, "flu-65 2026-27 2026-11-20"},
		{"not done, in the decoder's words", func(s *admit.Submission) { s.Status, s.Why = event.NotDone, "status is not-done" }, "status is not-done", "flu-65 2026-27 2026-11-20"},
		{"subpotent", func(s *admit.Submission) { s.Subpotent = true }, admit.WhySubpotent, "flu-65 2026-27 2026-11-20"},
		{"incomplete", func(s *admit.Submission) { *s = pressure(); s.Incomplete = true }, admit.WhyIncomplete, "bp-check rolling 2026-11-20"},
		{"a check at 17", func(s *admit.Submission) { *s = pressure(); s.BirthDate = "2009-11-21" }, admit.WhyOutside, "bp-check rolling 2026-11-20"},
		{"a child of no cohort", func(s *admit.Submission) { *s = mmr(); s.BirthDate = "2023-01-01" }, admit.WhyNoSeason, "mmr-2 2026-27 2026-11-20"},
		{"a cohort of no season, named", func(s *admit.Submission) { *s = mmr(); s.BirthDate, s.Cohort, s.Programme = "", "2012-13", "mmr-2" }, admit.WhyNoSeason, "mmr-2 2026-27 2026-11-20"},
		{"named, out of season", func(s *admit.Submission) {
			s.Programme, s.OccurredAt = "covid-autumn", "2026-08-01"
			s.Procedures, s.Diseases = nil, nil
		},
			admit.WhyNoSeason, "covid-autumn 2026-27 2026-11-20"},
	} {
		for revision, want := range map[admit.Revision]time.Duration{admit.First: 0, admit.UnknownRevision: -time.Microsecond, admit.Correction: 0} {
			s := flu()
			c.change(&s)
			s.Revision = revision
			r := admitted(t, newDoor(t), s)
			if !r.NoProgramme || r.Why != c.why || r.Record != newDoor(t).Keys.Record(s.Source, s.Record) {
				t.Errorf("%s: %+v", c.title, r)
			}
			if r.Publish == (revision == admit.First) {
				t.Errorf("%s, revision %d: published: %v", c.title, revision, r.Publish)
			}
			if !r.Publish {
				continue
			}
			e := r.Event
			if got := e.Programme + " " + e.Season + " " + e.Day.String(); got != c.under || e.Status != event.EnteredInError || e.Correction {
				t.Errorf("%s: %s %v", c.title, got, e.Status)
			}
			if s.Status == event.NotDone || s.Subpotent || s.Incomplete { // the sender's own word
				want += time.Microsecond
			}
			if e.Time != s.Time.Truncate(time.Microsecond).Add(want) {
				t.Errorf("%s, revision %d: made at %v", c.title, revision, e.Time)
			}
			if e.LSOA != "" || e.Ethnicity != "" || e.Practice != "" || e.Provider != "" || e.Plus != nil || e.Dose != 0 {
				t.Errorf("%s: the retraction says more than it needs: %+v", c.title, e)
			}
		}
	}
}

// A retraction is taken with as little as it can be, and goes under what the sender may send.
func TestRetraction(t *testing.T) {
	full := flu()
	full.Status = event.EnteredInError
	bare := admit.Submission{Source: full.Source, Record: full.Record, Time: full.Time, Status: event.EnteredInError, NHSNumber: full.NHSNumber}
	for _, c := range []struct {
		title string
		s     admit.Submission
		scope []string
		want  string
	}{
		{"as it was", full, []string{admit.Any}, "flu-65 2026-27 2026-11-20"},
		{"with nothing", bare, []string{admit.Any}, "flu-65 2026-27 2026-11-20"},
		{"by a sender of checks", bare, []string{"bp-check"}, "bp-check rolling 2026-11-20"},
		{"by a sender of another programme", full, []string{"mmr-2"}, "mmr-2 2026-27 2026-11-20"},
		{"of a programme that is not there any more", func() admit.Submission { s := bare; s.Programme = "gone"; return s }(), []string{"covid-autumn"}, "covid-autumn 2026-27 2026-11-20"},
		{"of one that the sender may not send any more", func() admit.Submission { s := bare; s.Programme = "flu-65"; return s }(), []string{"covid-autumn"}, "covid-autumn 2026-27 2026-11-20"},
		{"with codes that disagree", func() admit.Submission {
			s := full
			s.Diseases = [][]admit.Code{sct("14189004")}
			s.Diseases = append(s.Diseases, sct("840539006"))
			return s
		}(), []string{admit.Any}, "flu-65 2026-27 2026-11-20"},
		{"with a birth date and a day that are none", func() admit.Submission { s := full; s.BirthDate, s.OccurredAt = "x", "y"; return s }(), []string{admit.Any}, "flu-65 2026-27 2026-11-20"},
		{"made before any season", func() admit.Submission { s := bare; s.Time = time.Date(2010, 1, 1, 0, 0, 0, 0, time.UTC); return s }(), []string{admit.Any}, "flu-65 2022-23 2022-09-01"},
		{"made in the season before", func() admit.Submission { s := bare; s.Time = time.Date(2025, 12, 1, 0, 0, 0, 0, time.UTC); return s }(), []string{admit.Any}, "flu-65 2025-26 2025-11-30"},
	} {
		r, problem := newDoor(t).Admit(&c.s, admit.Scope{Sources: []string{c.s.Source}, Programmes: c.scope})
		if problem != nil {
			t.Errorf("%s: %v", c.title, problem)
			continue
		}
		e := r.Event
		if got := e.Programme + " " + e.Season + " " + e.Day.String(); got != c.want || !r.Publish || r.NoProgramme || e.Status != event.EnteredInError {
			t.Errorf("%s: %s, want %s", c.title, got, c.want)
		}
		if e.Time != c.s.Time.Truncate(time.Microsecond).Add(time.Microsecond) {
			t.Errorf("%s: made at %v", c.title, e.Time)
		}
	}
	summer := bare
	summer.Time = time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)
	if e := admitted(t, newDoor(t), summer).Event; e.Season != "2025-26" || e.Day.String() != "2026-03-31" {
		t.Errorf("made in summer: %s %s", e.Season, e.Day)
	}
	if _, problem := newDoor(t).Admit(&full, admit.Scope{Sources: []string{admit.Any}, Programmes: []string{"bp-check"}}); problem == nil || problem.Reason != admit.NotAllowed {
		t.Error(problem)
	}
}

func TestScope(t *testing.T) {
	s := flu()
	for _, c := range []struct {
		scope admit.Scope
		want  string
	}{
		{admit.Scope{Sources: []string{s.Source}, Programmes: []string{"flu-65"}}, ""},
		{admit.Scope{}, "Source"},
		{admit.Scope{Programmes: []string{admit.Any}}, "Source"},
		{admit.Scope{Sources: []string{s.Source + "/"}, Programmes: []string{admit.Any}}, "Source"},
		{admit.Scope{Sources: []string{admit.Any}}, "Programme"},
	} {
		_, problem := newDoor(t).Admit(&s, c.scope)
		if problem != nil {
			if problem.Field != c.want || problem.Reason != admit.NotAllowed {
				t.Errorf("%+v: %v", c.scope, problem)
			}
		} else if c.want != "" {
			t.Errorf("%+v: taken", c.scope)
		}
	}
	// A record of another programme may have been corrected to that from one of the sender's, where it must stop counting.
	others := admit.Scope{Sources: []string{admit.Any}, Programmes: []string{"covid-autumn", "mmr-2"}}
	r, problem := newDoor(t).Admit(&s, others)
	if problem != nil || !r.NoProgramme || r.Why != admit.WhyNotAllowed || !r.Publish || r.Event.Status != event.EnteredInError || r.Event.Programme == "flu-65" {
		t.Errorf("%+v, %v", r, problem)
	}
	s.Revision = admit.First
	if r, problem = newDoor(t).Admit(&s, others); problem != nil || !r.NoProgramme || r.Publish {
		t.Errorf("%+v, %v", r, problem)
	}
	named := flu()
	named.Programme = "flu-65"
	if _, problem := newDoor(t).Admit(&named, admit.Scope{Sources: []string{admit.Any}, Programmes: []string{"mmr-2"}}); problem == nil || problem.Field != "Programme" || problem.Reason != admit.NotAllowed {
		t.Error(problem)
	}
}

func TestSubmissionIsNotPrinted(t *testing.T) {
	s := flu()
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x"} {
		if text := fmt.Sprintf(verb+verb, s, &s); text != "a submissiona submission" {
			t.Errorf("%s: %s", verb, text)
		}
	}
}

// Spaces around a record's id come and go with the width of a column.
func TestSpacesAroundARecord(t *testing.T) {
	var names [2]string
	for i, record := range []string{"17", " 17  "} {
		s := flu()
		s.Record = record
		r, problem := newDoor(t).Admit(&s, admit.Scope{Sources: []string{admit.Any}, Programmes: []string{admit.Any}})
		if problem != nil {
			t.Fatal(problem)
		}
		names[i] = r.Record
	}
	if refused := newDoor(t).Keys.Record(flu().Source, " 17  "); names[0] != names[1] || names[0] != refused {
		t.Errorf("%s, %s and, in a refusal, %s", names[0], names[1], refused)
	}
}

func TestWhichCodesDecide(t *testing.T) {
	for _, c := range []struct {
		title  string
		change func(*admit.Submission)
		want   string // programme, cohort, dose and why
	}{
		{"procedure alone", func(s *admit.Submission) { s.Diseases = nil }, "flu-65  0 "},
		{"diseases alone", func(s *admit.Submission) { s.Procedures = nil }, "flu-65  0 "},
		{"product alone", func(s *admit.Submission) { s.Procedures, s.Diseases, s.Products = nil, nil, sct("39566211000001103") }, "flu-65  0 "},
		{"a product says nothing beside a procedure", func(s *admit.Submission) { s.Products = sct("34925111000001104") }, "flu-65  0 "},
		{"codes that are not known are passed over", func(s *admit.Submission) { s.Procedures = append(sct("408752008"), s.Procedures...) }, "flu-65  0 "},
		{"diseases that are not known too", func(s *admit.Submission) { s.Diseases = [][]admit.Code{sct("6142004", "408752008"), sct("408752008")} }, "flu-65  0 "},
		{"some of the diseases", func(s *admit.Submission) { *s = mmr(); s.Diseases = [][]admit.Code{sct("14189004")} }, "mmr-2 2026-27 2 "},
		{"codes of other systems too", func(s *admit.Submission) {
			s.Procedures = append(s.Procedures, admit.Code{System: "urn:read", Code: "1324681000000101"})
			s.Diseases[0] = append(s.Diseases[0], admit.Code{System: "urn:icd10", Code: "J11"})
		}, "flu-65  0 "},
		{"a set with a disease more is another vaccine", func(s *admit.Submission) {
			*s = mmr()
			s.Procedures, s.Diseases[0] = nil, append(s.Diseases[0], sct("38907003")...)
		}, "mmr-2 2026-27 2 "},
		{"no type: by the codes", func(s *admit.Submission) { s.Type = "" }, "flu-65  0 "},
		{"no type: a check", func(s *admit.Submission) { *s = pressure(); s.Type = "" }, "bp-check  0 "},
		{"no type: by the programme", func(s *admit.Submission) {
			s.Type, s.Procedures, s.Diseases, s.Programme = "", nil, nil, "smi-health-check"
		}, "smi-health-check  0 "},
		{"named: the sender answers for the age", func(s *admit.Submission) { s.Programme, s.BirthDate = "flu-65", "1980-01-01" }, "flu-65  0 "},
		{"named: a programme that no code leads to", func(s *admit.Submission) { *s = pressure(); s.Programme = "ld-health-check" }, "ld-health-check  0 "},
		{"named: the cohort by the birth date", func(s *admit.Submission) { *s = mmr(); s.Programme = "mmr-2" }, "mmr-2 2026-27 2 "},
		{"named: the cohort as said", func(s *admit.Submission) { *s = mmr(); s.Programme, s.Cohort, s.BirthDate = "mmr-2", "2024-25", "" }, "mmr-2 2024-25 2 "},
		{"named: the cohort as said, of a year of birth in two", func(s *admit.Submission) { *s = mmr(); s.Programme, s.Cohort, s.BirthDate = "mmr-2", "2025-26", "2021" }, "mmr-2 2025-26 2 "},
		{"the dose of the procedure", func(s *admit.Submission) { *s = mmr(); s.Procedures, s.Dose = sct("170433008"), 0 }, "mmr-2 2026-27 2 "},
		{"both doses", func(s *admit.Submission) { *s = mmr(); s.Procedures = sct("170433008") }, "mmr-2 2026-27 2 "},
		{"they disagree", func(s *admit.Submission) { *s = mmr(); s.Procedures = sct("308081000000105") }, "mmr-2 2026-27 0 " + admit.WhyDosesDisagree},
		{"they disagree, named", func(s *admit.Submission) { *s = mmr(); s.Procedures, s.Programme = sct("308081000000105"), "mmr-2" }, "mmr-2 2026-27 0 " + admit.WhyDosesDisagree},
		{"the dose by protocol", func(s *admit.Submission) {
			*s = mmr()
			s.Procedures, s.Dose = nil, 0
			s.Diseases, s.Doses = [][]admit.Code{sct("240532009"), s.Diseases[0]}, []uint8{1, 2}
		}, "mmr-2 2026-27 2 "},
		{"two procedures of two doses", func(s *admit.Submission) { *s = mmr(); s.Procedures, s.Dose = sct("308081000000105", "170433008"), 0 }, "mmr-2 2026-27 0 " + admit.WhyDosesDisagree},
		{"the dose of another vaccine's procedure", func(s *admit.Submission) {
			*s = mmr()
			s.Procedures, s.Diseases = sct("884861000000100", "38598009"), nil
		}, "mmr-2 2026-27 2 "},
		{"the same, named", func(s *admit.Submission) {
			*s = mmr()
			s.Procedures, s.Diseases, s.Programme = sct("884861000000100", "38598009"), nil, "mmr-2"
		}, "mmr-2 2026-27 2 "},
		{"a protocol for each disease", func(s *admit.Submission) {
			*s = mmr()
			s.Procedures, s.Dose = nil, 0
			s.Diseases, s.Doses = [][]admit.Code{sct("36653000"), sct("14189004"), sct("36989005")}, []uint8{2, 2, 2}
		}, "mmr-2 2026-27 2 "},
		{"a protocol for each, and they differ in the dose", func(s *admit.Submission) {
			*s = mmr()
			s.Dose = 0
			s.Diseases, s.Doses = [][]admit.Code{sct("36653000"), sct("14189004"), sct("36989005")}, []uint8{2, 2, 1}
		}, "mmr-2 2026-27 0 "},
		{"two protocols of one vaccine", func(s *admit.Submission) {
			*s = mmr()
			s.Procedures, s.Dose = sct("432636005"), 0
			s.Diseases, s.Doses = append(s.Diseases, sct("38907003")), []uint8{2, 2}
		}, "mmr-2 2026-27 2 "},
		{"no postcode", func(s *admit.Submission) { s.Postcode = "" }, "flu-65  0 "},
		{"a postcode that is none", func(s *admit.Submission) { s.Postcode = "nowhere" }, "flu-65  0 " + admit.WhyBadPostcode},
		{"a postcode that is not known", func(s *admit.Submission) { s.Postcode = "ZZ99 3VZ" }, "flu-65  0 " + admit.WhyUnknownPostcode},
		{"two things to say", func(s *admit.Submission) { *s = mmr(); s.Procedures, s.Postcode = sct("308081000000105"), "x" }, "mmr-2 2026-27 0 " + admit.WhyDosesDisagree + "; " + admit.WhyBadPostcode},
	} {
		s := flu()
		c.change(&s)
		r := admitted(t, newDoor(t), s)
		if got := fmt.Sprintf("%s %s %d %s", r.Event.Programme, r.Event.Cohort, r.Event.Dose, r.Why); got != c.want || !r.Publish || r.NoProgramme {
			t.Errorf("%s: %q, want %q", c.title, got, c.want)
		}
		if r.Why != "" && !slices.Contains(admit.Whys, r.Why) {
			t.Errorf("%s: %q is not on the list", c.title, r.Why)
		}
	}
}

func TestArea(t *testing.T) {
	for postcode, want := range map[string]string{"QQ1 1AA": "X01000001", "qq11ab": "X01000005", "QQ1 1AC": "", "QQ1 1AD": "", "?": ""} {
		s := flu()
		s.Postcode = postcode
		if got := admitted(t, newDoor(t), s).Event.LSOA; got != want {
			t.Errorf("%s: %s", postcode, got)
		}
		s.LSOA = "E01000009"
		if r := admitted(t, newDoor(t), s); r.Event.LSOA != "E01000009" || r.Why != "" {
			t.Errorf("%s: the LSOA that was given is not taken: %+v", postcode, r)
		}
	}
	d, s := newDoor(t), flu()
	d.Postcodes = nil
	if r := admitted(t, d, s); r.Event.LSOA != "" || r.Why != admit.WhyUnknownPostcode {
		t.Errorf("%+v", r)
	}
}

// A season that is kept no longer is none.
func TestRetention(t *testing.T) {
	d, s := newDoor(t), flu()
	d.Now = func() time.Time { return time.Date(2032, 10, 1, 12, 0, 0, 0, time.UTC) } // 2026-27 is kept until 31 March 2032
	r := admitted(t, d, s)
	if !r.NoProgramme || r.Why != admit.WhyNoSeason {
		t.Errorf("%+v", r)
	}
	if r.Publish {
		t.Errorf("a retraction, though nothing that is kept could be retracted: %+v", r.Event)
	}
	s.Status = event.EnteredInError
	if r := admitted(t, d, s); r.Publish || !r.NoProgramme || r.Why != admit.WhyNoSeason {
		t.Errorf("%+v", r)
	}
	// A year earlier the season is kept, and with it what retracts.
	d.Now = func() time.Time { return time.Date(2031, 10, 1, 12, 0, 0, 0, time.UTC) }
	if r := admitted(t, d, s); !r.Publish || r.Event.Season != "2026-27" {
		t.Errorf("%+v", r)
	}
}

// During a key change both pseudonyms go out, and a pseudonym that was made elsewhere must come with both.
func TestKeyChange(t *testing.T) {
	before, during, after := newDoor(t), newDoor(t), newDoor(t)
	during.Keys, after.Keys = keysOf(t, "k2", "k1"), keysOf(t, "k2", "")
	a, b, c := admitted(t, before, flu()).Event, admitted(t, during, flu()).Event, admitted(t, after, flu()).Event
	if a.Person != b.Previous || b.Person != c.Person || a.Person == b.Person || c.Previous != (event.Pseudonym{}) ||
		a.PersonKey != "k1" || b.PersonKey != "k2" || c.PersonKey != "k2" {
		t.Error("the pseudonyms do not meet")
	}
	if a.Record != b.Record || b.Record != c.Record || a.RecordID != c.RecordID {
		t.Error("a record has another name under another key of persons")
	}
	made := func(person, previous event.Pseudonym, key string) *admit.Submission {
		s := flu()
		s.NHSNumber, s.Person, s.Previous, s.PersonKey = "", person, previous, key
		return &s
	}
	none := event.Pseudonym{}
	for i, x := range []struct {
		d    *admit.Door
		s    *admit.Submission
		want string
	}{
		{before, made(a.Person, none, "k1"), ""}, {during, made(b.Person, b.Previous, "k2"), ""}, {during, made(a.Person, none, "k1"), ""}, {after, made(c.Person, none, "k2"), ""},
		{before, made(c.Person, none, "k2"), "PersonKey"}, {after, made(a.Person, none, "k1"), "PersonKey"},
		{during, made(b.Person, none, "k2"), "Previous"}, {during, made(a.Person, b.Person, "k1"), "Previous"}, {during, made(b.Person, b.Person, "k2"), "Previous"},
	} {
		r, problem := x.d.Admit(x.s, everything)
		if problem != nil {
			if problem.Field != x.want {
				t.Errorf("%d: %v", i, problem)
			}
		} else if x.want != "" || r.Event.Person != x.s.Person {
			t.Errorf("%d: %+v", i, r.Event)
		}
	}
}

// What wins at one time does not depend on the order, and follows the list of the door's documentation.
func TestEqualTimes(t *testing.T) {
	young := func(s *admit.Submission) { s.BirthDate = "1970-01-01" }
	undone := func(s *admit.Submission) { s.Subpotent = true }
	rising := [][]admit.Submission{
		{version(admit.UnknownRevision, young)},
		{version(admit.First, nil), version(admit.UnknownRevision, nil)},
		{version(admit.UnknownRevision, undone), version(admit.Correction, young)},
		{version(admit.Correction, nil)},
		{version(admit.Correction, undone), version(admit.Correction, func(s *admit.Submission) { s.Status = event.EnteredInError })},
		{version(admit.UnknownRevision, func(s *admit.Submission) { s.Time = s.Time.Add(3 * time.Microsecond); young(s) })},
	}
	d := newDoor(t)
	var last []event.Event
	for i, class := range rising {
		var now []event.Event
		for _, s := range class {
			now = append(now, admitted(t, d, s).Event)
		}
		for _, older := range last {
			for _, newer := range now {
				if !older.Version.Less(newer.Version) {
					t.Errorf("class %d does not win over the one before", i)
				}
			}
		}
		last = now
	}
}

func version(revision admit.Revision, change func(*admit.Submission)) admit.Submission {
	s := flu()
	s.Revision = revision
	if change != nil {
		change(&s)
	}
	return s
}

// What was no programme for want of a season counts when it is sent again after the season was listed, and what was
// counted is not undone by being sent again.
func TestSentAgainAfterAChange(t *testing.T) {
	now := newDoor(t)
	flu65, _ := now.Programmes.Get("flu-65")
	less := *flu65
	less.Seasons = less.Seasons[:4] // nobody had thought of 2026-27 yet
	before := doorOf(t, programme.NewSet(2025, &less))
	for _, revision := range []admit.Revision{admit.UnknownRevision, admit.Correction} {
		s := flu()
		s.Revision = revision
		none, found := admitted(t, before, s), admitted(t, now, s)
		if !none.NoProgramme || !none.Publish || found.NoProgramme {
			t.Fatalf("%+v\n%+v", none, found)
		}
		if !none.Event.Version.Less(found.Event.Version) {
			t.Errorf("revision %d: the retraction from before the change wins", revision)
		}
	}
}

// property is what holds for every submission: none of what is personal comes out.
func TestNothingPersonalComesOut(t *testing.T) {
	random := rand.New(rand.NewPCG(11, 12))
	pick := func(of ...string) string { return of[random.IntN(len(of))] }
	d := newDoor(t)
	published, refused, none := 0, 0, 0
	for range 20_000 {
		number := pick("9434765919", "943 476 5919", "999-054-8609", "4010232137", "9434765918", "943476591", "")
		postcode := pick("QQ1 1AA", "qq11ab", "ZZ99 3VZ", "SW1A 1AA", "M1 1AE", "nowhere at all")
		born := pick("1960-02-28", "1990-12-31", "2021-06-10", "1931-07-04", "1931-07", "1931", "31.07.1931")
		spread := func(s string) string { // a field that somebody has put something else into, now and then
			if random.IntN(25) > 0 {
				return s
			}
			return pick(number, postcode, born, strings.ReplaceAll(born, "-", ""), strings.ToUpper(strings.ReplaceAll(postcode, " ", "")), "x"+number+"x")
		}
		s := admit.Submission{
			Source: spread("https://gp.example/systems/1"), Record: spread(pick("vacc-1", number, "r "+number)), Time: noon.Add(-time.Duration(random.Int64N(int64(3000 * time.Hour)))),
			Status:   []event.Status{event.Completed, event.Completed, event.Completed, event.NotDone, event.EnteredInError}[random.IntN(5)],
			Revision: admit.Revision(random.IntN(3)), Type: pick(event.TypeVaccination, event.TypeVaccination, event.TypeHealthCheck, ""),
			NHSNumber: number, BirthDate: born, Postcode: postcode, LSOA: spread(pick("", "", "E01000001")),
			Programme: spread(pick("", "", "flu-65", "mmr-2", "bp-check")), Cohort: spread(pick("", "2026-27")),
			Procedures: sct(spread(pick("822851000000102", "38598009", "761841000"))), Checks: []admit.Code{{System: admit.LOINC, Code: spread("85354-9")}},
			OccurredAt: spread(pick("2026-10-20", "2025-10-20T10:00:00+01:00", "2026-07-20")), Dose: uint8(random.IntN(4)),
			Ethnicity: spread(pick("A", "Z", "")), Practice: spread(pick("A81001", "")), Provider: spread(pick("FA123", "")),
		}
		if random.IntN(2) == 0 {
			s.Plus = []string{spread("smi")}
		}
		r, problem := d.Admit(&s, everything)
		texts := []string{fmt.Sprintf("%+v", problem)}
		switch {
		case problem != nil:
			refused++
		case r.Publish:
			published++
		default:
			none++
		}
		if problem == nil {
			text, err := json.Marshal(r.Event)
			if err != nil {
				t.Fatal(err)
			}
			texts = append(texts, fmt.Sprintf("%+v", r), string(r.Payload), string(text), r.Event.Source, r.Subject, r.MsgID)
		} else if !slices.Contains(admit.Reasons, problem.Reason) {
			t.Fatalf("the reason %q is not on the list", problem.Reason)
		}
		for _, text := range texts {
			for _, personal := range []string{number, postcode, born} {
				if leaked(text, personal) {
					t.Fatalf("%q comes out of %+v:\n%s", personal, s, text)
				}
			}
		}
	}
	t.Logf("%d published, %d for no programme, %d refused", published, none, refused)
	if published < 2000 || refused < 2000 || none < 500 {
		t.Errorf("%d published, %d for no programme, %d refused: the property is tried too little", published, none, refused)
	}
}

// leaked tells whether a text holds something personal, as it was written or without what stands between its letters.
func leaked(text, personal string) bool {
	if len(personal) < 5 {
		return false // a year of birth is a number like any other
	}
	bare := strings.NewReplacer(" ", "", "-", "").Replace(personal)
	if len(bare) < 8 && len(bare) == len(strings.Trim(bare, "x")) && strings.Trim(bare, "0123456789") == "" {
		bare = personal // a month of birth
	}
	text = strings.ToUpper(text)
	return strings.Contains(text, strings.ToUpper(personal)) || strings.Contains(text, strings.ToUpper(bare))
}

// Codes of organisations of every kind (ODS: trusts and their sites, practices and their branches, pharmacies, ICBs, schools, homes) are taken.
func TestODSCodesAreTaken(t *testing.T) {
	for _, code := range []string{"RGT", "RX1", "RVVKC", "RW4AA", "R1FAA", "R1A0A", "RJ122", "A81001", "A81001001", "FA123", "FKL53", "Y00001", "W2U3Z", "QOP", "15E", "EE133274", "VN1Q2",
		"8HN24", "NLX01", "V81999", "G5H9Z", "X26", "99999999", "20261301"} {
		s := flu()
		s.Practice, s.Provider = code, code
		if e := admitted(t, newDoor(t), s).Event; e.Practice != code || e.Provider != code {
			t.Errorf("%s: %+v", code, e)
		}
	}
}

// Somebody was born on 1 February 1960 and lives in E01021960.
func TestAnLSOAIsNoBirthDate(t *testing.T) {
	s := flu()
	s.BirthDate, s.LSOA = "1960-02-01", "E01021960"
	if e := admitted(t, newDoor(t), s).Event; e.LSOA != s.LSOA {
		t.Errorf("%+v", e)
	}
}

func TestLeakedFinds(t *testing.T) {
	for text, personal := range map[string]string{"x943 476 5919y": "943 476 5919", "a9434765919": "943-476-5919", "..qq11aa..": "QQ1 1AA", "19600228": "1960-02-28", "d 1960-02-28": "1960-02-28"} {
		if !leaked(text, personal) {
			t.Errorf("%q is not found in %q", personal, text)
		}
	}
	if leaked("2026-11-20 E01000001", "1960-02-28") {
		t.Error("found what is not there")
	}
}

// No id that is made here is ever taken for an NHS number, whatever the record: one in eleven of all ten-digit numbers is one.
func TestNoRecordLooksLikeAnNHSNumber(t *testing.T) {
	d := newDoor(t)
	for i := range 30_000 {
		s := flu()
		s.Record, s.Time = fmt.Sprintf("%010d", 9_434_000_000+i*977), s.Time.Add(-time.Duration(i)*31_536_001*time.Microsecond)
		if i%3 == 0 {
			s.Status = event.EnteredInError
		}
		if _, problem := d.Admit(&s, everything); problem != nil {
			t.Fatalf("record %s: %v", s.Record, problem)
		}
	}
}

// One door serves all requests.
func TestManyAtOnce(t *testing.T) {
	d := newDoor(t)
	want := map[string]string{}
	for i := range 20 {
		s := flu()
		s.Record = fmt.Sprint(i)
		want[s.Record] = string(admitted(t, newDoor(t), s).Payload)
	}
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for i := range 400 {
				s := flu()
				s.Record = fmt.Sprint(i % 20)
				r, problem := d.Admit(&s, everything)
				if problem != nil || string(r.Payload) != want[s.Record] {
					t.Errorf("record %s: %v, another event than alone", s.Record, problem)
					return
				}
			}
		})
	}
	all.Wait()
}

// A day ends at midnight in London, in summer and in winter, and not before.
func TestToday(t *testing.T) {
	d := newDoor(t)
	now := time.Time{}
	d.Now = func() time.Time { return now }
	s := pressure()
	s.Time = time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		now, on string
		taken   bool
	}{
		{"2026-07-01T22:59:59Z", "2026-07-01", true}, {"2026-07-01T22:59:59Z", "2026-07-02", false}, {"2026-07-01T23:00:00Z", "2026-07-02", true},
		{"2026-07-01T23:59:59Z", "2026-07-02", true}, {"2026-07-02T00:00:00Z", "2026-07-03", false}, {"2026-12-01T23:59:59Z", "2026-12-02", false},
		{"2026-12-02T00:00:00Z", "2026-12-02", true}, {"2026-07-01T22:30:00Z", "2026-07-02", false},
	} {
		var err error
		if now, err = time.Parse(time.RFC3339, c.now); err != nil {
			t.Fatal(err)
		}
		s.OccurredAt = c.on
		if _, problem := d.Admit(&s, everything); (problem == nil) != c.taken {
			t.Errorf("%s at %s: %v", c.on, c.now, problem)
		}
	}
}
