package collect_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"gapwatch/services/internal/collect"
	"gapwatch/services/internal/event"
	"gapwatch/services/internal/rejection"
	"gapwatch/services/internal/stream"
)

const request = "019aab3c5d10a1b2c3d4e5f6"

// sendFrom publishes an event with headers and returns its sequence.
func (r *rig) sendFrom(e event.Event, headers nats.Header) uint64 {
	r.t.Helper()
	msg := stream.Message(event.Subject(&e), event.MsgID(&e), event.Encode(&e))
	for name, values := range headers {
		msg.Header[name] = values
	}
	ack, err := r.js.PublishMsg(r.t.Context(), msg)
	if err != nil {
		r.t.Fatal(err)
	}
	return ack.Sequence
}

// rejected is the i-th sample in a season that nobody has listed.
func (r *rig) rejected(i int) event.Event {
	e := r.sample(i)
	e.Record, e.Day = fmt.Sprintf("%032x", i), 0
	return e
}

// told are the rejections of a sender.
func (r *rig) told(sender string) []rejection.Listed {
	r.t.Helper()
	page, err := rejection.List(r.t.Context(), r.js, sender, 0, rejection.MaxLimit)
	if err != nil {
		r.t.Fatal(err)
	}
	return page.Rejections
}

// What intake says of a message stands in its dead letter and in ClickHouse, and its sender is told, once, however often the
// collector is cut off on the way.
func TestASenderIsToldOnceWhateverHappens(t *testing.T) {
	r := newRig(t, stream.Options{})
	from := nats.Header{stream.HeaderSender: {"gp-north"}, stream.HeaderRequest: {request}}
	bad := r.sendFrom(r.rejected(1), from)
	good := r.sendFrom(r.sample(2), from)
	direct := r.sendFrom(r.rejected(3), nil)
	for _, step := range []collect.Step{collect.DeadLettered, collect.Handled} {
		run := r.collect(func(c *collect.Config) { c.Checkpoint = cutOffAt(step, 1) })
		if err := run.wait(); err == nil {
			t.Fatal("it was not cut off")
		}
	}
	var logs bytes.Buffer
	run := r.collect(func(c *collect.Config) { c.Logger = slog.New(slog.NewTextHandler(&logs, nil)) })
	r.settled()
	if err := run.finish(); err != nil {
		t.Fatal(err)
	}
	letters := r.letters()
	if l := letters[bad]; l.Sender != "gp-north" || l.Request != request || l.Payload == "" {
		t.Errorf("%+v", l)
	}
	if l := letters[direct]; l.Sender != "" || l.Request != "" {
		t.Errorf("%+v", l)
	}
	subjects := map[string]bool{}
	for _, raw := range r.raw(stream.DeadLetters) {
		subjects[raw.Subject] = true
	}
	if len(subjects) != 2 || !subjects["prevention.deadletter.gp-north.no-season"] || !subjects["prevention.deadletter.direct.no-season"] {
		t.Errorf("subjects %v", subjects)
	}
	r.check("rejections", r.info(stream.Rejections).State.Msgs, 1)
	told := r.told("gp-north")
	if len(told) != 1 || told[0].Request != request || told[0].Door != rejection.Collector || told[0].Record != fmt.Sprintf("%032x", 1) ||
		told[0].Reason != string(event.NoSeason) || told[0].Field != "data.occurredAt" || told[0].Rule == "" || told[0].At.IsZero() {
		t.Errorf("%+v", told)
	}
	schema, err := jsonschema.NewCompiler().Compile("../../../schemas/events/rejection.v1.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	for _, raw := range r.raw(stream.Rejections) {
		document, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw.Data))
		if err != nil {
			t.Fatal(err)
		}
		if err := schema.Validate(document); err != nil {
			t.Errorf("%s: %v", raw.Data, err)
		}
	}
	r.check("handled by request", r.count("SELECT count() FROM prevention.handled FINAL WHERE stream = ? AND request = ? AND sequence IN (?, ?)", r.created(), request, bad, good), 2)
	r.check("handled without", r.count("SELECT count() FROM prevention.handled FINAL WHERE stream = ? AND request = '' AND sequence = ?", r.created(), direct), 1)
	if text := logs.String(); !strings.Contains(text, "requests=["+request+"] more_requests=0") {
		t.Errorf("the log does not name the request:\n%s", text)
	}
}

// Where senders cannot be told, events are stored and dead letters are written all the same.
func TestRejectionsThatNobodyTakesStopNothing(t *testing.T) {
	r := newRig(t, stream.Options{})
	run := r.collect(nil)
	r.publish(r.samples(50, 60)...)
	r.settled()
	if err := r.js.DeleteStream(t.Context(), stream.Rejections); err != nil {
		t.Fatal(err)
	}
	// Its subjects are another's, which is full: neither can it be made again, nor is a rejection taken.
	if _, err := r.js.CreateStream(t.Context(), jetstream.StreamConfig{Name: "OTHER", Subjects: []string{stream.RejectionSubjects}, MaxBytes: 1, Discard: jetstream.DiscardNew}); err != nil {
		t.Fatal(err)
	}
	from := nats.Header{stream.HeaderSender: {"gp-north"}, stream.HeaderRequest: {request}}
	for i := range 5 {
		r.sendFrom(r.rejected(i), from)
	}
	r.sendFrom(r.sample(100), from)
	r.settled()
	r.check("letters", uint64(len(r.letters())), 5)
	r.check("rows", r.stored(), 11)
	if err := run.finish(); err != nil {
		t.Error(err)
	}
	// A collector that starts now does its work, and says what is wrong.
	var logs bytes.Buffer
	run = r.collect(func(c *collect.Config) { c.Logger = slog.New(slog.NewTextHandler(&logs, nil)) })
	r.sendFrom(r.sample(101), from)
	r.settled()
	r.check("rows", r.stored(), 12)
	if err := run.finish(); err != nil {
		t.Error(err)
	}
	if !strings.Contains(logs.String(), "senders are not told") {
		t.Error("the log does not say so")
	}
}

// Headers are anybody's to write. What is not as intake writes it is nowhere afterwards.
func TestHeadersOfAnotherFormAreIgnored(t *testing.T) {
	r := newRig(t, stream.Options{})
	long := strings.Repeat("a", 30_000)
	hostile := []nats.Header{
		{stream.HeaderSender: {"a.b"}, stream.HeaderRequest: {"hostile"}},
		{stream.HeaderSender: {"*"}, stream.HeaderRequest: {strings.ToUpper(request)}},
		{stream.HeaderSender: {"> hostile"}, stream.HeaderRequest: {request + "0"}},
		{stream.HeaderSender: {long}, stream.HeaderRequest: {long}},
		{stream.HeaderSender: {"hostile", "hostile"}, stream.HeaderRequest: {request, request}},
		{stream.HeaderSender: {"direct"}},
		{stream.HeaderSender: {"Hostile"}},
		{stream.HeaderSender: {"hostilé"}},
		{stream.HeaderSender: {""}, stream.HeaderRequest: {""}},
		{strings.ToLower(stream.HeaderSender): {"hostile"}},
		{"Hostile": {long}},
	}
	for i, headers := range hostile {
		r.sendFrom(r.rejected(i), headers)
	}
	numbered := r.sendFrom(r.rejected(100), nats.Header{stream.HeaderSender: {"943-476-5919"}, stream.HeaderRequest: {request}})
	r.collect(nil)
	r.settled()
	letters := r.letters()
	r.check("letters", uint64(len(letters)), uint64(len(hostile)+1))
	for sequence, l := range letters {
		if l.Sender != "" || (l.Request != "") != (sequence == numbered) {
			t.Errorf("%+v", l)
		}
	}
	if l := letters[numbered]; l.Payload != "" || l.Subject != "" || l.SHA256 != "" {
		t.Errorf("an NHS number in a header: %+v", l)
	}
	for _, raw := range r.raw(stream.DeadLetters) {
		if !strings.HasPrefix(raw.Subject, "prevention.deadletter.direct.") || bytes.Contains(raw.Data, []byte("ostil")) || bytes.Contains(raw.Data, []byte("943-")) || len(raw.Data) > 4000 {
			t.Errorf("%s: %.1000s", raw.Subject, raw.Data)
		}
	}
	r.check("rejections", r.info(stream.Rejections).State.Msgs, 0)
	r.check("requests", r.count("SELECT count() FROM prevention.handled FINAL WHERE stream = ? AND request != '' AND sequence != ?", r.created(), numbered), 0)
}

// A payload may be kept in a letter however much longer it gets there; one that the server would not take goes without.
func TestALetterIsNeverTooLargeForTheServer(t *testing.T) {
	r := newRig(t, stream.Options{})
	sequences := map[string]uint64{}
	for i, c := range []string{"<", `\"`} {
		e := r.rejected(i)
		filler, err := json.Marshal(map[string]string{"later": strings.Repeat(c, (event.MaxBytes-2000)/len(c)/(1+strings.Count(c, `\`)))})
		if err != nil {
			t.Fatal(err)
		}
		filler = bytes.ReplaceAll(filler, []byte(`\u003c`), []byte("<"))
		payload := append(bytes.TrimSuffix(event.Encode(&e), []byte("}")), append([]byte(","), filler[1:]...)...)
		sequences[c] = r.send(event.Subject(&e), event.MsgID(&e), payload)
	}
	r.collect(nil)
	r.settled()
	letters := r.letters()
	for c, sequence := range sequences {
		if l := letters[sequence]; l.Reason != event.NoSeason || l.Payload == "" {
			t.Errorf("%q: %s, payload of %d", c, l.Reason, len(l.Payload))
		}
	}
}

// The log of a batch names a few requests and counts the rest.
func TestTheLogNamesAFewRequests(t *testing.T) {
	r := newRig(t, stream.Options{})
	for i := range 30 {
		r.sendFrom(r.sample(i), nats.Header{stream.HeaderRequest: {fmt.Sprintf("%024x", i/2)}})
	}
	var logs bytes.Buffer
	run := r.collect(func(c *collect.Config) { c.Logger = slog.New(slog.NewTextHandler(&logs, nil)) })
	r.settled()
	if err := run.finish(); err != nil {
		t.Fatal(err)
	}
	text := logs.String()
	if strings.Count(text, "msg=batch") != 1 || !strings.Contains(text, fmt.Sprintf("%024x", 9)) || strings.Contains(text, fmt.Sprintf("%024x", 10)) || !strings.Contains(text, "more_requests=5") {
		t.Errorf("%s", text)
	}
	if strings.Contains(text, "record") || strings.Contains(text, r.sample(0).Person.String()) {
		t.Errorf("a record or person in the log:\n%s", text)
	}
}

// Duty staff see what senders are told: each rejection once, with the numbers of entries left out of its field, however often
// collectors are started.
func TestRejectionsAreKeptForDutyStaff(t *testing.T) {
	r := newRig(t, stream.Options{})
	sender := fmt.Sprintf("s%x", r.created())
	publish := func(n int, change func(*rejection.Rejection)) {
		t.Helper()
		for i := range n {
			told := rejection.Rejection{Sender: sender, Door: rejection.FHIR, Item: uint64(i + 1), Reason: "missing field", Field: fmt.Sprintf("entry[%d].resource.status", i), Rule: "must be there", At: noon}
			if change != nil {
				change(&told)
			}
			if err := rejection.Publish(t.Context(), r.js, told); err != nil {
				t.Fatal(err)
			}
		}
	}
	publish(30, nil)
	publish(2, func(told *rejection.Rejection) {
		told.Door, told.Field, told.At = rejection.CSV, "DATE_AND_TIME", noon.Add(-2*time.Hour)
	})
	if _, err := r.js.Publish(t.Context(), rejection.Subject(sender), []byte("no rejection")); err != nil {
		t.Fatal(err)
	}
	kept := func(want string) {
		t.Helper()
		eventually(t, func() string {
			var got string
			if err := r.clickhouse.QueryRow(t.Context(), `SELECT arrayStringConcat(groupArray(concat(toString(hour), ' ', door, ' ', reason, ' ', field, ' ', toString(items))), ', ')
				FROM (SELECT * FROM reporting.rejections WHERE sender = ? ORDER BY hour)`, sender).Scan(&got); err != nil {
				t.Fatal(err)
			}
			if got != want {
				return fmt.Sprintf("%s, want %s", got, want)
			}
			return ""
		})
	}
	for range 2 {
		run := r.collect(nil)
		other := r.collect(nil)
		kept("2026-11-22 10:00:00 csv missing field DATE_AND_TIME 2, 2026-11-22 12:00:00 fhir missing field entry[].resource.status 30")
		if err := run.finish(); err != nil {
			t.Error(err)
		}
		if err := other.finish(); err != nil {
			t.Error(err)
		}
	}
	publish(1, nil)
	r.collect(nil)
	kept("2026-11-22 10:00:00 csv missing field DATE_AND_TIME 2, 2026-11-22 12:00:00 fhir missing field entry[].resource.status 31")
}
