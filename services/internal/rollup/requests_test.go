package rollup_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"gapwatch/services/internal/cases"
	"gapwatch/services/internal/rollup"
)

// The log of a tick names the requests that it counted, each once: the first few, and how many more there are. The next tick
// does not name them again.
func TestTheLogNamesTheRequestsThatWereCounted(t *testing.T) {
	b := newBench(t)
	var log bytes.Buffer
	a, err := rollup.New(rollup.Config{ClickHouse: b.conn, Programmes: b.set, Log: slog.New(slog.NewTextHandler(&log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	tick := func() string {
		t.Helper()
		log.Reset()
		if _, err := a.Tick(t.Context()); err != nil {
			t.Fatal(err)
		}
		return log.String()
	}
	all, _, err := cases.Read()
	if err != nil {
		t.Fatal(err)
	}
	put := func(request string) {
		t.Helper()
		b.put(b.decode(&all[0], 0))
		b.exec("INSERT INTO prevention.handled (stream, sequence, outcome, request) VALUES (?, ?, 'stored', ?)", b.stream, b.sequence, request)
	}
	put("")
	tick() // the first one counts everybody
	put("")
	if text := tick(); strings.Contains(text, "counted") {
		t.Errorf("without a request: %s", text)
	}
	for i := range 24 {
		put(fmt.Sprintf("%024x", i/2))
	}
	text := tick()
	if strings.Count(text, "msg=counted") != 1 || !strings.Contains(text, "more_requests=2") {
		t.Errorf("%s", text)
	}
	for i := range 12 {
		if got := strings.Count(text, fmt.Sprintf("%024x", i)); got != 1 && i < 10 || got != 0 && i >= 10 {
			t.Errorf("request %d stands there %d times: %s", i, got, text)
		}
	}
	put("")
	if text := tick(); strings.Contains(text, "counted") {
		t.Errorf("named again: %s", text)
	}
}
