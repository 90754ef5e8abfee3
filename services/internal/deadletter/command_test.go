package deadletter_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"gapwatch/services/internal/collect"
	"gapwatch/services/internal/deadletter"
	"gapwatch/services/internal/event"
	"gapwatch/services/internal/stream"
)

var came = time.Date(2026, 11, 20, 23, 30, 0, 0, time.UTC)

// several puts letters of several kinds into the stream, the i-th i days after came.
func (d *desk) several() {
	d.t.Helper()
	kept := sample(1)
	payload, subject := string(event.Encode(&kept)), event.Subject(&kept)
	letter := func(i int, l collect.Letter, subject string) {
		l.Detail, l.Stream, l.StreamCreated, l.Sequence, l.Received, l.Size = "must be right", stream.Events, came, uint64(10+i), came.AddDate(0, 0, i), 300
		d.letter(subject, l)
	}
	letter(0, collect.Letter{Reason: event.NoSeason, Field: "data.occurredAt", Sender: "gp-north", Request: request, Subject: subject, SHA256: "ab", Payload: payload}, "prevention.deadletter.gp-north.no-season")
	letter(1, collect.Letter{Reason: event.NoSeason, Field: "data.occurredAt", Sender: "gp-north", Request: request, Subject: "prevention.events.vaccination.mmr-2", Payload: payload}, "prevention.deadletter.gp-north.no-season")
	letter(2, collect.Letter{Reason: event.NoSeason, Field: "data.occurredAt", Subject: subject, Payload: payload}, "prevention.deadletter.no-season") // of a release before
	letter(3, collect.Letter{Reason: event.NHSNumber, Field: "header", Sender: "gp-south"}, "prevention.deadletter.gp-south.nhs-number")
	letter(4, collect.Letter{Reason: event.NotJSON, Field: "payload", Subject: "prevention.events.\x1b[31m.\u202egnp", Sender: "gp-south"}, "prevention.deadletter.gp-south.not-json")
	d.letter("prevention.deadletter.what", "is this")
}

func TestTheCommand(t *testing.T) {
	d := newDesk(t, stream.Options{})
	d.several()
	for _, c := range []struct {
		args string
		want []string // sequences that are listed
	}{
		{"", []string{"1", "2", "3", "4", "5", "6"}},
		{"--reason|no season", []string{"1", "2", "3"}},
		{"--reason|no-season", []string{"1", "2", "3"}},
		{"--reason|NHS number", []string{"4"}},
		{"--reason|not a letter", []string{"6"}},
		{"--sender|gp-north", []string{"1", "2"}},
		{"--sender|direct", []string{"3", "6"}},
		{"--programme|flu-65", []string{"1", "3"}},
		{"--programme|mmr-2", []string{"2"}},
		{"--from|2026-11-22|--to|2026-11-23", []string{"3", "4"}}, // the sixth came now: see below
		{"--from|2026-11-21T23:30:00Z|--to|2026-11-22T23:30:00Z", []string{"2"}},
		{"--reason|no season|--programme|flu-65|--sender|direct", []string{"3"}},
		{"--sender|nobody", nil},
	} {
		out, err := d.run(append([]string{"list", "--each"}, strings.FieldsFunc(c.args, func(r rune) bool { return r == '|' })...)...)
		if err != nil {
			t.Errorf("%s: %v", c.args, err)
		}
		var got []string
		for _, line := range strings.Split(strings.TrimSpace(out), "\n")[1:] {
			if sequence := strings.Fields(line)[0]; sequence != "6" || !strings.Contains(c.args, "--from") {
				got = append(got, sequence)
			}
		}
		if strings.Join(got, " ") != strings.Join(c.want, " ") {
			t.Errorf("%s lists %v, want %v", c.args, got, c.want)
		}
	}

	out, err := d.run("list", "--to", "2026-11-25", "--from", "2026-11-01", "--reason", "no season")
	want := `REASON     FIELD            SENDER    LETTERS  FIRST                 LAST                  CAN BE REPLAYED  ASK THE SENDER
no season  data.occurredAt  gp-north  2        2026-11-20 23:30:00Z  2026-11-21 23:30:00Z  2                0
no season  data.occurredAt  direct    1        2026-11-22 23:30:00Z  2026-11-22 23:30:00Z  1                0

3 dead letters. 3: the payload is kept; once what was wrong here is repaired, replay.
`
	if err != nil || out != want {
		t.Errorf("%v\n%s", err, out)
	}
	out, err = d.run("list", "--sender", "gp-south")
	if err != nil || !strings.Contains(out, "2 dead letters. 2: without payload; ask the sender to send again.") {
		t.Errorf("%v\n%s", err, out)
	}

	out, err = d.run("show", "1")
	for _, want := range []string{"no season", "data.occurredAt", "must be right", "gp-north", request, "flu-65", "10 of PREVENTION_EVENTS", `"person": "01000100000000000000000000000000"`} {
		if err != nil || !strings.Contains(out, want) {
			t.Errorf("%v, no %s in\n%s", err, want, out)
		}
	}
	out, err = d.run("show", "5")
	if err != nil || strings.ContainsAny(out, "\x1b\u202e") || !strings.Contains(out, "ask the sender") {
		t.Errorf("%v\n%q", err, out)
	}

	out, err = d.run("replay", "--by", "sam", "--dry-run")
	if !errors.Is(err, deadletter.ErrLeft) || deadletter.ExitCode(err) != 3 || !strings.Contains(out, "2 dead letters would be replayed.") ||
		!strings.Contains(out, "1 would be refused again: subject mismatch: subject must be") || !strings.Contains(out, "3 have no payload: ask the sender to send again.") {
		t.Errorf("%v\n%s", err, out)
	}
	d.check("letters after a dry run", d.state(stream.DeadLetters).Msgs, 6)
	d.check("messages after a dry run", d.state(stream.Events).Msgs, 0)
	out, err = d.run("replay", "3", "--by", "sam")
	if err != nil || !strings.Contains(out, "1 dead letter replayed") {
		t.Errorf("%v\n%s", err, out)
	}
	d.check("messages", d.state(stream.Events).Msgs, 1)

	out, err = d.run("discard", "--note", "gp-south has a new release", "--by", "sam", "--sender", "gp-south", "--dry-run")
	if err != nil || !strings.Contains(out, "2 dead letters would be discarded") {
		t.Errorf("%v\n%s", err, out)
	}
	d.check("letters after another dry run", d.state(stream.DeadLetters).Msgs, 5)
	d.check("in the log", d.count("SELECT count() FROM prevention.dead_letter_log WHERE action = 'discarded'"), 0)
	out, err = d.run("discard", "--note", "gp-south has a new release", "--by", "sam", "--sender", "gp-south")
	if err != nil || !strings.Contains(out, "2 dead letters discarded") {
		t.Errorf("%v\n%s", err, out)
	}
	d.check("letters", d.state(stream.DeadLetters).Msgs, 3)
	d.check("in the log", d.count(`SELECT count() FROM prevention.dead_letter_log WHERE action = 'discarded' AND note = 'gp-south has a new release' AND operator = 'sam'
		AND sender = 'gp-south' AND again = 0 AND at > now64(3) - INTERVAL 1 MINUTE AND (letter, sequence, reason, field) IN ((4, 13, 'NHS number', 'header'), (5, 14, 'not JSON', 'payload'))`), 2)
	out, err = d.run("discard", "--note", "the rest", "--by", "sam", "--all")
	if err != nil || !strings.Contains(out, "3 dead letters discarded.\n2 of them had their payload") {
		t.Errorf("%v\n%s", err, out)
	}
	d.check("letters", d.state(stream.DeadLetters).Msgs, 0)
	if out, err := d.run("list"); err != nil || !strings.Contains(out, "\n0 dead letters.\n") {
		t.Errorf("%v\n%s", err, out)
	}
	if _, err := d.run("show", "1"); !errors.Is(err, deadletter.ErrNotThere) || deadletter.ExitCode(err) != 1 {
		t.Error(err)
	}
}

func TestTheCommandLineIsWrong(t *testing.T) {
	d := newDesk(t, stream.Options{})
	d.several()
	for _, args := range []string{
		"", "remove", "list 7", "list --reason", "show", "show 1 2", "show x", "show 0", "replay --all", "replay --from yesterday", "list --from 2026-11-22 --to 2026-11-21",
		"discard --all --by sam", "discard --note why --by sam", "discard --note why --by sam --all 7", "discard --note 943|476|5919 --by sam --all", "discard --note why --by 9434765919 --all",
		"discard --all --note " + strings.Repeat("x", 1001) + " --by sam", "discard --all --note a\nb --by sam",
	} {
		words := strings.Split(args, " ")
		for i := range words {
			words[i] = strings.ReplaceAll(words[i], "|", " ")
		}
		if args == "" {
			words = nil
		}
		if _, err := d.run(words...); !errors.Is(err, deadletter.ErrUsage) || deadletter.ExitCode(err) != 2 || strings.Contains(fmt.Sprint(err), "9434765919") {
			t.Errorf("%.40s: %v", args, err)
		}
	}
	d.check("letters", d.state(stream.DeadLetters).Msgs, 6)
	if out, err := d.run("--help"); err != nil || out != deadletter.Usage {
		t.Error(err)
	}
}

// Without ClickHouse nothing is discarded: there would be no log of it. What is replayed may come twice and counts once.
func TestWithoutALogNothingIsRemoved(t *testing.T) {
	d := newDesk(t, stream.Options{})
	d.several()
	d.url = "http://127.0.0.1:1"
	if out, err := d.run("discard", "--all", "--by", "sam", "--note", "why"); !errors.Is(err, deadletter.ErrRetry) || !strings.Contains(out, "0 dead letters discarded") {
		t.Errorf("%v\n%s", err, out)
	}
	if out, err := d.run("replay", "--by", "sam"); !errors.Is(err, deadletter.ErrRetry) || !strings.Contains(out, "0 dead letters replayed") {
		t.Errorf("%v\n%s", err, out)
	}
	d.check("letters", d.state(stream.DeadLetters).Msgs, 6)
	if err := d.conn.Exec(t.Context(), "DROP TABLE prevention.dead_letter_log"); err != nil {
		t.Fatal(err)
	}
	if _, err := (deadletter.Discard{Log: d.log()}).Run(t.Context(), d.open(), deadletter.Filter{}); err == nil || errors.Is(err, deadletter.ErrRetry) || !strings.Contains(err.Error(), "schema") {
		t.Error(err)
	}
	d.check("letters", d.state(stream.DeadLetters).Msgs, 6)
	if err := d.js.DeleteStream(t.Context(), stream.DeadLetters); err != nil {
		t.Fatal(err)
	}
	if _, err := d.run("list"); !errors.Is(err, deadletter.ErrNoLetters) || deadletter.ExitCode(err) != 1 {
		t.Error(err)
	}
}
