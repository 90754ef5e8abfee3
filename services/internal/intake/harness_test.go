package intake_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"gapwatch/services/internal/admit"
	"gapwatch/services/internal/event"
	"gapwatch/services/internal/intake"
	"gapwatch/services/internal/mapping"
	"gapwatch/services/internal/programme"
	"gapwatch/services/internal/pseudonym"
	"gapwatch/services/internal/stream"
	"gapwatch/services/internal/stream/streamtest"
	"gapwatch/services/internal/telemetry"
)

// now is the clock of the door in tests, in a season of every seasonal programme.
var now = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// Persons of tests: numbers of the block 999, which is for tests and given to nobody.
const (
	anna = "9990000018"
	ben  = "9990000026"
)

// log is what a door wrote, safe to read while it runs.
type log struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// door is a running door with a NATS server of its own.
type door struct {
	t         testing.TB
	url       string
	address   string
	nats      *streamtest.Server
	js        jetstream.JetStream
	nc        *nats.Conn
	log       *log
	telemetry *telemetry.Telemetry
	server    *intake.Server
	keys      pseudonym.Keys
	stop      context.CancelFunc // tells it to stop
	ended     chan error
	doc       *document
}

// Tokens of the senders of tests.
var tokens = map[string]string{"gp": "token of gp", "gp-next": "next token of gp", "pharmacy": "token of pharmacy", "trusted": "token of trusted"}

// sendersFile is the senders' file of tests. gp may send everything from its source; pharmacy little; trusted makes pseudonyms itself.
func sendersFile(limits string) string {
	return fmt.Sprintf(`senders:
  - id: gp
    tokens: [%s, %s]
    sources: ["urn:example:gp", "urn:example:gp-2"]
    programmes: ["*"]
    limits: {%s}
  - id: pharmacy
    tokens: [%s]
    sources: ["urn:example:pharmacy"]
    programmes: [flu-65]
  - id: trusted
    tokens: [%s]
    sources: ["*"]
    programmes: ["*"]
    pseudonyms: true
`, hash(tokens["gp"]), hash(tokens["gp-next"]), limits, hash(tokens["pharmacy"]), hash(tokens["trusted"]))
}

func parse(t testing.TB, text string) intake.Senders {
	t.Helper()
	senders, err := intake.ParseSenders([]byte(text), programmes(t))
	if err != nil {
		t.Fatal(err)
	}
	return senders
}

func programmes(t testing.TB) *programme.Set {
	t.Helper()
	set, err := programme.Load("")
	if err != nil {
		t.Fatal(err)
	}
	return set
}

func keys(t testing.TB) pseudonym.Keys {
	t.Helper()
	const record, current = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=", "ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8="
	keys, err := pseudonym.Parse("keys", []byte("record: "+record+"\ncurrent: {id: t-1, key: "+current+"}\n"))
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

// open starts a door; change may change its configuration.
func open(t testing.TB, change func(*intake.Config)) *door {
	t.Helper()
	d := &door{t: t, nats: streamtest.New(t), log: &log{}, telemetry: telemetry.New(), keys: keys(t), ended: make(chan error, 1), doc: openapi(t)}
	d.nats.Ensure(stream.Options{Duplicates: time.Hour}) // what is sent again is known, however slow the machine
	d.start(change)
	return d
}

// start runs the door on a free port until the test ends.
func (d *door) start(change func(*intake.Config)) {
	t := d.t
	t.Helper()
	set := programmes(t)
	tables, err := mapping.Load("", set)
	if err != nil {
		t.Fatal(err)
	}
	d.nc, d.js = d.nats.Connect()
	config := intake.Config{
		Door:    &admit.Door{Programmes: set, Mapping: tables, Keys: d.keys, Now: func() time.Time { return now }},
		Senders: parse(t, sendersFile("requests: 10000, concurrent: 50")), NATS: d.nc, JetStream: d.js, Telemetry: d.telemetry,
		Logger: slog.New(slog.NewTextHandler(d.log, nil)),
		Times:  intake.Times{Body: time.Hour, Confirm: time.Minute}, // a busy machine is no failure
	}
	if change != nil {
		change(&config)
	}
	if d.server, err = intake.New(config); err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	d.address = listener.Addr().String()
	d.url = "http://" + d.address
	ctx, stop := context.WithCancel(context.Background())
	ended := d.ended
	d.stop = stop
	go func() { ended <- d.server.Serve(ctx, listener) }()
	t.Cleanup(func() {
		stop()
		select {
		case err := <-ended:
			if err != nil {
				t.Error(err)
			}
		case <-time.After(2 * time.Minute):
			t.Error("the door does not stop")
		}
		if t.Failed() {
			t.Log(d.log)
		}
	})
}

// request is what a test sends.
type request struct {
	method string // POST unless set
	path   string // with a query
	as     string // whose token, see tokens; empty for gp, "-" for nobody's
	media  string
	body   string
	from   io.Reader // instead of body: sent in chunks
	header map[string]string
}

// reply is what came back.
type reply struct {
	status int
	header http.Header
	text   string

	Request                                                                string
	Items, Accepted, Duplicates, NoProgramme, Skipped, Rejected, NotListed uint64
	Type, Title, Detail, Reason, Field, Rule, Record                       string
	Results                                                                []struct {
		Item                                      uint64
		Outcome, Record, Why, Reason, Field, Rule string
	}
}

var client = &http.Client{Timeout: 10 * time.Minute}

// try sends a request; what comes back is held to the interface's description.
func (d *door) try(q request) (reply, error) {
	t := d.t
	t.Helper()
	if q.method == "" {
		q.method = http.MethodPost
	}
	from := q.from
	if from == nil {
		from = strings.NewReader(q.body)
	}
	r, err := http.NewRequestWithContext(t.Context(), q.method, d.url+q.path, from)
	if err != nil {
		t.Fatal(err)
	}
	if q.media != "" {
		r.Header.Set("Content-Type", q.media)
	}
	switch q.as {
	case "-":
	case "":
		r.Header.Set("Authorization", "Bearer "+tokens["gp"])
	default:
		r.Header.Set("Authorization", "Bearer "+tokens[q.as])
	}
	for name, value := range q.header {
		r.Header.Set(name, value)
	}
	response, err := client.Do(r)
	if err != nil {
		return reply{}, err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return reply{}, err
	}
	a := reply{status: response.StatusCode, header: response.Header, text: string(text)}
	if media := response.Header.Get("Content-Type"); strings.HasSuffix(media, "json") && !strings.HasSuffix(media, "ndjson") {
		if err := json.Unmarshal(text, &a); err != nil {
			t.Fatalf("%v in %s", err, text)
		}
	}
	d.doc.check(t, q, r, response, text, a.Rejected == 0)
	return a, nil
}

// send sends a request that is answered with a status.
func (d *door) send(status int, q request) reply {
	d.t.Helper()
	a, err := d.try(q)
	if err != nil {
		d.t.Fatal(err)
	}
	if a.status != status {
		d.t.Fatalf("status %d, want %d: %s", a.status, status, a.text)
	}
	return a
}

// message is an event as the stream has it.
type message struct {
	event event.Event
	msg   *jetstream.RawStreamMsg
}

// messages are all that the stream of events has. Each must be one that the collector takes.
func (d *door) messages() []message {
	d.t.Helper()
	ctx, cancel := context.WithTimeout(d.t.Context(), 5*time.Minute)
	defer cancel()
	events, err := d.js.Stream(ctx, stream.Events)
	if err != nil {
		d.t.Fatal(err)
	}
	info, err := events.Info(ctx)
	if err != nil {
		d.t.Fatal(err)
	}
	decoder := event.Decoder{Programmes: programmes(d.t), Now: func() time.Time { return now }}
	var all []message
	for sequence := info.State.FirstSeq; sequence <= info.State.LastSeq && sequence > 0; sequence++ {
		msg, err := events.GetMsg(ctx, sequence)
		if err != nil {
			d.t.Fatal(err)
		}
		e, rejection := decoder.Decode(msg.Subject, msg.Data)
		if rejection != nil {
			d.t.Fatalf("the collector would refuse %s: %v", msg.Data, rejection)
		}
		all = append(all, message{event: e, msg: msg})
	}
	return all
}

// stored is how many messages the stream of events has.
func (d *door) stored() uint64 {
	d.t.Helper()
	events, err := d.js.Stream(d.t.Context(), stream.Events)
	if err != nil {
		d.t.Fatal(err)
	}
	return events.CachedInfo().State.Msgs
}

// jab is a flu vaccination as a CloudEvent; data is more of its members.
func jab(record, person, data string) string {
	return fmt.Sprintf(`{"specversion":"1.0","id":"e-%s","source":"urn:example:gp","type":"uk.nhs.prevention.vaccination.v1","time":"2026-11-20T09:31:22Z",`+
		`"data":{"record":"%s","status":"completed","person":"%s","programme":"flu-65","occurredAt":"2026-11-20","lsoa":"X01000001","birthDate":"1950-04-01"%s}}`,
		record, record, person, data)
}

const (
	one   = "application/cloudevents+json"
	batch = "application/cloudevents-batch+json"
	lines = "application/x-ndjson"
)

// metrics is what the door's metrics say.
func (d *door) metrics() string {
	d.t.Helper()
	families, err := d.telemetry.Registry.Gather()
	if err != nil {
		d.t.Fatal(err)
	}
	var text strings.Builder
	for _, family := range families {
		if strings.HasPrefix(family.GetName(), "gapwatch_") {
			fmt.Fprintln(&text, family)
		}
	}
	return text.String()
}

// until waits until a condition holds.
func until(t testing.TB, what string, condition func() bool) {
	t.Helper()
	deadline := time.After(2 * time.Minute)
	ticks := time.NewTicker(5 * time.Millisecond)
	defer ticks.Stop()
	for !condition() {
		select {
		case <-ticks.C:
		case <-deadline:
			t.Fatalf("not in two minutes: %s", what)
		}
	}
}

func unmarshal(t testing.TB, text string, into any) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), into); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
}
