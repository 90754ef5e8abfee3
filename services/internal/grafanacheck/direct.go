package grafanacheck

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"gapwatch/dashboards"
	"gapwatch/services/internal/alerting"
)

// DirectOptions say what [Direct] looks at.
type DirectOptions struct {
	ClickHouseURL string
	Dashboards    []dashboards.Dashboard
	Groups        []alerting.Group
	From, To      time.Time // time shown, instead of the dashboards' own; zero for their own
	Expected      *Expected // place that widens; nil if it is not known
	Out           io.Writer // findings, what fires, and a summary
}

// Direct checks all queries against ClickHouse itself, without a Grafana. The error is [ErrFound], or says why it could not go on.
func Direct(ctx context.Context, o DirectOptions) error {
	c := checker{store: clickhouse{o.ClickHouseURL}, out: o.Out, expected: o.Expected, now: time.Now()}
	if !o.From.IsZero() {
		c.times = &span{o.From, o.To}
	}
	return c.run(ctx, o.Dashboards, o.Groups)
}

type clickhouse struct{ url string }

func (s clickhouse) rule(ctx context.Context, r rule) (t Table, firing int, known bool, err error) {
	t, err = s.ask(ctx, r.sql, span{})
	return t, 0, false, err
}

func (s clickhouse) ask(ctx context.Context, sql string, times span) (t Table, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url+"/?default_format=JSONCompact&database=reporting", strings.NewReader(macros(sql, times)))
	if err != nil {
		return t, err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return t, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return t, err
	}
	if response.StatusCode != http.StatusOK {
		return t, fmt.Errorf("%s", firstLine(string(body)))
	}
	var answer struct {
		Meta []struct{ Name, Type string }
		Data [][]any
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		return t, fmt.Errorf("%w: %s", err, firstLine(string(body)))
	}
	for _, column := range answer.Meta {
		t.Columns = append(t.Columns, Column{column.Name, column.Type, kindOf(column.Type)})
	}
	for _, row := range answer.Data {
		for i, value := range row {
			if quoted, ok := value.(string); ok && t.Columns[i].Kind == numeric { // 64-bit numbers come as text
				var number float64
				if _, err := fmt.Sscan(quoted, &number); err != nil {
					return t, fmt.Errorf("column %s: %q is no number", t.Columns[i].Name, quoted)
				}
				row[i] = number
			}
		}
	}
	t.Cells = answer.Data
	return t, nil
}

func firstLine(text string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(text), "\n")
	return line
}

// macros puts in what the plugin does.
func macros(sql string, times span) string {
	from, to := fmt.Sprintf("toDateTime(%d)", times.from.Unix()), fmt.Sprintf("toDateTime(%d)", times.to.Unix())
	const filter = "$__timeFilter("
	for {
		before, rest, found := strings.Cut(sql, filter)
		if !found {
			break
		}
		end, depth := 0, 1
		for ; end < len(rest) && depth > 0; end++ {
			switch rest[end] {
			case '(':
				depth++
			case ')':
				depth--
			}
		}
		if depth > 0 { // for ClickHouse to complain about
			break
		}
		column := rest[:end-1]
		sql = before + column + " >= " + from + " AND " + column + " <= " + to + rest[end:]
	}
	return strings.NewReplacer("$__fromTime", from, "$__toTime", to).Replace(sql)
}
