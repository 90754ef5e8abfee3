package privacy_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/prometheus/client_golang/prometheus"

	"gapwatch/services/internal/deadletter"
	"gapwatch/services/internal/engine"
	"gapwatch/services/internal/engine/enginetest"
	"gapwatch/services/internal/intake"
	"gapwatch/services/internal/privacy"
	"gapwatch/services/internal/programme"
	"gapwatch/services/internal/rejection"
	"gapwatch/services/internal/settings"
	"gapwatch/services/internal/standalone"
	"gapwatch/services/internal/stream"
)

// TestMain runs the tests or, in the process that they start for it, the engine: with a log at the level debug, which is what is
// searched.
func TestMain(m *testing.M) {
	if os.Getenv("GAPWATCH_ENGINE_CHILD") == "1" {
		if err := debugEngine(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	enginetest.Main(m)
}

// debugEngine is what [engine.MaybeChild] does, but for the level of its log.
func debugEngine() error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		stop()
	}()
	listener, err := net.FileListener(os.NewFile(3, "listener"))
	if err != nil {
		return err
	}
	return engine.Run(ctx, engine.Config{Listener: listener, DataDir: os.Getenv("GAPWATCH_ENGINE_DATA"), LibPath: os.Getenv("CHDB_LIB_PATH"),
		Logger: slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelDebug}))})
}

// source is the one source that the senders of the test may name.
const source = "urn:example:gp"

var tokens = map[string]string{"gp": "token-of-gp", "trusted": "token-of-trusted", "pharmacy": "token-of-pharmacy", "small": "token-of-small"}

// output is what is written to a log, safe to read while it is written.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// TestNothingGoesPastTheDoor is what the package's doc says.
func TestNothingGoesPastTheDoor(t *testing.T) {
	var planted people
	controls := people{n: 5000}
	w := &world{t: t, folder: t.TempDir(), logs: &output{}, engineLog: &output{}, found: map[string]string{}}
	var all []request
	for _, build := range []func(*people) []request{eventRequests, resourceRequests, fileRequests, otherRequests} {
		all = append(all, build(&planted)...)
	}
	if last := planted.n; last > 1600 {
		t.Fatalf("%d people: the last ones are too young for the programme", last)
	}
	direct := directMessages(&planted)
	here := func(place string) person { return controls.plant(place) }
	w.run(planted.n, func(ctx context.Context, s *standalone.System) error {
		if err := w.uncompressed(ctx, s); err != nil {
			return err
		}
		for _, r := range all {
			w.send(r)
		}
		if w.accepted == 0 || w.rejected == 0 {
			t.Errorf("%d requests were accepted and %d refused: nothing is proven", w.accepted, w.rejected)
		}
		t.Logf("%d requests with %d people: %d items accepted, %d requests refused", len(all), planted.n, w.accepted, w.rejected)
		if err := w.publish(ctx, s, direct); err != nil {
			return err
		}
		if err := w.settle(ctx, s); err != nil {
			return err
		}
		if err := w.control(ctx, s, here); err != nil {
			return err
		}
		w.files("file, live, ")
		return w.look(ctx, s)
	})
	w.add("log of the process", w.logs.String())
	w.add("log of the engine's process", w.engineLog.String())
	w.files("file ")

	for _, fault := range []string{"engine died", "a fault"} {
		if strings.Contains(w.logs.String(), fault) {
			t.Errorf("the log says: %s", fault)
		}
	}
	// First, the search finds what was put there on purpose.
	for _, secret := range controls.secrets {
		place, _, _ := strings.Cut(secret.Name, ": ")
		search, seen := privacy.NewSearch(secret), false
		for at, text := range w.found {
			seen = seen || strings.HasPrefix(at, place) && len(search.Find([]byte(text))) > 0
		}
		if !seen {
			t.Errorf("%s was put there on purpose and is not found: nothing is proven about such places", secret.Name)
		}
	}
	// Then, nothing of anybody.
	search := privacy.NewSearch(planted.secrets...)
	size, leaks := 0, map[string][]string{}
	for at, text := range w.found {
		size += len(text)
		for _, found := range search.Find([]byte(text)) {
			what := found.Name + ", " + found.Form
			leaks[what] = append(leaks[what], at)
		}
	}
	t.Logf("searched %d places, %.1f MB, for %d values", len(w.found), float64(size)/1e6, len(planted.secrets))
	n := 0
	for what, places := range leaks {
		if n++; n > 60 {
			t.Errorf("and %d more", len(leaks)-60)
			break
		}
		slices.Sort(places)
		t.Errorf("LEAK: %s is in %q", what, places)
	}
}

// world is a running Gapwatch and all that is found of it.
type world struct {
	t         *testing.T
	folder    string
	logs      *output
	engineLog *output
	url       string

	accepted, rejected int
	answers            int
	mu                 sync.Mutex
	found              map[string]string // text by place
}

// add keeps the text of a place.
func (w *world) add(place, text string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.found[place] += text
}

// run runs a whole Gapwatch around work, with every log caught, and stops it.
func (w *world) run(people int, work func(context.Context, *standalone.System) error) {
	t := w.t
	t.Helper()
	settingsFolder, temporary := t.TempDir(), filepath.Join(w.folder, "temporary")
	if err := os.Mkdir(temporary, 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("TMPDIR", temporary)
	write := func(name, text string) string {
		path := filepath.Join(settingsFolder, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	const key, other = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=", "ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8="
	postcodes := "postcode,lsoa\n"
	for i := range people {
		if p := again(i); i%2 == 0 {
			postcodes += fmt.Sprintf("%s,X01%06d\n", p.postcode, i)
		}
	}
	programmes, err := programme.Load("")
	if err != nil {
		t.Fatal(err)
	}
	library, err := enginetest.Library()
	if err != nil {
		t.Fatal(err)
	}
	hash := func(sender string) string {
		sum := sha256.Sum256([]byte(tokens[sender]))
		return hex.EncodeToString(sum[:])
	}
	logger := slog.New(slog.NewTextHandler(w.logs, &slog.HandlerOptions{Level: slog.LevelDebug}))
	w.catch(logger)
	c := standalone.Config{Folder: filepath.Join(w.folder, "data"), Programmes: programmes, Library: library, Logger: logger, EngineStderr: w.engineLog,
		NATSListen: "127.0.0.1:0", ClickHouseListen: "127.0.0.1:0", MetricsListen: "127.0.0.1:0",
		Intake: intake.Access{Listen: "127.0.0.1:0", KeysFile: write("keys.yaml", "record: "+key+"\ncurrent: {id: t-1, key: "+other+"}\n"),
			SendersFile: write("senders.yaml", fmt.Sprintf(`senders:
  - {id: gp, tokens: [%s], sources: [%q], programmes: ["*"], limits: {requests: 100000}}
  - {id: trusted, tokens: [%s], sources: ["*"], programmes: ["*"], pseudonyms: true, limits: {requests: 100000}}
  - {id: pharmacy, tokens: [%s], sources: ["urn:example:pharmacy"], programmes: [covid-autumn], limits: {requests: 100000}}
  - {id: small, tokens: [%s], sources: [%q], programmes: ["*"], limits: {requests: 100000, bytes: 5000}}
`, hash("gp"), source, hash("trusted"), hash("pharmacy"), hash("small"), source))},
		IntakeTuning: intake.Tuning{Postcodes: write("postcodes.csv", postcodes), Concurrent: 16, StopTimeout: 10 * time.Second}}
	c.Collector.MaxAge = 50 * time.Millisecond
	ctx, cancel := context.WithTimeout(t.Context(), 15*time.Minute)
	defer cancel()
	if err := standalone.Run(ctx, c, func(ctx context.Context, s *standalone.System) error {
		w.url = s.IntakeURL
		return work(ctx, s)
	}); err != nil {
		t.Fatalf("%v\n%s\n%s", err, w.logs, w.engineLog)
	}
}

// catch has everything caught that this process writes anywhere as a log.
func (w *world) catch(logger *slog.Logger) {
	standard, stderr := slog.Default(), os.Stderr
	reader, writer, err := os.Pipe()
	if err != nil {
		w.t.Fatal(err)
	}
	slog.SetDefault(logger)
	log.SetOutput(w.logs)
	os.Stderr = writer
	read := make(chan struct{})
	go func() {
		defer close(read)
		_, _ = io.Copy(w.logs, reader)
	}()
	w.t.Cleanup(func() {
		os.Stderr = stderr
		_ = writer.Close()
		<-read
		slog.SetDefault(standard)
		log.SetOutput(stderr)
	})
}

// send sends a request and keeps the answer.
func (w *world) send(r request) {
	t := w.t
	w.answers++
	place := fmt.Sprintf("answer %d, of %s", w.answers, r.name)
	if r.raw != "" {
		w.add(place, w.connection(r.raw))
		return
	}
	if r.method == "" {
		r.method = http.MethodPost
	}
	q, err := http.NewRequestWithContext(t.Context(), r.method, w.url+r.path, strings.NewReader(r.body))
	if err != nil { // a query that no client sends as it is
		w.add(place, w.connection(fmt.Sprintf("%s %s HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer %s\r\nContent-Type: %s\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s",
			r.method, strings.ReplaceAll(r.path, " ", "+"), tokens["gp"], r.media, len(r.body), r.body)))
		return
	}
	for name, values := range r.header {
		q.Header[name] = values
	}
	if r.media != "" {
		q.Header.Set("Content-Type", r.media)
	}
	if r.token == "" {
		r.token = tokens["gp"]
	}
	q.Header.Set("Authorization", "Bearer "+r.token)
	status, header, body, err := exchange(q)
	if err != nil {
		if r.accepted > 0 {
			t.Errorf("%s: %v", r.name, err)
		}
		return // it was broken off: nothing was said
	}
	w.add(place, fmt.Sprint(status, " ", header)+body)
	if status >= 500 {
		t.Errorf("%s: answered with %d: %s", r.name, status, body)
	}
	accepted := strings.Count(body, `"outcome":"accepted"`)
	if strings.HasPrefix(r.path, "/v1/fhir") {
		accepted = strings.Count(body, `"code":"accepted"`)
	}
	if w.accepted += accepted; status >= 300 {
		w.rejected++
	}
	if r.accepted >= 0 && accepted != r.accepted && r.header.Get("Prefer") == "" {
		t.Errorf("%s: %d items are accepted, want %d: %d %s", r.name, accepted, r.accepted, status, body)
	}
}

var client = &http.Client{Timeout: 3 * time.Minute}

func exchange(q *http.Request) (status int, header http.Header, body string, err error) {
	response, err := client.Do(q)
	if err != nil {
		return 0, nil, "", err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	return response.StatusCode, response.Header, string(text), err
}

// connection writes to a connection of its own, ends that half and says what comes back.
func (w *world) connection(text string) string {
	conn, err := net.Dial("tcp", strings.TrimPrefix(w.url, "http://"))
	if err != nil {
		w.t.Fatal(err)
	}
	defer conn.Close() //nolint:errcheck // it may be closed already
	_, _ = io.WriteString(conn, text)
	_ = conn.(*net.TCPConn).CloseWrite()
	_ = conn.SetReadDeadline(time.Now().Add(3 * time.Minute))
	answer, _ := io.ReadAll(conn)
	return string(answer)
}

// directMessages are messages that come past the door, each with an NHS number somewhere.
func directMessages(all *people) (list []*nats.Msg) {
	event := func(person, more string) []byte {
		return fmt.Appendf(nil, `{"specversion":"1.0","id":"d-%d","source":"urn:direct","type":"uk.nhs.prevention.vaccination.v1","time":"2026-10-05T12:00:00Z","data":`+
			`{"record":"d-%d","status":"completed","person":"%s","personKey":"t-1","programme":"flu-65","occurredAt":"2026-10-05"%s}}`, len(list), len(list), person, more)
	}
	const somebody, subject = "0123456789abcdef0123456789abcdee", "prevention.events.vaccination.flu-65"
	add := func(name string, build func(p person) *nats.Msg) {
		list = append(list, build(all.plant("direct, number in "+name)))
	}
	add("person", func(p person) *nats.Msg { return &nats.Msg{Subject: subject, Data: event(p.number, "")} })
	add("person, spaced", func(p person) *nats.Msg { return &nats.Msg{Subject: subject, Data: event(p.spaced(), "")} })
	add("person, dashed", func(p person) *nats.Msg { return &nats.Msg{Subject: subject, Data: event(p.dashed(), "")} })
	add("another field", func(p person) *nats.Msg {
		return &nats.Msg{Subject: subject, Data: event(somebody, `,"note":"`+p.number+`"`)}
	})
	add("a key", func(p person) *nats.Msg {
		return &nats.Msg{Subject: subject, Data: event(somebody, `,"`+p.spaced()+`":1`)}
	})
	add("practice", func(p person) *nats.Msg {
		return &nats.Msg{Subject: subject, Data: event(somebody, `,"practice":"`+p.number+`"`)}
	})
	add("plus", func(p person) *nats.Msg {
		return &nats.Msg{Subject: subject, Data: event(somebody, `,"plus":["n-`+p.number+`"]`)}
	})
	add("no JSON", func(p person) *nats.Msg {
		return &nats.Msg{Subject: subject, Data: []byte(p.number + ";" + p.spaced())}
	})
	add("broken JSON", func(p person) *nats.Msg { return &nats.Msg{Subject: subject, Data: event(p.number, "")[:230]} })
	add("subject", func(p person) *nats.Msg {
		return &nats.Msg{Subject: "prevention.events.vaccination." + p.number, Data: event(somebody, "")}
	})
	add("subject, dashed", func(p person) *nats.Msg {
		return &nats.Msg{Subject: "prevention.events." + p.dashed() + ".flu-65", Data: event(somebody, "")}
	})
	for _, name := range []string{"X-Note", stream.HeaderSender, stream.HeaderRequest, "Nats-Msg-Id", "Content-Type"} {
		add("header "+name, func(p person) *nats.Msg {
			return &nats.Msg{Subject: subject, Data: event(somebody, ""), Header: nats.Header{name: {p.number}}}
		})
	}
	add("a header's name", func(p person) *nats.Msg {
		return &nats.Msg{Subject: subject, Data: event(somebody, ""), Header: nats.Header{"N" + p.number: {"1"}}}
	})
	return list
}

// publish publishes messages past the door, and waits until each is gone from the stream.
func (w *world) publish(ctx context.Context, s *standalone.System, messages []*nats.Msg) error {
	events, err := s.JetStream.Stream(ctx, stream.Events)
	if err != nil {
		return err
	}
	for _, msg := range messages {
		ack, err := s.JetStream.PublishMsg(ctx, msg)
		if err != nil {
			return err
		}
		if err := until(ctx, func() (bool, error) {
			_, err := events.GetMsg(ctx, ack.Sequence)
			return err != nil, nil
		}); err != nil {
			w.t.Errorf("%s %v stays in the stream: %v", msg.Subject, msg.Header, err)
		}
	}
	return nil
}

// settle waits until all that is in the stream is handled and counted.
func (w *world) settle(ctx context.Context, s *standalone.System) error {
	info, err := s.JetStream.Stream(ctx, stream.Events)
	if err != nil {
		return err
	}
	last := info.CachedInfo().State.LastSeq
	err = until(ctx, func() (bool, error) {
		var handled, counted uint64
		if err := s.ClickHouse.QueryRow(ctx, "SELECT uniqExact(sequence) FROM prevention.handled").Scan(&handled); err != nil {
			return false, err
		}
		err := s.ClickHouse.QueryRow(ctx, "SELECT toUInt64(max(id) % toUInt128('18446744073709551616')) FROM prevention.published WHERE programme = 'flu-65'").Scan(&counted)
		return handled >= last && counted > 0, err
	})
	var stored uint64
	if err == nil {
		err = s.ClickHouse.QueryRow(ctx, "SELECT count() FROM prevention.events").Scan(&stored)
	}
	if err == nil && stored < 20 {
		err = fmt.Errorf("%d events are stored: nothing is proven", stored)
	}
	return err
}

// until asks again and again until the answer is yes, for three minutes.
func until(ctx context.Context, ask func() (bool, error)) error {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Minute)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		if yes, err := ask(); yes || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return errors.New("not in three minutes")
		case <-tick.C:
		}
	}
}

// control puts people into each kind of place, as a fault would. The person of a place is called as the places there begin.
func (w *world) control(ctx context.Context, s *standalone.System, here func(place string) person) error {
	said := func(p person) string {
		return fmt.Sprintf("%s %s %s %s %s %s", p.number, wrong(p.number), p.given, p.family, p.postcode, p.birth)
	}
	p := here("table prevention.events")
	if err := s.ClickHouse.Exec(ctx, "INSERT INTO prevention.events (programme, season, record, provider) VALUES ('control', 'control', ?, ?)", p.number+" "+p.family+" "+p.given, wrong(p.number)+p.postcode+p.birth); err != nil {
		return err
	}
	p = here("file clickhouse")
	if err := s.ClickHouse.Exec(ctx, "INSERT INTO prevention.events (programme, season, record) VALUES ('control', 'control', ?)", said(p)); err != nil {
		return err
	}
	p = here("table prevention.dead_letter_log") // a number in a number's column, the rest in base64
	if err := s.ClickHouse.Exec(ctx, "INSERT INTO prevention.dead_letter_log (sequence, note) VALUES (?, base64Encode(?))", p.number, said(p)); err != nil {
		return err
	}
	subject := func(p person) string { return "prevention.gap." + p.number + "." + wrong(p.number) }
	p = here("stream PREVENTION_GAP") // the number in the subject, names in a header, the rest in the payload
	if _, err := s.JetStream.PublishMsg(ctx, &nats.Msg{Subject: subject(p), Header: nats.Header{"X-Name": {p.given + " " + p.family}}, Data: []byte(p.compact() + p.birth)}); err != nil {
		return err
	}
	p = here("file nats")
	if _, err := s.JetStream.PublishMsg(ctx, &nats.Msg{Subject: subject(p), Header: nats.Header{"X-Name": {p.given + " " + p.family}}, Data: []byte(p.compact() + p.birth)}); err != nil {
		return err
	}
	slog.Debug("control", "said", said(here("log of the process")))
	log.Print(said(here("log of the process")))
	fmt.Fprintln(os.Stderr, said(here("log of the process")))
	for _, place := range []string{"log of the engine's process", "table system.errors"} {
		if text, err := w.ask(ctx, s, "SELECT 1 WHERE '"+said(here(place))+"'"); err == nil {
			return fmt.Errorf("a query that must fail says %s", text)
		}
	}
	counter := prometheus.NewCounter(prometheus.CounterOpts{Name: "control", ConstLabels: prometheus.Labels{"said": said(here("metrics"))}})
	if err := s.Telemetry.Registry.Register(counter); err != nil {
		return err
	}
	echo := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		rw.Header().Set("X-Echo", r.Header.Get("X-Say"))
		_, _ = io.Copy(rw, r.Body)
	}))
	defer echo.Close()
	url := w.url
	w.url = echo.URL
	p = here("answer")
	w.send(request{name: "control", path: "/", body: p.number + p.postcode + p.birth, header: http.Header{"X-Say": {p.given + " " + p.family + " " + wrong(p.number)}}, accepted: -1})
	w.url = url
	refused := rejection.Rejection{Sender: "gp", Door: rejection.Events, Reason: "control", Field: "data", At: time.Now()}
	for _, place := range []string{"rejections", "stream PREVENTION_REJECTION"} {
		p = here(place)
		// Of digits nothing gets into a rejection, so hex has to show that they would be found.
		refused.Rule, refused.Field = p.given+" "+p.family+" "+p.postcode+" "+p.birth, hex.EncodeToString([]byte(p.number+wrong(p.number)))
		if err := rejection.Publish(ctx, s.JetStream, refused); err != nil {
			return err
		}
	}
	for _, place := range []string{"dead letters: show", "dead letters: list"} {
		p = here(place)
		if _, err := s.JetStream.Publish(ctx, stream.DeadLetterPrefix+"direct.control", fmt.Appendf(nil,
			`{"reason":"%s","field":"%s","stream":"PREVENTION_EVENTS","sequence":1,"subject":"prevention.events.vaccination.x","size":1}`, said(p), p.family)); err != nil {
			return err
		}
	}
	return nil
}

// deadLetters runs the command deadletters.
func (w *world) deadLetters(ctx context.Context, s *standalone.System, place string, args ...string) string {
	var out bytes.Buffer
	err := deadletter.Command(ctx, deadletter.Settings{NATS: settings.NATS{NATSURL: s.NATSURL}, ClickHouse: settings.ClickHouse{ClickHouseURL: s.ClickHouseURL}}, args, &out)
	w.add(place, out.String()+fmt.Sprint(err))
	if err != nil {
		w.t.Errorf("deadletters %v: %v", args, err)
	}
	return out.String()
}
