package load

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"gapwatch/services/internal/calendar"
	"gapwatch/services/internal/programme"
)

// EligibleRow is one row of a file of eligible people (a denominator).
type EligibleRow struct {
	Programme string
	Season    string
	LSOA      string // 2011 or 2021 code, empty = unknown
	Practice  string // ODS code; empty in every row of a (programme, season, valid from) or in none
	Ethnicity string // NHS ethnic category code 2001; empty in every row of a (programme, season, valid from) or in none
	ValidFrom calendar.Day
	Eligible  uint32 // people
}

// Key is what a load of the row replaces, as in [Part].
func (r EligibleRow) Key() string { return r.Programme + "/" + r.Season + "/" + r.ValidFrom.String() }

// HistoryRow is one row of a published series.
type HistoryRow struct {
	Programme string // need not be in programmes.yaml
	Season    string
	Geography string
	Day       calendar.Day
	Quintile  uint8  // 1 = most deprived fifth to 5 = least, 0 = unknown
	Covered   uint64 // people covered on that day
	Eligible  uint64 // people eligible on that day
}

// Key is what a load of the row replaces, as in [Part].
func (r HistoryRow) Key() string { return r.Programme + "/" + r.Season + "/" + r.Geography }

// InterventionRow is something that was done to raise uptake, from one day to another.
type InterventionRow struct {
	Programme string
	Geography string
	From, To  calendar.Day // both included; To is OpenEnd where no end is known
	Label     string
}

// Key is what a load of the row replaces, as in [Part].
func (r InterventionRow) Key() string { return r.Programme }

// FlagRow says that somebody put an area on a list, such as that of "left behind" neighbourhoods.
type FlagRow struct {
	Code     string
	Label    string
	Source   string
	From, To calendar.Day // both included; To is OpenEnd where no end is known
}

// Key is what a load of the row replaces, as in [Part].
func (r FlagRow) Key() string { return r.Label + "\t" + r.Source }

// layout is a kind of file in which every row stands for itself.
type layout[Row interface{ Key() string }] struct {
	kind     Kind
	columns  []string                        // as users write them
	distinct []string                        // the columns in which no two rows may be alike
	read     func(*table, []int, *rules) Row // reads the current row; what is wrong with it becomes problems
	same     func([]byte, Row) []byte        // appends what two rows of a key may not share
	figures  func([]byte, Row) []byte        // appends the rest of the row
}

// rules is what rows are checked against besides themselves.
type rules struct {
	programmes *programme.Set
	grains     map[string]grain
}

// grain is which columns the rows of one denominator fill in.
type grain struct {
	practice, ethnicity bool
	row                 int // the first row, which set it
}

var eligibleLayout = layout[EligibleRow]{
	kind:     Eligible,
	columns:  []string{"programme", "season", "lsoa", "practice", "ethnicity", "valid_from", "eligible"},
	distinct: []string{"programme", "season", "lsoa", "practice", "ethnicity", "valid_from"},
	read:     readEligible,
	same: func(b []byte, r EligibleRow) []byte {
		return appendFields(b, '\t', r.LSOA, r.Practice, r.Ethnicity)
	},
	figures: func(b []byte, r EligibleRow) []byte { return strconv.AppendUint(b, uint64(r.Eligible), 10) },
}

func readEligible(t *table, c []int, rules *rules) EligibleRow {
	r := EligibleRow{Programme: t.cell(c[0]), Season: t.cell(c[1]), ValidFrom: t.day(c[5])}
	if p, ok := rules.programmes.Get(r.Programme); !ok {
		t.fail(c[0], "must be a programme of programmes.yaml")
	} else if season, ok := p.Season(r.Season); !ok {
		t.fail(c[1], "must be a season of the programme in programmes.yaml ("+programme.RollingSeason+" for rolling programmes)")
	} else if r.ValidFrom > season.End {
		t.fail(c[5], "must not be after the season's end, "+season.End.String())
	}
	if t.cell(c[2]) != "" {
		r.LSOA = t.lsoa(c[2])
	}
	filled := grain{practice: t.cell(c[3]) != "", ethnicity: t.cell(c[4]) != "", row: t.row}
	if filled.practice {
		r.Practice = t.ods(c[3])
	}
	if filled.ethnicity {
		r.Ethnicity = t.matched(c[4], ethnicityRule, "must be a code of the NHS ethnic category 2001: A to H, J to N, P, R, S or Z")
	}
	r.Eligible = uint32(t.number(c[6], 0, 1<<32-1))
	if t.bad > 0 {
		return r
	}
	first, ok := rules.grains[r.Key()]
	if !ok {
		rules.grains[r.Key()] = filled
		return r
	}
	const rule = "must be given in every row of one programme, season and valid_from or in none; row %d is otherwise"
	if filled.practice != first.practice {
		t.fail(c[3], fmt.Sprintf(rule, first.row))
	}
	if filled.ethnicity != first.ethnicity {
		t.fail(c[4], fmt.Sprintf(rule, first.row))
	}
	return r
}

var historyLayout = layout[HistoryRow]{
	kind:     History,
	columns:  []string{"programme", "season", "geography", "day", "quintile", "covered", "eligible"},
	distinct: []string{"programme", "season", "geography", "day", "quintile"},
	read: func(t *table, c []int, _ *rules) HistoryRow {
		return HistoryRow{
			Programme: t.id(c[0]), Season: t.id(c[1]),
			Geography: t.matched(c[2], geographyRule, geographyWords),
			Day:       t.day(c[3]),
			Quintile:  uint8(t.number(c[4], 0, 5)),
			Covered:   t.number(c[5], 0, 1<<53),
			Eligible:  t.number(c[6], 0, 1<<53),
		}
	},
	same: func(b []byte, r HistoryRow) []byte {
		return strconv.AppendUint(appendFields(b, '\t', r.Day.String(), ""), uint64(r.Quintile), 10)
	},
	figures: func(b []byte, r HistoryRow) []byte {
		return strconv.AppendUint(append(strconv.AppendUint(b, r.Covered, 10), '\t'), r.Eligible, 10)
	},
}

var interventionsLayout = layout[InterventionRow]{
	kind:     Interventions,
	columns:  []string{"programme", "geography", "from", "to", "label"},
	distinct: []string{"programme", "geography", "from", "label"},
	read: func(t *table, c []int, rules *rules) InterventionRow {
		r := InterventionRow{Programme: t.cell(c[0])}
		if _, ok := rules.programmes.Get(r.Programme); !ok {
			t.fail(c[0], "must be a programme of programmes.yaml")
		}
		r.Geography = t.matched(c[1], geographyRule, geographyWords)
		r.From, r.To = t.span(c[2], c[3])
		r.Label = t.text(c[4], 200)
		return r
	},
	same: func(b []byte, r InterventionRow) []byte {
		return appendFields(b, '\t', r.Geography, r.From.String(), r.Label)
	},
	figures: func(b []byte, r InterventionRow) []byte { return append(b, r.To.String()...) },
}

var flagsLayout = layout[FlagRow]{
	kind:     Flags,
	columns:  []string{"code", "label", "source", "from", "to"},
	distinct: []string{"code", "label", "source", "from"},
	read: func(t *table, c []int, _ *rules) FlagRow {
		r := FlagRow{Code: t.matched(c[0], geographyRule, geographyWords), Label: t.text(c[1], 200), Source: t.text(c[2], 500)}
		r.From, r.To = t.span(c[3], c[4])
		return r
	},
	same: func(b []byte, r FlagRow) []byte {
		return appendFields(b, '\t', r.Code, r.From.String())
	},
	figures: func(b []byte, r FlagRow) []byte { return append(b, r.To.String()...) },
}

func appendFields(b []byte, separator byte, fields ...string) []byte {
	for i, f := range fields {
		if i > 0 {
			b = append(b, separator)
		}
		b = append(b, f...)
	}
	return b
}

// columnsOf is where the columns of the layout are in the table.
func (l layout[Row]) columnsOf(t *table) []int {
	at := make([]int, len(l.columns))
	for i, column := range l.columns {
		at[i] = t.find(normal(column))
	}
	return at
}

// scan reads the rows of a table, hands the good ones to each, and returns what a load of the file replaces, in the
// order of the file. With identities it also finds rows that are there twice.
func (l layout[Row]) scan(ctx context.Context, t *table, o Options, phase string, twice bool, each func(Row) error) ([]Part, error) {
	columns := l.columnsOf(t)
	rules := &rules{programmes: o.Programmes, grains: map[string]grain{}}
	digests := map[string]*digest{}
	var order []string
	var seen identities
	var failed error
	var text []byte
	err := t.each(ctx, phase, o.Progress, func() {
		row := l.read(t, columns, rules)
		if t.bad > 0 || failed != nil {
			return
		}
		key := row.Key()
		d, ok := digests[key]
		if !ok {
			d = &digest{}
			digests[key] = d
			order = append(order, key)
		}
		text = l.same(append(append(text[:0], key...), '\n'), row)
		if twice {
			seen.add(text, t.row)
		}
		d.add(l.figures(append(text, '\n'), row))
		if each != nil {
			failed = each(row)
		}
	})
	if err == nil {
		err = failed
	}
	if err != nil {
		return nil, err
	}
	if t.rows == 0 {
		return nil, t.unreadable(0, "has no rows below its header")
	}
	var found []Problem
	seen.twice(func(row, first int) {
		found = append(found, Problem{File: t.path, Row: row, Rule: fmt.Sprintf("must not have the same %s as row %d",
			strings.Join(l.distinct, ", "), first)})
	})
	t.problems.addSorted(found)
	parts := make([]Part, len(order))
	for i, key := range order {
		parts[i] = Part{Kind: l.kind, Key: key, SHA256: digests[key].String(), Rows: digests[key].rows}
	}
	return parts, nil
}
