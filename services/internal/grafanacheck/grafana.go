package grafanacheck

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"time"

	"gapwatch/dashboards"
	"gapwatch/services/internal/alerting"
	"gapwatch/services/internal/grafana"
)

// Options say what [Run] looks at.
type Options struct {
	Grafana       *grafana.Client
	DataSourceUID string
	Dashboards    []dashboards.Dashboard
	Groups        []alerting.Group
	Expected      *Expected // place that widens; nil if it is not known
	Out           io.Writer // findings, what fires, and a summary
}

// Run checks all queries through Grafana and its data source, as panels and rules ask. Rules go through Grafana's own
// thresholds. Grafana must have the data source; dashboards and rules are taken from here. The error is [ErrFound], or says
// why it could not go on.
func Run(ctx context.Context, o Options) error {
	c := checker{store: server{o.Grafana, o.DataSourceUID}, out: o.Out, expected: o.Expected, links: true, now: time.Now()}
	return c.run(ctx, o.Dashboards, o.Groups)
}

type server struct {
	client *grafana.Client
	uid    string // of the data source
}

// frame is a data frame in Grafana's JSON.
type frame struct {
	Schema struct {
		Fields []struct {
			Name     string `json:"name"`
			Type     string `json:"type"` // number, string, time, boolean, other
			TypeInfo struct {
				Frame string `json:"frame"`
			} `json:"typeInfo"`
		} `json:"fields"`
	} `json:"schema"`
	Data struct {
		Values [][]any `json:"values"` // by field
	} `json:"data"`
}

type results map[string]struct {
	Error  string  `json:"error"`
	Frames []frame `json:"frames"`
}

func (s server) query(ctx context.Context, times span, queries ...json.RawMessage) (results, error) {
	text, err := s.client.Query(ctx, queries, times.from, times.to)
	if err != nil {
		return nil, err
	}
	var answer struct {
		Results results `json:"results"`
	}
	if err := json.Unmarshal(text, &answer); err != nil {
		return nil, fmt.Errorf("read the answer of /api/ds/query: %w", err)
	}
	for _, ref := range slices.Sorted(maps.Keys(answer.Results)) {
		if said := answer.Results[ref].Error; said != "" {
			return nil, errors.New(said)
		}
	}
	return answer.Results, nil
}

func (s server) ask(ctx context.Context, sql string, times span) (Table, error) {
	query, err := json.Marshal(map[string]any{
		"refId": "A", "datasource": map[string]string{"type": "grafana-clickhouse-datasource", "uid": s.uid},
		"editorType": "sql", "format": 1, "queryType": "table", "rawSql": sql, "intervalMs": 1000, "maxDataPoints": 1000,
	})
	if err != nil {
		return Table{}, err
	}
	answer, err := s.query(ctx, times, query)
	if err != nil {
		return Table{}, err
	}
	return answer.table("A")
}

func (s server) rule(ctx context.Context, r rule) (t Table, firing int, known bool, err error) {
	now := time.Now()
	answer, err := s.query(ctx, span{now.Add(-10 * time.Minute), now}, r.data...)
	if err != nil {
		return t, 0, true, err
	}
	for _, f := range answer["B"].Frames { // one for each alert: 1 if it fires
		for _, values := range f.Data.Values {
			if len(values) == 1 && values[0] == float64(1) {
				firing++
			}
		}
	}
	// With a threshold on it, Grafana gives the query's rows as labels; as a table they come only when asked for alone.
	if answer, err = s.query(ctx, span{now.Add(-10 * time.Minute), now}, r.data[0]); err != nil {
		return t, 0, true, err
	}
	t, err = answer.table("A")
	return t, firing, true, err
}

func (r results) table(ref string) (t Table, err error) {
	answer, ok := r[ref]
	if !ok || len(answer.Frames) > 1 {
		return t, fmt.Errorf("the answer has %d tables, not one", len(answer.Frames))
	}
	if len(answer.Frames) == 0 {
		return t, nil
	}
	f := answer.Frames[0]
	kinds := map[string]Kind{"number": numeric, "string": text, "time": moment, "boolean": boolean}
	for i, field := range f.Schema.Fields {
		t.Columns = append(t.Columns, Column{field.Name, field.TypeInfo.Frame, kinds[field.Type]})
		for j, value := range f.Data.Values[i] {
			if j == len(t.Cells) {
				t.Cells = append(t.Cells, make([]any, len(f.Schema.Fields)))
			}
			t.Cells[j][i] = value
		}
	}
	return t, nil
}
