package event

import (
	"bytes"
	"encoding/hex"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"gapwatch/services/internal/calendar"
)

// attributes checks what CloudEvents says about an event, in the order of the contract's table.
func (s *scratch) attributes(e *Event, now time.Time) *Rejection {
	if !s.object {
		return reject(NotCloudEvent, "payload", "must be an object")
	}
	if string(s.text(fieldSpecversion)) != "1.0" {
		return reject(NotCloudEvent, "specversion", "must be \"1.0\"")
	}
	for _, f := range [...]field{fieldID, fieldSource, fieldType} {
		if s.text(f) == nil {
			return reject(NotCloudEvent, f.String(), "must be there and be a string")
		}
	}
	if s.fields[fieldDataBase64] != nil {
		return reject(NotCloudEvent, "data_base64", "must not be there: data is JSON")
	}
	if s.fields[fieldContentType] != nil && string(s.text(fieldContentType)) != "application/json" {
		return reject(NotCloudEvent, "datacontenttype", "must be \"application/json\" or missing")
	}
	if !isIdentifier(s.text(fieldID)) {
		return reject(BadIdentifier, "id", identifierRule)
	}
	source, ok := s.source(s.text(fieldSource))
	if !ok {
		return reject(BadSource, "source", "must be an absolute URI (RFC 3986) of at most 255 characters")
	}
	e.Source = source
	switch string(s.text(fieldType)) {
	case TypeVaccination:
		e.Type = TypeVaccination
	case TypeHealthCheck:
		e.Type = TypeHealthCheck
	default:
		return reject(UnknownType, "type", "must be one of the types that are taken")
	}
	if s.fields[fieldTime] == nil {
		return missing(fieldTime)
	}
	if e.Time, ok = parseTime(s.text(fieldTime)); !ok {
		return reject(BadTime, "time", "must be a time as in RFC 3339, with an offset and at most nine decimals")
	}
	if e.Time.Before(firstMoment) {
		return reject(BadTime, "time", "must not be before 1900")
	}
	if e.Time.After(now.Add(MaxAhead)) {
		return reject(BadTime, "time", "must be at most 5 minutes ahead of now")
	}
	if s.fields[fieldData] == nil {
		return missing(fieldData)
	}
	if s.fields[fieldData][0] != '{' {
		return reject(NotCloudEvent, "data", "must be an object")
	}
	return nil
}

// data checks what was done to whom, and finds the programme.
func (d *Decoder) data(s *scratch, e *Event, now time.Time) (expectation, *Rejection) {
	var none expectation
	for _, f := range [...]field{fieldRecord, fieldStatus, fieldPerson, fieldPersonKey, fieldProgramme, fieldOccurredAt} {
		if s.fields[f] == nil {
			return none, missing(f)
		}
	}
	if !isIdentifier(s.text(fieldRecord)) {
		return none, reject(BadIdentifier, "data.record", identifierRule)
	}
	s.identify(e)
	if e.Status = parseStatus(s.text(fieldStatus)); e.Status == 0 {
		return none, reject(UnknownStatus, "data.status", "must be completed, entered-in-error or not-done")
	}
	if rejection := s.people(e); rejection != nil {
		return none, rejection
	}
	expected, ok := d.expected[string(s.text(fieldProgramme))]
	if !ok {
		return none, reject(UnknownProgramme, "data.programme", "must be an id from programmes.yaml")
	}
	e.Programme = expected.programme.ID
	if rejection := s.day(e, now); rejection != nil {
		return none, rejection
	}
	if rejection := s.dose(e); rejection != nil {
		return none, rejection
	}
	if s.fields[fieldCohort] != nil {
		if !isSeasonID(s.text(fieldCohort)) {
			return none, reject(BadIdentifier, "data.cohort", "must be a season: 1 to 64 lower-case letters, digits and hyphens, not a hyphen first")
		}
		e.Cohort = s.words.get(s.text(fieldCohort))
	}
	if rejection := s.place(e); rejection != nil {
		return none, rejection
	}
	if rejection := s.groups(e); rejection != nil {
		return none, rejection
	}
	switch string(s.fields[fieldCorrection]) {
	case "true":
		e.Correction = true
	case "false", "":
	default:
		return none, reject(BadCorrection, "data.correction", "must be true or false")
	}
	return expected, nil
}

// identify copies id and record with one allocation.
func (s *scratch) identify(e *Event) {
	id, record := s.text(fieldID), s.text(fieldRecord)
	s.work = append(append(s.work[:0], id...), record...)
	both := string(s.work)
	e.ID, e.Record = both[:len(id)], both[len(id):]
}

func (s *scratch) people(e *Event) *Rejection {
	const rule = "must be 32 lower-case hexadecimal digits"
	if !parsePseudonym(&e.Person, s.text(fieldPerson)) {
		return reject(NotPseudonym, "data.person", rule)
	}
	if !isName(s.text(fieldPersonKey)) {
		return reject(BadIdentifier, "data.personKey", "must be 1 to 64 letters, digits, dots, hyphens and underscores, a letter or digit first")
	}
	e.PersonKey = s.words.get(s.text(fieldPersonKey))
	if s.fields[fieldPrevious] == nil {
		return nil
	}
	if !parsePseudonym(&e.Previous, s.text(fieldPrevious)) {
		return reject(NotPseudonym, "data.personPrevious", rule)
	}
	if e.Previous == e.Person {
		return reject(NotPseudonym, "data.personPrevious", "must be another pseudonym than data.person")
	}
	return nil
}

func (s *scratch) day(e *Event, now time.Time) *Rejection {
	var ok bool
	if e.Day, ok = parseDay(s.text(fieldOccurredAt)); !ok {
		return reject(BadDay, "data.occurredAt", "must be a date or a time as in RFC 3339")
	}
	if e.Day < firstDay {
		return reject(BadDay, "data.occurredAt", "must not be before 1900")
	}
	if e.Day > calendar.Of(now) {
		return reject(BadDay, "data.occurredAt", "must not be after today in Europe/London")
	}
	return nil
}

func (s *scratch) dose(e *Event) *Rejection {
	value := s.fields[fieldDose]
	if value == nil {
		return nil
	}
	if e.Type != TypeVaccination {
		return reject(BadDose, "data.dose", "must be left out: only vaccinations have doses")
	}
	// 2.0 is the same number as 2 in JSON. So is 0.2e1, but nobody means it.
	if isNumber(value) && bytes.ContainsAny(value, "eE") {
		return reject(BadDose, "data.dose", "must be written without an exponent")
	}
	whole, decimals, dotted := bytes.Cut(value, []byte{'.'})
	if len(whole) != 1 || whole[0] < '1' || whole[0] > '0'+MaxDose || dotted && len(bytes.Trim(decimals, "0")) > 0 {
		return reject(BadDose, "data.dose", "must be a whole number from 1 to 9")
	}
	e.Dose = whole[0] - '0'
	return nil
}

// place checks where the person lives, is registered and was seen, and the ethnic category.
func (s *scratch) place(e *Event) *Rejection {
	if s.fields[fieldLSOA] != nil {
		text := s.text(fieldLSOA)
		if text == nil || len(text) > 0 && !isLSOA(text) {
			return reject(BadLSOA, "data.lsoa", "must be E, W, S, N or X and eight digits, or empty")
		}
		e.LSOA = s.words.get(text)
	}
	if s.fields[fieldEthnicity] != nil {
		text := s.text(fieldEthnicity)
		if text == nil || len(text) > 0 && !isEthnicity(text) {
			return reject(BadEthnicity, "data.ethnicity", "must be a code of the NHS ethnic category 2001 (one of ABCDEFGHJKLMNPRSZ) or empty")
		}
		e.Ethnicity = s.words.get(text)
	}
	for _, f := range [...]field{fieldPractice, fieldProvider} {
		if s.fields[f] == nil {
			continue
		}
		text := s.text(f)
		if text == nil || len(text) > 0 && !isODSCode(text) {
			return reject(BadODSCode, f.String(), "must be an ODS code (3 to 12 capital letters and digits) or empty")
		}
		if f == fieldPractice {
			e.Practice = s.words.get(text)
		} else {
			e.Provider = s.words.get(text)
		}
	}
	return nil
}

func (s *scratch) groups(e *Event) *Rejection {
	value := s.fields[fieldPlus]
	if value == nil {
		return nil
	}
	const rule = "must be a list of at most 16 names: lower-case letters, digits and hyphens, at most 32 of them"
	if value[0] != '[' {
		return reject(BadGroups, "data.plus", rule)
	}
	// A name holds neither comma nor bracket nor quote, so the list can be cut at its commas.
	inner := bytes.Trim(value[1:len(value)-1], " \t\r\n")
	if len(inner) == 0 {
		return nil
	}
	for more := true; more; {
		var item []byte
		item, inner, more = bytes.Cut(inner, []byte{','})
		item = bytes.Trim(item, " \t\r\n")
		if len(item) < 2 || item[0] != '"' || item[len(item)-1] != '"' {
			return reject(BadGroups, "data.plus", rule)
		}
		name := unquote(item)
		if len(name) > MaxGroup || !isSeasonID(name) || len(e.Plus) == MaxGroups {
			return reject(BadGroups, "data.plus", rule)
		}
		e.Plus = append(e.Plus, s.words.get(name))
	}
	slices.Sort(e.Plus)
	e.Plus = slices.Compact(e.Plus)
	return nil
}

func missing(f field) *Rejection {
	return reject(MissingField, f.String(), "must be there")
}

const identifierRule = "must be 1 to 128 printable ASCII characters, not a space first or last"

func isIdentifier(text []byte) bool {
	if len(text) == 0 || len(text) > MaxIdentifier || text[0] == ' ' || text[len(text)-1] == ' ' {
		return false
	}
	for _, c := range text {
		if c < ' ' || c > '~' {
			return false
		}
	}
	return true
}

func isName(text []byte) bool {
	if len(text) == 0 || len(text) > MaxName || !isWord(text[0]) {
		return false
	}
	for _, c := range text {
		if !isWord(c) && c != '.' && c != '-' && c != '_' {
			return false
		}
	}
	return true
}

// isSeasonID is programme.IDPattern.
func isSeasonID(text []byte) bool {
	if len(text) == 0 || len(text) > MaxName || text[0] == '-' {
		return false
	}
	for _, c := range text {
		if !isDigit(c) && (c < 'a' || c > 'z') && c != '-' {
			return false
		}
	}
	return true
}

func isNumber(value []byte) bool { return value[0] == '-' || isDigit(value[0]) }

func isLSOA(text []byte) bool {
	if len(text) != 9 || strings.IndexByte("EWSNX", text[0]) < 0 {
		return false
	}
	for _, c := range text[1:] {
		if !isDigit(c) {
			return false
		}
	}
	return true
}

func isEthnicity(text []byte) bool {
	return len(text) == 1 && strings.IndexByte("ABCDEFGHJKLMNPRSZ", text[0]) >= 0
}

func isODSCode(text []byte) bool {
	if len(text) < 3 || len(text) > 12 {
		return false
	}
	for _, c := range text {
		if !isDigit(c) && (c < 'A' || c > 'Z') {
			return false
		}
	}
	return true
}

func isPseudonym(text []byte) bool {
	if len(text) != pseudonymDigits {
		return false
	}
	for _, c := range text {
		if !isDigit(c) && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}

// parsePseudonym refuses 32 noughts as well: they stand for "none".
func parsePseudonym(p *Pseudonym, text []byte) bool {
	if !isPseudonym(text) {
		return false
	}
	_, err := hex.Decode(p[:], text)
	return err == nil && *p != Pseudonym{}
}

func parseStatus(text []byte) Status {
	switch string(text) {
	case "completed":
		return Completed
	case "not-done":
		return NotDone
	case "entered-in-error":
		return EnteredInError
	}
	return 0
}

// source is the text as a string if it is an absolute URI.
func (s *scratch) source(text []byte) (string, bool) {
	kept := s.sources.slot(text)
	if len(text) > 0 && *kept == string(text) {
		return *kept, true
	}
	if !isSource(string(text)) {
		return "", false
	}
	*kept = string(text)
	return *kept, true
}

// sourceRule is the scheme and the characters of a URI. Which of them may stand where is left to net/url.
var sourceRule = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9+.-]*:([A-Za-z0-9._~:/?#\[\]@!$&'()*+,;=-]|%[0-9A-Fa-f]{2})+$`)

func isSource(text string) bool {
	if len(text) > MaxSource || !sourceRule.MatchString(text) {
		return false
	}
	u, err := url.Parse(text)
	if err != nil || !u.IsAbs() {
		return false
	}
	if host := u.Hostname(); strings.Contains(host, ":") {
		address, err := netip.ParseAddr(host)
		return err == nil && address.Zone() == "" && strings.Contains(u.Host, "[")
	}
	return true
}
