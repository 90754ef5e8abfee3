package alerting

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"text/template"
	"time"
)

// Validate checks a rule group as Grafana will read it, down to the templates, which Grafana would show unexpanded to people
// if they were wrong. An error means: do not send it.
func Validate(g Group) error {
	if g.Name == "" || len(g.Name) > 190 || strings.ContainsAny(g.Name, "/") {
		return fmt.Errorf("rule group %q: must have a name of at most 190 characters, without a slash", g.Name)
	}
	if g.Interval <= 0 || g.Interval%(10*time.Second) != 0 {
		return fmt.Errorf("rule group %s: interval %v must be whole tens of seconds", g.Name, g.Interval)
	}
	if len(g.Rules) == 0 {
		return fmt.Errorf("rule group %s: has no rules", g.Name)
	}
	seen := map[string]bool{}
	for i, text := range g.Rules {
		var p provisioned
		decoder := json.NewDecoder(bytes.NewReader(text))
		decoder.DisallowUnknownFields()
		if err := decoder.Decode(&p); err != nil {
			return fmt.Errorf("rule group %s, rule %d: %w", g.Name, i+1, err)
		}
		if err := p.validate(g.Name); err != nil {
			return fmt.Errorf("rule group %s, rule %s: %w", g.Name, p.UID, err)
		}
		if seen[p.UID] || seen[p.Title] {
			return fmt.Errorf("rule group %s, rule %s: its uid or its title comes twice", g.Name, p.UID)
		}
		seen[p.UID], seen[p.Title] = true, true
	}
	return nil
}

func (p provisioned) validate(group string) error {
	switch {
	case !isUID.MatchString(p.UID) || len(p.UID) > 40:
		return errors.New("uid must be gapwatch- and lower-case letters, digits and hyphens, at most 40")
	case p.Title == "" || len(p.Title) > 190:
		return errors.New("title must have 1 to 190 characters")
	case p.RuleGroup != group || p.FolderUID == "":
		return fmt.Errorf("says that it is in group %q of folder %q", p.RuleGroup, p.FolderUID)
	case !slices.Contains([]string{keepLast, alerting, "OK", "NoData"}, p.NoDataState):
		return fmt.Errorf("noDataState %q is none", p.NoDataState)
	case !slices.Contains([]string{keepLast, alerting, "OK", "Error"}, p.ExecErrState):
		return fmt.Errorf("execErrState %q is none", p.ExecErrState)
	case p.For == "":
		return errors.New("for is missing")
	case p.IsPaused:
		return errors.New("is paused")
	}
	if len(p.Data) != 2 {
		return fmt.Errorf("has %d queries, not one and a threshold", len(p.Data))
	}
	ask, compare := p.Data[0], p.Data[1]
	switch {
	case ask.DatasourceUID == "" || ask.DatasourceUID != ask.Model.Datasource.UID || ask.Model.RefID != ask.RefID || ask.Model.RawSQL == "":
		return errors.New("query A is incomplete")
	case ask.RelativeTimeRange.From <= ask.RelativeTimeRange.To:
		return errors.New("query A has no time range")
	case compare.DatasourceUID != expression || compare.Model.Type != "threshold" || compare.Model.Expression != ask.RefID || compare.Model.RefID != compare.RefID:
		return errors.New("query B is no threshold on A")
	case len(compare.Model.Conditions) != 1 || len(compare.Model.Conditions[0].Evaluator.Params) != 1:
		return errors.New("threshold B needs one number")
	case p.Condition != compare.RefID:
		return fmt.Errorf("condition is %q, not the threshold", p.Condition)
	}
	if value, ok := p.Labels[Sentence]; !ok || value != "" {
		return fmt.Errorf("label %q must be declared and empty, so that the sentence does not tell alerts apart", Sentence)
	}
	if n := p.Notification; n != nil && (n.Receiver == "" || !slices.Contains(n.GroupBy, "alertname") || !slices.Contains(n.GroupBy, "grafana_folder")) {
		return errors.New("notification_settings: need a receiver, and group_by with alertname and grafana_folder")
	}
	for name, text := range p.Annotations {
		if _, err := expand(text, map[string]string{Sentence: "Said."}, "http://grafana/"); err != nil {
			return fmt.Errorf("annotation %s: %w", name, err)
		}
	}
	return nil
}

// expand does with a template of an annotation what Grafana does.
func expand(text string, labels map[string]string, externalURL string) (string, error) {
	t, err := template.New("").Option("missingkey=invalid").Funcs(template.FuncMap{
		"externalURL": func() string { return externalURL },
		"urlquery":    url.QueryEscape,
	}).Parse("{{- $labels := .Labels -}}{{- $values := .Values -}}{{- $value := .Value -}}" + text)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	err = t.Execute(&b, struct {
		Labels map[string]string
		Values map[string]any
		Value  any
	}{Labels: labels})
	return b.String(), err
}
