package event_test

import (
	"os"
	"regexp"
	"testing"
	"time"

	"gapwatch/services/internal/event"
	"gapwatch/services/internal/programme"
)

// TestTheReadmesExampleIsAccepted sends the README's `nats pub` line through the decoder.
func TestTheReadmesExampleIsAccepted(t *testing.T) {
	text, err := os.ReadFile("../../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	line := regexp.MustCompile(`(?s)nats pub (\S+) -H 'Nats-Msg-Id:([^']+)' '(\{.*?\}\})'`).FindSubmatch(text)
	if line == nil {
		t.Fatal("the README has no nats pub line")
	}
	set, err := programme.Load("")
	if err != nil {
		t.Fatal(err)
	}
	decoder := event.Decoder{Programmes: set, Now: func() time.Time { return time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC) }}
	e, rejected := decoder.Decode(string(line[1]), line[3])
	if rejected != nil {
		t.Fatal(rejected)
	}
	if got := event.MsgID(&e); got != string(line[2]) {
		t.Errorf("the header says %s, the event %s", line[2], got)
	}
}
