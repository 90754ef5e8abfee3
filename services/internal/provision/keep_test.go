package provision

import (
	"bytes"
	"context"
	"encoding/pem"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"gapwatch/services/internal/grafana"
	"gapwatch/services/internal/grafana/grafanatest"
	"gapwatch/services/internal/settings"
)

// theServer is the one that grafanaInProcess has started last.
var theServer *grafanatest.Server

func grafanaInProcess(t *testing.T) string {
	t.Helper()
	theServer = grafanatest.New(t)
	return theServer.URL
}

func pemOf(certificate []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate})
}

// Keep finds and puts back what somebody did between two passes, says so, and outlives a Grafana that fails.
func TestKeep(t *testing.T) {
	g := newTarget(t, grafanaInProcess(t), url.UserPassword("admin", "admin"), theServer, "")
	waits, ticks := make(chan time.Duration), make(chan time.Time)
	var log bytes.Buffer
	registry := prometheus.NewRegistry()
	p := g.provisioner(func(c *Config) {
		c.After = func(d time.Duration) <-chan time.Time {
			waits <- d
			return ticks
		}
		c.Every, c.Patience, c.Registry = 10*time.Minute, 200*time.Millisecond, registry
		c.Log = slog.New(slog.NewTextHandler(&log, nil))
	})
	if p.Ready(context.Background()) == nil {
		t.Error("ready before it has looked")
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error)
	go func() { ended <- p.Keep(ctx) }()
	pass := func(want time.Duration) {
		t.Helper()
		if d := <-waits; d != want {
			t.Errorf("waits %v, not %v", d, want)
		}
	}
	pass(10 * time.Minute)
	if err := p.Ready(context.Background()); err != nil {
		t.Errorf("not ready: %v", err)
	}
	g.do("DELETE", "/api/dashboards/uid/"+g.names.Prefix+"one", "")
	g.do("PUT", "/api/folders/"+g.names.Folder, `{"title": "Mine", "overwrite": true}`)
	log.Reset()
	ticks <- time.Time{}
	pass(10 * time.Minute)
	if !strings.Contains(log.String(), "put back") || !strings.Contains(log.String(), `was renamed to \"Mine\"`) {
		t.Errorf("log %s", &log)
	}
	if n := counted(t, registry, "gapwatch_provisioner_changes_total", "put back"); n != 1 {
		t.Errorf("%v put back", n)
	}
	g.proxy.fail(always(answer{http.StatusBadGateway, kindHTML, page}))
	ticks <- time.Time{}
	pass(time.Minute)
	if err := p.Ready(context.Background()); err == nil || !strings.Contains(err.Error(), "502") {
		t.Errorf("ready although Grafana is away: %v", err)
	}
	g.proxy.fail(nil)
	ticks <- time.Time{}
	pass(10 * time.Minute)
	if err := p.Ready(context.Background()); err != nil {
		t.Errorf("not ready: %v", err)
	}
	g.proxy.fail(func(r *http.Request) *answer {
		if strings.HasPrefix(r.URL.Path, "/api/datasources/") && strings.HasSuffix(r.URL.Path, "/health") {
			return &answer{http.StatusBadRequest, kindJSON, `{"status": "ERROR", "message": "failed to create ClickHouse client"}`}
		}
		return nil
	})
	g.do("PUT", "/api/folders/"+g.names.Folder, `{"title": "Mine", "overwrite": true}`)
	ticks <- time.Time{}
	pass(time.Minute)
	if err := p.Ready(context.Background()); ExitCode(err) != ExitUnhealthy {
		t.Errorf("ClickHouse is away, ready says %v", err)
	}
	if n := counted(t, registry, "gapwatch_provisioner_changes_total", "put back"); n != 2 {
		t.Errorf("%v put back, the second while ClickHouse was away", n)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if wanted, failed := counted(t, registry, "gapwatch_provisioner_passes_total", "wanted"), counted(t, registry, "gapwatch_provisioner_passes_total", "failed"); wanted != 3 || failed != 2 {
		t.Errorf("%v passes ended as wanted, %v failed", wanted, failed)
	}
}

// counted is the sum of a metric over what has the label value.
func counted(t *testing.T, registry *prometheus.Registry, name, label string) (sum float64) {
	t.Helper()
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			for _, l := range m.GetLabel() {
				if f.GetName() == name && l.GetValue() == label {
					sum += m.GetCounter().GetValue()
				}
			}
		}
	}
	return sum
}

func TestSettings(t *testing.T) {
	good := Settings{GrafanaURL: "http://g:3000", GrafanaToken: "glsa_x", GrafanaEvery: time.Minute}
	for _, c := range []struct {
		name   string
		change func(*Settings)
		store  string
		want   string // in the error; empty for none
	}{
		{"good", func(*Settings) {}, "http://127.0.0.1:8123", ""},
		{"user of the services", func(*Settings) {}, "http://writer:geheim@ch:8123", "GAPWATCH_GRAFANA_CLICKHOUSE_URL must be set"},
		{"its own user", func(s *Settings) { s.GrafanaClickHouseURL = "clickhouse://reader:geheim@ch" }, "http://writer:geheim@ch:8123", ""},
		{"no Grafana", func(s *Settings) { s.GrafanaURL = "" }, "http://ch:8123", "GAPWATCH_GRAFANA_URL must be set"},
		{"Grafana without a scheme", func(s *Settings) { s.GrafanaURL = "admin:geheim@g:3000" }, "http://ch:8123", "GAPWATCH_GRAFANA_URL is not"},
		{"nobody", func(s *Settings) { s.GrafanaToken = "" }, "http://ch:8123", "GAPWATCH_GRAFANA_TOKEN must be set"},
		{"token of two lines", func(s *Settings) { s.GrafanaToken = "geheim\ngeheim" }, "http://ch:8123", "GAPWATCH_GRAFANA_TOKEN has"},
		{"both receivers", func(s *Settings) { s.AlertWebhook, s.AlertReceiver = "https://geheim", "on call" }, "http://ch:8123", "not both"},
		{"webhook without a scheme", func(s *Settings) { s.AlertWebhook = "host/geheim" }, "http://ch:8123", "GAPWATCH_ALERT_WEBHOOK is not"},
		{"ClickHouse by another protocol", func(s *Settings) { s.GrafanaClickHouseURL = "mysql://u:geheim@ch" }, "", "begins with mysql://"},
		{"too often", func(s *Settings) { s.GrafanaEvery = time.Millisecond }, "http://ch:8123", "GAPWATCH_GRAFANA_EVERY"},
		{"no such authority", func(s *Settings) { s.GrafanaCA = "/nowhere.pem" }, "http://ch:8123", "GAPWATCH_GRAFANA_CA"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := good
			c.change(&s)
			_, err := s.Config(c.store)
			if c.want == "" && err == nil {
				return
			}
			if err == nil || c.want == "" || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "geheim") {
				t.Errorf("%v", err)
			}
		})
	}
}

// The data source for each kind of address.
func TestDataSourceByScheme(t *testing.T) {
	for address, want := range map[string]string{
		"http://r:p@ch:8123":        `{"defaultDatabase":"reporting","host":"ch","port":8123,"protocol":"http","secure":false,"username":"r"}`,
		"https://r:p@ch/clickhouse": `{"defaultDatabase":"reporting","host":"ch","path":"clickhouse","port":8443,"protocol":"http","secure":true,"username":"r"}`,
		"clickhouse://r:p@ch":       `{"defaultDatabase":"reporting","host":"ch","port":9000,"protocol":"native","secure":false,"username":"r"}`,
		"clickhouses://r@ch:9441":   `{"defaultDatabase":"reporting","host":"ch","port":9441,"protocol":"native","secure":true,"username":"r"}`,
	} {
		c, err := Settings{GrafanaURL: "http://g", GrafanaToken: "t", GrafanaEvery: time.Minute, GrafanaClickHouseURL: address}.Config("")
		if err != nil {
			t.Fatal(err)
		}
		p := &Provisioner{Config: c}
		d := p.dataSource(grafana.DataSource{}, "n", 3)
		data := d["jsonData"].(object)
		if got := string(mustJSON(without(data, mark))); got != want {
			t.Errorf("%s: %s", address, got)
		}
		if text := string(mustJSON(data)); strings.Contains(text, `"p"`) || !strings.Contains(text, `"gapwatch":"3:`) {
			t.Errorf("%s: %s", address, text)
		}
	}
}

// The command, with what this version really ships.
func TestCommand(t *testing.T) {
	grafanaInProcess(t)
	var checked Checked
	checkFails, meanwhile := error(nil), func() {}
	command := Command{
		Settings: Settings{GrafanaURL: strings.Replace(theServer.URL, "http://", "http://admin:admin@", 1), GrafanaEvery: time.Minute, AlertWebhook: "http://127.0.0.1:9/secret"},
		Service:  settings.Service{Log: "text", LogLevel: "info", MetricsListen: "127.0.0.1:0"}, ClickHouse: "http://127.0.0.1:8123",
		Check: func(_ context.Context, c Checked) error {
			checked = c
			meanwhile()
			return checkFails
		},
	}
	run := func(args ...string) (string, int) {
		var out bytes.Buffer
		command := command
		command.Stdout, command.Stderr = &out, &out
		err := command.Run(context.Background(), args)
		if err != nil {
			out.WriteString(err.Error())
		}
		if strings.Contains(out.String(), "secret") {
			t.Errorf("%v shows the webhook: %s", args, &out)
		}
		return out.String(), ExitCode(err)
	}
	if text, code := run("--plan"); code != ExitDiffers || !strings.Contains(text, `create     folder "Gapwatch" (gapwatch)`) {
		t.Errorf("%d %s", code, text)
	}
	if text, code := run("--once"); code != ExitWanted || !strings.Contains(text, "Grafana is as wanted") {
		t.Errorf("%d %s", code, text)
	}
	if text, code := run("--once"); code != ExitWanted || !strings.Contains(text, "as wanted: 0 of ") || strings.Contains(text, "create ") {
		t.Errorf("%d %s", code, text)
	}
	if text, code := run("--plan"); code != ExitWanted {
		t.Errorf("%d %s", code, text)
	}
	if text, code := run("--test-notification"); code != ExitRepair || !strings.Contains(text, "connection refused") {
		t.Errorf("%d %s", code, text)
	}
	if text, code := run("--check"); code != ExitWanted || !strings.Contains(text, "a second pass changed nothing") || checked.Demo ||
		len(checked.Dashboards) == 0 || len(checked.Groups) == 0 || checked.DataSource != "gapwatch-clickhouse" {
		t.Errorf("%d %s %+v", code, text, checked)
	}
	checkFails = errors.New("a panel shows nothing")
	if text, code := run("--check-demo"); code != ExitRepair || !strings.Contains(text, "a panel shows nothing") || !checked.Demo {
		t.Errorf("%d %s", code, text)
	}
	checkFails, meanwhile = nil, func() {
		request, err := http.NewRequest(http.MethodDelete, theServer.URL+"/api/dashboards/uid/gapwatch-feed", nil)
		if err != nil {
			t.Fatal(err)
		}
		request.SetBasicAuth("admin", "admin")
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		_ = response.Body.Close()
	}
	if text, code := run("--check"); code != ExitRepair || !strings.Contains(text, "a second pass changed Grafana again") {
		t.Errorf("%d %s", code, text)
	}
	meanwhile = func() {}
	command.Settings.GrafanaURL = theServer.URL // then the user that a Grafana has at first
	if text, code := run("--check"); code != ExitWanted {
		t.Errorf("%d %s", code, text)
	}
	if text, code := run("--once"); code != ExitRepair || !strings.Contains(text, "GAPWATCH_GRAFANA_TOKEN must be set") {
		t.Errorf("%d %s", code, text)
	}
	if text, code := run("--help"); code != ExitWanted || text != Usage {
		t.Errorf("%d %s", code, text)
	}
	for _, args := range [][]string{{"--twice"}, {"now"}, {"--once", "--plan"}} {
		if text, code := run(args...); code != ExitRepair || text != strings.TrimSpace(Usage) {
			t.Errorf("%v: %d %s", args, code, text)
		}
	}
}

// As a service it keeps Grafana as wanted until it is told to end.
func TestService(t *testing.T) {
	grafanaInProcess(t)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	front := &proxy{next: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/api/datasources/uid/gapwatch-clickhouse/health" { // the last thing that a pass does
			defer cancel()
		}
		request, err := http.NewRequest(r.Method, theServer.URL+r.URL.RequestURI(), r.Body)
		if err != nil {
			t.Error(err)
			return
		}
		request.Header = r.Header
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Error(err)
			return
		}
		defer response.Body.Close()
		w.WriteHeader(response.StatusCode)
		_, _ = io.Copy(w, response.Body)
	})}
	server := httptest.NewServer(front)
	t.Cleanup(server.Close)
	err := Command{
		Settings: Settings{GrafanaURL: strings.Replace(server.URL, "http://", "http://admin:admin@", 1), GrafanaEvery: time.Hour},
		Service:  settings.Service{Log: "text", LogLevel: "info", MetricsListen: "127.0.0.1:0"}, ClickHouse: "http://127.0.0.1:8123",
		Stdout: io.Discard, Stderr: io.Discard,
	}.Run(ctx, nil)
	if err != nil || len(front.written()) == 0 {
		t.Errorf("%v", err)
	}
}

// Our contact point stays while somebody else sends to it.
func TestContactPointThatOthersUse(t *testing.T) {
	g := newTarget(t, grafanaInProcess(t), url.UserPassword("admin", "admin"), theServer, "")
	g.reconcile(g.provisioner(func(c *Config) { c.Webhook = "http://127.0.0.1:9/hook" }))
	theServer.SetPolicy(object{"receiver": "empty", "routes": []any{object{"receiver": "empty", "routes": []any{object{"receiver": g.names.ContactPointTitle}}}}})
	p := g.provisioner()
	g.expect(g.reconcile(p), "update alert rule stale", "update alert rule wide")
	plan, err := p.Plan(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if last := plan.Items[len(plan.Items)-1]; last.Action != Leave || last.Why != "the notification policy sends to it" {
		t.Errorf("%s", last)
	}
	theServer.SetPolicy(object{"receiver": "empty"})
	g.do("POST", "/api/folders", `{"uid": "theirs", "title": "Theirs"}`)
	g.do("PUT", "/api/v1/provisioning/folder/theirs/rule-groups/g", `{"title": "g", "folderUid": "theirs", "interval": 60, "rules": [`+string(g.rule("theirs", "1", g.names.ContactPointTitle))+`]}`)
	if plan, err = p.Plan(context.Background()); err != nil {
		t.Fatal(err)
	}
	if last := plan.Items[len(plan.Items)-1]; last.Action != Leave || !strings.Contains(last.Why, "alert rule") {
		t.Errorf("%s", last)
	}
	g.do("DELETE", "/api/v1/provisioning/alert-rules/theirs", "")
	g.expect(g.reconcile(p), "prune contact point")
}
