package dashboards

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

var update = flag.Bool("update", false, "write the golden files anew")

// node is a JSON object as it is read back.
type node = map[string]any

func loaded(t *testing.T) []Dashboard {
	t.Helper()
	all, err := Load()
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestFilesArePutIn(t *testing.T) {
	folder := fstest.MapFS{
		"a.json":           {Data: []byte(`{"uid": "a", "title": "A <1>", "list": [0, "@parts/two.json", "@parts/one.json"], "sql": "@sql/a/q.sql"}`)},
		"parts/two.json":   {Data: []byte(`[1.50, {"query": "@sql/b.sql"}]`)},
		"parts/one.json":   {Data: []byte(`{"z": 1, "a": [[]]}`)},
		"sql/a/q.sql":      {Data: []byte("-- why\nSELECT 1\n")},
		"sql/b.sql":        {Data: []byte("SELECT '<'")},
		"testdata/x.json":  {Data: []byte("{}")},
		"alerts/rule.yaml": {Data: []byte("x")},
	}
	all, err := load(folder)
	if err != nil {
		t.Fatal(err)
	}
	var got bytes.Buffer
	if err := json.Compact(&got, all[0].JSON); err != nil {
		t.Fatal(err)
	}
	want := `{"list":[0,1.50,{"query":"SELECT '<'"},{"a":[[]],"z":1}],"sql":"-- why\nSELECT 1\n","title":"A <1>","uid":"a"}`
	if len(all) != 1 || got.String() != want || all[0].UID != "a" || all[0].Title != "A <1>" || all[0].File != "a.json" {
		t.Errorf("%+v\n got %s\nwant %s", all, &got, want)
	}
}

func TestFoldersThatAreWrong(t *testing.T) {
	for name, c := range map[string]struct {
		files map[string]string
		want  string
	}{
		"no JSON":       {map[string]string{"a.json": `{`}, "dashboards/a.json: "},
		"two values":    {map[string]string{"a.json": `{} {}`}, "more than one JSON value"},
		"no object":     {map[string]string{"a.json": `[]`}, "no JSON object"},
		"no uid":        {map[string]string{"a.json": `{"title": "A"}`}, "no uid"},
		"no title":      {map[string]string{"a.json": `{"uid": "a"}`}, "no title"},
		"an id":         {map[string]string{"a.json": `{"uid": "a", "title": "A", "id": 3}`}, `has "id"`},
		"a version":     {map[string]string{"a.json": `{"uid": "a", "title": "A", "version": 3}`}, `has "version"`},
		"uid twice":     {map[string]string{"a.json": `{"uid": "a", "title": "A"}`, "b.json": `{"uid": "a", "title": "B"}`}, "is that of a.json too"},
		"missing SQL":   {map[string]string{"a.json": `{"uid": "a", "title": "A", "q": "@sql/x.sql"}`}, "sql/x.sql: file does not exist"},
		"missing part":  {map[string]string{"a.json": `{"uid": "a", "title": "A", "q": ["@parts/x.json"]}`}, "parts/x.json: file does not exist"},
		"elsewhere":     {map[string]string{"a.json": `{"uid": "a", "title": "A", "q": "@sql/../x.sql"}`, "x.sql": ""}, "neither"},
		"no such kind":  {map[string]string{"a.json": `{"uid": "a", "title": "A", "q": "@me"}`}, "neither"},
		"unused SQL":    {map[string]string{"a.json": `{"uid": "a", "title": "A"}`, "sql/x/y.sql": ""}, "dashboards/sql/x/y.sql: no dashboard uses it"},
		"unused part":   {map[string]string{"a.json": `{"uid": "a", "title": "A"}`, "parts/x.json": "{}"}, "dashboards/parts/x.json: no dashboard uses it"},
		"part in part":  {map[string]string{"a.json": `{"uid": "a", "title": "A", "q": "@parts/x.json"}`, "parts/x.json": `"@parts/y.json"`, "parts/y.json": `1`}, "may not put in a part"},
		"part is wrong": {map[string]string{"a.json": `{"uid": "a", "title": "A", "q": "@parts/x.json"}`, "parts/x.json": `{`}, "parts/x.json: "},
	} {
		folder := fstest.MapFS{"parts/none.json": {Data: []byte("1")}, "sql/none.sql": {}, "z.json": {Data: []byte(`{"uid": "z", "title": "Z", "q": ["@parts/none.json", "@sql/none.sql"]}`)}}
		for file, data := range c.files {
			folder[file] = &fstest.MapFile{Data: []byte(data)}
		}
		if _, err := load(folder); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q in it", name, err, c.want)
		}
	}
}

func TestQueries(t *testing.T) {
	d := Dashboard{File: "a.json", JSON: []byte(`{
		"templating": {"list": [{"name": "v", "type": "query", "query": "SELECT 1"}, {"name": "w", "type": "query", "query": {"rawSql": "SELECT 2"}}, {"name": "c", "type": "custom", "query": "a,b"}]},
		"annotations": {"list": [{"name": "n", "target": {"rawSql": "SELECT 3"}}, {"name": "built in"}]},
		"panels": [{"title": "p", "targets": [{"rawSql": "SELECT 4"}, {"rawSql": "SELECT 5"}]}, {"type": "row", "panels": [{"title": "q", "targets": [{"rawSql": "SELECT 6"}]}]}, {"type": "text"}]}`)}
	got, err := d.Queries()
	if err != nil {
		t.Fatal(err)
	}
	want := []Query{{"v", Variable, "SELECT 1"}, {"w", Variable, "SELECT 2"}, {"n", Annotation, "SELECT 3"}, {"p", Panel, "SELECT 4"}, {"p", Panel, "SELECT 5"}, {"q", Panel, "SELECT 6"}}
	if !slices.Equal(got, want) {
		t.Errorf("got %v", got)
	}
	if _, err := (Dashboard{JSON: []byte(`{"templating": {"list": [{"name": "v", "type": "query", "query": 3}]}}`)}).Queries(); err == nil {
		t.Error("a number was taken for a query")
	}
}

// Every expanded dashboard is held in testdata/golden, so that a change of a part shows where it reaches.
func TestGolden(t *testing.T) {
	seen := map[string]bool{}
	for _, d := range loaded(t) {
		path := filepath.Join("testdata", "golden", d.File)
		seen[path] = true
		if *update {
			if err := os.WriteFile(path, d.JSON, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(d.JSON, want) {
			t.Errorf("%s is no longer what its golden file holds: look at the change, then go test ./dashboards/ -update", d.File)
		}
	}
	held, err := filepath.Glob("testdata/golden/*")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range held {
		if !seen[path] {
			t.Errorf("%s is of no dashboard", path)
		}
	}
}

// The rules that a dashboard of this folder keeps.
func TestRules(t *testing.T) {
	for _, d := range loaded(t) {
		var b node
		if err := json.Unmarshal(d.JSON, &b); err != nil {
			t.Fatal(err)
		}
		for _, wrong := range broken(b) {
			t.Errorf("%s: %s", d.File, wrong)
		}
	}
}

// Each rule finds what breaks it.
func TestRulesCanBeBroken(t *testing.T) {
	for want, breakIt := range map[string]func(b node, panels []any){
		"has no tag gapwatch":      func(b node, _ []any) { b["tags"] = []any{"other"} },
		"uid other does not":       func(b node, _ []any) { b["uid"] = "other" },
		"has no description":       func(_ node, p []any) { delete(p[1].(node), "description") },
		"title is no question":     func(_ node, p []any) { p[1].(node)["title"] = "Gap" },
		"has no title":             func(_ node, p []any) { p[1].(node)["title"] = "" },
		"id 1 is taken":            func(_ node, p []any) { p[1].(node)["id"] = 1. },
		"overlaps panel":           func(_ node, p []any) { p[1].(node)["gridPos"].(node)["y"] = 0. },
		"reaches over the edge":    func(_ node, p []any) { p[1].(node)["gridPos"].(node)["w"] = 25. },
		"has no unit":              func(_ node, p []any) { delete(p[1].(node)["fieldConfig"].(node)["defaults"].(node), "unit") },
		"does not say what stands": func(_ node, p []any) { delete(p[1].(node)["fieldConfig"].(node)["defaults"].(node), "noValue") },
		"another data source":      func(_ node, p []any) { p[1].(node)["targets"].([]any)[0].(node)["datasource"].(node)["uid"] = "x" },
		`"2" is #123456`: func(_ node, p []any) {
			p[1].(node)["fieldConfig"].(node)["overrides"] = []any{node{"matcher": node{"id": "byName", "options": "2"},
				"properties": []any{node{"id": "color", "value": node{"mode": "fixed", "fixedColor": "#123456"}}}}}
		},
		`maps "5 least deprived" to #123456`: func(_ node, p []any) {
			p[1].(node)["fieldConfig"].(node)["defaults"].(node)["mappings"] = []any{node{"type": "value", "options": node{"5 least deprived": node{"color": "#123456"}}}}
		},
		`maps "widening" to green`: func(_ node, p []any) {
			p[1].(node)["fieldConfig"].(node)["defaults"].(node)["mappings"] = []any{node{"type": "value", "options": node{"widening": node{"color": "green"}}}}
		},
		"does not carry the variables": func(b node, _ []any) { b["links"].([]any)[0].(node)["includeVars"] = false },
		"has no link to":               func(b node, _ []any) { b["links"] = b["links"].([]any)[1:] },
		"does not carry programme": func(_ node, p []any) {
			p[1].(node)["links"] = []any{node{"url": "/d/gapwatch-live-uptake?var-system=x"}}
		},
		"variables are [season": func(b node, _ []any) {
			b["templating"].(node)["list"] = b["templating"].(node)["list"].([]any)[1:]
		},
	} {
		for _, d := range loaded(t) {
			if d.UID != "gapwatch-live-uptake" {
				continue
			}
			var b node
			if err := json.Unmarshal(d.JSON, &b); err != nil {
				t.Fatal(err)
			}
			breakIt(b, b["panels"].([]any))
			if got := broken(b); len(got) == 0 || !strings.Contains(strings.Join(got, "\n"), want) {
				t.Errorf("want %q, got %q", want, got)
			}
		}
	}
}

// The dashboards there are to be, in the order of their links.
var pages = []string{"gapwatch-live-uptake", "gapwatch-widening", "gapwatch-neighbourhoods", "gapwatch-missing", "gapwatch-intervention", "gapwatch-feed", "gapwatch-build"}

// Colours that mean the same everywhere. Those of quintiles are by Okabe and Ito, told apart by colour-blind people.
var colours = map[string]string{
	"1 most deprived": "#D55E00", "2": "#E69F00", "3": "#999999", "4": "#56B4E9", "5 least deprived": "#0072B2", "All": "#CC79A7", "Unknown": "#666666", "Target": "#009E73",
	"widening": "#D55E00", "narrowing": "#009E73", "steady": "#56B4E9", "not enough data": "#999999",
}

// order is the order of the variables that dashboards share.
var order = []string{"programme", "season", "system", "place"}

var ofPanel = regexp.MustCompile(`^(stat|gauge|bargauge|barchart|timeseries|trend|xychart|heatmap|histogram|piechart|state-timeline|status-history)$`)

// broken are the rules that a dashboard breaks.
func broken(b node) (all []string) {
	say := func(format string, args ...any) { all = append(all, fmt.Sprintf(format, args...)) }
	if tags, _ := b["tags"].([]any); !slices.Contains(tags, any("gapwatch")) {
		say("has no tag gapwatch")
	}
	if !slices.Contains(pages, fmt.Sprint(b["uid"])) {
		say("uid %v does not belong to a dashboard of ours", b["uid"])
	}
	links, _ := b["links"].([]any)
	linked := map[string]bool{}
	for _, l := range links {
		link := l.(node)
		linked[strings.TrimPrefix(fmt.Sprint(link["url"]), "/d/")] = true
		if link["includeVars"] != true {
			say("link %v does not carry the variables", link["title"])
		}
	}
	for _, page := range pages {
		if !linked[page] {
			say("has no link to %s", page)
		}
	}
	if templating, ok := b["templating"].(node); ok {
		var shared []string
		for _, v := range templating["list"].([]any) {
			if name := fmt.Sprint(v.(node)["name"]); slices.Contains(order, name) {
				shared = append(shared, name)
			}
		}
		if !slices.Equal(shared, order[:len(shared)]) {
			say("variables are %v, not %v", shared, order)
		}
	}
	type box struct{ x, y, w, h float64 }
	boxes := map[any]box{}
	for _, p := range b["panels"].([]any) {
		p := p.(node)
		name := fmt.Sprintf("panel %v %q", p["id"], p["title"])
		if _, ok := boxes[p["id"]]; ok || p["id"] == nil {
			say("%s: id %v is taken or missing", name, p["id"])
		}
		at := p["gridPos"].(node)
		here := box{at["x"].(float64), at["y"].(float64), at["w"].(float64), at["h"].(float64)}
		if here.x < 0 || here.x+here.w > 24 || here.w < 1 || here.h < 1 {
			say("%s reaches over the edge", name)
		}
		for id, other := range boxes {
			if here.x < other.x+other.w && other.x < here.x+here.w && here.y < other.y+other.h && other.y < here.y+here.h {
				say("%s overlaps panel %v", name, id)
			}
		}
		boxes[p["id"]] = here
		title, _ := p["title"].(string)
		switch {
		case title == "":
			say("%s has no title", name)
		case p["type"] != "row" && b["uid"] != "gapwatch-build" && !strings.HasSuffix(title, "?"): // that one answers none
			say("%s: its title is no question", name)
		}
		if p["type"] != "row" && fmt.Sprint(p["description"]) == "<nil>" {
			say("%s has no description", name)
		}
		targets, _ := p["targets"].([]any)
		for _, target := range targets {
			source, _ := target.(node)["datasource"].(node)
			if source["uid"] != "gapwatch-clickhouse" || source["type"] != "grafana-clickhouse-datasource" {
				say("%s has another data source", name)
			}
		}
		if len(targets) > 0 {
			defaults := p["fieldConfig"].(node)["defaults"].(node)
			unit, _ := defaults["unit"].(string)
			walk(p["fieldConfig"], func(n node) {
				if n["id"] == "unit" {
					unit = fmt.Sprint(n["value"])
				}
			})
			if unit == "" && ofPanel.MatchString(fmt.Sprint(p["type"])) {
				say("%s has no unit", name)
			}
			if text, _ := defaults["noValue"].(string); text == "" || text == "0" {
				say("%s does not say what stands in for a missing figure", name)
			}
		}
		walk(p, func(n node) {
			if url, _ := n["url"].(string); strings.HasPrefix(url, "/d/gapwatch-") {
				for _, v := range order[:1] {
					if !strings.Contains(url, "var-"+v+"=") && !strings.Contains(url, "${__all_variables}") {
						say("%s: its link does not carry %s", name, v)
					}
				}
			}
			if matcher, ok := n["matcher"].(node); ok && matcher["id"] == "byName" && colours[fmt.Sprint(matcher["options"])] != "" {
				for _, property := range n["properties"].([]any) {
					if property.(node)["id"] == "color" && property.(node)["value"].(node)["fixedColor"] != colours[fmt.Sprint(matcher["options"])] {
						say("%s: %q is %v", name, matcher["options"], property.(node)["value"].(node)["fixedColor"])
					}
				}
			}
			if options, ok := n["options"].(node); ok && n["type"] == "value" {
				for value, how := range options {
					if how, ok := how.(node); ok && colours[value] != "" && how["color"] != colours[value] {
						say("%s maps %q to %v", name, value, how["color"])
					}
				}
			}
		})
	}
	return all
}

// walk calls f for every object in a JSON tree.
func walk(tree any, f func(node)) {
	switch tree := tree.(type) {
	case node:
		f(tree)
		for _, value := range tree {
			walk(value, f)
		}
	case []any:
		for _, value := range tree {
			walk(value, f)
		}
	}
}
