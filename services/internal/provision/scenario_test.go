package provision

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
)

const (
	createFolder = "create folder"
	createSource = "create data source ch"
	createOne    = "create dashboard one"
	createTwo    = "create dashboard two"
	createStale  = "create alert rule stale"
	createWide   = "create alert rule wide"
)

func TestFromNothingAndThenNothing(t *testing.T) {
	eachGrafana(t, func(g *target) {
		p := g.provisioner()
		plan, err := p.Plan(context.Background())
		if err != nil {
			g.Fatal(err)
		}
		all := []string{createFolder, createSource, createOne, createTwo, createStale, createWide}
		g.expect(g.changes(plan), all...)
		if w := g.proxy.written(); len(w) > 0 {
			g.Fatalf("a plan wrote %v", w)
		}
		g.expect(g.reconcile(p), all...)
		before := g.everything()
		g.settled(p)
		g.settled(g.provisioner()) // of another process
		if after := g.everything(); before != after {
			g.Errorf("a second pass changed\n%s\nto\n%s", before, after)
		}
		for _, uid := range []string{"one", "two"} {
			if text := g.raw("/api/dashboards/uid/" + g.names.Prefix + uid); !strings.Contains(text, `"version": 1`) || strings.Contains(text, `"version": 2`) {
				g.Errorf("dashboard %s has another version than 1: %s", uid, text)
			}
		}
	})
}

// everything is what Grafana has of ours, with versions and times.
func (g *target) everything() string {
	g.Helper()
	var b strings.Builder
	for _, path := range []string{"/api/folders/" + g.names.Folder, "/api/datasources/uid/" + g.names.DataSource, "/api/dashboards/uid/" + g.names.Prefix + "one",
		"/api/v1/provisioning/alert-rules/" + g.names.Prefix + "wide", "/api/v1/provisioning/alert-rules/" + g.names.Prefix + "stale"} {
		b.WriteString(g.raw(path))
	}
	return b.String()
}

func TestHandEditsArePutBack(t *testing.T) {
	eachGrafana(t, func(g *target) {
		webhook := func(c *Config) { c.Webhook = "http://127.0.0.1:9/hook/secret" }
		p := g.provisioner(webhook)
		g.reconcile(p)
		n, one, wide := g.names, g.names.Prefix+"one", g.names.Prefix+"wide"
		g.do("POST", "/api/folders", fmt.Sprintf(`{"uid": %q, "title": "Elsewhere %s"}`, n.Folder+"b", n.Folder))
		save := func(uid, title, folder string) {
			g.do("POST", "/api/dashboards/db", fmt.Sprintf(`{"dashboard": {"uid": %q, "title": %q, "tags": [%q]}, "folderUid": %q, "overwrite": true}`, uid, title, n.Tag, folder))
		}
		move := func(folder string) {
			var stored map[string]any
			g.read("/api/dashboards/uid/"+one, &stored)
			g.do("POST", "/api/dashboards/db", string(mustJSON(map[string]any{"dashboard": stored["dashboard"], "folderUid": folder})))
		}
		group, err := g.groups(n.ContactPointTitle)
		if err != nil {
			g.Fatal(err)
		}
		put := func(folder, name string, interval int, rule string) {
			path := "/api/v1/provisioning/folder/" + folder + "/rule-groups/" + strings.ReplaceAll(strings.ReplaceAll(name, "/", "%2F"), " ", "%20")
			rules := []string{rule}
			if folder == n.Folder && name == group[0].Name {
				rules = append(rules, string(group[0].Rules[0])) // "stale" as it is
			}
			g.do("PUT", path, fmt.Sprintf(`{"title": %q, "folderUid": %q, "interval": %d, "rules": [%s]}`, name, folder, interval, strings.Join(rules, ",")))
		}
		for _, c := range []struct {
			name string
			edit func()
			want []string
		}{
			{"dashboard edited", func() { save(one, "One, but better", n.Folder) }, []string{"put back dashboard one"}},
			{"dashboard moved", func() { move(n.Folder + "b") }, []string{"put back dashboard one"}},
			{"dashboard moved to no folder", func() { move("") }, []string{"put back dashboard one"}},
			{"dashboard deleted", func() { g.do("DELETE", "/api/dashboards/uid/"+one, "") }, []string{createOne}},
			{"folder renamed", func() { g.do("PUT", "/api/folders/"+n.Folder, `{"title": "Ours now", "overwrite": true}`) }, []string{"put back folder"}},
			{"folder deleted with all in it", func() { g.do("DELETE", "/api/folders/"+n.Folder+"?forceDeleteRules=true", "") },
				[]string{createFolder, createOne, createTwo, createStale, createWide}},
			{"rule deleted", func() { g.do("DELETE", "/api/v1/provisioning/alert-rules/"+wide, "") }, []string{createWide}},
			{"rule edited", func() { put(n.Folder, group[0].Name, 60, string(g.rule(wide, "99", n.ContactPointTitle))) },
				[]string{"put back alert rule wide"}},
			{"rule paused", func() {
				put(n.Folder, group[0].Name, 60, strings.Replace(string(g.rule(wide, "0", n.ContactPointTitle)), "{", `{"isPaused": true, `, 1))
			}, []string{"put back alert rule wide"}},
			{"rule moved to another folder", func() { put(n.Folder+"b", "Mine "+n.Folder, 60, string(g.rule(wide, "0", n.ContactPointTitle))) },
				[]string{"put back alert rule wide"}},
			{"rule moved to another group", func() { put(n.Folder, "Mine "+n.Folder, 60, string(g.rule(wide, "0", n.ContactPointTitle))) },
				[]string{"put back alert rule wide"}},
			{"contact point sent elsewhere", func() {
				g.do("PUT", "/api/v1/provisioning/contact-points/"+n.ContactPoint, fmt.Sprintf(`{"name": %q, "type": "webhook", "settings": {"url": "http://127.0.0.1:9/other"}}`, n.ContactPointTitle))
			}, []string{"put back contact point"}},
			{"contact point renamed, which rules follow", func() {
				g.do("PUT", "/api/v1/provisioning/contact-points/"+n.ContactPoint, fmt.Sprintf(`{"name": "Mine %s", "type": "webhook", "settings": {"url": "http://127.0.0.1:9/hook/secret", "httpMethod": "POST"}}`, n.Folder))
			}, []string{"put back contact point", "put back alert rule stale", "put back alert rule wide"}},
			{"data source saved with another host", func() { g.saveSource("elsewhere", "right") }, []string{"put back data source ch"}},
			{"data source saved with another password", func() { g.saveSource(g.clickHouse.Hostname(), "wrong") }, []string{"put back data source ch"}},
			{"data source deleted", func() { g.do("DELETE", "/api/datasources/uid/"+n.DataSource, "") }, []string{createSource}},
		} {
			g.Run(c.name, func(t *testing.T) {
				sub := *g
				sub.T = t
				c.edit()
				plan, err := p.Plan(context.Background())
				if err != nil {
					t.Fatal(err)
				}
				sub.expect(sub.changes(plan), c.want...)
				for _, i := range plan.Items {
					if c.name == "rule paused" && i.Action == PutBack && !strings.Contains(i.Why, "silence") {
						t.Errorf("%s", i)
					}
					if strings.Contains(i.String(), "secret") || strings.Contains(i.String(), "right") {
						t.Errorf("the plan shows a secret: %s", i)
					}
				}
				sub.expect(sub.reconcile(p), c.want...)
				sub.settled(p)
			})
		}
	})
}

// saveSource is what Grafana's page does: it sends everything it was given, and the version.
func (g *target) saveSource(host, password string) {
	g.Helper()
	var source map[string]any
	g.read("/api/datasources/uid/"+g.names.DataSource, &source)
	source["jsonData"].(map[string]any)["host"] = host
	source["secureJsonData"] = map[string]any{"password": password}
	g.do("PUT", "/api/datasources/uid/"+g.names.DataSource, string(mustJSON(source)))
}

func TestRulesOpenedForEditingAreClosedAgain(t *testing.T) {
	eachGrafana(t, func(g *target) {
		p := g.provisioner()
		g.reconcile(p)
		var rule map[string]any
		path := "/api/v1/provisioning/alert-rules/" + g.names.Prefix + "wide"
		g.read(path, &rule)
		if rule["provenance"] != "api" {
			g.Fatalf("provenance %v", rule["provenance"])
		}
		groups, err := g.groups("")
		if err != nil {
			g.Fatal(err)
		}
		group := fmt.Sprintf("/api/v1/provisioning/folder/%s/rule-groups/%s", g.names.Folder, strings.ReplaceAll(strings.ReplaceAll(groups[0].Name, "/", "%2F"), " ", "%20"))
		var stored map[string]any
		g.read(group, &stored)
		// Something must differ, or Grafana sees nothing to do.
		for _, r := range stored["rules"].([]any) {
			r.(map[string]any)["for"] = "3m"
		}
		g.do("PUT", group, string(mustJSON(stored)), "X-Disable-Provenance", "false") // its presence counts
		for _, r := range stored["rules"].([]any) {
			r.(map[string]any)["for"] = "1m"
		}
		g.do("PUT", group, string(mustJSON(stored)), "X-Disable-Provenance", "false")
		plan, err := p.Plan(context.Background())
		if err != nil {
			g.Fatal(err)
		}
		for _, i := range plan.Items {
			if i.Kind == "alert rule" && i.Why != "was opened for editing by hand" {
				g.Errorf("%s", i)
			}
		}
		g.expect(g.reconcile(p), "put back alert rule stale", "put back alert rule wide")
		g.settled(p)
	})
}

func TestNewerVersionIsAnUpdate(t *testing.T) {
	eachGrafana(t, func(g *target) {
		g.reconcile(g.provisioner())
		g.wanted.dashboards["one"] = "One, second edition"
		g.wanted.rules["wide"] = "3"
		p := g.provisioner()
		g.expect(g.reconcile(p), "update dashboard one", "update alert rule wide")
		g.settled(p)
	})
}

func TestPruneOursOnly(t *testing.T) {
	eachGrafana(t, func(g *target) {
		n := g.names
		g.wanted.dashboards["old"], g.wanted.rules["old"] = "Old", "1"
		g.reconcile(g.provisioner())
		g.do("POST", "/api/folders", fmt.Sprintf(`{"uid": %q, "title": %q}`, n.Folder+"b", n.FolderTitle)) // the same title
		theirs := []string{}
		keep := func(uid, tag, folder string) {
			g.do("POST", "/api/dashboards/db", fmt.Sprintf(`{"dashboard": {"uid": %q, "title": %q, "tags": [%q]}, "folderUid": %q}`, uid, uid, tag, folder))
			theirs = append(theirs, "/api/dashboards/uid/"+uid)
			if g.server == nil {
				g.Cleanup(func() { g.try("DELETE", "/api/dashboards/uid/"+uid, "") })
			}
		}
		keep("copy"+n.Folder, n.Tag, n.Folder)          // a copy of one of ours, with its tag, in our folder
		keep(n.Prefix+"untagged", "mine", n.Folder)     // not our tag
		keep(n.Prefix+"elsewhere", n.Tag, n.Folder+"b") // not our folder
		keep("other"+n.Folder, "mine", n.Folder+"b")    // nothing of ours
		groups, err := g.groups("")
		if err != nil {
			g.Fatal(err)
		}
		name := groups[0].Name
		var stored map[string]any
		path := fmt.Sprintf("/api/v1/provisioning/folder/%s/rule-groups/%s", n.Folder, strings.ReplaceAll(strings.ReplaceAll(name, "/", "%2F"), " ", "%20"))
		g.read(path, &stored)
		stored["rules"] = append(stored["rules"].([]any), jsonOf(g.rule("theirs"+n.Folder, "7", "")))
		g.do("PUT", path, string(mustJSON(stored)), "X-Disable-Provenance", "") // their rule in our group
		other := fmt.Sprintf("/api/v1/provisioning/folder/%s/rule-groups/theirs", n.Folder+"b")
		g.do("PUT", other, fmt.Sprintf(`{"title": "theirs", "folderUid": %q, "interval": 60, "rules": [%s]}`, n.Folder+"b", g.rule(n.Prefix+"mine", "7", "")))
		theirs = append(theirs, "/api/v1/provisioning/alert-rules/theirs"+n.Folder, "/api/v1/provisioning/alert-rules/"+n.Prefix+"mine",
			"/api/folders/"+n.Folder+"b", "/api/v1/provisioning/policies")
		p := g.provisioner()
		before := g.all(theirs)
		g.reconcile(p) // closes those of ours that the edit opened

		delete(g.wanted.dashboards, "old")
		delete(g.wanted.rules, "old")
		p = g.provisioner()
		g.expect(g.reconcile(p), "prune dashboard old", "prune alert rule old")
		g.wanted.rules["wide"] = "4" // with theirs in the group
		g.wanted.rules["new"] = "8"
		p = g.provisioner()
		g.expect(g.reconcile(p), "create alert rule new", "update alert rule wide")
		g.settled(p)
		if after := g.all(theirs); before != after {
			g.Errorf("other people's things were\n%s\nand are\n%s", before, after)
		}
	})
}

func (g *target) all(paths []string) string {
	g.Helper()
	var b strings.Builder
	for _, path := range paths {
		status, _ := g.try("GET", path, "")
		fmt.Fprintf(&b, "%s %d %s\n", path, status, g.raw(path))
	}
	return b.String()
}

func TestSameTitlesAndNamesOfOthers(t *testing.T) {
	eachGrafana(t, func(g *target) {
		n := g.names
		g.do("POST", "/api/folders", fmt.Sprintf(`{"uid": %q, "title": %q}`, n.Folder+"b", n.FolderTitle))
		g.do("POST", "/api/datasources", fmt.Sprintf(`{"uid": %q, "name": %q, "type": "grafana-clickhouse-datasource", "access": "proxy", "jsonData": {"host": "mine"}}`, n.DataSource+"b", n.DataSourceName))
		theirs := []string{"/api/folders/" + n.Folder + "b", "/api/datasources/uid/" + n.DataSource + "b"}
		before := g.all(theirs)
		p := g.provisioner()
		g.expect(g.reconcile(p), createFolder, createSource, createOne, createTwo, createStale, createWide)
		g.settled(p)
		var source map[string]any
		g.read("/api/datasources/uid/"+n.DataSource, &source)
		if want := n.DataSourceName + " (" + n.DataSource + ")"; source["name"] != want {
			g.Errorf("our data source is called %v, not %s", source["name"], want)
		}
		if after := g.all(theirs); before != after {
			g.Errorf("other people's things were\n%s\nand are\n%s", before, after)
		}
	})
}

// A data source that is somebody's default stays it, and ours does not become one by being updated.
func TestDefaultDataSourceStays(t *testing.T) {
	eachGrafana(t, func(g *target) {
		p := g.provisioner()
		g.reconcile(p)
		var before, after map[string]any
		g.read("/api/datasources/uid/"+g.names.DataSource, &before)
		g.saveSource("elsewhere", "right")
		g.reconcile(p)
		g.read("/api/datasources/uid/"+g.names.DataSource, &after)
		if before["isDefault"] != after["isDefault"] {
			g.Errorf("isDefault was %v and is %v", before["isDefault"], after["isDefault"])
		}
	})
}

func TestWhereAlertsGo(t *testing.T) {
	eachGrafana(t, func(g *target) {
		n := g.names
		policy := g.raw("/api/v1/provisioning/policies")
		receiver := func() any {
			var rule map[string]any
			g.read("/api/v1/provisioning/alert-rules/"+n.Prefix+"wide", &rule)
			settings, _ := rule["notification_settings"].(map[string]any)
			return settings["receiver"]
		}
		webhook := g.provisioner(func(c *Config) { c.Webhook = "http://127.0.0.1:9/hook" })
		g.expect(g.reconcile(webhook), createFolder, createSource, "create contact point", createOne, createTwo, createStale, createWide)
		g.settled(webhook)
		if receiver() != n.ContactPointTitle {
			g.Errorf("the rule names %v", receiver())
		}

		missing := g.provisioner(func(c *Config) { c.Receiver = "On call " + n.Folder })
		if _, err := missing.Reconcile(context.Background()); err == nil || !strings.Contains(err.Error(), "has no contact point") || !strings.Contains(err.Error(), n.ContactPointTitle) {
			g.Errorf("a receiver that is not there: %v", err)
		}
		g.do("POST", "/api/v1/provisioning/contact-points", fmt.Sprintf(`{"uid": %q, "name": "On call %s", "type": "webhook", "settings": {"url": "http://127.0.0.1:9/oncall"}}`, n.ContactPoint+"b", n.Folder), "X-Disable-Provenance", "1")
		points := func() (theirs []any) {
			var all []map[string]any
			g.read("/api/v1/provisioning/contact-points", &all)
			for _, p := range all {
				if p["uid"] == n.ContactPoint+"b" {
					theirs = append(theirs, p)
				}
			}
			return theirs
		}
		before := fmt.Sprint(points())
		g.expect(g.reconcile(missing), "update alert rule stale", "update alert rule wide", "prune contact point")
		g.settled(missing)
		if receiver() != "On call "+n.Folder {
			g.Errorf("the rule names %v", receiver())
		}
		neither := g.provisioner()
		plan, err := neither.Plan(context.Background())
		if err != nil {
			g.Fatal(err)
		}
		if len(plan.Notes) != 1 || !strings.Contains(plan.Notes[0], "notification policy sends them") {
			g.Errorf("notes %q", plan.Notes)
		}
		g.expect(g.reconcile(neither), "update alert rule stale", "update alert rule wide")
		g.settled(neither)
		if receiver() != nil {
			g.Errorf("the rule names %v", receiver())
		}
		if after := fmt.Sprint(points()); before != after {
			g.Errorf("the contact point of others was %s and is %s", before, after)
		}
		if after := g.raw("/api/v1/provisioning/policies"); after != policy {
			g.Errorf("the notification policy was %s and is %s", policy, after)
		}
	})
}

func TestContactPointOfOthersWithOurName(t *testing.T) {
	eachGrafana(t, func(g *target) {
		g.do("POST", "/api/v1/provisioning/contact-points", fmt.Sprintf(`{"uid": %q, "name": %q, "type": "webhook", "settings": {"url": "http://127.0.0.1:9/x"}}`, g.names.ContactPoint+"b", g.names.ContactPointTitle))
		p := g.provisioner(func(c *Config) { c.Webhook = "http://127.0.0.1:9/hook" })
		if _, err := p.Reconcile(context.Background()); err == nil || !strings.Contains(err.Error(), "not ours") {
			g.Errorf("%v", err)
		}
		if w := g.proxy.written(); len(w) > 0 {
			g.Errorf("wrote %v", w)
		}
	})
}

func TestTwoProvisionersAtOnce(t *testing.T) {
	eachGrafana(t, func(g *target) {
		const n = 4
		ended := make(chan error, n)
		for range n {
			p := g.provisioner(func(c *Config) { c.Webhook = "http://127.0.0.1:9/hook" })
			go func() {
				_, err := p.Reconcile(context.Background())
				ended <- err
			}()
		}
		for range n {
			if err := <-ended; err != nil {
				g.Error(err)
			}
		}
		g.settled(g.provisioner(func(c *Config) { c.Webhook = "http://127.0.0.1:9/hook" }))
	})
}

func TestPasswordIsWrittenWhenItMustBe(t *testing.T) {
	eachGrafana(t, func(g *target) {
		g.reconcile(g.provisioner())
		g.gate.set("rotated")
		p := g.provisioner()
		_, err := p.Reconcile(context.Background())
		if err == nil || !strings.Contains(err.Error(), "does not reach ClickHouse") || !strings.Contains(err.Error(), "password is incorrect") {
			g.Fatalf("with the old password: %v", err)
		}
		if w := g.proxy.written(); slices.ContainsFunc(w, func(s string) bool { return strings.Contains(s, "PUT /api/datasources") }) {
			g.Errorf("the password that does not work was written again: %v", w)
		}
		rotated := *g.clickHouse
		rotated.User = url.UserPassword("reader", "rotated")
		p = g.provisioner(func(c *Config) { c.ClickHouse = &rotated })
		g.expect(g.reconcile(p), "update data source ch")
		g.settled(p)
	})
}

// What an administrator adds for a ClickHouse behind TLS stays; everything else is put back.
func TestTLSSettingsOfTheAdministratorStay(t *testing.T) {
	eachGrafana(t, func(g *target) {
		p := g.provisioner()
		g.reconcile(p)
		var source map[string]any
		g.read("/api/datasources/uid/"+g.names.DataSource, &source)
		maps.Copy(source["jsonData"].(map[string]any), map[string]any{"tlsAuthWithCACert": false, "rowLimit": 5})
		g.do("PUT", "/api/datasources/uid/"+g.names.DataSource, string(mustJSON(source)))
		g.expect(g.reconcile(p), "put back data source ch")
		g.read("/api/datasources/uid/"+g.names.DataSource, &source)
		data := source["jsonData"].(map[string]any)
		if _, ok := data["tlsAuthWithCACert"]; !ok || data["rowLimit"] != nil {
			g.Errorf("jsonData %v", data)
		}
		g.settled(p)
	})
}

// Somebody saves between our looking and our writing: theirs is not written over unseen, but found and put back.
func TestSavedBetweenLookingAndWriting(t *testing.T) {
	eachGrafana(t, func(g *target) {
		g.reconcile(g.provisioner())
		n := g.names
		g.wanted.dashboards["one"] = "One, second edition"
		elsewhere := *g.clickHouse
		elsewhere.User = url.UserPassword("other", "right")
		g.gate.set("right")
		var board, source bool
		var refused []int
		g.proxy.fail(func(r *http.Request) *answer {
			if r.URL.Path == "/api/dashboards/db" && !board {
				board = true
				g.do("POST", "/api/dashboards/db", fmt.Sprintf(`{"dashboard": {"uid": %q, "title": "Theirs", "tags": [%q]}, "folderUid": %q, "overwrite": true}`, n.Prefix+"one", n.Tag, n.Folder))
			}
			if r.Method == http.MethodPut && strings.HasPrefix(r.URL.Path, "/api/datasources/") && !source {
				source = true
				g.saveSource("elsewhere", "right")
			}
			return nil
		})
		g.proxy.answered = func(status int) {
			if status == http.StatusConflict || status == http.StatusPreconditionFailed {
				refused = append(refused, status)
			}
		}
		p := g.provisioner(func(c *Config) { c.ClickHouse = &elsewhere })
		g.expect(g.reconcile(p), "update data source ch", "update dashboard one")
		if len(refused) != 2 {
			g.Errorf("Grafana refused %v, not both", refused)
		}
		g.settled(p)
	})
}
