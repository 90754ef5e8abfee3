// Package dashboards holds what Gapwatch shows in Grafana: a JSON file for each dashboard, its SQL in files of its own, and
// parts that several share.
//
// In the JSON a text that begins with @ stands for a file: "@sql/live-uptake/curve.sql" for its text, "@parts/links.json" for
// its JSON. A part that is an array, put in as an element of an array, gives its elements. A part may put in SQL, nothing
// may put in more than that.
package dashboards

import (
	"bytes"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"
)

//go:embed *.json parts sql
var files embed.FS

// Dashboard is a dashboard as Grafana takes it.
type Dashboard struct {
	UID   string
	Title string
	File  string // name of its file in this folder
	JSON  []byte // indented, keys in order; has neither id nor version
}

// Kind is what a query is for.
type Kind string

// The kinds of queries.
const (
	Panel      Kind = "panel"
	Variable   Kind = "variable"
	Annotation Kind = "annotation"
)

// Query is one query of a dashboard.
type Query struct {
	Panel string // title of the panel, or name of the variable or annotation
	Kind  Kind
	SQL   string // with Grafana's variables and macros as they stand in the file
}

// Load gives all dashboards in order of their files' names, everything put in. An error names the file and means that this
// program was built from a broken folder: stop.
func Load() ([]Dashboard, error) { return load(files) }

func load(folder fs.FS) ([]Dashboard, error) {
	names, err := fs.Glob(folder, "*.json")
	if err != nil {
		return nil, err
	}
	l := loader{folder: folder, used: map[string]bool{}}
	all := make([]Dashboard, 0, len(names))
	seen := map[string]string{}
	for _, name := range names {
		d, err := l.dashboard(name)
		if err != nil {
			return nil, fmt.Errorf("dashboards/%s: %w", name, err)
		}
		if other, ok := seen[d.UID]; ok {
			return nil, fmt.Errorf("dashboards/%s: uid %s is that of %s too", name, d.UID, other)
		}
		seen[d.UID] = name
		all = append(all, d)
	}
	return all, l.unused()
}

// loader puts files in where they are named, and remembers which.
type loader struct {
	folder fs.FS
	used   map[string]bool
}

func (l loader) dashboard(name string) (Dashboard, error) {
	tree, err := l.read(name)
	if err != nil {
		return Dashboard{}, err
	}
	expanded, err := l.expand(tree, true)
	if err != nil {
		return Dashboard{}, err
	}
	board, ok := expanded.(map[string]any)
	if !ok {
		return Dashboard{}, errors.New("is no JSON object")
	}
	d := Dashboard{File: name}
	d.UID, _ = board["uid"].(string)
	d.Title, _ = board["title"].(string)
	if d.UID == "" || d.Title == "" {
		return d, errors.New("has no uid or no title")
	}
	for _, key := range []string{"id", "version"} {
		if _, ok := board[key]; ok {
			return d, fmt.Errorf("has %q, which each Grafana gives itself", key)
		}
	}
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(board); err != nil {
		return d, err
	}
	d.JSON = out.Bytes()
	return d, nil
}

func (l loader) read(name string) (any, error) {
	data, err := fs.ReadFile(l.folder, name)
	if err != nil {
		return nil, err
	}
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	var tree any
	if err := decoder.Decode(&tree); err != nil {
		return nil, err
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("has more than one JSON value")
	}
	return tree, nil
}

// expand puts files in where tree names them; parts only where parts is true.
func (l loader) expand(tree any, parts bool) (any, error) {
	switch tree := tree.(type) {
	case string:
		if !strings.HasPrefix(tree, "@") {
			return tree, nil
		}
		return l.include(tree[1:], parts)
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(tree)) {
			value, err := l.expand(tree[key], parts)
			if err != nil {
				return nil, err
			}
			tree[key] = value
		}
		return tree, nil
	case []any:
		out := make([]any, 0, len(tree))
		for _, element := range tree {
			value, err := l.expand(element, parts)
			if err != nil {
				return nil, err
			}
			_, named := element.(string)
			if several, ok := value.([]any); ok && named {
				out = append(out, several...)
			} else {
				out = append(out, value)
			}
		}
		return out, nil
	}
	return tree, nil
}

func (l loader) include(name string, parts bool) (any, error) {
	inside := func(folder, ending string) bool {
		return path.Clean(name) == name && strings.HasPrefix(name, folder+"/") && strings.HasSuffix(name, ending)
	}
	switch {
	case inside("sql", ".sql"):
		l.used[name] = true
		text, err := fs.ReadFile(l.folder, name)
		return string(text), err
	case !inside("parts", ".json"):
		return nil, fmt.Errorf("@%s: neither @sql/*.sql nor @parts/*.json", name)
	case !parts:
		return nil, fmt.Errorf("@%s: a part may not put in a part", name)
	}
	l.used[name] = true
	tree, err := l.read(name)
	if err == nil {
		tree, err = l.expand(tree, false)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return tree, nil
}

// unused is an error if a file is put in nowhere.
func (l loader) unused() error {
	for _, folder := range []string{"parts", "sql"} {
		err := fs.WalkDir(l.folder, folder, func(name string, entry fs.DirEntry, err error) error {
			if err == nil && !entry.IsDir() && !l.used[name] {
				err = fmt.Errorf("dashboards/%s: no dashboard uses it", name)
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// board is what is read back from a dashboard.
type board struct {
	Panels     []panel `json:"panels"`
	Templating struct {
		List []struct {
			Name  string          `json:"name"`
			Type  string          `json:"type"`
			Query json.RawMessage `json:"query"`
		} `json:"list"`
	} `json:"templating"`
	Annotations struct {
		List []struct {
			Name   string `json:"name"`
			Target target `json:"target"`
		} `json:"list"`
	} `json:"annotations"`
}

type panel struct {
	Title   string   `json:"title"`
	Targets []target `json:"targets"`
	Panels  []panel  `json:"panels"` // of a row that is folded
}

type target struct {
	SQL string `json:"rawSql"`
}

// Queries are the queries of variables, annotations and panels, in this order and as they stand in the file.
func (d Dashboard) Queries() ([]Query, error) {
	var b board
	if err := json.Unmarshal(d.JSON, &b); err != nil {
		return nil, fmt.Errorf("dashboards/%s: %w", d.File, err)
	}
	var all []Query
	add := func(name string, kind Kind, sql string) {
		if sql != "" {
			all = append(all, Query{name, kind, sql})
		}
	}
	for _, v := range b.Templating.List {
		if v.Type != "query" {
			continue
		}
		var query target
		if json.Unmarshal(v.Query, &query.SQL) != nil { // no text: an object as panels have
			if err := json.Unmarshal(v.Query, &query); err != nil {
				return nil, fmt.Errorf("dashboards/%s: query of variable %s: %w", d.File, v.Name, err)
			}
		}
		add(v.Name, Variable, query.SQL)
	}
	for _, a := range b.Annotations.List {
		add(a.Name, Annotation, a.Target.SQL)
	}
	var walk func(panels []panel)
	walk = func(panels []panel) {
		for _, p := range panels {
			for _, t := range p.Targets {
				add(p.Title, Panel, t.SQL)
			}
			walk(p.Panels)
		}
	}
	walk(b.Panels)
	return all, nil
}
