package intake_test

import (
	"fmt"
	"io"
	"net/http"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"gapwatch/services/internal/intake"
	"gapwatch/services/internal/rejection"
	"gapwatch/services/internal/stream"
)

// many is NDJSON of so many events.
func many(from, n int) string {
	var text strings.Builder
	for i := range n {
		text.WriteString(jab(fmt.Sprint("m-", from+i), anna, ""))
		text.WriteByte('\n')
	}
	return text.String()
}

// Without NATS nothing is told of any item; sent again, everything is counted once.
func TestNATSIsAway(t *testing.T) {
	d := open(t, func(c *intake.Config) { c.Times.Confirm = 2 * time.Second })
	reader, writer := io.Pipe()
	answers := make(chan reply, 1)
	go func() {
		a, err := d.try(request{path: "/v1/events", media: lines, from: reader})
		if err != nil {
			t.Error(err)
		}
		answers <- a
	}()
	if _, err := io.WriteString(writer, many(0, 1000)); err != nil {
		t.Fatal(err)
	}
	until(t, "some are stored", func() bool { return d.stored() > 0 })
	d.nats.Stop() // in the middle of a request
	_, _ = io.WriteString(writer, many(1000, 1000))
	_ = writer.Close()
	a := <-answers
	if a.status != http.StatusServiceUnavailable || a.header.Get("Retry-After") == "" || a.Results != nil || strings.Contains(a.text, "accepted") {
		t.Errorf("%d %s", a.status, a.text)
	}
	until(t, "it is known that NATS is away", func() bool { return !d.nc.IsConnected() })
	for _, q := range []request{{path: "/v1/events", media: one, body: jab("m-0", anna, "")}, {method: http.MethodGet, path: "/v1/rejections"}} {
		if a := d.send(http.StatusServiceUnavailable, q); a.header.Get("Retry-After") == "" {
			t.Errorf("%s", a.text)
		}
	}
	if err := d.server.Ready(t.Context()); err == nil {
		t.Error("it is ready")
	}
	d.nats.Start()
	until(t, "NATS is back", d.nc.IsConnected)
	var b reply
	until(t, "all is taken", func() bool { // on a busy machine not all may be confirmed in that time
		var err error
		if b, err = d.try(request{path: "/v1/events", media: lines, body: many(0, 2000)}); err != nil {
			t.Fatal(err)
		}
		return b.status == http.StatusAccepted
	})
	if b.Items != 2000 || b.Accepted+b.Duplicates != 2000 || b.Duplicates == 0 {
		t.Errorf("%.300s", b.text)
	}
	if n := d.stored(); n != 2000 {
		t.Errorf("%d are stored", n)
	}
}

// Without a stream of events the door is not ready. Asking whether there is one leaves nothing in it.
func TestNoStream(t *testing.T) {
	d := open(t, nil)
	until(t, "it is ready", func() bool { return d.server.Ready(t.Context()) == nil })
	if err := d.js.DeleteStream(t.Context(), stream.Events); err != nil {
		t.Fatal(err)
	}
	until(t, "it is not ready", func() bool {
		err := d.server.Ready(t.Context())
		return err != nil && strings.Contains(err.Error(), "no stream takes prevention.events.")
	})
	d.nats.Ensure(stream.Options{})
	until(t, "it is ready", func() bool { return d.server.Ready(t.Context()) == nil })
	if events, err := d.js.Stream(t.Context(), stream.Events); err != nil || events.CachedInfo().State.LastSeq != 0 {
		t.Errorf("the stream took something: %v", err)
	}
}

// holds sets how many bytes of events there is room for.
func (d *door) holds(bytes int64) {
	d.t.Helper()
	events, err := d.js.Stream(d.t.Context(), stream.Events)
	if err != nil {
		d.t.Fatal(err)
	}
	config := events.CachedInfo().Config
	config.MaxBytes = bytes
	if _, err := d.js.UpdateStream(d.t.Context(), config); err != nil {
		d.t.Fatal(err)
	}
}

func TestFullStream(t *testing.T) {
	d := open(t, nil)
	d.holds(20_000)
	a := d.send(http.StatusServiceUnavailable, request{path: "/v1/events", media: lines, body: many(0, 100)})
	if !strings.HasSuffix(a.Type, ":full") || a.header.Get("Retry-After") != "60" || a.Results != nil {
		t.Errorf("%s", a.text)
	}
	d.holds(1 << 30)
	if a := d.send(http.StatusAccepted, request{path: "/v1/events", media: lines, body: many(0, 100)}); a.Accepted+a.Duplicates != 100 {
		t.Errorf("%.300s", a.text)
	}
	if n := d.stored(); n != 100 {
		t.Errorf("%d are stored", n)
	}
}

// A transaction that the store takes half of is answered with 503; sent again, all of it is stored once.
func TestTransactionCutMidway(t *testing.T) {
	d := open(t, nil)
	d.holds(20_000)
	var entries []string
	for i := range 100 {
		entries = append(entries, `{"resource":`+immunization(fmt.Sprint("t-", i), anna, "1950-04-01")+`,"request":{"method":"POST","url":"Immunization"}}`)
	}
	q := request{path: "/v1/fhir", media: "application/fhir+json", body: `{"resourceType":"Bundle","type":"transaction","timestamp":"2026-11-20T10:00:00Z","entry":[` + strings.Join(entries, ",") + `]}`}
	a := d.send(http.StatusServiceUnavailable, q)
	if n := d.stored(); n == 0 || n >= 100 || a.header.Get("Retry-After") == "" || strings.Contains(a.text, "accepted") {
		t.Errorf("%d are stored: %s", n, a.text)
	}
	d.holds(1 << 30)
	if a := d.send(http.StatusAccepted, q); d.stored() != 100 {
		t.Errorf("%d are stored: %.300s", d.stored(), a.text)
	}
}

// A sender that is killed before its answer, and sends again, is counted once: the same events with the same ids.
func TestKilledBeforeTheAnswer(t *testing.T) {
	d := open(t, nil)
	body := many(0, 500)
	conn, _ := d.raw(head("Content-Length: "+strconv.Itoa(2*len(body))+"\r\n") + body)
	until(t, "some are stored", func() bool { return d.stored() > 100 })
	_ = conn.Close()
	until(t, "the request has ended", func() bool { return strings.Contains(d.log.String(), "msg=request") })
	a := d.send(http.StatusAccepted, request{path: "/v1/events", media: lines, body: body})
	if a.Duplicates < 100 || a.Accepted+a.Duplicates != 500 {
		t.Errorf("%d accepted, %d duplicates", a.Accepted, a.Duplicates)
	}
	ids := map[string]bool{}
	for _, m := range d.messages() {
		ids[m.event.ID] = true
	}
	if len(ids) != 500 || d.stored() != 500 {
		t.Errorf("%d ids in %d messages", len(ids), d.stored())
	}
}

// Told to stop, the door is not ready, takes no new connection, and finishes what is in hand.
func TestDrain(t *testing.T) {
	d := open(t, func(c *intake.Config) { c.Times.Stop = time.Hour })
	reader, writer := io.Pipe()
	answers := make(chan reply, 1)
	go func() {
		a, err := d.try(request{path: "/v1/events", media: lines, from: reader})
		if err != nil {
			t.Error(err)
		}
		answers <- a
	}()
	if _, err := io.WriteString(writer, many(0, 10)); err != nil {
		t.Fatal(err)
	}
	until(t, "the request is in hand", func() bool { return d.stored() > 0 })
	d.stop()
	until(t, "it is not ready", func() bool { return d.server.Ready(t.Context()) != nil })
	until(t, "it takes no connection", func() bool {
		response, err := http.Get(d.url + "/v1/openapi.yaml")
		if err == nil {
			_ = response.Body.Close()
		}
		return err != nil
	})
	if _, err := io.WriteString(writer, many(10, 10)); err != nil {
		t.Fatal(err)
	}
	_ = writer.Close()
	if a := <-answers; a.status != http.StatusAccepted || a.Accepted != 20 {
		t.Errorf("%d %s", a.status, a.text)
	}
	if !strings.Contains(d.log.String(), "inHand=1") {
		t.Error("the log does not say what was in hand")
	}
}

// What does not end in its time is broken off.
func TestDrainHasAnEnd(t *testing.T) {
	d := open(t, func(c *intake.Config) { c.Times.Stop = 50 * time.Millisecond })
	conn, from := d.raw(head("Content-Length: 100000\r\n") + many(0, 1))
	defer conn.Close() //nolint:errcheck // the other end has gone
	until(t, "the request is in hand", func() bool { return d.stored() > 0 })
	d.stop()
	until(t, "the door says so", func() bool { return strings.Contains(d.log.String(), "broken off") })
	if _, err := from.ReadByte(); err == nil {
		t.Error("an answer came")
	}
}

// A sender lists its own rejections and nobody else's, page by page.
func TestRejections(t *testing.T) {
	d := open(t, nil)
	bad := d.send(http.StatusUnprocessableEntity, request{path: "/v1/events", media: lines, body: jab("r-1", "12", "") + "\n\n" + jab("r-2", anna, `,"dose":0`)})
	d.send(http.StatusForbidden, request{path: "/v1/events", as: "pharmacy", media: one, body: jab("r-3", anna, "")})
	list := func(as, query string) (page rejection.Page) {
		t.Helper()
		a := d.send(http.StatusOK, request{method: http.MethodGet, path: "/v1/rejections" + query, as: as})
		unmarshal(t, a.text, &page)
		return page
	}
	page := list("gp", "?limit=1")
	if len(page.Rejections) != 1 || !page.More {
		t.Fatalf("%+v", page)
	}
	first := page.Rejections[0]
	if first.Sender != "gp" || first.Request != bad.Request || first.Item != 1 || first.Field != "data.person" || first.Door != rejection.Events || first.Record != bad.Results[0].Record || first.Record == "" {
		t.Errorf("%+v", first)
	}
	page = list("gp", fmt.Sprint("?after=", page.Next))
	if len(page.Rejections) != 1 || page.More || page.Rejections[0].Item != 3 || page.Rejections[0].Field != "data.dose" {
		t.Errorf("%+v", page)
	}
	if page := list("pharmacy", ""); len(page.Rejections) != 1 || page.Rejections[0].Reason != "not allowed" {
		t.Errorf("%+v", page)
	}
	if page := list("trusted", ""); len(page.Rejections) != 0 {
		t.Errorf("%+v", page)
	}
	if log := d.log.String(); !strings.Contains(log, "door=rejections status=200") {
		t.Error("the log does not say that the list was answered")
	}
	for _, query := range []string{"?limit=0", "?limit=1001", "?after=-1", "?after=x"} {
		d.send(http.StatusBadRequest, request{method: http.MethodGet, path: "/v1/rejections" + query})
	}
}

// What stands among rejections and is none is passed over, so that a sender can read the rest of its own; the log says where it is.
func TestRejectionThatCannotBeRead(t *testing.T) {
	d := open(t, nil)
	reject := func(record string) {
		d.send(http.StatusUnprocessableEntity, request{path: "/v1/events", media: one, body: jab(record, "12", "")})
	}
	reject("u-1")
	for _, text := range []string{"{", `{"item":"` + anna + `"}`} {
		if _, err := d.js.Publish(t.Context(), rejection.Subject("gp"), []byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	reject("u-2")
	var pages [3]rejection.Page
	for i, query := range []string{"", "?limit=2", "?after=2&limit=1"} {
		a := d.send(http.StatusOK, request{method: http.MethodGet, path: "/v1/rejections" + query})
		unmarshal(t, a.text, &pages[i])
	}
	if p := pages[0]; len(p.Rejections) != 2 || p.Rejections[1].Place != 4 || p.Next != 4 || p.More {
		t.Errorf("%+v", p)
	}
	if p := pages[1]; len(p.Rejections) != 1 || p.Next != 2 || !p.More {
		t.Errorf("%+v", p)
	}
	if p := pages[2]; p.Rejections == nil || len(p.Rejections) != 0 || p.Next != 3 || !p.More { // none, and yet there is more
		t.Errorf("%+v", p)
	}
	if log := d.log.String(); !strings.Contains(log, `sequences="[2 3]"`) || strings.Contains(log, anna) {
		t.Error("the log does not say where they are, or what they are")
	}
}

// Where rejections cannot be kept the answer still names each one, and comes in the time that one of them is waited for.
func TestRejectionsCannotBeKept(t *testing.T) {
	d := open(t, nil)
	if err := d.js.DeleteStream(t.Context(), stream.Rejections); err != nil {
		t.Fatal(err)
	}
	begun := time.Now()
	a := d.send(http.StatusAccepted, request{path: "/v1/events", media: lines, body: strings.Repeat("{}\n", 50) + many(0, 10)})
	if a.Rejected != 50 || a.Accepted != 10 || len(a.Results) != 60 {
		t.Errorf("%.300s", a.text)
	}
	if took := time.Since(begun); took > 40*time.Second { // waited for one by one they take 50 s
		t.Errorf("it took %s", took)
	}
	if log := d.log.String(); strings.Count(log, "rejections are not kept") != 1 {
		t.Error("the log does not say so once")
	}
}

// generated is an endless text read up to a size, made as it is read.
type generated struct {
	header string
	row    func(i int) string
	rows   int
	buffer []byte
	at     atomic.Int64 // rows so far
	sent   atomic.Int64 // bytes so far
}

func (g *generated) Read(p []byte) (int, error) {
	if g.header != "" {
		g.buffer, g.header = append(g.buffer, g.header...), ""
	}
	for at := int(g.at.Load()); len(g.buffer) < len(p) && at < g.rows; at++ {
		g.buffer = append(g.buffer, g.row(at)...)
		g.at.Store(int64(at) + 1)
	}
	n := copy(p, g.buffer)
	g.sent.Add(int64(n))
	g.buffer = g.buffer[:copy(g.buffer, g.buffer[n:])]
	if n == 0 {
		return 0, io.EOF
	}
	return n, nil
}

// A file of 200 MB goes through, and memory stays where it is: one row of ten is rejected.
func TestMemoryIsFlat(t *testing.T) {
	d := open(t, nil)
	const rows = 65_000
	padding := strings.Repeat("x", 3200)
	body := &generated{rows: rows, row: func(i int) string {
		event := jab(fmt.Sprint("mem-", i%2000), anna, `,"padding":"`+padding+`"`) // the duplicate window keeps the stream small
		if i%10 == 1 {
			event = `{"specversion":"1.0","padding":"` + padding + `"}`
		}
		return event + "\n"
	}}
	// The NATS server is in this process, too, and fills its caches in the first quarter. After that nothing may grow.
	var peaks [4]uint64
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		ticks := time.NewTicker(50 * time.Millisecond)
		defer ticks.Stop()
		for {
			select {
			case <-ticks.C:
				runtime.GC()
				var now runtime.MemStats
				runtime.ReadMemStats(&now)
				quarter := min(3, int(body.at.Load())*4/rows)
				peaks[quarter] = max(peaks[quarter], now.HeapAlloc)
			case <-stop:
				return
			}
		}
	}()
	r, err := http.NewRequest(http.MethodPost, d.url+"/v1/events", body)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", lines)
	r.Header.Set("Authorization", "Bearer "+tokens["gp"])
	response, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	n, err := io.Copy(io.Discard, response.Body)
	close(stop)
	<-stopped
	if err != nil || response.StatusCode != http.StatusAccepted {
		t.Fatal(err, response.Status)
	}
	if n < rows*50 {
		t.Errorf("the answer has %d bytes", n)
	}
	t.Logf("%d MB in, %d MB out; most on the heap by quarter: %d kB", body.sent.Load()>>20, n>>20, []uint64{peaks[0] >> 10, peaks[1] >> 10, peaks[2] >> 10, peaks[3] >> 10})
	if body.sent.Load() < 200e6 || peaks[1] == 0 || peaks[3] == 0 || max(peaks[2], peaks[3]) > max(peaks[0], peaks[1])+16<<20 || peaks[3] > 100<<20 {
		t.Errorf("memory grows: %d", peaks)
	}
}
