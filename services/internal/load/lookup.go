package load

import (
	"context"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"gapwatch/services/internal/area"
)

// The relations that look-up files hold, as they are named in prevention.lookups. Areas are those of 2024.
const (
	IMD2019        = "lsoa11-imd2019"
	IMD2025        = "lsoa21-imd2025"
	LSOA11ToLSOA21 = "lsoa11-lsoa21"
	LSOA11ToMSOA   = "lsoa11-msoa11"
	LSOA21ToMSOA   = "lsoa21-msoa21"
	LSOA21ToPlace  = "lsoa21-lad24"
	LSOA21ToICB    = "lsoa21-icb24"
	PlaceToRegion  = "lad24-rgn24"
	PracticeToPCN  = "practice-pcn"
)

// Relation is one look-up: what a code leads to. Deprivation is filled for IMD2019 and IMD2025, Targets for the others;
// only LSOA11ToLSOA21 has more than one target for a code.
type Relation struct {
	Name        string
	Targets     map[string][]string // sorted
	Deprivation map[string]area.Deprivation
}

// Rows is how many pairs the relation has.
func (r *Relation) Rows() int {
	n := len(r.Deprivation)
	for _, targets := range r.Targets {
		n += len(targets)
	}
	return n
}

func (r *Relation) digest() string {
	var d digest
	var b []byte
	for code, targets := range r.Targets {
		for _, target := range targets {
			b = appendFields(b[:0], '\t', code, target)
			d.add(b)
		}
	}
	for code, depr := range r.Deprivation {
		b = appendFields(b[:0], '\t', code, strconv.Itoa(int(depr.Rank)), strconv.Itoa(int(depr.Decile)))
		d.add(b)
	}
	return d.String()
}

// NameList is the names of the codes of one level, as one file gives them.
type NameList struct {
	Level string // neighbourhood, place, system, region or pcn
	Names map[string]string
}

func (n *NameList) digest() string {
	var d digest
	for code, name := range n.Names {
		d.add(appendFields(nil, '\t', code, name))
	}
	return d.String()
}

// Lookups is what one look-up file says.
type Lookups struct {
	Relations []*Relation
	Names     map[string]*NameList // by key: level/relation that the names came with
	Ended     int                  // rows of practices that have left their PCN, which are not counted
}

// geographyColumn is a column of codes or names of one kind of area and one year.
type geographyColumn struct {
	entity string // lsoa, msoa, lad, icb or rgn
	year   int    // e.g. 2021
	name   bool
}

// Headers as the ONS writes them (LSOA21CD), as the humaniverse packages do (lsoa21_code), and as the files of the
// English indices of deprivation do (LSOA code (2021), Local Authority District code (2024)).
var (
	shortHeader = regexp.MustCompile(`^(lsoa|msoa|lad|ltla|icb|rgn|region) ?(\d\d)( ?)(cd|code|nm|name)$`)
	longHeader  = regexp.MustCompile(`^(lsoa|msoa|local authority district|integrated care board|region) (code|name) 20(\d\d)$`)
	entities    = map[string]string{
		"ltla": "lad", "local authority district": "lad", "integrated care board": "icb", "region": "rgn",
	}
)

func geographyOf(column string) (geographyColumn, bool) {
	var entity, year, part string
	if m := shortHeader.FindStringSubmatch(column); m != nil {
		entity, year, part = m[1], m[2], m[4]
	} else if m := longHeader.FindStringSubmatch(column); m != nil {
		entity, year, part = m[1], m[3], m[2]
	} else {
		return geographyColumn{}, false
	}
	if other, ok := entities[entity]; ok {
		entity = other
	}
	n, _ := strconv.Atoi(year) // two digits
	return geographyColumn{entity, 2000 + n, strings.HasPrefix(part, "n")}, true
}

// lookupColumns is where a look-up file has its columns; -1 = nowhere.
type lookupColumns struct {
	geography map[geographyColumn]int

	rank, decile, quintile int // IMD
	change                 int // ONS change indicator
	practice, pcn, pcnName int
	ended                  int // end of a practice's time in a PCN
}

func lookupColumnsOf(t *table) lookupColumns {
	c := lookupColumns{
		geography: map[geographyColumn]int{},
		rank:      t.find("imd rank", "index of multiple deprivation imd rank where 1 is most deprived", "index of multiple deprivation imd rank"),
		decile:    t.find("imd decile", "index of multiple deprivation imd decile where 1 is most deprived 10 of lsoas", "index of multiple deprivation imd decile"),
		quintile:  t.find("imd quintile", "imd quintile derived"),
		change:    t.find("chgind", "chngind", "change code", "change indicator"),
		practice:  t.find("practice", "practice code", "gp practice code", "partner organisation code"),
		pcn:       t.find("pcn", "pcn code"),
		pcnName:   t.find("pcn name"),
		ended:     t.find("practice to pcn relationship end date", "relationship end date", "pcn end date"),
	}
	for i, column := range t.columns {
		if g, ok := geographyOf(column); ok {
			c.geography[g] = i
		}
	}
	return c
}

func (c lookupColumns) code(entity string, year int) int { return c.at(entity, year, false) }

func (c lookupColumns) at(entity string, year int, name bool) int {
	if i, ok := c.geography[geographyColumn{entity, year, name}]; ok {
		return i
	}
	return -1
}

// link is a relation between two columns of codes.
type link struct {
	relation string
	from, to end
}

type end struct {
	entity string
	year   int
	level  string // what its names are names of; empty = names are not kept
}

var links = []link{
	{relation: LSOA11ToLSOA21, from: end{"lsoa", 2011, ""}, to: end{"lsoa", 2021, ""}},
	{relation: LSOA11ToMSOA, from: end{"lsoa", 2011, ""}, to: end{"msoa", 2011, "neighbourhood"}},
	{relation: LSOA21ToMSOA, from: end{"lsoa", 2021, ""}, to: end{"msoa", 2021, "neighbourhood"}},
	{relation: LSOA21ToPlace, from: end{"lsoa", 2021, ""}, to: end{"lad", 2024, "place"}},
	{relation: LSOA21ToICB, from: end{"lsoa", 2021, ""}, to: end{"icb", 2024, "system"}},
	{relation: PlaceToRegion, from: end{"lad", 2024, "place"}, to: end{"rgn", 2024, "region"}},
}

// lookupsIn tells which relations the columns of a file hold. A file of the IMD holds nothing else: its district codes
// only tell its edition, and the ONS look-ups are finer.
func lookupsIn(c lookupColumns) (imd string, has []link, practices bool) {
	if c.rank >= 0 && c.decile >= 0 {
		switch {
		case c.code("lsoa", 2021) >= 0:
			return IMD2025, nil, false
		case c.code("lsoa", 2011) >= 0:
			return IMD2019, nil, false
		}
	}
	for _, l := range links {
		if c.code(l.from.entity, l.from.year) >= 0 && c.code(l.to.entity, l.to.year) >= 0 {
			has = append(has, l)
		}
	}
	return "", has, c.practice >= 0 && c.pcn >= 0
}

// readLookups reads a whole look-up file. It holds its codes in memory: England and Wales have 35,672 LSOAs.
func readLookups(ctx context.Context, t *table, o Options) (*Lookups, error) {
	columns := lookupColumnsOf(t)
	imd, has, practices := lookupsIn(columns)
	l := &Lookups{Names: map[string]*NameList{}}
	var row func()
	finish := func() {}
	switch {
	case imd != "":
		row, finish = l.readIMD(t, columns, imd)
	default:
		var readers []func()
		for _, link := range has {
			readers = append(readers, l.readLink(t, columns, link))
		}
		if practices {
			readers = append(readers, l.readPractices(t, columns))
		}
		row = func() {
			for _, read := range readers {
				read()
			}
		}
	}
	if err := t.each(ctx, "checking", o.Progress, row); err != nil {
		return nil, err
	}
	if t.rows == 0 {
		return nil, t.unreadable(0, "has no rows below its header")
	}
	finish()
	for _, r := range l.Relations {
		for _, targets := range r.Targets {
			slices.Sort(targets)
		}
	}
	maps.DeleteFunc(l.Names, func(_ string, n *NameList) bool { return len(n.Names) == 0 })
	return l, nil
}

// once adds a pair to a relation in which a code has one target. The first row of a code is kept to be named.
func (t *table) once(r *Relation, rows map[string]int, code, target string, column int) {
	if first, ok := rows[code]; ok {
		if r.Targets[code][0] != target {
			t.fail(column, fmt.Sprintf("must be what row %d gives for the same code", first))
		}
		return
	}
	rows[code] = t.row
	r.Targets[code] = []string{target}
}

func (l *Lookups) readLink(t *table, columns lookupColumns, link link) func() {
	relation := &Relation{Name: link.relation, Targets: map[string][]string{}}
	l.Relations = append(l.Relations, relation)
	rows := map[string]int{}
	nameFrom, nameTo := l.endNamer(t, link.from, columns, link.relation), l.endNamer(t, link.to, columns, link.relation)
	from, to := columns.code(link.from.entity, link.from.year), columns.code(link.to.entity, link.to.year)
	return func() {
		if link.from.entity != "lsoa" && (t.cell(from) == "" || pseudoRule.MatchString(t.cell(from))) {
			return // a wide file says nothing of this relation for an area without one
		}
		bad := t.bad
		var code, target string
		if link.from.entity == "lsoa" {
			code = t.lsoa(from)
		} else {
			code = t.area(from)
		}
		if link.to.entity == "lsoa" {
			target = t.lsoa(to)
		} else {
			target = t.area(to)
		}
		if t.bad > bad {
			return
		}
		nameFrom(code)
		if target == "" {
			return // unknown in this row; another may say it, before or after
		}
		nameTo(target)
		if link.relation != LSOA11ToLSOA21 {
			t.once(relation, rows, code, target, to)
			return
		}
		switch change := t.cell(columns.change); {
		case columns.change < 0:
		case change != "U" && change != "S" && change != "M" && change != "X":
			t.fail(columns.change, "must be U (unchanged), S (split), M (merged) or X (other)")
		case change == "U" && code != target:
			t.fail(to, "must be the 2011 code where the change is U (unchanged)")
		}
		if !slices.Contains(relation.Targets[code], target) {
			relation.Targets[code] = append(relation.Targets[code], target)
		}
	}
}

// endNamer keeps the names of one end of a link, if they are wanted and the file has them.
func (l *Lookups) endNamer(t *table, e end, columns lookupColumns, relation string) func(code string) {
	column := columns.at(e.entity, e.year, true)
	if e.level == "" || column < 0 {
		return func(string) {}
	}
	return l.namer(t, e.level, column, relation)
}

// namer keeps names from a column. A code has one name: two are a fault of the file, since which came first says nothing.
func (l *Lookups) namer(t *table, level string, column int, relation string) func(code string) {
	list := &NameList{Level: level, Names: map[string]string{}}
	l.Names[level+"/"+relation] = list
	rows := map[string]int{}
	return func(code string) {
		name := t.cell(column)
		switch first, ok := rows[code]; {
		case name == "":
		case !ok:
			rows[code], list.Names[code] = t.row, name
		case list.Names[code] != name:
			t.fail(column, fmt.Sprintf("must be the name that row %d gives for the same code", first))
		}
	}
}

func (l *Lookups) readPractices(t *table, columns lookupColumns) func() {
	relation := &Relation{Name: PracticeToPCN, Targets: map[string][]string{}}
	l.Relations = append(l.Relations, relation)
	rows := map[string]int{}
	named := func(string) {}
	if columns.pcnName >= 0 {
		named = l.namer(t, "pcn", columns.pcnName, PracticeToPCN)
	}
	return func() {
		if t.cell(columns.ended) != "" {
			l.Ended++
			return
		}
		bad := t.bad
		practice, pcn := t.ods(columns.practice), t.ods(columns.pcn)
		if t.bad > bad {
			return
		}
		named(pcn)
		t.once(relation, rows, practice, pcn, columns.pcn)
	}
}

// editions of the IMD, and the year of the districts that their files name.
var editions = map[string]struct{ lsoa, districts int }{IMD2019: {2011, 2019}, IMD2025: {2021, 2024}}

func (l *Lookups) readIMD(t *table, columns lookupColumns, imd string) (row, finish func()) {
	relation := &Relation{Name: imd, Deprivation: map[string]area.Deprivation{}}
	l.Relations = append(l.Relations, relation)
	edition := editions[imd]
	for g, i := range columns.geography {
		if g.entity == "lad" && !g.name && g.year != edition.districts {
			t.problems.add(Problem{File: t.path, Row: 1, Column: shown(t.header[i]), Rule: fmt.Sprintf(
				"must be of %d: this is another edition of the IMD than that of %s", edition.districts, imd[len(imd)-4:])})
		}
	}
	lsoa := columns.code("lsoa", edition.lsoa)
	rows := map[string]int{}
	row = func() {
		code := t.lsoa(lsoa)
		rank := t.number(columns.rank, 1, 1<<32-1)
		decile := t.number(columns.decile, 1, 10)
		if t.bad > 0 {
			return
		}
		if columns.quintile >= 0 && t.cell(columns.quintile) != strconv.Itoa(int(area.Quintile(uint8(decile)))) {
			t.fail(columns.quintile, "must be the fifth that the decile lies in, 1 being the most deprived")
		}
		if first, ok := rows[code]; ok {
			t.fail(lsoa, fmt.Sprintf("must not be there twice: row %d has it", first))
			return
		}
		rows[code] = t.row
		relation.Deprivation[code] = area.Deprivation{Rank: uint32(rank), Decile: uint8(decile)}
	}
	finish = func() { // a decile that falls as the rank rises means that one of them counts from the other end
		codes := slices.SortedFunc(maps.Keys(relation.Deprivation), func(a, b string) int {
			x, y := relation.Deprivation[a], relation.Deprivation[b]
			if x.Rank != y.Rank {
				return int(int64(x.Rank) - int64(y.Rank))
			}
			return int(x.Decile) - int(y.Decile)
		})
		var found []Problem
		for i := 1; i < len(codes); i++ {
			if relation.Deprivation[codes[i]].Decile < relation.Deprivation[codes[i-1]].Decile {
				found = append(found, Problem{File: t.path, Row: rows[codes[i]], Column: shown(t.header[columns.decile]),
					Rule: fmt.Sprintf("must not be smaller than that of row %d, whose rank is more deprived (1 = most deprived)", rows[codes[i-1]])})
			}
		}
		t.problems.addSorted(found)
	}
	return row, finish
}

// parts is what a load of the file replaces.
func (l *Lookups) parts() []Part {
	var parts []Part
	for _, r := range l.Relations {
		kind := Lookup
		key := r.Name
		if r.Name == PracticeToPCN {
			kind, key = Practices, ""
		}
		parts = append(parts, Part{Kind: kind, Key: key, SHA256: r.digest(), Rows: r.Rows()})
	}
	for _, key := range slices.Sorted(maps.Keys(l.Names)) {
		n := l.Names[key]
		parts = append(parts, Part{Kind: Names, Key: key, SHA256: n.digest(), Rows: len(n.Names)})
	}
	return parts
}

// Raw is relations in the form that areas are resolved from; what is not among them is unknown.
func Raw(relations map[string]*Relation) area.Raw {
	one := func(name string) map[string]string {
		m := map[string]string{}
		if r, ok := relations[name]; ok {
			for code, targets := range r.Targets {
				m[code] = targets[0]
			}
		}
		return m
	}
	deprivation := func(name string) map[string]area.Deprivation {
		if r, ok := relations[name]; ok {
			return r.Deprivation
		}
		return nil
	}
	raw := area.Raw{
		Deprivation2019:   deprivation(IMD2019),
		Deprivation2025:   deprivation(IMD2025),
		Neighbourhood2011: one(LSOA11ToMSOA),
		Neighbourhood2021: one(LSOA21ToMSOA),
		Place:             one(LSOA21ToPlace),
		System:            one(LSOA21ToICB),
		Region:            one(PlaceToRegion),
	}
	if r, ok := relations[LSOA11ToLSOA21]; ok {
		raw.Successors = r.Targets
	}
	return raw
}

// DigestAreas names resolved areas by their content.
func DigestAreas(areas []area.Resolved) string {
	var d digest
	var b []byte
	for _, r := range areas {
		b = appendFields(b[:0], '\t', r.LSOA, r.Neighbourhood, r.Place, r.System, r.Region)
		for _, n := range []uint64{uint64(r.Quintile2019), uint64(r.Quintile2025), uint64(r.Rank2019), uint64(r.Rank2025)} {
			b = strconv.AppendUint(append(b, '\t'), n, 10)
		}
		d.add(b)
	}
	return d.String()
}
