package collect_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"gapwatch/services/internal/collect"
	"gapwatch/services/internal/event"
	"gapwatch/services/internal/stream"
)

const examples = "../../../schemas/events/examples"

// bad is a message that must become a dead letter.
type bad struct {
	name, subject string
	payload       []byte
	reason, field string
	identifying   bool
}

// subjectOf is where an example belongs by what it says of itself.
func subjectOf(payload []byte) string {
	var e struct {
		Type string
		Data struct{ Programme string }
	}
	_ = json.Unmarshal(payload, &e) // many examples are no JSON
	kind := "vaccination"
	if strings.HasSuffix(e.Type, "health-check.v1") {
		kind = "health-check"
	}
	if e.Data.Programme == "" {
		e.Data.Programme = "flu-65"
	}
	return event.SubjectPrefix + kind + "." + e.Data.Programme
}

// badInput is every invalid example of the schemas and what no file can hold.
func badInput(t *testing.T) []bad {
	t.Helper()
	var expectations map[string]struct {
		Reason, Field, Subject string
		Identifying            bool
	}
	text, err := os.ReadFile(filepath.Join(examples, "invalid", "expectations.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &expectations); err != nil {
		t.Fatal(err)
	}
	var all []bad
	for name, want := range expectations {
		payload, err := os.ReadFile(filepath.Join(examples, "invalid", name))
		if err != nil {
			t.Fatal(err)
		}
		if want.Subject == "" {
			want.Subject = subjectOf(payload)
		}
		all = append(all, bad{name, want.Subject, payload, want.Reason, want.Field, want.Identifying})
	}
	valid, err := os.ReadFile(filepath.Join(examples, "valid", "vaccination.json"))
	if err != nil {
		t.Fatal(err)
	}
	subject := subjectOf(valid)
	large := append(bytes.TrimRight(bytes.Clone(valid), "}\n\r "), []byte("},\"x\":\""+strings.Repeat("x", event.MaxBytes)+"\"}")...)
	return append(all,
		bad{"over 1 MB", subject, large, "too large", "payload", false},
		bad{"empty", subject, nil, "not JSON", "payload", false},
		bad{"NHS number in the subject", subject + ".9434765919", valid, "subject mismatch", "subject", true},
		bad{"NHS number in text", subject, []byte("patient 943 476 5919 had the jab"), "not JSON", "payload", true},
		bad{"NHS number in what is too large", subject, append([]byte("9434765919 "), large...), "too large", "payload", true},
	)
}

func TestBadInputBecomesADeadLetterWithItsReason(t *testing.T) {
	r := newRig(t, stream.Options{})
	all := badInput(t)
	sequences := make([]uint64, len(all))
	for i, b := range all {
		sequences[i] = r.send(b.subject, "bad|"+b.name, b.payload)
	}
	extra := r.sample(1)
	withExtra := bytes.Replace(event.Encode(&extra), []byte(`"data":{`), []byte(`"later":{"a":[1]},"data":{"alsoLater":true,`), 1)
	r.send(event.Subject(&extra), "extra", withExtra)
	run := r.collect(nil)
	r.settled()

	letters := r.letters()
	reasons := make(map[string]float64)
	for i, b := range all {
		t.Run(b.name, func(t *testing.T) {
			letter, ok := letters[sequences[i]]
			if !ok {
				t.Fatal("no dead letter")
			}
			reasons[b.reason]++
			if string(letter.Reason) != b.reason || letter.Field != b.field || letter.Detail == "" {
				t.Errorf("%s: %s (%s), want %s: %s", letter.Reason, letter.Field, letter.Detail, b.reason, b.field)
			}
			if letter.Size != len(b.payload) || letter.Stream != stream.Events || uint64(letter.StreamCreated.UnixNano()) != r.created() || letter.Received.IsZero() {
				t.Errorf("%+v", letter)
			}
			sum := sha256.Sum256(b.payload)
			switch {
			case b.identifying && (letter.Subject != "" || letter.SHA256 != "" || letter.Payload != ""):
				t.Errorf("an identifying message's letter has subject, hash or payload: %+v", letter)
			case !b.identifying && (letter.Subject != b.subject || letter.SHA256 != hex.EncodeToString(sum[:])):
				t.Errorf("subject %q, hash %q", letter.Subject, letter.SHA256)
			case letter.Payload != "" && letter.Payload != string(b.payload):
				t.Errorf("another payload was kept")
			}
		})
	}
	for name, kept := range map[string]bool{"no-season.json": true, "lsoa-is-a-postcode.json": true, "not-json.json": false, "person-too-short.json": false, "over 1 MB": false} {
		for i, b := range all {
			if b.name == name && (letters[sequences[i]].Payload != "") != kept {
				t.Errorf("%s: payload kept: %v", name, !kept)
			}
		}
	}
	r.check("dead letters", uint64(len(letters)), uint64(len(all)))
	r.check("handled as dead letters", r.handled("dead letter"), uint64(len(all)))
	r.check("rows", r.stored(), 1)
	for reason, n := range reasons {
		if got := run.metric("gapwatch_dead_letters_total", "reason", reason); got != n {
			t.Errorf("%s: counted %v, want %v", reason, got, n)
		}
	}
	if got := run.metric("gapwatch_events_total", "outcome", "dead letter"); got != float64(len(all)) {
		t.Errorf("counted %v dead letters", got)
	}
	r.sameInClickHouse(letters)
	// They are what the contract says, and their subjects are what people filter by.
	schema, err := jsonschema.NewCompiler().Compile("../../../schemas/events/dead-letter.v1.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	for _, raw := range r.raw(stream.DeadLetters) {
		document, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw.Data))
		if err != nil {
			t.Fatal(err)
		}
		if err := schema.Validate(document); err != nil {
			t.Errorf("%s: %v", raw.Data, err)
		}
		var letter collect.Letter
		if err := json.Unmarshal(raw.Data, &letter); err != nil {
			t.Fatal(err)
		}
		if want := "prevention.deadletter.direct." + strings.ToLower(strings.ReplaceAll(string(letter.Reason), " ", "-")); raw.Subject != want {
			t.Errorf("subject %s, want %s", raw.Subject, want)
		}
	}
}

// sameInClickHouse compares what ClickHouse says of dead letters with the letters themselves, before and after everything
// was handled once more: the same rows again must change nothing, hours included.
func (r *rig) sameInClickHouse(letters map[uint64]collect.Letter) {
	r.t.Helper()
	const each = "SELECT count(), uniqExact(at), sum(sipHash64(sequence, at)) FROM prevention.dead_letters FINAL WHERE stream = ?"
	var n, times, content [2]uint64
	for i := range n {
		rows, err := r.clickhouse.Query(r.t.Context(), `SELECT sequence, reason, field, letters.reason, letters.field FROM prevention.handled FINAL
			LEFT JOIN (SELECT * FROM prevention.dead_letters FINAL) AS letters USING (stream, sequence)
			WHERE stream = ? AND (outcome = 'dead letter' OR reason != '' OR field != '')`, r.created())
		if err != nil {
			r.t.Fatal(err)
		}
		var again []collect.HandledRow
		for rows.Next() {
			var sequence uint64
			var handled, listed event.Rejection
			var reason, listedReason string
			if err := rows.Scan(&sequence, &reason, &handled.Field, &listedReason, &listed.Field); err != nil {
				r.t.Fatal(err)
			}
			handled.Reason, listed.Reason = event.Reason(reason), event.Reason(listedReason)
			if letter := letters[sequence]; handled.Reason != letter.Reason || handled.Field != letter.Field || handled != listed {
				r.t.Errorf("message %d: %v and %v, its letter says %s: %s", sequence, handled, listed, letter.Reason, letter.Field)
			}
			again = append(again, collect.HandledRow{Stream: r.created(), Sequence: sequence, Outcome: collect.DeadLetter, Rejection: &handled})
		}
		r.check("dead letters in ClickHouse", uint64(len(again)), uint64(len(letters)))
		if err := r.clickhouse.QueryRow(r.t.Context(), each, r.created()).Scan(&n[i], &times[i], &content[i]); err != nil {
			r.t.Fatal(err)
		}
		if err := collect.InsertHandled(r.t.Context(), r.clickhouse, again); err != nil {
			r.t.Fatal(err)
		}
	}
	if n[0] != n[1] || times[0] != times[1] || content[0] != content[1] {
		r.t.Errorf("handled again, %v letters at %v times (%v) became others", n, times, content)
	}
}

// A field comes from package event alone. Should something else ever stand there, it stays out of ClickHouse.
func TestAFieldOfAnotherKindIsNotStored(t *testing.T) {
	r := newRig(t, stream.Options{})
	row := collect.HandledRow{Stream: 7, Sequence: 1, Outcome: collect.DeadLetter, Rejection: &event.Rejection{Reason: event.DuplicateKey, Field: "data.9434765919"}}
	if err := collect.InsertHandled(t.Context(), r.clickhouse, []collect.HandledRow{row}); err != nil {
		t.Fatal(err)
	}
	r.check("rows with the word for it", r.count("SELECT count() FROM prevention.handled WHERE stream = 7 AND reason = 'duplicate key' AND field = 'other'"), 1)
	r.check("letters with the word for it", r.count("SELECT count() FROM prevention.dead_letters WHERE stream = 7 AND field = 'other'"), 1)
}

func TestNothingOfAnNHSNumberStays(t *testing.T) {
	r := newRig(t, stream.Options{})
	var logs bytes.Buffer
	var identifying int
	for i, b := range badInput(t) {
		if b.identifying {
			identifying++
			r.send(b.subject, fmt.Sprintf("urn:x:9434765919|%d", i), b.payload)
		}
	}
	good := r.sample(3)
	inHeader := stream.Message(event.Subject(&good), event.MsgID(&good), event.Encode(&good))
	inHeader.Header.Set("Sender-Reference", "943 476 5919")
	if _, err := r.js.PublishMsg(t.Context(), inHeader); err != nil {
		t.Fatal(err)
	}
	identifying++
	r.publish(r.samples(0, 3)...)
	run := r.collect(func(c *collect.Config) {
		c.Logger = slog.New(slog.NewTextHandler(&logs, &slog.HandlerOptions{Level: slog.LevelDebug}))
	})
	r.settled()
	if err := run.finish(); err != nil {
		t.Fatal(err)
	}
	numbers := [][]byte{[]byte("9434765919"), []byte("943 476 5919"), []byte("943-476-5919")}
	hold := func(b []byte) bool {
		for _, number := range numbers {
			if bytes.Contains(b, number) {
				return true
			}
		}
		return event.HoldsNHSNumber(b)
	}
	r.check("messages left", uint64(len(r.raw(stream.Events))), 3)
	r.check("dead letters", uint64(len(r.raw(stream.DeadLetters))), uint64(identifying))
	for _, name := range []string{stream.Events, stream.DeadLetters} {
		for _, raw := range r.raw(name) {
			if hold([]byte(raw.Subject)) || hold(raw.Data) || hold([]byte(fmt.Sprint(raw.Header))) {
				t.Errorf("%s %d: %s %s", name, raw.Sequence, raw.Subject, raw.Data)
			}
		}
	}
	for _, number := range numbers {
		if bytes.Contains(logs.Bytes(), number) {
			t.Errorf("in the log: %s", &logs)
		}
	}
	// On the server's disk too: its files are overwritten, not only forgotten.
	r.nats.Stop()
	files := 0
	err := filepath.WalkDir(r.nats.Dir(), func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		files++
		for _, number := range numbers {
			if at := bytes.Index(content, number); at >= 0 {
				t.Errorf("%s holds %q: %q", path, number, content[max(0, at-60):min(len(content), at+30)])
			}
		}
		return nil
	})
	if err != nil || files == 0 {
		t.Errorf("%d files, %v", files, err)
	}
}

// Between handling and removing, somebody else may have removed the message, or it may have expired.
func TestIdentifyingMessageThatIsGoneAlready(t *testing.T) {
	r := newRig(t, stream.Options{})
	numbered := r.sample(0)
	numbered.Record = "9434765919"
	r.publish(numbered, r.sample(1))
	run := r.collect(func(c *collect.Config) {
		c.Checkpoint = func(step collect.Step) error {
			if step == collect.Handled {
				r.deleteMessages(1)
			}
			return nil
		}
	})
	r.settled()
	r.check("handled as dead letters", r.handled("dead letter"), 1)
	if err := run.finish(); err != nil {
		t.Error(err)
	}
}

// A stream that is made again gives out the same sequences: what is removed must not be another message.
func TestIdentifyingMessageOfAStreamThatIsMadeAgain(t *testing.T) {
	r := newRig(t, stream.Options{})
	numbered := r.sample(0)
	numbered.Record = "9434765919"
	r.publish(numbered)
	var once sync.Once
	r.collect(func(c *collect.Config) {
		c.Checkpoint = func(step collect.Step) error {
			if step == collect.Handled {
				once.Do(func() {
					if err := r.js.DeleteStream(t.Context(), stream.Events); err != nil {
						t.Error(err)
					}
					if err := stream.Ensure(t.Context(), r.js, stream.Options{}); err != nil {
						t.Error(err)
					}
					r.publish(r.sample(1))
				})
			}
			return nil
		}
	})
	eventually(t, func() string {
		if stored := r.stored(); stored != 1 {
			return fmt.Sprintf("%d rows", stored)
		}
		return ""
	})
}
