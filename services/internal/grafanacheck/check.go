// Package grafanacheck runs the query of every panel, variable, annotation and alert rule and looks at what comes back: through
// a real Grafana and its ClickHouse plugin ([Run]), or straight against ClickHouse, with variables and macros put in as Grafana
// would ([Direct]). A panel with an error or with nothing to show is a finding; so is a rule whose answer Grafana could not turn
// into alerts, a geography without a row in it, and an alert about the gap or the uptake of any place but the one that widens in
// the demo.
package grafanacheck

import (
	"context"
	_ "embed" // the query
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"gapwatch/dashboards"
	"gapwatch/services/internal/alerting"
	"gapwatch/services/internal/calendar"
	"gapwatch/services/internal/simulate"
)

// ErrFound is wrapped by the error of a check that found something wrong. Each finding was written to Out.
var ErrFound = errors.New("not everything in Grafana is as it must be")

// Expected is the place that widens in the store's data.
type Expected struct {
	Programme string // its id
	Place     string // its name
}

// Demo is the place that widens in the demo of a day.
func Demo(today calendar.Day) Expected {
	w := simulate.UsualWidening(today)
	return Expected{Programme: w.Programme, Place: w.Place}
}

// store answers queries.
type store interface {
	// ask runs a query of a dashboard, whose variables are put in already.
	ask(ctx context.Context, sql string, times span) (Table, error)
	// rule runs an alert rule's query, and its threshold: how many of the rows fire. Not all stores know thresholds.
	rule(ctx context.Context, r rule) (t Table, firing int, known bool, err error)
}

// span is the time that a dashboard shows.
type span struct{ from, to time.Time }

// checker collects what is found.
type checker struct {
	store    store
	out      io.Writer
	times    *span // instead of the dashboards' own
	expected *Expected
	links    bool // look at dashboards also as the alert of the expected place opens them
	now      time.Time

	found    int
	queries  int
	slowest  time.Duration
	slowName string
}

func (c *checker) say(format string, values ...any) {
	_, _ = fmt.Fprintf(c.out, format+"\n", values...)
}

func (c *checker) finding(where, format string, values ...any) {
	c.found++
	c.say("%s: %s", where, fmt.Sprintf(format, values...))
}

// timed remembers which query took longest.
func (c *checker) timed(where string, run func() error) error {
	begun := time.Now()
	err := run()
	c.queries++
	if took := time.Since(begun); took > c.slowest {
		c.slowest, c.slowName = took, where
	}
	return err
}

// run checks everything. The error is [ErrFound], or says why it could not go on.
func (c *checker) run(ctx context.Context, boards []dashboards.Dashboard, groups []alerting.Group) error {
	begun := time.Now()
	rules, err := read(groups)
	if err != nil {
		return err
	}
	place, err := c.place(ctx)
	if err != nil {
		return err
	}
	for _, board := range boards {
		b, err := parse(board)
		if err != nil {
			return err
		}
		if err := c.board(ctx, b, nil); err != nil {
			return err
		}
		if c.links && place != nil && b.has("place") {
			if err := c.board(ctx, b, place); err != nil {
				return err
			}
		}
	}
	if err := c.rules(ctx, rules, place); err != nil {
		return err
	}
	c.say("%d queries of %d dashboards and %d alert rules in %.1f s, the slowest %.2f s (%s); %d findings", c.queries, len(boards), len(rules),
		time.Since(begun).Seconds(), c.slowest.Seconds(), c.slowName, c.found)
	if c.found > 0 {
		return fmt.Errorf("%w: %d findings", ErrFound, c.found)
	}
	return nil
}

// placeQuery looks up the place that widens.
//
//go:embed place.sql
var placeQuery string

// place is the values of variables that show the place that widens; nil if there is none to expect.
func (c *checker) place(ctx context.Context) (map[string]string, error) {
	if c.expected == nil {
		return nil, nil
	}
	sql, err := interpolate(placeQuery, map[string]string{"place": c.expected.Place, "programme": c.expected.Programme})
	if err != nil {
		return nil, err
	}
	t, err := c.store.ask(ctx, sql, span{c.now.Add(-time.Hour), c.now})
	if err != nil {
		return nil, fmt.Errorf("look for the place that widens: %w", err)
	}
	if t.Rows() != 1 {
		c.finding("the demo's data", "%d places called %s with %s, not 1: is this the store of make demo?", t.Rows(), c.expected.Place, c.expected.Programme)
		return nil, nil
	}
	return map[string]string{"programme": c.expected.Programme, "season": t.text(0, 2), "system": t.text(0, 1), "place": t.text(0, 0)}, nil
}

// board runs all queries of a dashboard, set to what Grafana would choose first or to chosen values.
func (c *checker) board(ctx context.Context, b board, chosen map[string]string) error {
	times := c.times
	if times == nil {
		s, err := b.times(c.now)
		if err != nil {
			return fmt.Errorf("dashboard %q: %w", b.Title, err)
		}
		times = &s
	}
	values := map[string]string{}
	for _, v := range b.variables {
		where := fmt.Sprintf("dashboard %q, variable %s", b.Title, v.name)
		value, err := c.variable(ctx, where, v, values, chosen, *times)
		if err != nil {
			return err
		}
		values[v.name] = value
	}
	for _, q := range b.queries {
		if q.Kind == dashboards.Variable {
			continue
		}
		where := fmt.Sprintf("dashboard %q, %s %q", b.Title, q.Kind, q.Panel)
		if len(chosen) > 0 {
			where += " (" + chosen["place"] + ")"
		}
		t, ok, err := c.query(ctx, where, q.SQL, values, *times)
		if err != nil {
			return err
		}
		if ok && q.Kind == dashboards.Panel && t.Empty() {
			c.finding(where, "has nothing to show (%d rows)", t.Rows())
		}
	}
	return nil
}

// query puts variables in and runs a query; not ok if that failed, which is a finding. An error means that the check cannot
// go on.
func (c *checker) query(ctx context.Context, where, sql string, values map[string]string, times span) (t Table, ok bool, err error) {
	text, err := interpolate(sql, values)
	if err == nil {
		err = c.timed(where, func() (err error) {
			t, err = c.store.ask(ctx, text, times)
			return err
		})
	}
	if ctx.Err() != nil {
		return t, false, ctx.Err()
	}
	if err != nil {
		c.finding(where, "%v", err)
		return t, false, nil
	}
	for _, problem := range t.problems() {
		c.finding(where, "%s", problem)
	}
	return t, true, nil
}

// variable is the value that a variable has: the chosen one, or the first.
func (c *checker) variable(ctx context.Context, where string, v variable, values, chosen map[string]string, times span) (string, error) {
	options := v.options
	if v.sql != "" {
		t, ok, err := c.query(ctx, where, v.sql, values, times)
		if err != nil || !ok {
			return "", err
		}
		options = nil
		for i := range t.Rows() {
			options = append(options, t.text(i, 0))
		}
	}
	if len(options) == 0 {
		c.finding(where, "has no values")
		return "", nil
	}
	if value := chosen[v.name]; slices.Contains(options, value) {
		return value, nil
	} else if value != "" {
		c.finding(where, "%q cannot be chosen", value)
	}
	return options[0], nil
}

// rules runs all alert rules.
func (c *checker) rules(ctx context.Context, rules []rule, place map[string]string) error {
	var areas int
	t, err := c.store.ask(ctx, "SELECT count() AS areas FROM reporting.geographies WHERE level IN ('place', 'system')", span{c.now.Add(-time.Hour), c.now})
	if err != nil {
		return fmt.Errorf("count the geographies: %w", err)
	}
	if _, err := fmt.Sscan(t.text(0, 0), &areas); err != nil {
		return fmt.Errorf("count the geographies: %w", err)
	}
	for _, r := range rules {
		where := fmt.Sprintf("alert rule %q", r.title)
		var t Table
		var firing int
		var known bool
		err := c.timed(where, func() (err error) {
			t, firing, known, err = c.store.rule(ctx, r)
			return err
		})
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			c.finding(where, "%v", err)
			continue
		}
		a, problems := alerts(t, r, areas)
		for _, problem := range problems {
			c.finding(where, "%s", problem)
		}
		if known && firing != len(a) {
			c.finding(where, "Grafana's threshold fires for %d rows, not %d", firing, len(a))
		}
		for _, one := range a {
			c.say("%s: fires for %s", where, one)
		}
		if place == nil {
			continue
		}
		if r.uid == widening {
			c.widening(where, a, place)
		}
		if r.uid == widening || r.group == placesGroup {
			c.elsewhere(where, a, place)
		}
	}
	return nil
}

const (
	widening    = "gapwatch-gap-widening" // the rule that must fire for the expected place
	placesGroup = "gapwatch-places"       // rules that, like it, fire for nowhere else in the demo
)

// widening checks that the expected place fires.
func (c *checker) widening(where string, firing []alert, place map[string]string) {
	if !slices.ContainsFunc(firing, func(a alert) bool { return a["programme"] == place["programme"] && a["code"] == place["place"] }) {
		c.finding(where, "does not fire for %s in %s", c.expected.Programme, c.expected.Place)
	}
}

// elsewhere checks that nothing fires but the expected place and the system that it lies in, which holds its people too.
func (c *checker) elsewhere(where string, firing []alert, place map[string]string) {
	for _, a := range firing {
		if a["programme"] != place["programme"] || a["code"] != place["place"] && a["code"] != place["system"] {
			c.finding(where, "fires for %s, which is not of %s in %s or its system", a, c.expected.Programme, c.expected.Place)
		}
	}
}

// rule is an alert rule as Grafana gets it.
type rule struct {
	uid, title, group string
	above             float64
	sql               string
	data              []json.RawMessage // models of its query and its threshold
	severity          bool              // it has a severity of its own
}

func read(groups []alerting.Group) ([]rule, error) {
	var rules []rule
	for _, g := range groups {
		if err := alerting.Validate(g); err != nil {
			return nil, err
		}
		for _, text := range g.Rules {
			var p struct {
				UID    string            `json:"uid"`
				Title  string            `json:"title"`
				Labels map[string]string `json:"labels"`
				Data   []struct {
					Model json.RawMessage `json:"model"`
				} `json:"data"`
			}
			var ask struct {
				SQL string `json:"rawSql"`
			}
			var compare struct {
				Conditions []struct {
					Evaluator struct {
						Params []float64 `json:"params"`
					} `json:"evaluator"`
				} `json:"conditions"`
			}
			if err := json.Unmarshal(text, &p); err != nil {
				return nil, err
			}
			if err := errors.Join(json.Unmarshal(p.Data[0].Model, &ask), json.Unmarshal(p.Data[1].Model, &compare)); err != nil {
				return nil, fmt.Errorf("alert rule %s: %w", p.UID, err)
			}
			rules = append(rules, rule{p.UID, p.Title, g.Name, compare.Conditions[0].Evaluator.Params[0], ask.SQL,
				[]json.RawMessage{p.Data[0].Model, p.Data[1].Model}, p.Labels["severity"] != ""})
		}
	}
	return rules, nil
}

// alert is the labels of an alert that fires, and its sentence.
type alert map[string]string

func (a alert) String() string {
	if s := a[alerting.Sentence]; s != "" {
		return s
	}
	return fmt.Sprint(map[string]string(a))
}

// alerts turns the answer to a rule's query into alerts as Grafana does: text columns are labels, one number is compared. It
// gives those that fire, and what is wrong with the answer.
func alerts(t Table, r rule, areas int) (firing []alert, problems []string) {
	number, sentence, code := -1, -1, -1
	for i, column := range t.Columns {
		switch {
		case column.Kind == text && column.Name == alerting.Sentence:
			sentence = i
		case column.Kind == text:
			if column.Name == "code" {
				code = i
			}
		case column.Kind == numeric && number < 0:
			number = i
		default:
			problems = append(problems, fmt.Sprintf("column %s is %s: all columns must be text but one number", column.Name, column.Type))
		}
	}
	if number < 0 || sentence < 0 {
		return nil, append(problems, "there must be one number and a sentence")
	}
	seen, codes := map[string]bool{}, map[string]bool{}
	for i := range t.Rows() {
		a := alert{}
		var labels []string
		for j, column := range t.Columns {
			if column.Kind != text {
				continue
			}
			value := t.text(i, j)
			a[column.Name] = value
			if j != sentence {
				labels = append(labels, column.Name+"="+value)
			}
		}
		if key := strings.Join(labels, ", "); seen[key] {
			problems = append(problems, "two rows are labelled "+key)
		} else {
			seen[key] = true
		}
		if a[alerting.Sentence] == "" {
			problems = append(problems, "no sentence in the row of "+strings.Join(labels, ", "))
		}
		if s := a["severity"]; (s != "warning" && s != "critical") != r.severity {
			problems = append(problems, fmt.Sprintf("severity is %q in the row of %s", s, strings.Join(labels, ", ")))
		}
		codes[a["code"]] = true
		value, ok := t.Cells[i][number].(float64)
		if !ok {
			problems = append(problems, "no number in the row of "+strings.Join(labels, ", "))
		}
		if value > r.above {
			firing = append(firing, a)
		}
	}
	if t.Rows() == 0 {
		problems = append(problems, "has no rows")
	}
	if code >= 0 && len(codes) != areas {
		problems = append(problems, fmt.Sprintf("has rows of %d places and systems, of %d", len(codes), areas))
	}
	return firing, problems
}
