package provision

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"gapwatch/services/internal/grafana"
)

func always(a answer) func(*http.Request) *answer {
	return func(*http.Request) *answer { return &a }
}

// times answers the first n requests that match "METHOD path-part".
func times(n int, match string, a answer) func(*http.Request) *answer {
	method, part, _ := strings.Cut(match, " ")
	return func(r *http.Request) *answer {
		if n > 0 && r.Method == method && strings.Contains(r.URL.Path, part) {
			n--
			return &a
		}
		return nil
	}
}

const kindJSON, kindHTML = "application/json", "text/html; charset=utf-8"

// What does not come right by itself ends a pass at once, and says what to do.
func TestWhatMustBeRepaired(t *testing.T) {
	for _, c := range []struct {
		name  string
		fault func(*http.Request) *answer
		want  []string
	}{
		{"no right", times(9, "GET /api/v1/provisioning/alert-rules", answer{403, kindJSON, `{"accessErrorId":"ACE3","message":"You'll need additional permissions to perform this action. Permissions needed: any of alert.rules:read, folders:read","title":"Access denied"}`}),
			[]string{"alert.rules:read", "role Admin"}},
		{"web page instead of an answer", always(answer{200, kindHTML, page}), []string{"a web page", "GAPWATCH_GRAFANA_URL"}},
		{"login page of a proxy", always(answer{302, kindHTML, ""}), []string{"GAPWATCH_GRAFANA_URL"}},
		{"proxy that refuses", always(answer{403, kindHTML, page}), []string{"in front of Grafana"}},
		{"wrong sub-path", always(answer{404, kindHTML, page}), []string{"sub-path"}},
		{"not found, from something that speaks JSON", times(9, "GET /api/health", answer{404, kindJSON, `{"message":"no such route"}`}), []string{"no such route"}},
		{"nothing in the answer", always(answer{200, kindJSON, ""}), []string{"nothing"}},
		{"another shape", times(9, "GET /api/search", answer{200, kindJSON, `{"a": 1}`}), []string{"another form"}},
		{"plugin missing", times(9, "GET /api/plugins/", answer{404, kindJSON, `{"message":"Plugin not found, no installed plugin with that id"}`}),
			[]string{"does not have grafana-clickhouse-datasource", "grafana cli plugins install grafana-clickhouse-datasource"}},
		{"rejected", times(9, "POST /api/dashboards/db", answer{400, kindJSON, `{"message":"Dashboard title cannot be empty"}`}),
			[]string{"save dashboard", "-one", "-two", "title cannot be empty"}},
		{"provisioned in another way", times(9, "PUT /rule-groups/", answer{500, kindJSON, `{"message":"cannot change provenance from 'file' to 'api'"}`}),
			[]string{"remove it there"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			eachGrafana(t, func(g *target) {
				g.proxy.fail(c.fault)
				_, err := g.provisioner().Reconcile(context.Background())
				if err == nil {
					g.Fatal("no error")
				}
				for _, want := range c.want {
					if !strings.Contains(err.Error(), want) {
						g.Errorf("%q is not in: %v", want, err)
					}
				}
				if code := ExitCode(err); code != ExitRepair {
					g.Errorf("exit code %d of: %v", code, err)
				}
				g.proxy.fail(nil)
				p := g.provisioner()
				g.reconcile(p)
				g.settled(p)
			})
		})
	}
}

// What Grafana rejects holds up nothing else.
func TestRejectedHoldsUpNothingElse(t *testing.T) {
	eachGrafana(t, func(g *target) {
		g.proxy.fail(times(1, "POST /api/dashboards/db", answer{400, kindJSON, `{"message":"no"}`}))
		if _, err := g.provisioner().Reconcile(context.Background()); grafana.Judge(err) != grafana.Reject {
			g.Fatalf("%v", err)
		}
		g.proxy.fail(nil)
		g.expect(g.reconcile(g.provisioner()), createOne)
	})
}

// What comes right by itself is waited for.
func TestWhatPasses(t *testing.T) {
	conflict := answer{412, kindJSON, `{"message":"The dashboard has been changed by someone else","status":"version-mismatch"}`}
	for _, c := range []struct {
		name  string
		fault func(*http.Request) *answer
	}{
		{"starting: database not there yet", times(3, "GET /api/health", answer{503, kindJSON, `{"database":"failing","version":"12.4.0"}`})},
		{"starting: behind a proxy", times(3, "GET /api/health", answer{502, kindHTML, page})},
		{"starting: plain text", times(2, "GET /api/health", answer{503, "text/plain", "Grafana is starting"})},
		{"500", times(2, "POST /api/dashboards/db", answer{500, kindJSON, `{"message":"Internal Server Error"}`})},
		{"500 without a word", times(2, "PUT /rule-groups/", answer{500, "", ""})},
		{"error without a message", times(1, "POST /api/folders", answer{500, kindJSON, `{}`})},
		{"too many requests", times(1, "GET /api/search", answer{429, kindJSON, `{"message":"slow down"}`})},
		{"dashboard saved by somebody else meanwhile", times(1, "POST /api/dashboards/db", conflict)},
		{"folder made by somebody else meanwhile", times(1, "POST /api/folders", answer{412, kindJSON, `{"message":"the folder has been changed by someone else"}`})},
		{"data source made by somebody else meanwhile", times(1, "POST /api/datasources", answer{409, kindJSON, `{"message":"data source with the same name already exists"}`})},
		{"rules saved by somebody else meanwhile", times(1, "PUT /rule-groups/", answer{409, kindJSON, `{"message":"optimistic lock"}`})},
	} {
		t.Run(c.name, func(t *testing.T) {
			eachGrafana(t, func(g *target) {
				g.proxy.fail(c.fault)
				p := g.provisioner()
				g.expect(g.reconcile(p), createFolder, createSource, createOne, createTwo, createStale, createWide)
				g.settled(p)
			})
		})
	}
}

func TestGrafanaAway(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	_ = listener.Close()
	for _, c := range []struct{ name, url, want string }{
		{"down", "http://admin:geheim@" + address, "is it running"},
		{"no such name", "http://admin:geheim@grafana.invalid", "is the name in GAPWATCH_GRAFANA_URL right"},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := newTarget(t, grafanaInProcess(t), url.UserPassword("admin", "admin"), theServer, "")
			config := g.config()
			if config.Grafana, err = grafana.New(grafana.Config{URL: c.url}); err != nil {
				t.Fatal(err)
			}
			config.Patience = 300 * time.Millisecond
			p, err := New(config)
			if err != nil {
				t.Fatal(err)
			}
			_, err = p.Reconcile(context.Background())
			if ExitCode(err) != ExitAway || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "geheim") {
				t.Errorf("exit code %d: %v", ExitCode(err), err)
			}
		})
	}
}

// A Grafana that somebody cancels waiting for is left at once.
func TestCancelledWhileWaiting(t *testing.T) {
	g := newTarget(t, grafanaInProcess(t), url.UserPassword("admin", "admin"), theServer, "")
	ctx, cancel := context.WithCancel(context.Background())
	g.proxy.fail(func(*http.Request) *answer {
		cancel()
		return &answer{503, kindHTML, page}
	})
	p := g.provisioner(func(c *Config) { c.Patience = time.Hour })
	if _, err := p.Reconcile(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}

func TestTLS(t *testing.T) {
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte(`{"database": "ok", "version": "12.4.0"}`))
	}))
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	t.Cleanup(server.Close)
	health := func(c grafana.Config) error {
		client, err := grafana.New(c)
		if err != nil {
			return err
		}
		_, err = client.Health(context.Background())
		return err
	}
	if err := health(grafana.Config{URL: server.URL, Token: "t"}); err == nil || !strings.Contains(err.Error(), "GAPWATCH_GRAFANA_CA") || grafana.Judge(err) != grafana.Stop {
		t.Errorf("certificate of nobody we know: %v", err)
	}
	file := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(file, pemOf(server.Certificate().Raw), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := health(grafana.Config{URL: server.URL, Token: "t", CA: file}); err != nil {
		t.Error(err)
	}
	other := strings.Replace(server.URL, "127.0.0.1", "localhost", 1)
	if err := health(grafana.Config{URL: other, Token: "t", CA: file}); err == nil || !strings.Contains(err.Error(), "name that Grafana's certificate is for") {
		t.Errorf("certificate for another name: %v", err)
	}
	plain := strings.Replace(grafanaInProcess(t), "http://", "https://", 1)
	if err := health(grafana.Config{URL: plain, Token: "t"}); err == nil || !strings.Contains(err.Error(), "http://") {
		t.Errorf("no TLS there: %v", err)
	}
}

// Who may do what, as seen with service accounts of each basic role.
func TestRights(t *testing.T) {
	eachGrafana(t, func(g *target) {
		with := func(token string) *Provisioner {
			return g.provisioner(func(c *Config) { c.Grafana = g.client(token) })
		}
		viewer := g.token("Viewer")
		for _, c := range []struct {
			who, token string
			want       []string
		}{
			{"nobody", "glsa_000000000000000000000000000000000000000000", []string{"HTTP 401", "make a new token", "GAPWATCH_GRAFANA_TOKEN"}},
			{"None", g.token("None"), []string{"HTTP 403", "datasources:read", "role Admin"}},
			{"Viewer", viewer, []string{"alert.provisioning:write", "datasources:create", "folders:create", "dashboards:", "role Admin"}},
			{"Editor", g.token("Editor"), []string{"permissions are missing: datasources:create (", "role Admin"}},
		} {
			_, err := with(c.token).Reconcile(context.Background())
			if err == nil || ExitCode(err) != ExitRepair {
				g.Errorf("%s: %v", c.who, err)
				continue
			}
			for _, want := range c.want {
				if !strings.Contains(err.Error(), want) {
					g.Errorf("%s: %q is not in: %v", c.who, want, err)
				}
			}
			if strings.Contains(err.Error(), c.token) {
				g.Errorf("%s: the error shows the token", c.who)
			}
		}
		if w := g.proxy.written(); len(w) > 0 {
			g.Errorf("without the right to do all of it, %v was written", w)
		}
		admin := with(g.token("Admin"))
		g.expect(g.reconcile(admin), createFolder, createSource, createOne, createTwo, createStale, createWide)
		g.settled(admin)
		if g.server != nil { // a real one remembers for up to a minute that viewers may not see a folder that was not there
			plan, err := with(viewer).Plan(context.Background())
			if err != nil {
				g.Fatal(err)
			}
			g.expect(g.changes(plan), "update data source ch") // its fingerprint of the password is another
		}
		wrong, err := url.Parse(g.proxy.url)
		if err != nil {
			g.Fatal(err)
		}
		wrong.User = url.UserPassword("gapwatch", "wrong-password")
		client, err := grafana.New(grafana.Config{URL: wrong.String()})
		if err != nil {
			g.Fatal(err)
		}
		_, err = g.provisioner(func(c *Config) { c.Grafana = client }).Reconcile(context.Background())
		if err == nil || !strings.Contains(err.Error(), "user and password in GAPWATCH_GRAFANA_URL") || strings.Contains(err.Error(), "wrong-password") {
			g.Errorf("wrong password: %v", err)
		}
	})
}

// An Editor is enough where Grafana takes the data source from a file, which is left as it is.
func TestDataSourceFromAFile(t *testing.T) {
	g := newTarget(t, grafanaInProcess(t), url.UserPassword("admin", "admin"), theServer, "")
	g.reconcile(g.provisioner())
	g.saveSource("elsewhere", "right")
	theServer.SetReadOnly(g.names.DataSource)
	theServer.Reach = nil
	g.do("DELETE", "/api/dashboards/uid/"+g.names.Prefix+"one", "")
	token := g.token("Editor")
	p := g.provisioner(func(c *Config) { c.Grafana = g.client(token) })
	plan, err := p.Plan(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if i := plan.Items[1]; i.Action != Leave {
		t.Errorf("%s", i)
	}
	g.expect(g.reconcile(p), createOne)
	g.settled(p)
}

func TestDataSourceBroken(t *testing.T) {
	eachGrafana(t, func(g *target) {
		closed, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			g.Fatal(err)
		}
		nobody := &url.URL{Scheme: "http", Host: closed.Addr().String(), User: url.UserPassword("reader", "right")}
		_ = closed.Close()
		p := g.provisioner(func(c *Config) { c.ClickHouse = nobody })
		plan, err := p.Reconcile(context.Background())
		if ExitCode(err) != ExitUnhealthy || !strings.Contains(err.Error(), "failed to create ClickHouse client") || !strings.Contains(err.Error(), "from here it cannot be reached either") {
			g.Errorf("exit code %d: %v", ExitCode(err), err)
		}
		g.expect(g.changes(plan), createFolder, createSource, createOne, createTwo, createStale, createWide) // the rest is done all the same
		g.proxy.written()
		if _, err := p.Reconcile(context.Background()); ExitCode(err) != ExitUnhealthy {
			g.Errorf("%v", err)
		}
		if w := g.proxy.written(); len(w) > 0 {
			g.Errorf("wrote %v", w)
		}
		mended := g.provisioner()
		g.expect(g.reconcile(mended), "update data source ch")
		g.settled(mended)
	})
}

// Somebody who changes the same things all the time is reported, not fought without end.
func TestSomebodyElseKeepsChanging(t *testing.T) {
	g := newTarget(t, grafanaInProcess(t), url.UserPassword("admin", "admin"), theServer, "")
	p := g.provisioner()
	g.reconcile(p)
	g.proxy.fail(func(r *http.Request) *answer {
		if r.URL.Path == "/api/folders/"+g.names.Folder && r.Method == http.MethodGet {
			g.do("PUT", r.URL.Path, `{"title": "Mine", "overwrite": true}`)
		}
		return nil
	})
	_, err := p.Reconcile(context.Background())
	if err == nil || !strings.Contains(err.Error(), "another provisioner") || !strings.Contains(err.Error(), "folder") {
		t.Errorf("%v", err)
	}
}

func TestTestNotification(t *testing.T) {
	eachGrafana(t, func(g *target) {
		var mu sync.Mutex
		var got []string
		status := http.StatusOK
		hook := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			body := new(bytes.Buffer)
			_, _ = body.ReadFrom(r.Body)
			mu.Lock()
			defer mu.Unlock()
			got = append(got, r.URL.Path+" "+body.String())
			w.WriteHeader(status)
		}))
		g.Cleanup(hook.Close)
		p := g.provisioner(func(c *Config) { c.Webhook = hook.URL + "/secret" })
		if _, err := p.TestNotification(context.Background()); err == nil || !strings.Contains(err.Error(), "--once first") {
			g.Errorf("before there is a contact point: %v", err)
		}
		g.reconcile(p)
		g.proxy.written()
		sent, err := p.TestNotification(context.Background())
		if err != nil {
			g.Fatal(err)
		}
		if len(sent) != 1 || strings.Contains(sent[0], "secret") || len(got) != 1 || !strings.HasPrefix(got[0], "/secret ") || !strings.Contains(got[0], `"status":"firing"`) {
			g.Errorf("said %q, the webhook got %q", sent, got)
		}
		if g.server == nil && !strings.Contains(got[0], "A test of Gapwatch") {
			g.Errorf("the webhook got %q", got)
		}
		named := g.provisioner(func(c *Config) { c.Receiver = g.names.ContactPointTitle })
		if sent, err := named.TestNotification(context.Background()); err != nil || len(sent) != 1 {
			g.Errorf("by name: %q %v", sent, err)
		}
		mu.Lock()
		status = http.StatusBadRequest
		mu.Unlock()
		if _, err := p.TestNotification(context.Background()); err == nil || !strings.Contains(err.Error(), "did not take the test notification") || strings.Contains(err.Error(), "secret") {
			g.Errorf("a webhook that refuses: %v", err)
		}
		if _, err := g.provisioner().TestNotification(context.Background()); err == nil || !strings.Contains(err.Error(), `"empty" sends to nobody`) {
			g.Errorf("a Grafana that sends to nobody: %v", err)
		}
		g.settled(p)
	})
}
