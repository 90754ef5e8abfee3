package programme

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"

	"gapwatch/schemas"
	"gapwatch/services/internal/calendar"
)

// Embedded is the path of the programme file that is part of the binary, as it is named in errors.
const Embedded = "schemas/programmes.yaml"

// IDPattern is what ids of programmes and seasons look like. They become parts of subjects and partition names.
const IDPattern = `^[a-z0-9][a-z0-9-]*$`

// MaxIDLength is the greatest length of an id of a programme or season.
const MaxIDLength = 64

var idRule = regexp.MustCompile(IDPattern)

// Counts start on day 0 at the earliest, and no later day than the last one fits into a Date32 column.
var firstDay, lastDay = calendar.Day(0), calendar.Date(2299, 12, 31)

// Load reads the programme file at path; an empty path means the one that is part of the binary. An error is for
// stopping at start: it names file, line, field and rule of everything that is wrong.
func Load(path string) (*Set, error) {
	if path == "" {
		data, err := schemas.Files.ReadFile("programmes.yaml")
		if err != nil {
			return nil, fmt.Errorf("read the embedded programmes: %w", err)
		}
		return Parse(Embedded, data)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read the programmes: %w", err)
	}
	return Parse(path, data)
}

// Parse reads a programme file; file is its name for errors. All errors of a file are joined into one, each on a line
// of its own as "file:line: field: rule".
func Parse(file string, data []byte) (*Set, error) {
	var document yaml.Node
	if err := yaml.Load(data, &document); err != nil {
		line, rule := 1, err.Error()
		var at *yaml.LoadError
		if errors.As(err, &at) {
			line, rule = max(line, at.Mark.Line), at.Message
		}
		return nil, fmt.Errorf("%s:%d: file: must be one YAML document: %s", file, line, rule)
	}
	r := &reader{file: file}
	set := r.set(&document)
	if len(r.errs) > 0 {
		slices.SortStableFunc(r.errs, func(a, b lineError) int { return a.line - b.line })
		all := make([]error, len(r.errs))
		for i, e := range r.errs {
			all[i] = e.error
		}
		return nil, errors.Join(all...)
	}
	set.SHA256 = fmt.Sprintf("%x", sha256.Sum256(data))
	return set, nil
}

// reader collects what is wrong with a file instead of stopping at the first error.
type reader struct {
	file string
	errs []lineError
}

type lineError struct {
	line int
	error
}

func (r *reader) fail(n *yaml.Node, field, rule string, args ...any) {
	r.errs = append(r.errs, lineError{n.Line, fmt.Errorf("%s:%d: %s: %s", r.file, n.Line, field, fmt.Sprintf(rule, args...))})
}

func (r *reader) set(document *yaml.Node) *Set {
	root := document
	if document.Kind == yaml.DocumentNode && len(document.Content) > 0 {
		root = document.Content[0]
	}
	if root.Line == 0 {
		root.Line = 1 // an empty file has no node to point at
	}
	o := r.object(root, "", "imd", "programmes")
	set := &Set{Edition: o.whole("imd", 2019, 2025)}
	if n, ok := o.fields["imd"]; ok && set.Edition != 0 && set.Edition != 2019 && set.Edition != 2025 {
		r.fail(n, "imd", "must be 2019 or 2025, the editions of the Index of Multiple Deprivation that are loaded")
	}
	list := o.list("programmes")
	lines := map[string]int{}
	for i, n := range list {
		p := r.programme(n, fmt.Sprintf("programmes[%d]", i))
		if p.ID == "" {
			continue
		}
		if line, ok := lines[p.ID]; ok {
			r.fail(n, p.ID+".id", "is used before, on line %d", line)
		}
		lines[p.ID] = n.Line
		set.Programmes = append(set.Programmes, p)
	}
	return NewSet(set.Edition, set.Programmes...)
}

func (r *reader) programme(n *yaml.Node, path string) *Programme {
	o := r.object(n, path, "id", "name", "kind", "event", "doses", "min_interval", "validity", "target",
		"history_from", "retention", "limits", "seasons", "eligible", "source")
	p := &Programme{ID: o.id("id")}
	if p.ID != "" {
		o.path = p.ID
	}
	p.Name = o.text("name")
	p.Kind = Kind(o.oneOf("kind", string(Seasonal), string(Rolling), string(Cohort)))
	switch o.oneOf("event", "vaccination", "health-check") {
	case "vaccination":
		p.EventType = TypeVaccination
	case "health-check":
		p.EventType = TypeHealthCheck
	}
	p.Target = o.number("target", 0, 100)
	p.HistoryFrom = o.day("history_from")
	p.Retention = usualRetention
	if _, ok := o.fields["retention"]; ok {
		p.Retention = o.whole("retention", leastRetention, 1200)
	}
	p.Limits = o.limits("limits")
	p.Eligible = o.text("eligible")
	p.Source = o.text("source")

	p.Doses = 1
	if n, ok := o.fields["doses"]; ok {
		p.Doses = o.whole("doses", 1, 9)
		if p.Doses > 1 && (p.Kind == Rolling || p.EventType == TypeHealthCheck) {
			r.fail(n, o.field("doses"), "must be 1 for rolling programmes and health checks")
		}
	}
	if p.Doses > 1 {
		p.MinInterval = o.whole("min_interval", 0, 3660)
	} else {
		o.refuse("min_interval", "belongs to programmes of more than one dose")
	}
	if p.Kind == Rolling {
		p.Validity = o.whole("validity", 1, 1200)
		o.refuse("seasons", "a rolling programme has none")
	} else if p.Kind != "" {
		o.refuse("validity", "belongs to rolling programmes: a %s one covers until its season ends", p.Kind)
		p.Seasons = o.seasons("seasons", p.Kind)
		o.keepsLastSeason(p)
	}
	return p
}

// Months that a season, or a day of a rolling programme, is kept where the file does not say, and the least it may say: as
// long as a rolling programme's days are shown (services/internal/gap: 800 days), so that a day is compared with a year before.
const usualRetention, leastRetention = 60, 27

// keepsLastSeason refuses a retention by which a season would be gone before the next one, which is compared with it, is over.
func (o object) keepsLastSeason(p *Programme) {
	for i := 1; i < len(p.Seasons); i++ {
		if before, after := p.Seasons[i-1], p.Seasons[i]; p.Retention > 0 && p.KeptTo(before) < after.End {
			n, ok := o.fields["retention"]
			if !ok {
				n = o.node
			}
			o.r.fail(n, o.field("retention"), "season %s would be gone on %s, before season %s, which is compared with it, is over", before.ID, p.KeptTo(before)+1, after.ID)
		}
	}
}

// usualBehind is the limit where the file says none.
const usualBehind = 5

func (o object) limits(key string) Limits {
	n, ok := o.required(key)
	if !ok {
		return Limits{}
	}
	l := o.r.object(n, o.field(key), "floor", "smallest_change", "unknown_area", "ceiling", "behind")
	limits := Limits{
		Floor:          l.whole("floor", 1, 1_000_000),
		SmallestChange: l.number("smallest_change", 0, 100),
		UnknownArea:    l.number("unknown_area", 0, 100),
		Ceiling:        l.number("ceiling", 0, 100),
		Behind:         usualBehind,
	}
	if _, ok := l.fields["behind"]; ok {
		limits.Behind = l.number("behind", 0, 100)
	}
	return limits
}

func (o object) seasons(key string, kind Kind) []Season {
	var seasons []Season
	ids := map[string]bool{}
	for i, n := range o.list(key) {
		before := len(o.r.errs)
		s := o.r.object(n, fmt.Sprintf("%s[%d]", o.field(key), i), "id", "start", "end")
		season := Season{ID: s.id("id"), Start: s.day("start"), End: s.day("end")}
		if len(o.r.errs) > before {
			continue // a season that could not be read is not compared with its neighbours
		}
		if ids[season.ID] || season.ID == RollingSeason {
			o.r.fail(s.fields["id"], s.field("id"), "is used before or is the reserved %q", RollingSeason)
		}
		ids[season.ID] = true
		if season.End < season.Start {
			o.r.fail(s.fields["end"], s.field("end"), "is before start")
		}
		if len(seasons) > 0 {
			last := seasons[len(seasons)-1]
			switch {
			case kind == Seasonal && season.Start <= last.End:
				o.r.fail(s.fields["start"], s.field("start"), "must be after the end of the season before (%s): seasons are in order of time and never overlap", last.End)
			case season.Start < last.Start:
				o.r.fail(s.fields["start"], s.field("start"), "is before the start of the season before: seasons are in order of time")
			}
		}
		seasons = append(seasons, season)
	}
	return seasons
}

// object is a mapping whose keys are known to be allowed and unique.
type object struct {
	r      *reader
	node   *yaml.Node
	path   string
	fields map[string]*yaml.Node
}

func (r *reader) object(n *yaml.Node, path string, allowed ...string) object {
	n = resolve(n)
	o := object{r: r, node: n, path: path, fields: map[string]*yaml.Node{}}
	if n.Kind != yaml.MappingNode {
		r.fail(n, o.field(""), "must be a mapping with the keys %s", strings.Join(allowed, ", "))
		return o
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], resolve(n.Content[i+1])
		known := false
		for _, a := range allowed {
			known = known || a == key.Value
		}
		_, again := o.fields[key.Value]
		switch {
		case !known:
			r.fail(key, o.field(key.Value), "unknown key; known are %s", strings.Join(allowed, ", "))
		case again:
			r.fail(key, o.field(key.Value), "is given twice")
		default:
			o.fields[key.Value] = value
		}
	}
	return o
}

func resolve(n *yaml.Node) *yaml.Node {
	if n.Kind == yaml.AliasNode && n.Alias != nil {
		return n.Alias
	}
	return n
}

func (o object) field(key string) string {
	switch {
	case o.path == "" && key == "":
		return "file"
	case o.path == "":
		return key
	case key == "":
		return o.path
	}
	return o.path + "." + key
}

func (o object) required(key string) (*yaml.Node, bool) {
	n, ok := o.fields[key]
	if !ok && o.node.Kind == yaml.MappingNode {
		o.r.fail(o.node, o.field(key), "is missing")
	}
	return n, ok
}

func (o object) refuse(key, rule string, args ...any) {
	if n, ok := o.fields[key]; ok {
		o.r.fail(n, o.field(key), "not allowed: "+rule, args...)
	}
}

// scalar is the value of a required key that is neither list, mapping nor null.
func (o object) scalar(key string) (*yaml.Node, bool) {
	n, ok := o.required(key)
	if !ok {
		return nil, false
	}
	if n.Kind != yaml.ScalarNode || n.ShortTag() == "!!null" || strings.TrimSpace(n.Value) == "" {
		o.r.fail(n, o.field(key), "must not be empty, a list or a mapping")
		return nil, false
	}
	return n, true
}

func (o object) text(key string) string {
	n, ok := o.scalar(key)
	if !ok {
		return ""
	}
	if n.ShortTag() != "!!str" {
		o.r.fail(n, o.field(key), "must be text")
		return ""
	}
	return strings.TrimSpace(n.Value)
}

func (o object) id(key string) string {
	n, ok := o.scalar(key)
	if !ok {
		return ""
	}
	if !idRule.MatchString(n.Value) || len(n.Value) > MaxIDLength {
		o.r.fail(n, o.field(key), "must match %s and have at most %d characters", IDPattern, MaxIDLength)
		return ""
	}
	return n.Value
}

func (o object) oneOf(key string, allowed ...string) string {
	n, ok := o.scalar(key)
	if !ok {
		return ""
	}
	for _, a := range allowed {
		if n.Value == a {
			return a
		}
	}
	o.r.fail(n, o.field(key), "must be one of %s", strings.Join(allowed, ", "))
	return ""
}

func (o object) number(key string, least, most float64) float64 {
	n, ok := o.scalar(key)
	if !ok {
		return 0
	}
	v, err := strconv.ParseFloat(n.Value, 64)
	if tag := n.ShortTag(); err != nil || (tag != "!!int" && tag != "!!float") || !(v >= least && v <= most) {
		o.r.fail(n, o.field(key), "must be a number from %g to %g", least, most)
		return 0
	}
	return v
}

func (o object) whole(key string, least, most int) int {
	n, ok := o.scalar(key)
	if !ok {
		return 0
	}
	v, err := strconv.Atoi(n.Value)
	if err != nil || n.ShortTag() != "!!int" || v < least || v > most {
		o.r.fail(n, o.field(key), "must be a whole number from %d to %d", least, most)
		return 0
	}
	return v
}

func (o object) day(key string) calendar.Day {
	n, ok := o.scalar(key)
	if !ok {
		return 0
	}
	d, err := calendar.Parse(n.Value)
	if err != nil || d < firstDay || d > lastDay {
		o.r.fail(n, o.field(key), "must be a date (YYYY-MM-DD) from %s to %s", firstDay, lastDay)
		return 0
	}
	return d
}

func (o object) list(key string) []*yaml.Node {
	n, ok := o.required(key)
	if !ok {
		return nil
	}
	if n.Kind != yaml.SequenceNode || len(n.Content) == 0 {
		o.r.fail(n, o.field(key), "must be a list of at least one")
		return nil
	}
	list := make([]*yaml.Node, len(n.Content))
	for i, item := range n.Content {
		list[i] = resolve(item)
	}
	return list
}
