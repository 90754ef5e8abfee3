package intake_test

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/nats-io/nats.go/jetstream"

	"gapwatch/schemas"
	"gapwatch/services/internal/admit"
	"gapwatch/services/internal/collect"
	"gapwatch/services/internal/engine/enginetest"
	"gapwatch/services/internal/intake"
	"gapwatch/services/internal/mapping"
	"gapwatch/services/internal/postcode"
	"gapwatch/services/internal/programme"
	"gapwatch/services/internal/pseudonym"
	"gapwatch/services/internal/rejection"
	"gapwatch/services/internal/rollup"
	"gapwatch/services/internal/store"
	"gapwatch/services/internal/stream"
	"gapwatch/services/internal/stream/streamtest"
	"gapwatch/services/internal/telemetry"
)

func TestMain(m *testing.M) { enginetest.Main(m) }

// Where people of the published examples live, for the test: the postcodes of the look-up, with the quintile of each.
var realPostcodes = map[string]uint8{"EC1A 1BB": 2, "NE23 1NW": 4, "GU14 6TU": 5} // NE46 1EA is not known

// watched are the vaccines of the published examples; each is a programme for everybody, on any day of some years.
var watched = []string{"covid", "flu", "mmr", "rsv", "hpv"}

// TestRealSenders sends every published example through the real door and on to the counts. All of them share a stream and a
// store, and each comes into an empty one: with keys of its own a file has people and records that no other file has, and what is
// counted after it and was not before is its own. What each item is to become is in
// services/internal/fhir/testdata/verdicts.csv and services/internal/extract/testdata/verdicts.csv, with why that differs from
// what its publisher says; where those that are taken count is in testdata/real.csv, to the number.
func TestRealSenders(t *testing.T) {
	folder := realEvents(t)
	resources, rows := readTable(t, "../fhir/testdata/verdicts.csv"), readTable(t, "../extract/testdata/verdicts.csv")
	where := readTable(t, "testdata/real.csv")
	var files []string
	for _, v := range resources {
		files = append(files, v["file"])
	}
	for _, v := range rows {
		files = append(files, "nhs_batch/"+v["file"])
	}
	files = slices.Compact(files)
	// Every file that there is, so that no new one is forgotten.
	for _, pattern := range []string{"fhir_*/*.json", "nhs_batch/*.csv"} {
		found, err := filepath.Glob(filepath.Join(folder, pattern))
		if err != nil || len(found) == 0 {
			t.Fatal(pattern, err)
		}
		for _, path := range found {
			if name := filepath.Base(filepath.Dir(path)) + "/" + filepath.Base(path); !slices.Contains(files, name) {
				t.Errorf("%s is in no table", name)
			}
		}
	}
	// And one after the other: the retraction takes back what another file says of its record.
	const taken, retracts = "fhir_valid/nhs_delta_vaccination5.json", "fhir_invalid/mut_status_entered_in_error.json"
	files = append(files, taken+"+"+retracts, retracts+"+"+taken)

	p := realPipeline(t)
	for _, file := range files {
		t.Run(file, func(t *testing.T) {
			d := p.door(t)
			accepted := 0
			want := map[string]int64{}
			for one := range strings.SplitSeq(file, "+") {
				body, err := os.ReadFile(filepath.Join(folder, filepath.FromSlash(one)))
				if err != nil {
					t.Fatal(err)
				}
				if name, isRows := strings.CutPrefix(one, "nhs_batch/"); isRows {
					accepted += sendRows(d, string(body), having(rows, "file", name))
				} else {
					accepted += sendResource(d, string(body), having(resources, "file", one))
				}
			}
			if !strings.Contains(file, "+") {
				for _, w := range having(where, "file", file) {
					want[fmt.Sprintf("%s on %s in quintile %s", w["programme"], w["day"], w["quintile"])]++
				}
			}
			if got := p.count(t, accepted); fmt.Sprint(got) != fmt.Sprint(want) {
				t.Errorf("counted are %v, want %v", got, want)
			}
		})
	}
}

// sendResource sends a FHIR file and holds the answer against the table: verdict, status and field of each entry.
func sendResource(d *door, body string, verdicts []map[string]string) (published int) {
	t := d.t
	status := http.StatusAccepted
	if len(verdicts) == 1 && verdicts[0]["verdict"] == "rejected" {
		status = http.StatusUnprocessableEntity
	}
	a := d.send(status, request{path: "/v1/fhir", media: "application/fhir+json", body: body})
	var outcome struct {
		Issue []struct {
			Severity, Code string
			Expression     []string
			Details        struct {
				Text   string
				Coding []struct{ Code string }
			}
		}
	}
	if err := json.Unmarshal([]byte(a.text), &outcome); err != nil || len(outcome.Issue) != len(verdicts) {
		t.Fatalf("%v, %d issues for %d items: %s", err, len(outcome.Issue), len(verdicts), a.text)
	}
	codes := map[string]string{"taken": "accepted", "retraction": "accepted", "rejected": "rejected", "no record": "no-record"}
	for i, v := range verdicts {
		issue := outcome.Issue[i]
		if len(issue.Details.Coding) != 1 || issue.Details.Coding[0].Code != codes[v["verdict"]] {
			t.Errorf("item %s is %+v, want %s", v["entry"], issue, v["verdict"])
		}
		switch v["verdict"] {
		case "taken", "retraction":
			published++
		case "rejected":
			if !strings.Contains(issue.Details.Text, v["field"]+" ") || issue.Severity != "error" {
				t.Errorf("item %s: %q does not name %s", v["entry"], issue.Details.Text, v["field"])
			}
			if v["publisher"] == "True" && v["why"] == "" {
				t.Errorf("the table does not say why we refuse what its publisher takes")
			}
		}
	}
	return published
}

// sendRows sends a file of rows and holds the answer against the table.
func sendRows(d *door, body string, verdicts []map[string]string) (published int) {
	t := d.t
	a := d.send(http.StatusAccepted, request{path: "/v1/csv?layout=nhs-batch", media: "text/csv", body: body})
	if int(a.Items) != len(verdicts) || len(a.Results) != len(verdicts) {
		t.Fatalf("%d items, want %d: %s", a.Items, len(verdicts), a.text)
	}
	for i, v := range verdicts {
		r := a.Results[i]
		if fmt.Sprint(r.Item) != v["row"] || r.Field != v["door_field"] || (r.Outcome == "accepted") != (v["door"] == "taken") || (r.Outcome == "rejected") != (v["door"] == "rejected") {
			t.Errorf("row %s is %+v, want %s %s", v["row"], r, v["door"], v["door_field"])
		}
		if v["door"] == "taken" {
			published++
		}
	}
	return published
}

// TestNotificationIsNoRecord sends the notification that the NHS sends when a vaccination record changed. It is a CloudEvent and
// points to the record, of which it says nothing: whoever receives it must fetch the record and send that. So it is refused, by
// the field that is not there, and the NHS number that is its subject is said nowhere.
func TestNotificationIsNoRecord(t *testing.T) {
	data, err := os.ReadFile(filepath.Join(realEvents(t), "mns", "expected_notification.json"))
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Event json.RawMessage `json:"expected_cloudevent"`
	}
	if err := json.Unmarshal(data, &file); err != nil {
		t.Fatal(err)
	}
	d := open(t, nil)
	a := d.send(http.StatusUnprocessableEntity, request{path: "/v1/events", media: one, body: string(file.Event)})
	if a.Field != "data" || a.Rule != "must be there" || a.Reason != "missing field" {
		t.Errorf("%s", a.text)
	}
	page, err := rejection.List(t.Context(), d.js, "gp", 0, 10)
	if err != nil || len(page.Rejections) != 1 || page.Rejections[0].Field != "data" {
		t.Errorf("rejections %+v, %v", page, err)
	}
	if said := a.text + fmt.Sprint(a.header, page) + d.log.String(); strings.Contains(said, "9481152782") {
		t.Errorf("the NHS number is said: %s", said)
	}
}

// realEvents is the folder of published examples, which tests read in place.
func realEvents(t *testing.T) string {
	t.Helper()
	root := os.Getenv("GAPWATCH_REAL_DATA")
	if root == "" {
		root = "../../../../shared/data"
	}
	folder := filepath.Join(root, "events")
	if _, err := os.Stat(folder); os.IsNotExist(err) {
		t.Skipf("no real data at %s: set GAPWATCH_REAL_DATA", folder)
	}
	return folder
}

func readTable(t *testing.T, path string) (all []map[string]string) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(strings.NewReader(string(text))).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range rows[1:] {
		values := map[string]string{}
		for i, name := range rows[0] {
			values[name] = row[i]
		}
		all = append(all, values)
	}
	return all
}

func having(all []map[string]string, column, value string) (some []map[string]string) {
	for _, row := range all {
		if row[column] == value {
			some = append(some, row)
		}
	}
	return some
}

// watchedProgrammes is a programme file that watches the vaccines of the examples.
func watchedProgrammes(t *testing.T) *programme.Set {
	t.Helper()
	text := "imd: 2025\nprogrammes:\n"
	for _, vaccine := range watched {
		text += fmt.Sprintf("  - {id: %s, name: %s, kind: seasonal, event: vaccination, target: 75, history_from: 2020-01-01, retention: 240, "+
			"limits: {floor: 100, smallest_change: 1, unknown_area: 5, ceiling: 20}, eligible: all, source: test, seasons: [{id: all, start: 2020-01-01, end: 2026-11-22}]}\n", vaccine, vaccine)
	}
	set, err := programme.Parse("programmes.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return set
}

// pipeline is what the doors of all files publish to, up to the counts.
type pipeline struct {
	nats       *streamtest.Server
	js         jetstream.JetStream
	clickhouse driver.Conn
	set        *programme.Set
	mapping    *mapping.Tables
	postcodes  *postcode.Index
	aggregator *rollup.Aggregator

	accepted uint64           // so far
	counted  map[string]int64 // so far: newly covered by programme, day and quintile
}

func realPipeline(t *testing.T) *pipeline {
	t.Helper()
	p := &pipeline{nats: streamtest.New(t), set: watchedProgrammes(t), counted: map[string]int64{}}
	var err error
	if p.mapping, err = mapping.Parse("mapping", watchedMapping(t), p.set); err != nil {
		t.Fatal(err)
	}
	url := enginetest.URL(t)
	p.nats.Ensure(stream.Options{})
	if err := store.Migrate(t.Context(), url); err != nil {
		t.Fatal(err)
	}
	if p.clickhouse, err = store.Open(url); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.clickhouse.Close() })
	text := "postcode,lsoa\n"
	for code, quintile := range realPostcodes {
		lsoa := fmt.Sprintf("X0100000%d", quintile)
		text += code + "," + lsoa + "\n"
		if err := p.clickhouse.Exec(t.Context(), `INSERT INTO prevention.areas (batch, lsoa, neighbourhood, place, system, region, quintile_2019, quintile_2025)
			VALUES (1, ?, 'X02000001', 'X07000001', 'X54000001', '', 0, ?)`, lsoa, quintile); err != nil {
			t.Fatal(err)
		}
	}
	if err := p.clickhouse.Exec(t.Context(), "INSERT INTO prevention.loads (load, batch, kind, key, sha256) VALUES (1, 1, 'areas', '', 'test')"); err != nil {
		t.Fatal(err)
	}
	if p.postcodes, err = postcode.Read("postcodes.csv", strings.NewReader(text)); err != nil {
		t.Fatal(err)
	}
	logger := slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn}))
	_, p.js = p.nats.Connect()
	collector, err := collect.New(collect.Config{JetStream: p.js, ClickHouse: p.clickhouse, Programmes: p.set, Logger: logger, MaxAge: 20 * time.Millisecond, InsertTimeout: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- collector.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	if p.aggregator, err = rollup.New(rollup.Config{ClickHouse: p.clickhouse, Programmes: p.set, Log: logger}); err != nil {
		t.Fatal(err)
	}
	return p
}

// door opens a door with keys of its own.
func (p *pipeline) door(t *testing.T) *door {
	t.Helper()
	generated, err := pseudonym.Generate("k-1")
	if err != nil {
		t.Fatal(err)
	}
	own, err := pseudonym.Parse("keys.yaml", generated)
	if err != nil {
		t.Fatal(err)
	}
	d := &door{t: t, nats: p.nats, log: &log{}, telemetry: telemetry.New(), keys: own, ended: make(chan error, 1), doc: openapi(t)}
	d.start(func(c *intake.Config) {
		c.Door = &admit.Door{Programmes: p.set, Mapping: p.mapping, Keys: own, Postcodes: p.postcodes, Now: func() time.Time { return now }}
		senders, err := intake.ParseSenders(fmt.Appendf(nil, "senders:\n  - {id: gp, tokens: [%s], sources: [\"urn:example:gp\", \"https://supplierABC/identifiers/vacc\", \"*\"], programmes: [\"*\"]}\n", hash(tokens["gp"])), p.set)
		if err != nil {
			t.Fatal(err)
		}
		c.Senders = senders
	})
	return d
}

// watchedMapping is the shipped tables, but for the programmes.
func watchedMapping(t *testing.T) fs.FS {
	t.Helper()
	in := fstest.MapFS{}
	shipped, err := fs.Glob(schemas.Files, "mapping/*.csv")
	if err != nil || len(shipped) == 0 {
		t.Fatal(shipped, err)
	}
	for _, path := range shipped {
		data, err := schemas.Files.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		in[filepath.Base(path)] = &fstest.MapFile{Data: data}
	}
	header, _, _ := strings.Cut(string(in["programmes.csv"].Data), "\n")
	text := header + "\n"
	for _, vaccine := range watched {
		row := make([]string, len(strings.Split(header, ",")))
		row[0], row[1], row[len(row)-1] = vaccine, vaccine, "test"
		text += strings.Join(row, ",") + "\n"
	}
	in["programmes.csv"] = &fstest.MapFile{Data: []byte(text)}
	return in
}

// count waits until what was accepted besides is stored, has it counted, and says who is newly covered now that was not before:
// how many by programme, day and quintile.
func (p *pipeline) count(t *testing.T, accepted int) map[string]int64 {
	t.Helper()
	if accepted == 0 {
		events, err := p.js.Stream(t.Context(), stream.Events)
		if err != nil || events.CachedInfo().State.LastSeq != p.accepted {
			t.Errorf("nothing was accepted, and %d messages are in the stream instead of %d: %v", events.CachedInfo().State.LastSeq, p.accepted, err)
		}
		return map[string]int64{}
	}
	p.accepted += uint64(accepted)
	var stored, dead uint64
	until(t, "all that was accepted is stored", func() bool {
		if err := p.clickhouse.QueryRow(t.Context(), "SELECT countIf(outcome = 'stored'), countIf(outcome != 'stored') FROM prevention.handled FINAL").Scan(&stored, &dead); err != nil {
			t.Fatal(err)
		}
		return stored+dead >= p.accepted
	})
	if stored != p.accepted || dead != 0 {
		t.Errorf("%d were accepted, %d are stored, %d are dead letters", p.accepted, stored, dead)
	}
	if result, err := p.aggregator.Tick(t.Context()); err != nil || result.At.Sequence != p.accepted {
		t.Fatalf("counted up to %d, want %d: %v", result.At.Sequence, p.accepted, err)
	}
	now := map[string]int64{}
	for _, vaccine := range watched {
		if err := rollup.ReadCells(t.Context(), p.clickhouse, vaccine, func(c rollup.Cell, n rollup.Counts) error {
			quintile := "unknown"
			if c.Quintile > 0 {
				quintile = fmt.Sprint(c.Quintile)
			}
			if c.Level == rollup.Neighbourhood && n != (rollup.Counts{Newly: n.Newly}) {
				t.Errorf("%+v on %s", n, c.Day)
			} else if c.Level == rollup.Neighbourhood {
				now[fmt.Sprintf("%s on %s in quintile %s", vaccine, c.Day, quintile)] += n.Newly
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
	}
	more := map[string]int64{}
	for group, n := range now {
		if n -= p.counted[group]; n != 0 {
			more[group] = n
		}
	}
	for group, n := range p.counted {
		if _, still := now[group]; !still {
			more[group] = -n
		}
	}
	p.counted = now
	return more
}
