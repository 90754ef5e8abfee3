package alerting

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"gapwatch/dashboards/alerts"
)

var update = flag.Bool("update", false, "write the golden files anew")

var usual = Settings{Receiver: "gapwatch", DataSourceUID: "gapwatch-clickhouse", FolderUID: "gapwatch", RunbookURL: "https://docs.example/RUNBOOK.md"}

// What is sent to Grafana, but for the queries, which stand in files of their own.
func TestLoad(t *testing.T) {
	groups, err := Load(usual)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, g := range groups {
		names = append(names, g.Name)
		var got bytes.Buffer
		for _, rule := range g.Rules {
			var p provisioned
			if err := json.Unmarshal(rule, &p); err != nil {
				t.Fatal(err)
			}
			query, err := alerts.Files.ReadFile(strings.TrimPrefix(p.UID, "gapwatch-") + ".sql")
			if err != nil {
				t.Fatal(err)
			}
			if p.Data[0].Model.RawSQL != strings.TrimSpace(string(query)) {
				t.Errorf("%s has another query than its file", p.UID)
			}
			p.Data[0].Model.RawSQL = "..."
			encoder := json.NewEncoder(&got)
			encoder.SetEscapeHTML(false)
			encoder.SetIndent("", "  ")
			if err := encoder.Encode(p); err != nil {
				t.Fatal(err)
			}
		}
		path := filepath.Join("testdata", "golden", g.Name+"-"+g.Interval.String()+".json")
		if *update {
			if err := os.WriteFile(path, got.Bytes(), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got.Bytes(), want) {
			t.Errorf("%s: got\n%s\nwant\n%s", path, &got, want)
		}
	}
	if want := []string{"gapwatch-feed", "gapwatch-places", "gapwatch-widening"}; !slices.Equal(names, want) {
		t.Errorf("groups are %v", names)
	}
}

// What people read: the sentence of the row, or that there is none, and a link set to the place.
func TestAnnotations(t *testing.T) {
	r := Rule{Title: "Gap is widening", Description: "Means.", Dashboard: "gapwatch-live-uptake", Variables: map[string]string{"place": "code", "season": "season"}}
	labels := map[string]string{"sentence": "Flu in {{ Moor }}: 5 % & more.", "code": "X07000001", "season": "2026/27 &"}
	for _, c := range []struct {
		settings Settings
		labels   map[string]string
		want     map[string]string
	}{
		{Settings{RunbookURL: "https://docs/RUNBOOK.md"}, labels, map[string]string{
			"summary": "Flu in {{ Moor }}: 5 % & more.", "description": "Means.", "runbook_url": "https://docs/RUNBOOK.md#gap-is-widening",
			"dashboard": "https://grafana.example/sub/d/gapwatch-live-uptake?var-place=X07000001&var-season=2026%2F27+%26"}},
		{Settings{PublicURL: "https://g.example/x/"}, nil, map[string]string{
			"summary": "Grafana cannot read Gapwatch's numbers.", "description": "Means.", "runbook": "deploy/RUNBOOK.md, Gap is widening",
			"dashboard": "https://g.example/x/d/gapwatch-live-uptake?var-place=&var-season="}},
	} {
		annotations := r.render(c.settings).Annotations
		if len(annotations) != len(c.want) {
			t.Errorf("%v", annotations)
		}
		for name, want := range c.want {
			if got, err := expand(annotations[name], c.labels, "https://grafana.example/sub/"); got != want || err != nil {
				t.Errorf("%s: %q (%v), not %q", name, got, err, want)
			}
		}
	}
}

// Without a receiver the rules name none, so that Grafana's own policies decide.
func TestWithoutReceiver(t *testing.T) {
	s := usual
	s.Receiver = ""
	groups, err := Load(s)
	if err != nil {
		t.Fatal(err)
	}
	for _, g := range groups {
		for _, rule := range g.Rules {
			if bytes.Contains(rule, []byte("notification_settings")) {
				t.Errorf("%s", rule)
			}
		}
	}
}

func TestSettingsThatAreWrong(t *testing.T) {
	for _, s := range []Settings{{FolderUID: "gapwatch"}, {DataSourceUID: "x"}, {DataSourceUID: "x", FolderUID: "y", PublicURL: "grafana:3000"},
		{DataSourceUID: "x", FolderUID: "y", RunbookURL: "https://{{ .Evil }}/"}} {
		if _, err := Load(s); err == nil {
			t.Errorf("%+v is taken", s)
		}
	}
}

// Each alert has a section in the runbook, and each section an alert.
func TestRunbook(t *testing.T) {
	text, err := os.ReadFile("../../../deploy/RUNBOOK.md")
	if err != nil {
		t.Fatal(err)
	}
	rules, err := Read(alerts.Files)
	if err != nil {
		t.Fatal(err)
	}
	var titles, sections []string
	for _, r := range rules {
		titles = append(titles, r.Title)
	}
	for _, heading := range regexp.MustCompile(`(?m)^## (.*)$`).FindAllStringSubmatch(string(text), -1) {
		sections = append(sections, heading[1])
	}
	slices.Sort(titles)
	slices.Sort(sections)
	if !slices.Equal(titles, sections) {
		t.Errorf("alerts are %q, sections of deploy/RUNBOOK.md are %q", titles, sections)
	}
}

const good = `uid: gapwatch-x
title: X
group: gapwatch-a
every: 1m
for: 5m
above: 0
no_data: KeepLast
error: KeepLast
description: Means.
dashboard: gapwatch-feed
`

func TestRulesThatAreWrong(t *testing.T) {
	read := func(files ...string) error {
		folder := fstest.MapFS{}
		for i := 0; i < len(files); i += 2 {
			folder[files[i]] = &fstest.MapFile{Data: []byte(files[i+1])}
		}
		rules, err := Read(folder)
		if err != nil {
			return err
		}
		_, err = Render(rules, usual)
		return err
	}
	if err := read("x.yaml", good, "x.sql", "SELECT 1\n"); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ old, new, says string }{
		{"uid: gapwatch-x", "uid: other-x", "uid"},
		{"uid: gapwatch-x", "uid: gapwatch-" + strings.Repeat("x", 40), "uid"},
		{"title: X", "title: ''", "title"},
		{"every: 1m", "every: 75s", "every"},
		{"every: 1m", "every: 30s", "every"},
		{"for: 5m", "for: 90s", "for"},
		{"for: 5m", "for: -1m", "for"},
		{"no_data: KeepLast", "no_data: NoData", "no_data"},
		{"error: KeepLast", "error: Error", "error"},
		{"description: Means.", "description: It is {{ $labels.sentence }}", "description"},
		{"above: 0", "above: 0\nbelow: 1", "below"},
		{"above: 0", "above: 0\nseverity: page", "severity"},
		{"above: 0", "above: 0\nkeep_firing_for: -1m", "keep_firing_for"},
		{"above: 0", "above: 0\ngroup_by: ['a b']", "group_by"},
		{"above: 0", "above: 0\nvariables: {place: '{{ x }}'}", "variables"},
	} {
		if err := read("x.yaml", strings.Replace(good, c.old, c.new, 1), "x.sql", "SELECT 1"); err == nil || !strings.Contains(err.Error(), c.says) || !strings.Contains(err.Error(), "x.yaml") {
			t.Errorf("%s: %v", c.new, err)
		}
	}
	other := strings.NewReplacer("gapwatch-x", "gapwatch-y", "title: X", "title: Y").Replace(good)
	for says, files := range map[string][]string{
		"macros":    {"x.yaml", good, "x.sql", "SELECT 1 WHERE $__timeFilter(at)"},
		"semicolon": {"x.yaml", good, "x.sql", "SELECT 1;"},
		"y.sql":     {"x.yaml", good, "x.sql", "SELECT 1", "y.sql", "SELECT 2"},
		"x.sql":     {"x.yaml", good},
		"too":       {"x.yaml", good, "x.sql", "SELECT 1", "y.yaml", good, "y.sql", "SELECT 1"},
		"every 2m":  {"x.yaml", good, "x.sql", "SELECT 1", "y.yaml", strings.NewReplacer("every: 1m", "every: 2m", "for: 5m", "for: 4m").Replace(other), "y.sql", "SELECT 1"},
	} {
		if err := read(files...); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v", says, err)
		}
	}
}

// Grafana 12.4 takes each of these, or half of the group, and answers 200 or 202.
func TestGroupsThatGrafanaWouldTakeThoughWrong(t *testing.T) {
	groups, err := Load(usual)
	if err != nil {
		t.Fatal(err)
	}
	g := groups[len(groups)-1]
	text := string(g.Rules[0])
	for _, c := range []struct{ old, new string }{
		{`"condition":"B"`, `"condition":"C"`},
		{`"condition":"B"`, `"condition":"A"`},
		{`"expression":"A"`, `"expression":"Z"`},
		{`"datasourceUid":"gapwatch-clickhouse"`, `"datasourceUid":"other"`},
		{`"noDataState":"KeepLast"`, `"noDataState":"Keep"`},
		{`"execErrState":"KeepLast"`, `"execErrState":""`},
		{`"for":"0s"`, `"for":""`},
		{`"isPaused":false`, `"isPaused":true`},
		{`"sentence":""`, `"sentence":"x"`},
		{`"sentence":""`, `"other":""`},
		{`"from":600`, `"from":0`},
		{`"params":[0]`, `"params":[]`},
		{`"receiver":"gapwatch"`, `"receiver":""`},
		{`"alertname",`, ``},
		{`"uid":"gapwatch-gap-widening"`, `"uid":"gap-widening"`},
		{`"title":"Gap is widening"`, `"title":""`},
		{`"ruleGroup":"gapwatch-widening"`, `"ruleGroup":"other"`},
		{`{{ if $labels.sentence }}`, `{{ if $label.sentence }}`},
		{`{{ externalURL }}`, `{{ externalUrl }}`},
		{`"labels"`, `"label"`},
	} {
		wrong := strings.Replace(text, c.old, c.new, 1)
		if wrong == text {
			t.Fatalf("%s is not in %s", c.old, text)
		}
		if Validate(Group{g.Name, g.Interval, []json.RawMessage{json.RawMessage(wrong)}}) == nil {
			t.Errorf("%s is taken", c.new)
		}
	}
	for _, wrong := range []Group{{"", g.Interval, g.Rules}, {"a/b", g.Interval, g.Rules}, {g.Name, 15 * time.Second, g.Rules}, {g.Name, g.Interval, nil},
		{g.Name, g.Interval, append(slices.Clone(g.Rules), g.Rules[0])}} {
		if Validate(wrong) == nil {
			t.Errorf("%q every %v with %d rules is taken", wrong.Name, wrong.Interval, len(wrong.Rules))
		}
	}
	if err := Validate(g); err != nil {
		t.Error(err)
	}
}
