package collect_test

import (
	"fmt"
	"testing"
	"time"

	"gapwatch/services/internal/collect"
	"gapwatch/services/internal/event"
	"gapwatch/services/internal/stream"
)

func TestEventsAreStoredAsTheyWereSent(t *testing.T) {
	r := newRig(t, stream.Options{})
	full := r.sample(0)
	full.Type, full.Programme, full.Day = event.TypeVaccination, "mmr-2", -25567 // 1 January 1900
	full.Cohort = r.programmes.Programmes[2].Seasons[0].ID
	full.Time = time.Date(1969, 12, 31, 23, 59, 59, 999_999_000, time.UTC)
	full.Previous, full.Dose, full.Plus = event.Pseudonym{9}, 2, []string{"homeless", "smi"}
	full.Status, full.Provider, full.Record = event.EnteredInError, "FA123", "rec/1"
	bare := r.sample(1)
	bare.LSOA, bare.Ethnicity, bare.Practice = "", "", ""
	decoded := decode(t, r, &full)
	r.publish(full, bare)
	run := r.collect(nil)
	r.settled()

	var programme, season, person, record, recordID, status, day, lsoa, ethnicity, practice, provider, previous, key, when string
	var precedence, created, sequence uint64
	var dose uint8
	var plus []string
	var received time.Time
	err := r.clickhouse.QueryRow(t.Context(), `SELECT programme, season, toString(person), record, toString(record_id), toString(status), toString(day),
		lsoa, ethnicity, practice, provider, toString(previous), person_key, toString(time), precedence, stream, sequence, dose, plus, received
		FROM prevention.events FINAL WHERE source = ? AND dose = 2`, full.Source).
		Scan(&programme, &season, &person, &record, &recordID, &status, &day, &lsoa, &ethnicity, &practice, &provider, &previous, &key, &when,
			&precedence, &created, &sequence, &dose, &plus, &received)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ what, got, want string }{
		{"programme", programme, "mmr-2"}, {"season", season, full.Cohort}, {"person", person, "01000000-0000-0000-0000-000000000000"},
		{"record", record, "rec/1"}, {"record id", recordID, uuidText(decoded.RecordID)}, {"status", status, "entered-in-error"},
		{"day", day, "1900-01-01"}, {"lsoa", lsoa, "E01000001"}, {"ethnicity", ethnicity, "A"}, {"practice", practice, "A81001"},
		{"provider", provider, "FA123"}, {"previous", previous, "09000000-0000-0000-0000-000000000000"}, {"key", key, "2026-1"},
		{"time", when, "1969-12-31 23:59:59.999999"},
	} {
		if c.got != c.want {
			t.Errorf("%s: %q, want %q", c.what, c.got, c.want)
		}
	}
	if precedence != decoded.Version.Precedence || created != r.created() || sequence != 1 || len(plus) != 2 || plus[0] != "homeless" {
		t.Errorf("precedence %d, stream %d, sequence %d, plus %v", precedence, created, sequence, plus)
	}
	if taken := r.raw(stream.Events)[0].Time; received.Sub(taken).Abs() > time.Millisecond {
		t.Errorf("received %v, taken %v", received, taken)
	}
	r.check("rows", r.stored(), 2)
	r.check("handled as stored", r.handled("stored"), 2)
	if err := run.finish(); err != nil {
		t.Error(err)
	}
	if got := run.metric("gapwatch_events_total", "outcome", "stored", "programme", "flu-65"); got != 1 {
		t.Errorf("counted %v events of flu-65", got)
	}
}

func TestStoppingFinishesTheBatchInHand(t *testing.T) {
	r := newRig(t, stream.Options{})
	r.publish(r.samples(0, 5000)...)
	inserting, goOn := make(chan struct{}, 100), make(chan struct{})
	run := r.collect(func(c *collect.Config) {
		c.Owners = 1
		c.Checkpoint = func(step collect.Step) error {
			if step == collect.Inserted {
				inserting <- struct{}{}
				<-goOn
			}
			return nil
		}
	})
	<-inserting
	run.stop()
	close(goOn)
	if err := run.wait(); err != nil {
		t.Fatal(err)
	}
	handled := r.handled("stored")
	if handled == 0 || handled == 5000 {
		t.Errorf("%d messages handled: not a stop in the middle", handled)
	}
	eventually(t, func() string { // the server has the acknowledgements and works them off
		consumer, err := r.js.Consumer(t.Context(), stream.Events, stream.Collector)
		if err != nil {
			return err.Error()
		}
		if info := consumer.CachedInfo(); info.NumAckPending != 0 || info.NumPending != 5000-handled {
			return fmt.Sprintf("handled %d, not acknowledged %d, unread %d", handled, info.NumAckPending, info.NumPending)
		}
		return ""
	})
	r.collect(nil)
	r.settled()
	r.check("rows", r.stored(), 5000)
}
