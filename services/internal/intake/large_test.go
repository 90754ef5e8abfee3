package intake_test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"gapwatch/services/internal/intake"
)

// An answer has an end, however much a few bytes of a body have it say: what goes beyond it is counted and not listed.
func TestAnswerHasAnEnd(t *testing.T) {
	d := open(t, nil)
	const n, most = 300_000, 64 << 20
	patients := strings.Repeat(`{"resourceType":"Patient"}`+"\n", n)
	a := d.send(http.StatusAccepted, request{path: "/v1/fhir", media: "application/fhir+ndjson", body: patients + "{}\n"})
	out := strings.Split(strings.TrimSpace(a.text), "\n")
	if len(a.text) > most+1<<20 || len(out) > n {
		t.Fatalf("%d bytes, %d lines", len(a.text), len(out))
	}
	if !strings.Contains(out[len(out)-2], `"error"`) || !strings.Contains(out[len(out)-2], fmt.Sprintf(`"item %d"`, n+1)) {
		t.Errorf("the rejected one is not listed: %s", out[len(out)-2])
	}
	if want := fmt.Sprintf("%d items are not listed here. Of %d in all: 0 accepted, 0 duplicates, 0 no programme, %d skipped, 1 rejected.", n+2-len(out), n+1, n); !strings.Contains(out[len(out)-1], want) {
		t.Errorf("got %s\nwant %s", out[len(out)-1], want)
	}
	// Asked for what matters alone, nothing is left out.
	a = d.send(http.StatusAccepted, request{path: "/v1/events", media: lines, body: strings.Repeat(jab("many", anna, "")+"\n", 1000), header: map[string]string{"Prefer": "return=minimal"}})
	if a.NotListed != 0 || a.Items != 1000 {
		t.Errorf("%+v", a)
	}
}

// Who takes a long answer slowly gets all of it, however little time a part of it has.
func TestAnswerIsTakenSlowly(t *testing.T) {
	for write := 500 * time.Millisecond; ; write *= 4 { // a busy machine may hold up who takes it, who then has more time
		err := takenSlowly(t, write)
		if err == nil {
			return
		}
		if write >= 8*time.Second {
			t.Fatalf("%s: %v", write, err)
		}
	}
}

// takenSlowly takes an answer in fifty parts in the time that each part has. An error says that it was broken off.
func takenSlowly(t *testing.T, write time.Duration) error {
	d := open(t, func(c *intake.Config) { c.Times.Write = write })
	const n = 50_000
	bundle := `{"resourceType":"Bundle","type":"collection","entry":[` + strings.Repeat("{},", n-1) + "{}]}"
	_, from := d.raw(strings.Replace(strings.Replace(head(fmt.Sprintf("Connection: close\r\nContent-Length: %d\r\n", len(bundle))), "/v1/events", "/v1/fhir", 1),
		"application/x-ndjson", "application/fhir+json", 1) + bundle)
	response, err := http.ReadResponse(from, nil)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	ticks := time.NewTicker(write / 50)
	defer ticks.Stop()
	var text strings.Builder
	for {
		<-ticks.C
		if _, err := io.CopyN(&text, response.Body, 64<<10); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return fmt.Errorf("after %d bytes: %w", text.Len(), err)
		}
	}
	if got := strings.Count(text.String(), `"diagnostics"`); got != n {
		t.Errorf("%d entries in %d bytes", got, text.Len())
	}
	return nil
}

// Many small Bundles take as much memory as large ones: only so many entries are in hand at once, and one that finds no room in
// its time is to come again. What is no Bundle needs none.
func TestBundlesHaveRoom(t *testing.T) {
	d := open(t, func(c *intake.Config) { c.Times.Room, c.Times.Write = 50*time.Millisecond, time.Hour })
	const n, heavy = 26_000, 4
	bundle := `{"resourceType":"Bundle","type":"batch","entry":[` + strings.Repeat(`{"resource":{"resourceType":"Patient"}},`, n-1) + `{"resource":{"resourceType":"Patient"}}]}`
	if len(bundle) > 1<<20 {
		t.Fatal("it counts as a large one")
	}
	var held []net.Conn
	for range heavy { // their answers, of several MB each, are not taken
		conn, _ := d.raw(strings.Replace(strings.Replace(head(fmt.Sprintf("Content-Length: %d\r\n", len(bundle))), "/v1/events", "/v1/fhir", 1),
			"application/x-ndjson", "application/fhir+json", 1) + bundle)
		if err := conn.(*net.TCPConn).SetReadBuffer(64 << 10); err != nil {
			t.Fatal(err)
		}
		held = append(held, conn)
	}
	until(t, "they are in hand", func() bool { return strings.Contains(d.metrics(), fmt.Sprintf("counter:{value:%d", heavy*n)) })
	small := request{path: "/v1/fhir", media: "application/fhir+json", body: `{"resourceType":"Bundle","type":"collection","entry":[{"resource":{"resourceType":"Patient"}}]}`}
	if a := d.send(http.StatusServiceUnavailable, small); a.header.Get("Retry-After") == "" || !strings.Contains(a.text, "Nothing was taken") {
		t.Errorf("%v %s", a.header, a.text)
	}
	d.send(http.StatusAccepted, request{path: "/v1/fhir", media: "application/fhir+json", body: immunization("alone", anna, "1950-04-01")})
	for _, conn := range held {
		_ = conn.Close()
	}
	until(t, "there is room again", func() bool {
		a, err := d.try(small)
		return err == nil && a.status == http.StatusAccepted
	})
}
