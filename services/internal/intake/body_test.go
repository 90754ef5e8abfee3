package intake_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"gapwatch/services/internal/intake"
)

// raw opens a connection and writes what is given as it is.
func (d *door) raw(text string) (net.Conn, *bufio.Reader) {
	d.t.Helper()
	conn, err := net.Dial("tcp", d.address)
	if err != nil {
		d.t.Fatal(err)
	}
	d.t.Cleanup(func() { _ = conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(2 * time.Minute)); err != nil {
		d.t.Fatal(err)
	}
	if _, err := io.WriteString(conn, text); err != nil {
		d.t.Fatal(err)
	}
	return conn, bufio.NewReader(conn)
}

// answered reads an answer from a connection.
func answered(t testing.TB, from *bufio.Reader) (int, string) {
	t.Helper()
	response, err := http.ReadResponse(from, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(text)
}

func head(length string) string {
	return "POST /v1/events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + tokens["gp"] + "\r\nContent-Type: application/x-ndjson\r\n" + length + "\r\n"
}

func quick(c *intake.Config) {
	c.Times = intake.Times{Header: time.Second, Body: time.Second, Floor: 1000, Idle: 100 * time.Millisecond}
}

// Who sends a header or a body drop by drop is told so, or cut off, and harms nobody else.
func TestSlowSenders(t *testing.T) {
	d := open(t, quick)
	conn, from := d.raw("POST /v1/events HTTP/1.1\r\nHost: x\r\n")
	if _, err := from.ReadByte(); err != io.EOF && err == nil {
		t.Error("half a header was answered")
	}
	_ = conn

	_, from = d.raw(head("Content-Length: 100000\r\n") + jab("slow-1", anna, "") + "\n")
	if status, text := answered(t, from); status != http.StatusRequestTimeout || !strings.Contains(text, "too-slow") {
		t.Errorf("%d %s", status, text)
	}
	// A byte now and then is no body either.
	conn, from = d.raw(head("Content-Length: 100000\r\n"))
	var ended atomic.Bool
	go func() {
		drops := time.NewTicker(10 * time.Millisecond)
		defer drops.Stop()
		for !ended.Load() {
			<-drops.C
			if _, err := io.WriteString(conn, " "); err != nil {
				return
			}
		}
	}()
	status, _ := answered(t, from)
	ended.Store(true)
	if status != http.StatusRequestTimeout {
		t.Errorf("byte by byte: %d", status)
	}
	d.send(http.StatusAccepted, request{path: "/v1/events", media: one, body: jab("quick", anna, "")})
	// Between two requests a connection is closed after a while.
	_, from = d.raw(head("Content-Length: 0\r\n"))
	if status, _ := answered(t, from); status != http.StatusAccepted && status != http.StatusBadRequest {
		t.Error(status)
	}
	if _, err := from.ReadByte(); err != io.EOF {
		t.Errorf("an idle connection: %v", err)
	}
}

// Gzip that unpacks to nothing has an end, too: what comes over the network is limited as what comes out of it.
func TestGzipOfNothing(t *testing.T) {
	d := open(t, func(c *intake.Config) { c.Senders = parse(t, sendersFile("bytes: 100000")) })
	a := d.send(http.StatusRequestEntityTooLarge, request{path: "/v1/events", media: lines, header: map[string]string{"Content-Encoding": "gzip"},
		from: io.MultiReader(strings.NewReader(strings.Repeat(zip(t, ""), 10_000)))})
	if a.Type != "urn:gapwatch:problem:too-large" {
		t.Errorf("%s", a.text)
	}
}

// A limit that is none is taken as such.
func TestLimitBeyondAll(t *testing.T) {
	d := open(t, func(c *intake.Config) { c.Senders = parse(t, sendersFile("bytes: 9223372036854775807")) })
	d.send(http.StatusAccepted, request{path: "/v1/events", media: one, body: jab("most", anna, "")})
}

// What is wrong already is answered at once, not when the rest of the body has come.
func TestAnswerBeforeTheBodyHasCome(t *testing.T) {
	d := open(t, nil)
	for name, text := range map[string]string{
		"no token": strings.Replace(head("Content-Length: 100000\r\n"), tokens["gp"], "x", 1),
		"no array": strings.Replace(head("Content-Length: 100000\r\n"), "application/x-ndjson", "application/cloudevents-batch+json", 1) + "{}",
	} {
		_, from := d.raw(text) // it waits for two minutes, and the door for an hour
		if status, text := answered(t, from); status != http.StatusUnauthorized && status != http.StatusBadRequest {
			t.Errorf("%s: %d %s", name, status, text)
		}
	}
}

// The time that one answer had is over when the next one on the connection begins.
func TestConnectionIsUsedAgain(t *testing.T) {
	d := open(t, func(c *intake.Config) { c.Times.Write = 20 * time.Millisecond })
	body := jab("again", anna, "")
	var conn net.Conn
	var from *bufio.Reader
	until(t, "an answer is out in its time", func() bool { // which a busy machine may let pass
		conn, from = d.raw(head(fmt.Sprintf("Content-Length: %d\r\n", len(body))) + body)
		response, err := http.ReadResponse(from, nil)
		if err != nil {
			return false
		}
		defer response.Body.Close()
		text, err := io.ReadAll(response.Body)
		if err == nil && response.StatusCode != http.StatusAccepted {
			t.Fatalf("%s", text)
		}
		return err == nil
	})
	<-time.After(100 * time.Millisecond) // longer than an answer may take
	if _, err := io.WriteString(conn, head(fmt.Sprintf("Expect: 100-continue\r\nContent-Length: %d\r\n", len(body)))); err != nil {
		t.Fatal(err)
	}
	if line, err := from.ReadString('\n'); err != nil || !strings.Contains(line, "100 Continue") {
		t.Errorf("%q %v", line, err)
	}
}

// A sender that comes slowly and not too slowly is heard to its end, however long that takes.
func TestSteadySender(t *testing.T) {
	for window := 500 * time.Millisecond; ; window *= 4 { // a busy machine may hold the sender up, who then has more time
		a, err := steady(t, window)
		if err == nil && a.status == http.StatusAccepted {
			if a.Accepted != 25 {
				t.Errorf("%s", a.text)
			}
			return
		}
		if window >= 8*time.Second || err == nil && a.status != http.StatusRequestTimeout {
			t.Fatalf("%s: %d %s %v", window, a.status, a.text, err)
		}
	}
}

// steady sends 25 items, ten in each window in which the body has to come.
func steady(t *testing.T, window time.Duration) (reply, error) {
	d := open(t, func(c *intake.Config) { c.Times.Body, c.Times.Floor = window, 500 })
	reader, writer := io.Pipe()
	defer reader.Close() //nolint:errcheck // it ends the sender
	go func() {
		drops := time.NewTicker(window / 10)
		defer drops.Stop()
		for i := range 25 { // more than two windows
			<-drops.C
			if _, err := io.WriteString(writer, jab(fmt.Sprint("steady-", i), anna, "")+"\n"); err != nil {
				return
			}
		}
		_ = writer.Close()
	}()
	return d.try(request{path: "/v1/events", media: lines, from: reader})
}

// A body that ends early is told so, with what came before it; sent whole it is counted once.
func TestHalfSentBody(t *testing.T) {
	d := open(t, nil)
	whole := jab("half-1", anna, "") + "\n" + jab("half-2", ben, "") + "\n"
	conn, from := d.raw(head(fmt.Sprintf("Content-Length: %d\r\n", len(whole))) + whole[:len(whole)-50])
	if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	status, text := answered(t, from)
	if status != http.StatusBadRequest || !strings.Contains(text, "cut-off") || !strings.Contains(text, `"accepted":1`) {
		t.Errorf("%d %s", status, text)
	}
	if n := d.stored(); n != 1 {
		t.Errorf("%d stored", n)
	}
	a := d.send(http.StatusAccepted, request{path: "/v1/events", media: lines, body: whole})
	if a.Accepted != 1 || a.Duplicates != 1 {
		t.Errorf("%s", a.text)
	}
	packed := zip(t, whole)
	for name, c := range map[string]struct{ body, problem string }{
		"cut gzip": {packed[:len(packed)-10], "gzip"}, "no gzip": {whole, "gzip"}, "damaged": {packed[:40] + "xxxx" + packed[44:], "gzip"},
	} {
		a := d.send(http.StatusBadRequest, request{path: "/v1/events", media: lines, body: c.body, header: map[string]string{"Content-Encoding": "gzip"}})
		if !strings.HasSuffix(a.Type, ":"+c.problem) {
			t.Errorf("%s: %s", name, a.text)
		}
	}
	for _, body := range []string{"", "[", `[{"a":1}`, `[{"a":1},`, `[1 2]`, `{"a":1}`, `[]]`, `[] x`} {
		d.send(http.StatusBadRequest, request{path: "/v1/events", media: batch, body: body})
	}
	if a := d.send(http.StatusBadRequest, request{path: "/v1/events", media: batch, body: "[" + jab("half-3", anna, "") + ","}); a.Accepted != 1 || len(a.Results) != 1 {
		t.Errorf("what came before a fault: %s", a.text)
	}
	d.send(http.StatusBadRequest, request{path: "/v1/events", media: one, body: " \n"})
}

// Something too large is refused without being kept; in NDJSON the line alone.
func TestTooLarge(t *testing.T) {
	d := open(t, func(c *intake.Config) {
		c.Senders = parse(t, sendersFile("requests: 10000, concurrent: 50, bytes: 8000000"))
	})
	huge := jab("huge", anna, `,"x":"`+strings.Repeat("x", 2<<20)+`"`)
	a := d.send(http.StatusAccepted, request{path: "/v1/events", media: lines, body: huge + "\n" + jab("small", anna, "") + "\n" + huge})
	if a.Rejected != 2 || a.Accepted != 1 || a.Results[0].Reason != "too large" || a.Results[1].Item != 2 {
		t.Errorf("%s", a.text)
	}
	if a := d.send(http.StatusRequestEntityTooLarge, request{path: "/v1/events", media: batch, body: "[" + jab("small", anna, "") + "," + huge + "]"}); a.Duplicates != 1 {
		t.Errorf("%s", a.text)
	}
	d.send(http.StatusRequestEntityTooLarge, request{path: "/v1/events", media: one, body: huge})
	fits := jab("fits", anna, "")
	d.send(http.StatusAccepted, request{path: "/v1/events", media: one, body: fits + strings.Repeat(" ", 1<<20-len(fits))})

	many := strings.Repeat("\n", 9_000_000)
	if a := d.send(http.StatusRequestEntityTooLarge, request{path: "/v1/events", media: lines, body: many}); !strings.HasSuffix(a.Type, ":too-large") {
		t.Errorf("by Content-Length: %s", a.text)
	}
	d.send(http.StatusRequestEntityTooLarge, request{path: "/v1/events", media: lines, from: io.MultiReader(strings.NewReader(many))})
	// A bomb: 200 MB of one letter in 200 kB.
	var bomb bytes.Buffer
	w := gzip.NewWriter(&bomb)
	for range 200 {
		if _, err := w.Write(bytes.Repeat([]byte("x"), 1<<20)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	for _, media := range []string{one, batch, lines} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		a := d.send(map[bool]int{true: http.StatusBadRequest, false: http.StatusRequestEntityTooLarge}[media == batch],
			request{path: "/v1/events", media: media, body: bomb.String(), header: map[string]string{"Content-Encoding": "gzip"}})
		runtime.ReadMemStats(&after)
		if allocated := after.TotalAlloc - before.TotalAlloc; allocated > 30<<20 {
			t.Errorf("%s: %d bytes were allocated: %s", media, allocated, a.Type)
		}
	}
}

// What could be read as two requests by one and as one by another is refused, or ends the connection.
func TestNoTwoReadingsOfOneRequest(t *testing.T) {
	d := open(t, nil)
	for name, headers := range map[string]string{
		"two lengths":        "Content-Length: 5\r\nContent-Length: 6\r\n",
		"length and garbage": "Content-Length: 5x\r\n",
		"another coding":     "Transfer-Encoding: gzip, chunked\r\n",
		"space before colon": "Transfer-Encoding : chunked\r\n",
		"two hosts":          "Host: y\r\n",
	} {
		_, from := d.raw(head(headers) + "0\r\n\r\n")
		if status, _ := answered(t, from); status != http.StatusBadRequest && status != http.StatusNotImplemented {
			t.Errorf("%s: %d", name, status)
		}
	}
	// Length and chunks: the chunks count, and nothing after them is taken for another request on that connection.
	_, from := d.raw(head("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n") + "0\r\n\r\n" + "GET /v1/openapi.yaml HTTP/1.1\r\nHost: x\r\n\r\n")
	if status, _ := answered(t, from); status >= 500 {
		t.Error(status)
	}
	_, from = d.raw(head("X: " + strings.Repeat("x", 64<<10) + "\r\n"))
	if status, _ := answered(t, from); status != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("a header of 64 KiB: %d", status)
	}
}
