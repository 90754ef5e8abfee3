package load

import (
	"regexp"
	"strconv"
	"unicode"
	"unicode/utf8"

	"gapwatch/services/internal/calendar"
	"gapwatch/services/internal/programme"
)

// Days outside these cannot be kept in a Date32 column.
var (
	firstDay = calendar.Date(1900, 1, 1)
	lastDay  = calendar.Date(2299, 12, 31)
)

// OpenEnd is the last day of what has no end: the greatest day that a Date32 column holds.
var OpenEnd = lastDay

var (
	lsoaRule      = regexp.MustCompile(`^[EWSNX][0-9]{8}$`)
	areaRule      = regexp.MustCompile(`^[EWSNXKJ][0-9]{8}$`)
	odsRule       = regexp.MustCompile(`^[A-Z0-9]{3,12}$`)
	geographyRule = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)
	idRule        = regexp.MustCompile(programme.IDPattern)
	ethnicityRule = regexp.MustCompile(`^[A-HJ-NPRSZ]$`)
	pseudoRule    = regexp.MustCompile(`^[A-Z]99999999$`)
)

// matched is the cell if it follows the rule; otherwise the rule's words become a problem and it is empty.
func (t *table) matched(column int, rule *regexp.Regexp, words string) string {
	s := t.cell(column)
	if !rule.MatchString(s) {
		t.fail(column, words)
		return ""
	}
	return s
}

func (t *table) lsoa(column int) string {
	return t.matched(column, lsoaRule, "must be an LSOA code: E, W, S, N or X and eight digits")
}

// area is a code that a look-up points to. Empty means unknown; so does a pseudo code of the ONS such as W99999999.
func (t *table) area(column int) string {
	s := t.cell(column)
	if s == "" || pseudoRule.MatchString(s) {
		return ""
	}
	return t.matched(column, areaRule, "must be an ONS code, a letter and eight digits, or empty")
}

func (t *table) ods(column int) string {
	return t.matched(column, odsRule, "must be an ODS code: 3 to 12 capital letters and digits")
}

func (t *table) id(column int) string {
	s := t.matched(column, idRule, "must be an id: small letters, digits and hyphens")
	if len(s) > programme.MaxIDLength {
		t.fail(column, "must have at most "+strconv.Itoa(programme.MaxIDLength)+" characters")
	}
	return s
}

// number is a whole number from least to most.
func (t *table) number(column int, least, most uint64) uint64 {
	n, err := strconv.ParseUint(t.cell(column), 10, 64)
	if err != nil || n < least || n > most {
		t.fail(column, "must be a whole number from "+strconv.FormatUint(least, 10)+" to "+strconv.FormatUint(most, 10))
		return 0
	}
	return n
}

func (t *table) day(column int) calendar.Day {
	d, err := calendar.Parse(t.cell(column))
	if err != nil || d < firstDay || d > lastDay {
		t.fail(column, "must be a date (YYYY-MM-DD) from "+firstDay.String()+" to "+lastDay.String())
		return 0
	}
	return d
}

// text is one line of words, which may be no longer than most characters.
func (t *table) text(column, most int) string {
	s := t.cell(column)
	bad := s == "" || utf8.RuneCountInString(s) > most
	for _, r := range s {
		bad = bad || unicode.IsControl(r)
	}
	if bad {
		t.fail(column, "must be text of 1 to "+strconv.Itoa(most)+" characters on one line")
		return ""
	}
	return s
}

// span is from and to; to may be empty and is then OpenEnd.
func (t *table) span(from, to int) (calendar.Day, calendar.Day) {
	first, last := t.day(from), OpenEnd
	if t.cell(to) != "" {
		bad := t.bad
		if last = t.day(to); t.bad == bad && last < first {
			t.fail(to, "must not be before "+shown(t.header[from]))
		}
	}
	return first, last
}

const geographyWords = "must be a code of letters, digits, full stops, hyphens and underscores"
