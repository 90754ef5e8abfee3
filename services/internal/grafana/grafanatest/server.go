// Package grafanatest is a Grafana for tests: a server in the test's process that answers as Grafana 12.4.0 (open
// source, SQLite, ClickHouse plugin 4.14.1) was seen to on 2026-11-22, with the statuses, messages and side effects noted
// at each handler. The scenarios of package provision run over it and, with GAPWATCH_TEST_GRAFANA, over a real one, so
// that it cannot drift into agreeing with our own code.
package grafanatest

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
)

// Server is a Grafana with one organisation and the administrator admin:admin.
type Server struct {
	URL string

	// Reach tells whether a ClickHouse data source's settings lead to a database. Nil for yes.
	Reach func(jsonData, secrets map[string]any) bool

	mu          sync.Mutex
	nextID      float64
	roles       map[string]string // by token
	accounts    map[string]string // role by id
	folders     map[string]object // by uid
	dashboards  map[string]*board
	dataSources map[string]*source
	rules       []object // in order of creation
	groups      map[[2]string]float64
	points      []object
	policy      object
}

type (
	object = map[string]any
	board  struct {
		folder  string
		version float64
		tree    object
	}
	source struct {
		public  object
		secrets object
	}
)

// New starts a server that ends with the test.
func New(t testing.TB) *Server {
	t.Helper()
	s := &Server{
		roles: map[string]string{}, accounts: map[string]string{}, folders: map[string]object{}, dashboards: map[string]*board{},
		dataSources: map[string]*source{}, groups: map[[2]string]float64{},
		// A Grafana that nobody has touched: one receiver, "empty", without an integration.
		policy: object{"receiver": "empty", "group_by": []any{"grafana_folder", "alertname"}},
	}
	server := httptest.NewServer(s.handler())
	t.Cleanup(server.Close)
	s.URL = server.URL
	return s
}

func (s *Server) handler() http.Handler {
	mux := http.NewServeMux()
	handle := func(pattern string, permissions string, h func(*request) (int, any)) {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			s.mu.Lock()
			defer s.mu.Unlock()
			q := &request{Request: r, s: s}
			status, answer := s.authorize(q, permissions)
			if status == 0 {
				if body, err := io.ReadAll(r.Body); err == nil && len(body) > 0 && json.Unmarshal(body, &q.body) != nil {
					status, answer = 400, message("bad request data")
				} else {
					status, answer = h(q)
				}
			}
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(status)
			if answer != nil {
				_ = json.NewEncoder(w).Encode(answer)
			}
		})
	}
	mux.HandleFunc("GET /api/health", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"database": "ok", "version": "12.4.0", "commit": "ebae266"}`)
	})
	handle("GET /api/org", "orgs:read", func(*request) (int, any) { return 200, object{"id": 1, "name": "Main Org."} })
	handle("GET /api/access-control/user/permissions", "", func(q *request) (int, any) {
		scopes := object{}
		for _, action := range actions[q.role] {
			scopes[action] = []string{"*"}
		}
		return 200, scopes
	})
	handle("POST /api/serviceaccounts", "serviceaccounts:create", func(q *request) (int, any) {
		id := fmt.Sprint(s.id())
		s.accounts[id], _ = q.body["role"].(string)
		return 201, object{"id": json.Number(id), "name": q.body["name"], "role": q.body["role"]}
	})
	handle("DELETE /api/serviceaccounts/{id}", "serviceaccounts:create", func(*request) (int, any) { return 200, message("Service account deleted") })
	handle("POST /api/serviceaccounts/{id}/tokens", "serviceaccounts:create", func(q *request) (int, any) {
		token := fmt.Sprintf("glsa_%012.0f", s.id())
		s.roles[token] = s.accounts[q.PathValue("id")]
		return 200, object{"key": token, "name": q.body["name"]}
	})
	handle("GET /api/plugins/{id}/settings", "", func(q *request) (int, any) {
		if q.PathValue("id") != "grafana-clickhouse-datasource" {
			return 404, message("Plugin not found, no installed plugin with that id")
		}
		return 200, object{"id": q.PathValue("id"), "type": "datasource", "info": object{"version": "4.14.1"}}
	})
	s.handleDashboards(handle)
	s.handleDataSources(handle)
	s.handleAlerting(handle)
	return mux
}

type handle = func(pattern, permissions string, h func(*request) (int, any))

type request struct {
	*http.Request
	s    *Server
	role string
	body object
}

func message(text string) object { return object{"message": text} }

func (s *Server) id() float64 {
	s.nextID++
	return s.nextID
}

// actions are the permissions that this server asks for, by basic role, as the real one lists them.
var actions = func() map[string][]string {
	none := []string{"plugins.app:access", "folders:read"}
	viewer := append(slices.Clone(none), "orgs:read", "dashboards:read", "datasources:read", "datasources:query",
		"alert.rules:read", "alert.notifications:read")
	editor := append(slices.Clone(viewer), "folders:create", "folders:write", "folders:delete", "dashboards:create", "dashboards:write",
		"dashboards:delete", "alert.rules:create", "alert.rules:write", "alert.rules:delete", "alert.notifications:write",
		"alert.notifications.receivers.test:create", "alert.provisioning.provenance:write")
	admin := append(slices.Clone(editor), "datasources:create", "datasources:write", "datasources:delete", "alert.provisioning:read",
		"alert.provisioning:write", "serviceaccounts:create")
	return map[string][]string{"None": none, "Viewer": viewer, "Editor": editor, "Admin": admin}
}()

// authorize answers 401 and 403 as the real one does, 0 when the request may be made. permissions are separated by spaces;
// those with | between them are alternatives.
func (s *Server) authorize(q *request, permissions string) (int, any) {
	refused := func(text, id string) (int, any) {
		return 401, object{"extra": nil, "message": text, "messageId": id, "statusCode": 401, "traceID": ""}
	}
	user, password, basic := q.BasicAuth()
	token, bearer := strings.CutPrefix(q.Header.Get("Authorization"), "Bearer ")
	switch {
	case basic && user == "admin" && password == "admin":
		q.role = "Admin"
	case basic:
		return refused("Invalid username or password", "password-auth.failed")
	case bearer && s.roles[token] != "":
		q.role = s.roles[token]
	case bearer && strings.HasPrefix(token, "glsa_"):
		return refused("Invalid API key", "api-key.invalid")
	default:
		return refused("Unauthorized", "auth.unauthorized")
	}
	for _, needed := range strings.Fields(permissions) {
		if !slices.ContainsFunc(strings.Split(needed, "|"), func(one string) bool { return slices.Contains(actions[q.role], one) }) {
			return denied(strings.ReplaceAll(needed, "|", ", "))
		}
	}
	return 0, nil
}

func denied(needed string) (int, any) {
	return 403, object{"accessErrorId": "ACE0000000001", "title": "Access denied",
		"message": "You'll need additional permissions to perform this action. Permissions needed: " + needed}
}

// SetPolicy makes the notification policy another one.
func (s *Server) SetPolicy(policy map[string]any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.policy = policy
}

func text(o object, field string) string {
	value, _ := o[field].(string)
	return value
}

// copied is o made of nothing that o is made of.
func copied(o object) object {
	var tree object
	if err := json.Unmarshal(mustJSON(o), &tree); err != nil {
		panic(err)
	}
	return tree
}

func mustJSON(o object) []byte {
	raw, err := json.Marshal(o)
	if err != nil {
		panic(err)
	}
	return raw
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
