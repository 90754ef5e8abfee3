package grafana_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"gapwatch/services/internal/grafana"
	"gapwatch/services/internal/grafana/grafanatest"
)

// calls is every call of the client.
func calls(c *grafana.Client) map[string]func(context.Context) error {
	return map[string]func(context.Context) error{
		"Health":       func(ctx context.Context) error { _, err := c.Health(ctx); return err },
		"Namespace":    func(ctx context.Context) error { _, err := c.Namespace(ctx); return err },
		"Permissions":  func(ctx context.Context) error { _, err := c.Permissions(ctx); return err },
		"Plugin":       func(ctx context.Context) error { _, _, err := c.Plugin(ctx, "p"); return err },
		"Folder":       func(ctx context.Context) error { _, _, err := c.Folder(ctx, "f"); return err },
		"CreateFolder": func(ctx context.Context) error { return c.CreateFolder(ctx, grafana.Folder{UID: "f"}) },
		"RenameFolder": func(ctx context.Context) error { return c.RenameFolder(ctx, grafana.Folder{UID: "f"}) },
		"Dashboard":    func(ctx context.Context) error { _, _, err := c.Dashboard(ctx, "d"); return err },
		"SaveDashboard": func(ctx context.Context) error {
			return c.SaveDashboard(ctx, "d", grafana.Dashboard{JSON: []byte(`{}`)})
		},
		"DeleteDashboard":  func(ctx context.Context) error { return c.DeleteDashboard(ctx, "d") },
		"Tagged":           func(ctx context.Context) error { _, err := c.Tagged(ctx, "t"); return err },
		"DataSource":       func(ctx context.Context) error { _, _, err := c.DataSource(ctx, "s"); return err },
		"DataSourceNamed":  func(ctx context.Context) error { _, err := c.DataSourceNamed(ctx, "a name"); return err },
		"CreateDataSource": func(ctx context.Context) error { return c.CreateDataSource(ctx, grafana.DataSource{"uid": "s"}) },
		"UpdateDataSource": func(ctx context.Context) error { return c.UpdateDataSource(ctx, grafana.DataSource{"uid": "s"}) },
		"DataSourceHealth": func(ctx context.Context) error { _, _, err := c.DataSourceHealth(ctx, "s"); return err },
		"Rules":            func(ctx context.Context) error { _, err := c.Rules(ctx); return err },
		"RuleGroup":        func(ctx context.Context) error { _, _, err := c.RuleGroup(ctx, "f", "g/g"); return err },
		"SaveRuleGroup": func(ctx context.Context) error {
			return c.SaveRuleGroup(ctx, grafana.RuleGroup{Title: "g", Interval: 10, Rules: []grafana.Rule{{}}})
		},
		"SaveRule":           func(ctx context.Context) error { return c.SaveRule(ctx, grafana.Rule{"uid": "r"}) },
		"DeleteRule":         func(ctx context.Context) error { return c.DeleteRule(ctx, "r") },
		"ContactPoints":      func(ctx context.Context) error { _, err := c.ContactPoints(ctx); return err },
		"CreateContactPoint": func(ctx context.Context) error { return c.CreateContactPoint(ctx, grafana.ContactPoint{UID: "c"}) },
		"UpdateContactPoint": func(ctx context.Context) error { return c.UpdateContactPoint(ctx, grafana.ContactPoint{UID: "c"}) },
		"DeleteContactPoint": func(ctx context.Context) error { return c.DeleteContactPoint(ctx, "c") },
		"DefaultReceiver":    func(ctx context.Context) error { _, err := c.DefaultReceiver(ctx); return err },
		"Receivers":          func(ctx context.Context) error { _, err := c.Receivers(ctx); return err },
		"TestReceiver": func(ctx context.Context) error {
			_, _, err := c.TestReceiver(ctx, grafana.Receiver{ID: "r"}, map[string]any{}, nil, nil)
			return err
		},
		"Query": func(ctx context.Context) error {
			_, err := c.Query(ctx, []json.RawMessage{[]byte(`{}`)}, time.Now(), time.Now())
			return err
		},
	}
}

// Whatever answers, each call ends with an error that says what was tried, what to do, and no secret; none panics, as the
// SDK does on errors without a message, and none takes a web page for success.
func TestEveryCallOnEveryKindOfAnswer(t *testing.T) {
	const html = "<html><body>glsa_secret</body></html>"
	for _, a := range []struct {
		status int
		body   string
		want   grafana.Do
	}{
		{200, html, grafana.Stop},
		{302, "", grafana.Stop},
		{400, `{"message":"bad glsa_secret"}`, grafana.Reject},
		{400, html, grafana.Stop},
		{401, `{"message":"Invalid API key","messageId":"api-key.invalid"}`, grafana.Stop},
		{401, html, grafana.Stop},
		{403, `{"message":"Permissions needed: datasources:create"}`, grafana.Stop},
		{403, `{"message":"quota reached"}`, grafana.Stop},
		{404, html, grafana.Stop},
		{409, `{"message":"name exists"}`, grafana.Reread},
		{412, `{"message":"changed by someone else"}`, grafana.Reread},
		{422, `{}`, grafana.Reject},
		{429, ``, grafana.Retry},
		{500, `{}`, grafana.Retry},
		{500, ``, grafana.Retry},
		{500, `{"message":"cannot change provenance from 'file' to 'api'"}`, grafana.Stop},
		{502, html, grafana.Retry},
		{503, `null`, grafana.Retry},
		{504, `"x"`, grafana.Retry},
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(a.status)
			_, _ = io.WriteString(w, a.body)
		}))
		c, err := grafana.New(grafana.Config{URL: server.URL, Token: "glsa_secret"})
		if err != nil {
			t.Fatal(err)
		}
		for name, call := range calls(c) {
			err := call(t.Context())
			if name == "DataSourceHealth" && a.status == 400 && strings.HasPrefix(a.body, "{") {
				continue // how an unhealthy one answers
			}
			if err == nil {
				t.Errorf("%s takes %d %q for success", name, a.status, a.body)
				continue
			}
			if grafana.Judge(err) != a.want || !strings.Contains(err.Error(), ": ") || strings.Contains(err.Error(), "secret") {
				t.Errorf("%s on %d %q: do %d, not %d: %v", name, a.status, a.body, grafana.Judge(err), a.want, err)
			}
		}
		server.Close()
	}
}

// What is not there is no error where that is a usual answer.
func TestNotThere(t *testing.T) {
	server := grafanatest.New(t)
	c, err := grafana.New(grafana.Config{URL: strings.Replace(server.URL, "http://", "http://admin:admin@", 1)})
	if err != nil {
		t.Fatal(err)
	}
	ctx := t.Context()
	if _, found, err := c.Folder(ctx, "none"); found || err != nil {
		t.Error("Folder", found, err)
	}
	if _, found, err := c.Dashboard(ctx, "none"); found || err != nil {
		t.Error("Dashboard", found, err)
	}
	if _, found, err := c.DataSource(ctx, "none"); found || err != nil {
		t.Error("DataSource", found, err)
	}
	if uid, err := c.DataSourceNamed(ctx, "no ne"); uid != "" || err != nil {
		t.Error("DataSourceNamed", uid, err)
	}
	if _, found, err := c.RuleGroup(ctx, "none", "n/o n%e"); found || err != nil {
		t.Error("RuleGroup", found, err)
	}
	if _, found, err := c.Plugin(ctx, "none"); found || err != nil {
		t.Error("Plugin", found, err)
	}
	for name, err := range map[string]error{"dashboard": c.DeleteDashboard(ctx, "none"), "rule": c.DeleteRule(ctx, "none"), "contact point": c.DeleteContactPoint(ctx, "none")} {
		if err != nil {
			t.Error("delete", name, err)
		}
	}
	if err := c.SaveRuleGroup(ctx, grafana.RuleGroup{Title: "g", FolderUID: "f", Interval: 60}); grafana.Judge(err) != grafana.Reject {
		t.Errorf("a group without rules: %v", err)
	}
}

// A Grafana below a path, with the folder's address as such a one gives it.
func TestSubPath(t *testing.T) {
	inner := grafanatest.New(t)
	mux := http.NewServeMux()
	mux.HandleFunc("/grafana/", func(w http.ResponseWriter, r *http.Request) {
		request, err := http.NewRequest(r.Method, inner.URL+strings.TrimPrefix(r.URL.EscapedPath(), "/grafana")+"?"+r.URL.RawQuery, r.Body)
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
		body, err := io.ReadAll(response.Body)
		if err != nil {
			t.Error(err)
		}
		w.WriteHeader(response.StatusCode)
		_, _ = io.WriteString(w, strings.ReplaceAll(string(body), `"/dashboards/f/`, `"/grafana/dashboards/f/`))
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	c, err := grafana.New(grafana.Config{URL: strings.Replace(server.URL, "http://", "http://admin:admin@", 1) + "/grafana/"})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.CreateFolder(t.Context(), grafana.Folder{UID: "f", Title: "F"}); err != nil {
		t.Fatal(err)
	}
	if err := c.SaveDashboard(t.Context(), "d", grafana.Dashboard{FolderUID: "f", JSON: []byte(`{"title": "D"}`)}); err != nil {
		t.Fatal(err)
	}
	d, found, err := c.Dashboard(t.Context(), "d")
	if err != nil || !found || d.FolderUID != "f" || d.Version != 1 {
		t.Errorf("%+v %v %v", d, found, err)
	}
	wrong, err := grafana.New(grafana.Config{URL: strings.Replace(server.URL, "http://", "http://admin:admin@", 1)})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := wrong.Health(t.Context()); err == nil || grafana.Judge(err) != grafana.Stop || !strings.Contains(err.Error(), "sub-path") {
		t.Errorf("%v", err)
	}
}

// The error of a query says what its data source said.
func TestQueryThatFailed(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusBadRequest)
		fmt.Fprint(w, `{"results":{"B":{"error":"Code: 62. Syntax error","status":500,"frames":[]},"A":{"status":200,"frames":[]}}}`)
	}))
	t.Cleanup(server.Close)
	c, err := grafana.New(grafana.Config{URL: server.URL, Token: "t"})
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.Query(t.Context(), []json.RawMessage{[]byte(`{}`)}, time.Now(), time.Now())
	if err == nil || !strings.Contains(err.Error(), "query B: Code: 62. Syntax error") {
		t.Errorf("%v", err)
	}
}
