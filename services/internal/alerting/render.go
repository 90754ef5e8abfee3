package alerting

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

const (
	keepLast   = "KeepLast"
	alerting   = "Alerting"
	expression = "__expr__"

	// Sentence is the column of each query that tells people what is the matter. It is in no label of an alert.
	Sentence = "sentence"

	// An alert of many places at once must not be cut in two messages, and one place must not wait for long.
	groupWait     = "10s"
	groupInterval = "5m"
	repeat        = "1w" // an alert that goes on is told again each week
)

// provisioned is ProvisionedAlertRule of Grafana's provisioning API.
type provisioned struct {
	UID           string            `json:"uid"`
	FolderUID     string            `json:"folderUID"`
	RuleGroup     string            `json:"ruleGroup"`
	Title         string            `json:"title"`
	Condition     string            `json:"condition"`
	Data          []query           `json:"data"`
	NoDataState   string            `json:"noDataState"`
	ExecErrState  string            `json:"execErrState"`
	For           string            `json:"for"`
	KeepFiringFor string            `json:"keep_firing_for,omitempty"`
	Annotations   map[string]string `json:"annotations"`
	Labels        map[string]string `json:"labels"`
	IsPaused      bool              `json:"isPaused"`
	Notification  *notification     `json:"notification_settings,omitempty"`
}

type query struct {
	RefID             string `json:"refId"`
	QueryType         string `json:"queryType"`
	RelativeTimeRange span   `json:"relativeTimeRange"`
	DatasourceUID     string `json:"datasourceUid"`
	Model             model  `json:"model"`
}

type span struct { // seconds before the evaluation
	From int `json:"from"`
	To   int `json:"to"`
}

// model is what the data source reads: the plugin's query, or a threshold.
type model struct {
	RefID         string      `json:"refId"`
	Datasource    reference   `json:"datasource"`
	EditorType    string      `json:"editorType,omitempty"`
	Format        int         `json:"format,omitempty"` // 1 = table
	QueryType     string      `json:"queryType,omitempty"`
	RawSQL        string      `json:"rawSql,omitempty"`
	Type          string      `json:"type,omitempty"`
	Expression    string      `json:"expression,omitempty"`
	Conditions    []condition `json:"conditions,omitempty"`
	IntervalMS    int         `json:"intervalMs"`    // these two Grafana adds where they are missing
	MaxDataPoints int         `json:"maxDataPoints"` // and would look like an edit by hand
}

type reference struct {
	Type string `json:"type"`
	UID  string `json:"uid"`
}

type condition struct {
	Type      string    `json:"type"`
	Evaluator evaluator `json:"evaluator"`
}

type evaluator struct {
	Type   string    `json:"type"`
	Params []float64 `json:"params"`
}

type notification struct {
	Receiver       string   `json:"receiver"`
	GroupBy        []string `json:"group_by"`
	GroupWait      string   `json:"group_wait"`
	GroupInterval  string   `json:"group_interval"`
	RepeatInterval string   `json:"repeat_interval"`
}

func (r Rule) render(s Settings) provisioned {
	p := provisioned{
		UID: r.UID, FolderUID: s.FolderUID, RuleGroup: r.Group, Title: r.Title, Condition: "B",
		Data: []query{
			{RefID: "A", QueryType: "table", RelativeTimeRange: span{From: 600}, DatasourceUID: s.DataSourceUID, Model: model{
				RefID: "A", Datasource: reference{"grafana-clickhouse-datasource", s.DataSourceUID},
				EditorType: "sql", Format: 1, QueryType: "table", RawSQL: r.SQL, IntervalMS: 1000, MaxDataPoints: 43200,
			}},
			{RefID: "B", RelativeTimeRange: span{From: 600}, DatasourceUID: expression, Model: model{
				RefID: "B", Datasource: reference{expression, expression}, Type: "threshold", Expression: "A",
				Conditions: []condition{{Type: "query", Evaluator: evaluator{"gt", []float64{r.Above}}}}, IntervalMS: 1000, MaxDataPoints: 43200,
			}},
		},
		NoDataState: r.NoData, ExecErrState: r.Error, For: duration(r.For),
		Annotations: map[string]string{
			// Without a row there is no sentence: when Grafana has started and the first look fails.
			"summary":     fmt.Sprintf("{{ if $labels.%s }}{{ $labels.%s }}{{ else }}Grafana cannot read Gapwatch's numbers.{{ end }}", Sentence, Sentence),
			"description": strings.TrimSpace(r.Description),
			"dashboard":   r.link(s),
		},
		Labels: map[string]string{Sentence: ""},
	}
	if r.Severity != "" {
		p.Labels["severity"] = r.Severity
	}
	if r.KeepFiringFor > 0 {
		p.KeepFiringFor = duration(r.KeepFiringFor)
	}
	if s.RunbookURL != "" {
		p.Annotations["runbook_url"] = s.RunbookURL + "#" + r.Section()
	} else {
		p.Annotations["runbook"] = "deploy/RUNBOOK.md, " + r.Title
	}
	if s.Receiver != "" {
		p.Notification = &notification{Receiver: s.Receiver, GroupBy: append([]string{"grafana_folder", "alertname"}, r.GroupBy...),
			GroupWait: groupWait, GroupInterval: groupInterval, RepeatInterval: repeat}
	}
	return p
}

// link is the address of the dashboard, set to what the alert is about.
func (r Rule) link(s Settings) string {
	address := "{{ externalURL }}" // ends with a slash
	if s.PublicURL != "" {
		address = strings.TrimSuffix(s.PublicURL, "/") + "/"
	}
	address += "d/" + r.Dashboard
	for i, variable := range slices.Sorted(maps.Keys(r.Variables)) {
		separator := "&"
		if i == 0 {
			separator = "?"
		}
		address += fmt.Sprintf("%svar-%s={{ with $labels.%s }}{{ urlquery . }}{{ end }}", separator, variable, r.Variables[variable])
	}
	return address
}

// duration is d as Grafana writes it, e.g. 30s, 15m, 2d.
func duration(d time.Duration) string {
	for _, unit := range []struct {
		d    time.Duration
		name string
	}{{7 * 24 * time.Hour, "w"}, {24 * time.Hour, "d"}, {time.Hour, "h"}, {time.Minute, "m"}} {
		if d >= unit.d && d%unit.d == 0 {
			return fmt.Sprintf("%d%s", d/unit.d, unit.name)
		}
	}
	return fmt.Sprintf("%ds", d/time.Second)
}
