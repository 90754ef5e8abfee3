package provision

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"gapwatch/dashboards"
	"gapwatch/services/internal/grafana"
	"gapwatch/services/internal/grafana/grafanatest"
)

// target is a Grafana to run a scenario on: the one in the process or a real one.
type target struct {
	*testing.T
	direct string // address, not through the proxy
	user   *url.Userinfo
	proxy  *proxy
	names  Names
	wanted wanted
	tokens int

	clickHouse *url.URL // of a gate that asks for the password "right"
	gate       *gate
	server     *grafanatest.Server // nil for a real one
}

// wanted is what a small Gapwatch has.
type wanted struct {
	dashboards map[string]string // title by uid without prefix
	rules      map[string]string // threshold by uid without prefix
}

// eachGrafana runs a scenario on the Grafana in the process, and with GAPWATCH_TEST_GRAFANA=http://admin:password@host on
// that one too, which must be able to reach this machine; then GAPWATCH_CLICKHOUSE_URL is a ClickHouse with Gapwatch's
// schema.
func eachGrafana(t *testing.T, scenario func(g *target)) {
	t.Run("in the process", func(t *testing.T) {
		server := grafanatest.New(t)
		server.Reach = reach
		scenario(newTarget(t, server.URL, url.UserPassword("admin", "admin"), server, ""))
	})
	if address := os.Getenv("GAPWATCH_TEST_GRAFANA"); address != "" {
		t.Run("real", func(t *testing.T) {
			u, err := url.Parse(strings.TrimRight(address, "/"))
			if err != nil {
				t.Fatal("GAPWATCH_TEST_GRAFANA is not an address")
			}
			user := u.User
			u.User = nil
			scenario(newTarget(t, u.String(), user, nil, os.Getenv("GAPWATCH_CLICKHOUSE_URL")))
		})
	}
}

// reach is what the plugin does to find out whether it works.
func reach(data, secrets map[string]any) bool {
	request, err := http.NewRequest(http.MethodGet, fmt.Sprintf("http://%v:%v/?query=SELECT+1", data["host"], data["port"]), nil)
	if err != nil {
		return false
	}
	request.SetBasicAuth(fmt.Sprint(data["username"]), fmt.Sprint(secrets["password"]))
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return false
	}
	_ = response.Body.Close()
	return response.StatusCode == http.StatusOK
}

func newTarget(t *testing.T, address string, user *url.Userinfo, server *grafanatest.Server, clickHouse string) *target {
	t.Helper()
	g := &target{T: t, direct: address, user: user, server: server, gate: &gate{password: "right"}}
	upstream, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	g.proxy = &proxy{next: httputil.NewSingleHostReverseProxy(upstream)}
	front := httptest.NewServer(g.proxy)
	t.Cleanup(front.Close)
	g.proxy.url = front.URL
	if clickHouse != "" {
		store, err := url.Parse(clickHouse)
		if err != nil {
			t.Fatal(err)
		}
		g.gate.next = httputil.NewSingleHostReverseProxy(store)
	}
	door := httptest.NewServer(g.gate)
	t.Cleanup(door.Close)
	if g.clickHouse, err = url.Parse(door.URL); err != nil {
		t.Fatal(err)
	}
	g.clickHouse.User = url.UserPassword("reader", "right")
	id := fmt.Sprintf("gwt%x", time.Now().UnixNano()&0xffffff)
	g.names = Names{Folder: id, FolderTitle: "Gapwatch " + id, DataSource: id + "-ch", DataSourceName: "Gapwatch " + id,
		ContactPoint: id, ContactPointTitle: "Gapwatch " + id, Tag: "gapwatch-" + id, Prefix: id + "-"}
	g.wanted = wanted{dashboards: map[string]string{"one": "One", "two": "Two"}, rules: map[string]string{"wide": "0", "stale": "5"}}
	if server == nil {
		t.Cleanup(g.clean)
	}
	return g
}

// clean leaves a real Grafana as it was.
func (g *target) clean() {
	var rules []map[string]any
	g.read("/api/v1/provisioning/alert-rules", &rules)
	for _, r := range rules {
		if strings.HasPrefix(fmt.Sprint(r["folderUID"]), g.names.Folder) {
			g.try("DELETE", "/api/v1/provisioning/alert-rules/"+fmt.Sprint(r["uid"]), "")
		}
	}
	var boards []map[string]any
	g.read("/api/search?type=dash-db&tag="+g.names.Tag, &boards)
	for _, b := range boards {
		g.try("DELETE", "/api/dashboards/uid/"+fmt.Sprint(b["uid"]), "")
	}
	for _, uid := range []string{g.names.Folder, g.names.Folder + "b"} {
		g.try("DELETE", "/api/folders/"+uid+"?forceDeleteRules=true", "")
	}
	for _, uid := range []string{g.names.DataSource, g.names.DataSource + "b"} {
		g.try("DELETE", "/api/datasources/uid/"+uid, "")
	}
	for _, uid := range []string{g.names.ContactPoint, g.names.ContactPoint + "b"} {
		g.try("DELETE", "/api/v1/provisioning/contact-points/"+uid, "")
	}
}

// proxy stands between a provisioner and Grafana, counts what is written and fails as it is told.
type proxy struct {
	url  string
	next http.Handler

	mu     sync.Mutex
	writes []string
	fault  func(*http.Request) *answer

	answered func(status int) // told what Grafana answered; nil for nobody
}

// noted is a response whose status is told.
type noted struct {
	http.ResponseWriter
	tell func(int)
}

func (n noted) WriteHeader(status int) {
	n.tell(status)
	n.ResponseWriter.WriteHeader(status)
}

type answer struct {
	status int
	kind   string
	body   string
}

const page = "<!DOCTYPE html><html><body>Bad gateway</body></html>"

func (p *proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	var a *answer
	if p.fault != nil {
		a = p.fault(r)
	}
	if a == nil && r.Method != http.MethodGet {
		p.writes = append(p.writes, r.Method+" "+r.URL.Path)
	}
	p.mu.Unlock()
	if a == nil && p.answered != nil {
		w = noted{w, p.answered}
	}
	if a == nil {
		p.next.ServeHTTP(w, r)
		return
	}
	w.Header().Set("Content-Type", a.kind)
	w.WriteHeader(a.status)
	_, _ = io.WriteString(w, a.body)
}

// fail answers requests from now on: those for which f gives an answer.
func (p *proxy) fail(f func(*http.Request) *answer) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.fault = f
}

// written gives what was written since the last call.
func (p *proxy) written() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	w := p.writes
	p.writes = nil
	return w
}

// gate is a ClickHouse with one password, or stands before one.
type gate struct {
	mu       sync.Mutex
	password string
	next     http.Handler
}

func (s *gate) set(password string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.password = password
}

func (s *gate) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	right := s.password
	s.mu.Unlock()
	if _, password, _ := r.BasicAuth(); password != right {
		w.Header().Set("X-ClickHouse-Exception-Code", "516")
		w.WriteHeader(http.StatusForbidden)
		_, _ = io.WriteString(w, "Code: 516. DB::Exception: reader: Authentication failed: password is incorrect, or there is no user with such name. (AUTHENTICATION_FAILED)")
		return
	}
	if s.next == nil {
		_, _ = io.WriteString(w, "1\n")
		return
	}
	r.Header.Del("Authorization")
	s.next.ServeHTTP(w, r)
}

// config is that of a provisioner for the target, by way of the proxy.
func (g *target) config() Config {
	g.Helper()
	return Config{Grafana: g.client(""), ClickHouse: g.clickHouse, Names: g.names, Dashboards: g.dashboards(), Groups: g.groups,
		Every: time.Hour, Patience: 2 * time.Minute}
}

// client is one with a token, or the administrator for none.
func (g *target) client(token string) *grafana.Client {
	g.Helper()
	u, err := url.Parse(g.proxy.url)
	if err != nil {
		g.Fatal(err)
	}
	if token == "" {
		u.User = g.user
	}
	c, err := grafana.New(grafana.Config{URL: u.String(), Token: token, Secrets: []string{"right"}})
	if err != nil {
		g.Fatal(err)
	}
	return c
}

func (g *target) provisioner(change ...func(*Config)) *Provisioner {
	g.Helper()
	c := g.config()
	for _, f := range change {
		f(&c)
	}
	p, err := New(c)
	if err != nil {
		g.Fatal(err)
	}
	return p
}

func (g *target) dashboards() []dashboards.Dashboard {
	var all []dashboards.Dashboard
	for _, uid := range sorted(g.wanted.dashboards) {
		uid, title := g.names.Prefix+uid, g.wanted.dashboards[uid]
		all = append(all, dashboards.Dashboard{UID: uid, Title: title, JSON: fmt.Appendf(nil, `{"uid": %q, "title": %q, "tags": [%q], "schemaVersion": 41,
			"refresh": "1m", "time": {"from": "now-7d", "to": "now"}, "nothing": null, "half": 0.50, "million": 1e6,
			"panels": [{"id": 1, "type": "text", "title": "Is 1 < 2 & true?", "gridPos": {"h": 3, "w": 4, "x": 0, "y": 0}, "options": {"content": "é"}}]}`,
			uid, title, g.names.Tag)})
	}
	return all
}

func (g *target) groups(receiver string) ([]Group, error) {
	group := Group{Name: "Gapwatch/minute " + g.names.Folder, Interval: time.Minute}
	for _, uid := range sorted(g.wanted.rules) {
		group.Rules = append(group.Rules, g.rule(g.names.Prefix+uid, g.wanted.rules[uid], receiver))
	}
	if len(group.Rules) == 0 {
		return nil, nil
	}
	return []Group{group}, nil
}

func (g *target) rule(uid, threshold, receiver string) []byte {
	settings := ""
	if receiver != "" {
		settings = fmt.Sprintf(`"notification_settings": {"receiver": %q, "group_by": ["grafana_folder", "alertname", "place"], "repeat_interval": "7d"},`, receiver)
	}
	return fmt.Appendf(nil, `{"uid": %q, "title": "Rule %s", "condition": "B", "for": "60s", "noDataState": "KeepLast", "execErrState": "KeepLast", %s
		"labels": {"severity": "test"}, "annotations": {"summary": "{{ $labels.place }} is wide"},
		"data": [
			{"refId": "A", "relativeTimeRange": {"from": 600, "to": 0}, "datasourceUid": %q, "model": {"refId": "A", "editorType": "sql", "format": 1,
				"queryType": "table", "rawSql": "SELECT 'here' AS place, 0 AS value", "intervalMs": 1000, "maxDataPoints": 43200}},
			{"refId": "B", "relativeTimeRange": {"from": 600, "to": 0}, "datasourceUid": "__expr__", "model": {"refId": "B", "type": "threshold",
				"expression": "A", "conditions": [{"evaluator": {"type": "gt", "params": [%s]}}]}}]}`,
		uid, uid, settings, g.names.DataSource, threshold)
}

// reconcile makes a pass that must succeed, and gives what it changed: "action kind uid-without-prefix".
func (g *target) reconcile(p *Provisioner) []string {
	g.Helper()
	plan, err := p.Reconcile(context.Background())
	if err != nil {
		g.Fatal(err)
	}
	return g.changes(plan)
}

func (g *target) changes(plan *Plan) []string {
	all := []string{}
	for _, i := range plan.Items {
		if i.changes() {
			uid, _ := strings.CutPrefix(i.UID, g.names.Folder)
			all = append(all, fmt.Sprintf("%s %s%s", i.Action, i.Kind, strings.Replace(uid, "-", " ", 1)))
		}
	}
	return all
}

func (g *target) expect(got []string, want ...string) {
	g.Helper()
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		g.Fatalf("got\n  %s\nwant\n  %s", strings.Join(got, "\n  "), strings.Join(want, "\n  "))
	}
}

// settled: another pass changes and writes nothing.
func (g *target) settled(p *Provisioner) {
	g.Helper()
	g.proxy.written()
	g.expect(g.reconcile(p))
	if w := g.proxy.written(); len(w) > 0 {
		g.Fatalf("a second pass wrote %v", w)
	}
}

// do makes a request as the administrator, past the proxy; it must succeed.
func (g *target) do(method, path, body string, headers ...string) map[string]any {
	g.Helper()
	status, text := g.try(method, path, body, headers...)
	if status/100 != 2 {
		g.Fatalf("%s %s: %d %s", method, path, status, text)
	}
	var tree map[string]any
	_ = json.Unmarshal(text, &tree)
	return tree
}

func (g *target) try(method, path, body string, headers ...string) (int, []byte) {
	g.Helper()
	request, err := http.NewRequest(method, g.direct+path, strings.NewReader(body))
	if err != nil {
		g.Fatal(err)
	}
	password, _ := g.user.Password()
	request.SetBasicAuth(g.user.Username(), password)
	request.Header.Set("Content-Type", "application/json")
	for i := 0; i+1 < len(headers); i += 2 {
		request.Header.Set(headers[i], headers[i+1])
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		g.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		g.Fatal(err)
	}
	return response.StatusCode, text
}

func (g *target) read(path string, into any) {
	g.Helper()
	status, text := g.try("GET", path, "")
	if status != 200 {
		g.Fatalf("GET %s: %d %s", path, status, text)
	}
	if err := json.Unmarshal(text, into); err != nil {
		g.Fatal(err)
	}
}

// raw is a text as Grafana has it.
func (g *target) raw(path string) string {
	g.Helper()
	_, text := g.try("GET", path, "")
	var out bytes.Buffer
	if err := json.Indent(&out, text, "", " "); err != nil {
		return string(text)
	}
	return out.String()
}

// token is one of a new service account with a basic role.
func (g *target) token(role string) string {
	g.Helper()
	g.tokens++
	name := fmt.Sprintf("%s %d", g.names.Folder, g.tokens)
	account := g.do("POST", "/api/serviceaccounts", fmt.Sprintf(`{"name": %q, "role": %q}`, name, role))
	path := fmt.Sprintf("/api/serviceaccounts/%v", account["id"])
	if g.server == nil {
		g.Cleanup(func() { g.do("DELETE", path, "") })
	}
	key, _ := g.do("POST", path+"/tokens", fmt.Sprintf(`{"name": %q}`, name))["key"].(string)
	return key
}

func sorted(m map[string]string) []string { return slices.Sorted(maps.Keys(m)) }

func mustJSON(v any) []byte {
	text, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return text
}

func jsonOf(text []byte) (v any) {
	if err := json.Unmarshal(text, &v); err != nil {
		panic(err)
	}
	return v
}
