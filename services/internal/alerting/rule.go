package alerting

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v4"
)

// Rule is an alert rule as it stands in dashboards/alerts.
type Rule struct {
	File string `yaml:"-"` // name of its YAML file
	SQL  string `yaml:"-"` // its query

	UID           string            `yaml:"uid"`   // starts with gapwatch-
	Title         string            `yaml:"title"` // becomes the label alertname
	Group         string            `yaml:"group"`
	Every         time.Duration     `yaml:"every"`           // between evaluations, of the whole group; whole tens of seconds, at least a minute
	For           time.Duration     `yaml:"for"`             // how long the number must be above before the alert fires
	KeepFiringFor time.Duration     `yaml:"keep_firing_for"` // how long it must not be above before the alert ends
	Above         float64           `yaml:"above"`           // the number that must be exceeded
	NoData        string            `yaml:"no_data"`         // state when there are no rows: KeepLast or Alerting
	Error         string            `yaml:"error"`           // state when the query fails: KeepLast or Alerting
	Severity      string            `yaml:"severity"`        // warning or critical; empty: the query has a column of that name
	GroupBy       []string          `yaml:"group_by"`        // labels; alerts of the rule that agree in them come in one message
	Description   string            `yaml:"description"`     // what it means, the same for all alerts
	Dashboard     string            `yaml:"dashboard"`       // uid of the dashboard that the alert links to
	Variables     map[string]string `yaml:"variables"`       // of that dashboard, and the label that each is set to
}

// Section is the rule's section in deploy/RUNBOOK.md, as a link names it.
func (r Rule) Section() string {
	var b strings.Builder
	for _, c := range strings.ToLower(r.Title) {
		switch {
		case c == ' ':
			b.WriteByte('-')
		case c >= 'a' && c <= 'z', c >= '0' && c <= '9', c == '-':
			b.WriteRune(c)
		}
	}
	return b.String()
}

// Read reads and checks the rules in a folder, in order of their files' names: a .yaml file for each, and a .sql file of the same name.
func Read(folder fs.FS) ([]Rule, error) {
	names, err := fs.Glob(folder, "*")
	if err != nil {
		return nil, err
	}
	var rules []Rule
	for _, name := range names {
		base, isRule := strings.CutSuffix(name, ".yaml")
		if !isRule {
			query, isQuery := strings.CutSuffix(name, ".sql")
			if isQuery && !slices.Contains(names, query+".yaml") {
				return nil, fmt.Errorf("%s: no rule uses it", name)
			}
			continue
		}
		r := Rule{File: name}
		text, err := fs.ReadFile(folder, name)
		if err != nil {
			return nil, err
		}
		decoder := yaml.NewDecoder(bytes.NewReader(text))
		decoder.KnownFields(true)
		if err := decoder.Decode(&r); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		query, err := fs.ReadFile(folder, base+".sql")
		if err != nil {
			return nil, err
		}
		r.SQL = strings.TrimSpace(string(query))
		if err := r.validate(); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		if i := slices.IndexFunc(rules, func(o Rule) bool { return o.UID == r.UID || o.Title == r.Title }); i >= 0 {
			return nil, fmt.Errorf("%s: uid or title is that of %s too", name, rules[i].File)
		}
		rules = append(rules, r)
	}
	return rules, nil
}

var (
	isUID   = regexp.MustCompile(`^gapwatch-[a-z0-9-]+$`) // Grafana takes 40 characters
	isLabel = regexp.MustCompile(`^[a-z][a-z0-9_]*$`)
)

func (r Rule) validate() error {
	switch {
	case !isUID.MatchString(r.UID) || len(r.UID) > 40:
		return fmt.Errorf("uid %q: must be gapwatch- and lower-case letters, digits and hyphens, at most 40", r.UID)
	case r.Title == "" || r.Group == "" || r.Description == "" || r.Dashboard == "":
		return errors.New("title, group, description and dashboard must be set")
	case r.Every < time.Minute || r.Every%(10*time.Second) != 0: // under a minute an alert can end because ClickHouse hangs
		return fmt.Errorf("every %v: must be whole tens of seconds, at least a minute", r.Every)
	case r.For < 0 || r.For%r.Every != 0:
		return fmt.Errorf("for %v: must be a multiple of every (%v), or 0s", r.For, r.Every)
	case r.KeepFiringFor < 0:
		return fmt.Errorf("keep_firing_for %v: must not be negative", r.KeepFiringFor)
	case r.Severity != "" && r.Severity != "warning" && r.Severity != "critical":
		return fmt.Errorf("severity %q: must be warning or critical", r.Severity)
	case strings.ContainsAny(r.Description, "{}"):
		return errors.New("description: must be the same for all alerts, without a template")
	case strings.Contains(r.SQL, "$"):
		return errors.New("query: macros and variables mean nothing in a rule")
	case strings.HasSuffix(r.SQL, ";"):
		return errors.New("query: must be one, without a semicolon at its end")
	}
	for what, state := range map[string]string{"no_data": r.NoData, "error": r.Error} {
		if state != keepLast && state != alerting {
			return fmt.Errorf("%s %q: must be %s or %s", what, state, keepLast, alerting)
		}
	}
	for _, label := range r.GroupBy {
		if !isLabel.MatchString(label) {
			return fmt.Errorf("group_by: %q is no label", label)
		}
	}
	for variable, label := range r.Variables {
		if !isLabel.MatchString(variable) || !isLabel.MatchString(label) {
			return fmt.Errorf("variables: %q: %q is no variable and its label", variable, label)
		}
	}
	return nil
}
