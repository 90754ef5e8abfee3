package intake_test

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"gapwatch/services/internal/pseudonym"
	"gapwatch/services/internal/stream"
)

// One event, and the same again: it is the same message.
func TestOneEvent(t *testing.T) {
	d := open(t, nil)
	first := d.send(http.StatusAccepted, request{path: "/v1/events", media: one, body: jab("jab-1", "999 000 0018", "")})
	if first.Items != 1 || first.Accepted != 1 || len(first.Results) != 1 || first.Results[0].Outcome != "accepted" || first.Results[0].Item != 1 {
		t.Fatalf("%s", first.text)
	}
	if !stream.IsRequest(first.Request) || first.header.Get("X-Request-ID") != first.Request {
		t.Errorf("request %q, header %q", first.Request, first.header.Get("X-Request-ID"))
	}
	again := d.send(http.StatusAccepted, request{path: "/v1/events", media: one, body: jab("jab-1", anna, "")})
	if again.Duplicates != 1 || again.Accepted != 0 || again.Results[0].Outcome != "duplicate" || again.Results[0].Record != first.Results[0].Record {
		t.Errorf("%s", again.text)
	}
	all := d.messages()
	if len(all) != 1 {
		t.Fatalf("%d messages", len(all))
	}
	number, err := pseudonym.ParseNHSNumber(anna)
	if err != nil {
		t.Fatal(err)
	}
	id, person, _ := d.keys.Person(number)
	e, header := all[0].event, all[0].msg.Header
	if e.Person != person || e.PersonKey != id || e.Record != first.Results[0].Record || e.Programme != "flu-65" || e.LSOA != "X01000001" {
		t.Errorf("%+v", e)
	}
	if header.Get(stream.HeaderRequest) != first.Request || header.Get(stream.HeaderSender) != "gp" {
		t.Errorf("%v", header)
	}
}

// Every outcome, in a batch, in NDJSON and in gzip, and each item by its place.
func TestEveryOutcome(t *testing.T) {
	d := open(t, nil)
	events := []string{
		jab("a", anna, ""), jab("b", "9990000019", ""), jab("a", anna, ""), jab("c", ben, `,"dose":12`),
		strings.Replace(jab("d", ben, ""), `"programme":"flu-65"`, `"procedure":["1324681000000101"]`, 1), `{"specversion":"1.0"}`, `[1]`,
	}
	d.send(http.StatusAccepted, request{path: "/v1/events", media: batch, body: "[]"})
	for _, c := range []struct{ media, body string }{{batch, "[" + strings.Join(events, " ,\n") + "]"}, {lines, strings.Join(events, "\n") + "\n"}, {"application/ndjson; charset=utf-8", strings.Join(events, "\r\n\r\n")}} {
		for _, packed := range []bool{false, true} {
			q := request{path: "/v1/events", media: c.media, body: c.body}
			if packed {
				q.body, q.header = zip(t, c.body), map[string]string{"Content-Encoding": "gzip"}
			}
			a := d.send(http.StatusAccepted, q)
			if a.Items != 7 || a.Rejected != 4 || len(a.Results) != 7 {
				t.Fatalf("%s", a.text)
			}
			step := uint64(1)
			if strings.Contains(c.body, "\r\n\r\n") {
				step = 2
			}
			var fields []string
			for i, r := range a.Results {
				if r.Item != uint64(i)*step+1 {
					t.Errorf("result %d is of item %d", i, r.Item)
				}
				if r.Outcome == "rejected" {
					fields = append(fields, r.Field)
				}
			}
			if got := strings.Join(fields, " "); got != "data.person data.dose id payload" {
				t.Errorf("rejected: %s", got)
			}
			if a.Results[2].Outcome != "duplicate" {
				t.Errorf("the same twice: %+v", a.Results[2])
			}
			if r := a.Results[4].Outcome; r != "no programme" && r != "accepted" && r != "duplicate" {
				t.Errorf("by codes: %+v", a.Results[4])
			}
			brief := q
			brief.header = map[string]string{"Prefer": "return=minimal", "Content-Encoding": q.header["Content-Encoding"]}
			if !packed {
				delete(brief.header, "Content-Encoding")
			}
			b := d.send(http.StatusAccepted, brief)
			if b.header.Get("Preference-Applied") != "return=minimal" || b.Items != 7 || len(b.Results) > 5 {
				t.Errorf("minimal: %s", b.text)
			}
		}
	}
}

func zip(t testing.TB, text string) string {
	t.Helper()
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	if _, err := w.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return packed.String()
}

// In binary mode the attributes are in the header.
func TestBinaryMode(t *testing.T) {
	d := open(t, nil)
	data := jab("x", anna, "")
	data = data[strings.Index(data, `"data":`)+7 : len(data)-1]
	header := map[string]string{"ce-specversion": "1.0", "ce-id": "1", "ce-source": "urn:example:g%70", "ce-type": "uk.nhs.prevention.vaccination.v1", "ce-time": "2026-11-20T09:31:22Z"}
	a := d.send(http.StatusAccepted, request{path: "/v1/events", media: "application/json", body: data, header: header})
	if a.Accepted != 1 {
		t.Errorf("%s", a.text)
	}
	same := d.send(http.StatusAccepted, request{path: "/v1/events", media: one, body: jab("x", anna, "")})
	if same.Duplicates != 1 {
		t.Errorf("in structured mode it is another: %s", same.text)
	}
	delete(header, "ce-time")
	if a := d.send(http.StatusUnprocessableEntity, request{path: "/v1/events", media: "application/json", body: data, header: header}); a.Field != "time" {
		t.Errorf("%s", a.text)
	}
	d.send(http.StatusBadRequest, request{path: "/v1/events", media: "application/json", body: data})
}

// One that is rejected is named by field and rule; so is each of many where none was taken; nothing of them is repeated.
func TestRejected(t *testing.T) {
	d := open(t, nil)
	for name, c := range map[string]struct {
		body, field string
		status      int
	}{
		"number":      {jab("r", "9990000019", ""), "data.person", 422},
		"status":      {strings.Replace(jab("r", anna, ""), "completed", "done", 1), "data.status", 422},
		"time":        {strings.Replace(jab("r", anna, ""), "2026-11-20T09:31:22Z", "yesterday", 1), "time", 422},
		"programme":   {strings.Replace(jab("r", anna, ""), "flu-65", "flu-165", 1), "data.programme", 422},
		"twice":       {jab("r", anna, `,"status":"completed"`), "payload", 422},
		"no JSON":     {jab("r", anna, "")[1:], "payload", 422},
		"two values":  {jab("r", anna, "") + jab("r", anna, ""), "payload", 422},
		"UTF-8":       {jab("r", anna, ",\"x\":\"\xff\""), "payload", 422},
		"deep":        {jab("r", anna, `,"x":`+strings.Repeat("[", 40)+strings.Repeat("]", 40)), "payload", 422},
		"deepest":     {strings.Repeat(`{"a":`, 100_000), "payload", 422},
		"number kind": {strings.Replace(jab("r", anna, ""), `"`+anna+`"`, anna, 1), "data.person", 422},
		"source":      {strings.Replace(jab("r", anna, ""), "urn:example:gp", "urn:example:other", 1), "source", 403},
		"pseudonym":   {strings.Replace(jab("r", "9b74c9897bac770ffc029102a200c5de", `,"personKey":"t-1"`), "urn:x", "urn:x", 1), "data.person", 403},
	} {
		a, err := d.try(request{path: "/v1/events", media: one, body: c.body})
		if err != nil {
			t.Fatal(err)
		}
		if a.status != c.status || a.Field != c.field || a.Rule == "" || a.Reason == "" || a.Rejected != 1 || len(a.Results) != 1 || a.Results[0].Field != c.field {
			t.Errorf("%s: %s", name, a.text)
		}
		for _, personal := range []string{anna, "9990000019", "1950-04-01", "yesterday", "flu-165"} {
			if strings.Contains(a.text, personal) {
				t.Errorf("%s: the answer has %s: %s", name, personal, a.text)
			}
		}
	}
	a := d.send(http.StatusUnprocessableEntity, request{path: "/v1/events", media: lines, body: "{}\n{}\n"})
	if a.Rejected != 2 || len(a.Results) != 2 || a.Field != "" {
		t.Errorf("%s", a.text)
	}
	if n := d.stored(); n != 0 {
		t.Errorf("%d events are stored", n)
	}
	metrics := d.metrics()
	for _, want := range []string{`value:"rejected"`, `value:"422"`, `value:"403"`, `value:"gp"`} {
		if !strings.Contains(metrics, want) {
			t.Errorf("the metrics have no %s", want)
		}
	}
	for _, text := range []string{metrics, d.log.String()} {
		if strings.Contains(text, anna) || strings.Contains(text, "999 000") || strings.Contains(text, "1950-04-01") {
			t.Error("metrics or logs hold something personal")
		}
	}
}

// A sender that may makes pseudonyms itself.
func TestPseudonym(t *testing.T) {
	d := open(t, nil)
	number, err := pseudonym.ParseNHSNumber(anna)
	if err != nil {
		t.Fatal(err)
	}
	id, person, _ := d.keys.Person(number)
	body := jab("p", person.String(), fmt.Sprintf(`,"personKey":%q`, id))
	if a := d.send(http.StatusForbidden, request{path: "/v1/events", media: one, body: body}); a.Field != "data.person" {
		t.Errorf("%s", a.text)
	}
	d.send(http.StatusAccepted, request{path: "/v1/events", as: "trusted", media: one, body: body})
	if a := d.send(http.StatusAccepted, request{path: "/v1/events", media: one, body: jab("p2", anna, "")}); a.Accepted != 1 {
		t.Errorf("%s", a.text)
	}
	all := d.messages()
	if len(all) != 2 || all[0].event.Person != all[1].event.Person {
		t.Errorf("two senders, one person, %d messages: %+v", len(all), all)
	}
	if a := d.send(http.StatusUnprocessableEntity, request{path: "/v1/events", as: "trusted", media: one, body: strings.Replace(body, "t-1", "t-9", 1)}); a.Field != "data.personKey" {
		t.Errorf("%s", a.text)
	}
}
