package mapping

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"gapwatch/schemas"
	"gapwatch/services/internal/calendar"
	"gapwatch/services/internal/programme"
)

// Embedded is the folder of the tables that are part of the binary, as it is named in errors.
const Embedded = "schemas/mapping"

// Load reads the tables in a folder; an empty one means those that are part of the binary. An error is for stopping at
// start: it names file, row, column and rule of everything that is wrong, each on a line of its own.
//
// Rows of a programme or season that set does not have are checked and left out, so that a deployment with fewer
// programmes can use the same tables; [Tables.Notes] says so, for a mistyped id is one too.
func Load(folder string, set *programme.Set) (*Tables, error) {
	if folder == "" {
		in, err := fs.Sub(schemas.Files, "mapping")
		if err != nil {
			return nil, fmt.Errorf("read the embedded mapping: %w", err)
		}
		return Parse(Embedded, in, set)
	}
	return Parse(folder, os.DirFS(filepath.Clean(folder)), set)
}

// Parse reads the tables in a file system like [Load]; folder is its name for errors.
func Parse(folder string, in fs.FS, set *programme.Set) (*Tables, error) {
	l := &loader{folder: folder, in: in, set: set, names: map[string]Kind{}, tables: &Tables{
		procedures: map[string]procedure{}, products: map[string]Kind{}, diseases: map[string]uint64{}, sets: map[uint64]Kind{},
		checks: [2]map[string]Kind{{}, {}},
	}}
	l.procedures()
	l.products()
	l.diseases()
	l.checks()
	l.programmes()
	if len(l.errs) > 0 {
		return nil, errors.Join(l.errs...)
	}
	return l.tables, nil
}

type loader struct {
	folder string
	in     fs.FS
	set    *programme.Set
	names  map[string]Kind
	tables *Tables
	errs   []error
}

// table reads a file. What is wrong with its form ends the reading of it alone.
func (l *loader) table(file string, columns ...string) *table {
	data, err := fs.ReadFile(l.in, file)
	if err != nil {
		// The file system's error names the file once more, and a path that says nothing where it is the embedded one.
		l.errs = append(l.errs, fmt.Errorf("%s: cannot be read: %w", path.Join(l.folder, file), errors.Unwrap(err)))
		return &table{}
	}
	var errs []error
	t := read(path.Join(l.folder, file), data, &errs, columns...)
	l.errs = append(l.errs, errs...)
	if len(errs) > 0 {
		return &table{}
	}
	t.errs = &l.errs
	return t
}

// kind is the kind with a name, new if need be.
func (l *loader) kind(r record, column, eventType string) (Kind, bool) {
	name, ok := r.name(column)
	if !ok {
		return 0, false
	}
	k, there := l.names[name]
	switch {
	case there && l.tables.kinds[k].eventType != eventType:
		r.fail(column, "is a vaccine in one table and a check in another")
		return 0, false
	case there:
		return k, true
	case len(l.tables.kinds) == maxKinds:
		r.fail(column, "is one too many: there may be %d kinds of vaccines and checks", maxKinds)
		return 0, false
	}
	k = Kind(len(l.tables.kinds))
	l.names[name] = k
	l.tables.kinds = append(l.tables.kinds, kind{name, eventType})
	l.tables.rows = append(l.tables.rows, nil)
	return k, true
}

func (l *loader) procedures() {
	for r := range l.table("procedures.csv", "code", "vaccine", "dose", "term", "source").all {
		_, code, ok := r.code("code", r.text("code"), false)
		k, okKind := l.kind(r, "vaccine", programme.TypeVaccination)
		dose, okDose := r.number("dose", 1, 9, 0)
		r.said("term", "source")
		if !ok || !okKind || !okDose {
			continue
		}
		if _, twice := l.tables.procedures[code]; twice {
			r.fail("code", "is in the table before")
		}
		l.tables.procedures[code] = procedure{k, uint8(dose)}
	}
}

func (l *loader) products() {
	for r := range l.table("products.csv", "code", "vaccine", "term", "source").all {
		_, code, ok := r.code("code", r.text("code"), false)
		k, okKind := l.kind(r, "vaccine", programme.TypeVaccination)
		r.said("term", "source")
		if !ok || !okKind {
			continue
		}
		if _, twice := l.tables.products[code]; twice {
			r.fail("code", "is in the table before")
		}
		l.tables.products[code] = k
	}
}

func (l *loader) diseases() {
	for r := range l.table("diseases.csv", "vaccine", "diseases", "term", "source").all {
		k, ok := l.kind(r, "vaccine", programme.TypeVaccination)
		r.said("diseases", "term", "source")
		var set uint64
		for _, text := range strings.Fields(r.text("diseases")) {
			_, code, okCode := r.code("diseases", text, false)
			ok = ok && okCode
			bit, there := l.tables.diseases[code]
			if !there {
				if len(l.tables.diseases) == maxKinds {
					r.fail("diseases", "holds one too many: there may be %d diseases", maxKinds)
					return
				}
				bit = 1 << len(l.tables.diseases)
				l.tables.diseases[code] = bit
			}
			if set&bit != 0 {
				r.fail("diseases", "holds a disease twice")
			}
			set |= bit
		}
		if !ok || set == 0 {
			continue
		}
		if _, twice := l.tables.sets[set]; twice {
			r.fail("diseases", "are in the table before")
		}
		l.tables.sets[set] = k
	}
}

func (l *loader) checks() {
	for r := range l.table("checks.csv", "code", "check", "term", "source").all {
		system, code, ok := r.code("code", r.text("code"), true)
		k, okKind := l.kind(r, "check", programme.TypeHealthCheck)
		r.said("term", "source")
		if !ok || !okKind {
			continue
		}
		table := l.tables.checks[0]
		if system == LOINC {
			table = l.tables.checks[1]
		}
		if _, twice := table[code]; twice {
			r.fail("code", "is in the table before")
		}
		table[code] = k
	}
}

func (l *loader) programmes() {
	reached := map[string]bool{}
	for r := range l.table("programmes.csv", "programme", "given", "seasons", "age_from", "age_to", "age_on", "cohort", "dose_from", "dose_to", "source").all {
		before := len(l.errs)
		id, _ := r.name("programme")
		name, _ := r.name("given")
		k, known := l.names[name]
		if name != "" && !known {
			r.fail("given", "is in no other table: no code leads to it")
		}
		r.said("source")
		made := l.row(r)
		if len(l.errs) > before {
			continue
		}
		p, there := l.set.Get(id)
		if !there {
			l.note(r, "programmes.yaml has no programme of this id; the row is left out")
			continue
		}
		made.programme = p
		if l.tables.kinds[k].eventType != p.EventType {
			r.fail("given", "is of another event type than the programme in programmes.yaml")
		}
		l.windows(r, &made)
		if len(l.errs) > before || len(made.windows) == 0 {
			continue
		}
		for i := range l.tables.rows[k] {
			if o := &l.tables.rows[k][i]; made.overlaps(o) {
				r.fail("", "overlaps row %d: somebody's record could be taken by both", o.at)
			}
		}
		reached[id] = true
		l.tables.rows[k] = append(l.tables.rows[k], made)
	}
	for _, p := range l.set.Programmes {
		if !reached[p.ID] {
			l.tables.notes = append(l.tables.notes, fmt.Sprintf("%s: no code leads to the programme %s: only records that name it count",
				path.Join(l.folder, "programmes.csv"), p.ID))
		}
	}
}

func (l *loader) note(r record, text string) {
	l.tables.notes = append(l.tables.notes, fmt.Sprintf("%s: row %d: %s", r.file, r.at, text))
}

// row is what a row says for itself.
func (l *loader) row(r record) row {
	made := row{at: r.at}
	var okFrom, okTo bool
	made.ageFrom, okFrom = r.number("age_from", 0, 130, 0)
	made.ageTo, okTo = r.number("age_to", 0, 130, anyAge)
	if okFrom && okTo && made.ageFrom > made.ageTo {
		r.fail("age_to", "must not be less than age_from")
	}
	switch on := r.text("age_on"); {
	case on == "" && (r.text("age_from") != "" || r.text("age_to") != ""):
		r.fail("age_on", "must say on which day the age is meant: event, or a day such as 31 March of the season")
	case on != "" && r.text("age_from") == "" && r.text("age_to") == "":
		r.fail("age_on", "must be empty where there is no age")
	case on == "event":
		made.onEvent = true
	case on != "":
		if _, ok := parseReference(on); !ok {
			r.fail("age_on", "must be event, or a day such as 31 March of the season")
		}
	}
	if text := r.text("cohort"); text != "" {
		age, found := strings.CutPrefix(text, "birthday ")
		n, ok := digits(age)
		if !found || !ok || n < 1 || n > 130 {
			r.fail("cohort", "must be empty or birthday and an age, such as birthday 5")
		}
		made.birthday = n
	}
	from, okFrom := r.number("dose_from", 1, 9, 1)
	to, okTo := r.number("dose_to", 1, 9, 9)
	if okFrom && okTo && from > to {
		r.fail("dose_to", "must not be less than dose_from")
	}
	made.doses = [2]uint8{uint8(from), uint8(to)}
	return made
}

// windows are the row's days. It is checked against the programme.
func (l *loader) windows(r record, made *row) {
	p := made.programme
	if (p.Kind == programme.Cohort) != (made.birthday > 0) {
		r.fail("cohort", "must say the birthday for a cohort programme, and be empty for any other")
	}
	if p.EventType == programme.TypeHealthCheck && !made.takesAnyDose() {
		r.fail("dose_from", "must be empty, and dose_to too: checks have no doses")
	}
	ref, byDate := parseReference(r.text("age_on"))
	if p.Kind == programme.Rolling {
		if byDate {
			r.fail("age_on", "must be event: a rolling programme has no season")
		}
		if r.text("seasons") != "" {
			r.fail("seasons", "must be empty: a rolling programme has none")
		}
		made.windows = []window{{days: ever, births: ever}}
		return
	}
	wanted := strings.Fields(r.text("seasons"))
	for _, id := range wanted {
		if _, there := p.Season(id); !there {
			l.note(r, "programmes.yaml has no season "+id+" of this programme; it is left out")
		}
	}
	for i, s := range p.Seasons {
		if len(wanted) > 0 && !slices.Contains(wanted, s.ID) {
			continue
		}
		w := window{season: s.ID, days: span{s.Start, s.End}, births: ever}
		if p.Kind == programme.Cohort {
			w.days = ever
			if i > 0 && s.Start <= p.Seasons[i-1].End {
				r.fail("cohort", "cannot tell the season by a birthday: seasons of the programme overlap")
			}
		}
		if byDate {
			w.births = ageOn(made.ageFrom, made.ageTo, ref.in(s))
		}
		made.windows = append(made.windows, w)
	}
}

const ofTheSeason = " of the season"

// parseReference reads a day such as 31 March of the season.
func parseReference(text string) (reference, bool) {
	date, found := strings.CutSuffix(text, ofTheSeason)
	if !found {
		return reference{}, false
	}
	day, name, _ := strings.Cut(date, " ")
	n, ok := digits(day)
	if !ok || n < 1 {
		return reference{}, false
	}
	for month := time.January; month <= time.December; month++ {
		if month.String() == name {
			// 2024 has all days that a month can have.
			return reference{month, n}, calendar.Date(2024, month, n) < calendar.Date(2024, month+1, 1)
		}
	}
	return reference{}, false
}
