package deploycheck_test

import (
	"context"
	"encoding/hex"
	"encoding/xml"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"gapwatch/services/internal/collect"
	"gapwatch/services/internal/erase"
	"gapwatch/services/internal/event"
	"gapwatch/services/internal/store"
	"gapwatch/services/internal/stream"
)

// TestLogsOfClickHouseHaveNoPseudonyms tries the masking rule on a query as the driver writes it. The embedded engine has no
// such rules, so that a server has not been asked.
func TestLogsOfClickHouseHaveNoPseudonyms(t *testing.T) {
	var config struct {
		Rules []struct {
			Regexp  string `xml:"regexp"`
			Replace string `xml:"replace"`
		} `xml:"query_masking_rules>rule"`
	}
	if err := xml.Unmarshal([]byte(read(t, "deploy/clickhouse/config.xml")), &config); err != nil || len(config.Rules) != 1 {
		t.Fatalf("%+v, %v", config, err)
	}
	masked := regexp.MustCompile(config.Rules[0].Regexp)
	person := uuid.New()
	query := "WHERE person IN ('" + person.String() + "', '" + strings.ToUpper(person.String()) + "') OR id = '" + hex.EncodeToString(person[:]) + "' AND day = '2026-11-22'"
	if got, want := masked.ReplaceAllString(query, config.Rules[0].Replace), "WHERE person IN ('(uuid)', '(uuid)') OR id = '(uuid)' AND day = '2026-11-22'"; got != want {
		t.Error(got)
	}
}

// TestEraseMayDoItsWork erases as NATS's user erase and as ClickHouse's user gapwatch, with the files that are shipped.
func TestEraseMayDoItsWork(t *testing.T) {
	s := natsServer(t, compose(t))
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	users := read(t, "deploy/clickhouse/users.xml")
	url := engineAs(t, migrated(t, users), "gapwatch", users).URL()
	conn, err := store.Open(url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close() //nolint:errcheck // everything was confirmed
	collector := connect(t, s, "collector")
	if err := stream.Ensure(ctx, collector.js, stream.Options{}); err != nil {
		t.Fatal(err)
	}
	people := []event.Pseudonym{{1, 2, 3}, {4, 5, 6}}
	intake := connect(t, s, "intake")
	for i, p := range people {
		text := fmt.Appendf(nil, `{"person":"%s"}`, p)
		if _, err := stream.Publish(ctx, intake.js, stream.Message("prevention.events.vaccination.flu-65", fmt.Sprint(i), text)); err != nil {
			t.Fatal(err)
		}
		if _, err := stream.Publish(ctx, collector.js, stream.Message(stream.DeadLetterPrefix+"direct.bad-day", fmt.Sprint(i), text)); err != nil {
			t.Fatal(err)
		}
	}
	consumer, err := collect.EnsureConsumer(ctx, collector.js, time.Minute, 100)
	if err != nil {
		t.Fatal(err)
	}
	messages, err := collect.Fetch(consumer, len(people), 1<<20, 20*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	for _, msg := range messages {
		if err := msg.DoubleAck(ctx); err != nil {
			t.Fatal(err)
		}
	}
	if err := collect.InsertRows(ctx, conn, []collect.Row{{Event: event.Event{Programme: "flu-65", Season: "2026-27", Person: people[0], Previous: event.Pseudonym{7},
		RecordID: event.RecordID{1}, Status: event.Completed}, Stream: 1, Sequence: 1, Received: time.Now()}}); err != nil {
		t.Fatal(err)
	}
	eraser := connect(t, s, "erase")
	result, err := erase.Run(ctx, erase.Config{ClickHouse: conn, JetStream: eraser.js, People: people[:1], Reference: "r", By: "test"})
	if err != nil || result.Messages != 1 || result.DeadLetters != 1 || result.Rows != 3 || result.Pseudonyms != 2 {
		t.Errorf("%+v, %v", result, err)
	}
	if eraser.refused() {
		t.Error("the user erase is refused something that it needs")
	}
	for _, name := range []string{stream.Events, stream.DeadLetters} {
		st, err := collector.js.Stream(ctx, name)
		if err != nil || st.CachedInfo().State.Msgs != 1 {
			t.Errorf("%s: %+v, %v", name, st.CachedInfo().State, err)
		}
	}
}
