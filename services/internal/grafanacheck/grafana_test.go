package grafanacheck

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"gapwatch/services/internal/grafana"
)

// answering is a Grafana that answers queries as 12.4.0 with plugin 4.14.1 did (testdata), by the first word after SELECT, and
// that notes what it was asked.
func answering(t *testing.T) (s server, asked *[]map[string]any) {
	t.Helper()
	asked = &[]map[string]any{}
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var body map[string]any
		if err := json.NewDecoder(r.Body).Decode(&body); err != nil || r.URL.Path != "/api/ds/query" {
			t.Errorf("%s: %v", r.URL, err)
		}
		*asked = append(*asked, body)
		queries, _ := body["queries"].([]any)
		first, _ := queries[0].(map[string]any)
		name, _ := first["rawSql"].(string)
		if name = strings.TrimPrefix(name, "SELECT "); name == "rule" && len(queries) == 1 {
			name = "table"
		}
		answer, err := os.ReadFile("testdata/" + name + ".json")
		if err != nil {
			t.Error(err)
		}
		w.Header().Set("Content-Type", "application/json")
		if name == "error" {
			w.WriteHeader(http.StatusBadRequest)
		}
		_, _ = w.Write(answer)
	}))
	t.Cleanup(web.Close)
	client, err := grafana.New(grafana.Config{URL: strings.Replace(web.URL, "http://", "http://admin:admin@", 1)})
	if err != nil {
		t.Fatal(err)
	}
	return server{client, "ch"}, asked
}

func TestAskThroughGrafana(t *testing.T) {
	s, asked := answering(t)
	times := span{time.UnixMilli(1000), time.UnixMilli(2000)}
	table, err := s.ask(t.Context(), "SELECT table", times)
	if err != nil || table.Rows() != 2 || table.Empty() || len(table.problems()) != 0 {
		t.Fatalf("%v %+v", err, table)
	}
	kinds := map[string]Kind{"programme": text, "code": text, "points": numeric, "n": numeric, "at": moment, "day": moment, "gap": numeric, "yes": boolean}
	for _, column := range table.Columns {
		if kinds[column.Name] != column.Kind {
			t.Errorf("%+v", column)
		}
	}
	if table.text(1, 1) != "P1" || table.text(1, 2) != "2" || table.text(0, 6) != "" || len(table.Columns) != len(kinds) {
		t.Errorf("%+v", table)
	}
	q, _ := (*asked)[0]["queries"].([]any)[0].(map[string]any)
	if (*asked)[0]["from"] != "1000" || (*asked)[0]["to"] != "2000" || q["rawSql"] != "SELECT table" || q["refId"] != "A" || q["format"] != 1.0 {
		t.Errorf("asked %v", (*asked)[0])
	}
	if empty, err := s.ask(t.Context(), "SELECT empty", times); err != nil || !empty.Empty() || empty.Rows() != 0 {
		t.Errorf("%v %+v", err, empty)
	}
	if _, err := s.ask(t.Context(), "SELECT error", times); err == nil || !strings.Contains(err.Error(), "Unknown expression identifier `nothing`") {
		t.Errorf("%v", err)
	}
}

func TestRuleThroughGrafana(t *testing.T) {
	s, asked := answering(t)
	r := rule{data: []json.RawMessage{json.RawMessage(`{"refId":"A","rawSql":"SELECT rule"}`), json.RawMessage(`{"refId":"B","type":"threshold"}`)}}
	table, firing, known, err := s.rule(t.Context(), r)
	if err != nil || !known || firing != 2 || table.Rows() != 2 {
		t.Errorf("%v: %d of %d fire", err, firing, table.Rows())
	}
	if len(*asked) != 2 || len((*asked)[0]["queries"].([]any)) != 2 || len((*asked)[1]["queries"].([]any)) != 1 {
		t.Errorf("asked %v", *asked)
	}
	r.data[0] = json.RawMessage(`{"refId":"A","rawSql":"SELECT error"}`)
	if _, _, _, err := s.rule(t.Context(), r); err == nil || !strings.Contains(err.Error(), "nothing") {
		t.Errorf("%v", err)
	}
}
