package grafanacheck

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"gapwatch/dashboards"
)

// board is a dashboard and what it asks for.
type board struct {
	Title     string
	from, to  string // e.g. now-90d
	variables []variable
	queries   []dashboards.Query
}

type variable struct {
	name    string
	sql     string
	options []string // where there is no query
}

func parse(d dashboards.Dashboard) (b board, err error) {
	b.Title = d.Title
	if b.queries, err = d.Queries(); err != nil {
		return b, err
	}
	var tree struct {
		Time       struct{ From, To string }
		Templating struct {
			List []struct {
				Name, Type string
				Query      json.RawMessage
			}
		}
	}
	if err := json.Unmarshal(d.JSON, &tree); err != nil {
		return b, fmt.Errorf("dashboards/%s: %w", d.File, err)
	}
	b.from, b.to = tree.Time.From, tree.Time.To
	queries := map[string]string{}
	for _, q := range b.queries {
		if q.Kind == dashboards.Variable {
			queries[q.Panel] = q.SQL
		}
	}
	for _, v := range tree.Templating.List {
		one := variable{name: v.Name, sql: queries[v.Name]}
		if one.sql == "" {
			var written string
			if err := json.Unmarshal(v.Query, &written); err != nil {
				return b, fmt.Errorf("dashboards/%s: variable %s is neither a query nor a list", d.File, v.Name)
			}
			for option := range strings.SplitSeq(written, ",") {
				if _, value, both := strings.Cut(option, " : "); both {
					option = value
				}
				one.options = append(one.options, strings.TrimSpace(option))
			}
		}
		b.variables = append(b.variables, one)
	}
	return b, nil
}

func (b board) has(name string) bool {
	return slices.ContainsFunc(b.variables, func(v variable) bool { return v.name == name })
}

// times is what the dashboard shows when it is opened.
func (b board) times(now time.Time) (span, error) {
	from, err := readTime(b.from, now)
	if err != nil {
		return span{}, err
	}
	to, err := readTime(b.to, now)
	return span{from, to}, err
}

var relative = regexp.MustCompile(`^now(?:-(\d+)([mhdwMy]))?$`)

// readTime reads a time as dashboards write it.
func readTime(text string, now time.Time) (time.Time, error) {
	m := relative.FindStringSubmatch(text)
	if m == nil {
		return now, fmt.Errorf("time %q: only now and now-90d and the like are known here", text)
	}
	n, _ := strconv.Atoi(m[1])
	switch m[2] {
	case "m":
		return now.Add(-time.Duration(n) * time.Minute), nil
	case "h":
		return now.Add(-time.Duration(n) * time.Hour), nil
	case "w":
		return now.AddDate(0, 0, -7*n), nil
	case "M":
		return now.AddDate(0, -n, 0), nil
	case "y":
		return now.AddDate(-n, 0, 0), nil
	}
	return now.AddDate(0, 0, -n), nil
}

var mention = regexp.MustCompile(`\$\{([^}]*)\}|\$(__)?([A-Za-z]\w*)`)

// interpolate puts variables in as Grafana does: ${name} as it is, ${name:sqlstring} as a literal. The plugin's three macros
// stay. What Grafana would leave standing is an error.
func interpolate(sql string, values map[string]string) (string, error) {
	var failed error
	done := mention.ReplaceAllStringFunc(sql, func(found string) string {
		m := mention.FindStringSubmatch(found)
		name, format := m[3], ""
		if m[2] != "" {
			if name == "timeFilter" || name == "fromTime" || name == "toTime" {
				return found
			}
			failed = fmt.Errorf("%s is none of the macros that the plugin keeps from version to version", found)
			return found
		}
		if m[1] != "" {
			name, format, _ = strings.Cut(m[1], ":")
		}
		value, ok := values[name]
		if !ok {
			failed = fmt.Errorf("%s: the dashboard has no variable of that name", found)
			return found
		}
		switch format {
		case "", "raw":
			return value
		case "sqlstring":
			return quoted(value)
		}
		failed = fmt.Errorf("%s: format %s is not known here", found, format)
		return found
	})
	return done, failed
}

// quoted is a literal as Grafana's sqlstring writes it.
func quoted(value string) string { return "'" + strings.ReplaceAll(value, "'", "''") + "'" }
