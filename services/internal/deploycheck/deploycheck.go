// Package deploycheck proves on a ClickHouse server what the reporting reader can do and what it cannot, by trying it
// as that user: what deploy/clickhouse/users.xml promises. Its tests hold everything else in deploy/ to its word.
package deploycheck

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"gapwatch/schemas"
	"gapwatch/services/internal/settings"
	"gapwatch/services/internal/store"
)

// Settings are the two users, as the services and Grafana are told them.
type Settings struct {
	settings.ClickHouse
	ReaderURL string `envconfig:"GAPWATCH_GRAFANA_CLICKHOUSE_URL" required:"true"` // http:// or https://
}

// ErrPromise says that the server does not keep what deploy/ promises; what was found is in what Check has written.
var ErrPromise = errors.New("the reader's limits do not hold")

// Check tries everything as the reader, after asking as the writer what there is, and writes a line for each attempt. It
// needs a migrated schema and changes nothing: what would change something is tried only if the reader has no right to. The error is [ErrPromise], or says what could not be asked.
func Check(ctx context.Context, s Settings, out io.Writer) error {
	writer, err := store.Open(s.Address())
	if err != nil {
		return err
	}
	defer writer.Close() //nolint:errcheck // nothing was left unwritten
	c := &check{out: out}
	if err := c.ask(ctx, writer); err != nil {
		return err
	}
	if err := c.open(s.ReaderURL); err != nil {
		return err
	}
	defer c.reader.Close() //nolint:errcheck // nothing was left unwritten
	if err := c.reader.QueryRow(ctx, "SELECT currentUser()").Scan(&c.user); err != nil {
		return fmt.Errorf("as the reader: %w", err)
	}
	for _, part := range []func(context.Context){c.views, c.definers, c.grants, c.persons, c.actions, c.settings, c.limits, c.grafana} {
		part(ctx)
	}
	if c.failed > 0 {
		return fmt.Errorf("%w: %d of %d attempts", ErrPromise, c.failed, c.tried)
	}
	return nil
}

type check struct {
	out           io.Writer
	reader        driver.Conn
	options       *clickhouse.Options
	user          string            // the reader's name
	definer       map[string]string // of each view of reporting
	tables        []string          // of prevention
	granted       bool              // the reader has one grant and no more
	tried, failed int
}

// ask reads as the writer what there is.
func (c *check) ask(ctx context.Context, writer driver.Conn) error {
	rows, err := writer.Query(ctx, "SELECT database, name, definer FROM system.tables WHERE database IN ('prevention', 'reporting') AND NOT is_temporary ORDER BY database, name")
	if err != nil {
		return fmt.Errorf("as the writer: %w", err)
	}
	defer rows.Close() //nolint:errcheck // rows.Err tells
	c.definer = make(map[string]string)
	for rows.Next() {
		var database, name, definer string
		if err := rows.Scan(&database, &name, &definer); err != nil {
			return fmt.Errorf("as the writer: %w", err)
		}
		if database == "reporting" {
			c.definer[name] = definer
		} else {
			c.tables = append(c.tables, name)
		}
	}
	return rows.Err()
}

// open connects as Grafana's plugin does over HTTP: with gzip.
func (c *check) open(address string) (err error) {
	if c.options, err = store.Options(address); err != nil {
		return fmt.Errorf("as the reader: %w", err)
	}
	c.options.Compression = &clickhouse.Compression{Method: clickhouse.CompressionGZIP}
	c.reader, err = clickhouse.Open(c.options)
	return err
}

// Codes of ClickHouse's errors: ErrorCodes.cpp.
const (
	tooManyRowsRead = 158
	timeout         = 159
	readOnly        = 164
	memory          = 241
	noFeature       = 344
	tooManyRows     = 396
	constraint      = 452
	denied          = 497
	nothingThere    = 636
)

// refuse tries what must be refused with one of the codes.
func (c *check) refuse(ctx context.Context, what, query string, codes ...int32) {
	err := c.run(ctx, query)
	var exception *clickhouse.Exception
	switch {
	case err == nil:
		c.say(false, what, "is allowed: "+query)
	case !errors.As(err, &exception):
		c.say(false, what, err.Error())
	case !slices.Contains(codes, exception.Code):
		c.say(false, what, fmt.Sprintf("refused for another reason (code %d): %s", exception.Code, exception.Message))
	default:
		c.say(true, what, "")
	}
}

// allow tries what must work.
func (c *check) allow(ctx context.Context, what, query string) {
	if err := c.run(ctx, query); err != nil {
		c.say(false, what, err.Error())
		return
	}
	c.say(true, what, "")
}

func (c *check) run(ctx context.Context, query string) error {
	// A deadline as Grafana's plugin has one: the driver sends it as max_execution_time.
	ctx, cancel := context.WithTimeout(ctx, 25*time.Second)
	defer cancel()
	if !strings.HasPrefix(query, "SELECT") && !strings.HasPrefix(query, "SHOW") {
		return c.reader.Exec(ctx, query)
	}
	rows, err := c.reader.Query(ctx, query)
	if err != nil {
		return err
	}
	defer rows.Close() //nolint:errcheck // rows.Err tells
	for rows.Next() {
	}
	return rows.Err()
}

func (c *check) say(ok bool, what, why string) {
	c.tried++
	if ok {
		_, _ = fmt.Fprintf(c.out, "ok    %s\n", what)
		return
	}
	c.failed++
	_, _ = fmt.Fprintf(c.out, "WRONG %s: %s\n", what, why)
}

var viewOfReporting = regexp.MustCompile(`(?m)^CREATE (?:OR REPLACE )?VIEW (?:IF NOT EXISTS )?reporting\.(\w+)`)

// views reads every view, those that the migrations name among them.
func (c *check) views(ctx context.Context) {
	files, err := schemas.Files.ReadDir("migrations")
	if err != nil {
		c.say(false, "the migrations", err.Error())
	}
	for _, file := range files {
		text, err := schemas.Files.ReadFile("migrations/" + file.Name())
		if err != nil {
			c.say(false, "the migrations", err.Error())
		}
		for _, m := range viewOfReporting.FindAllStringSubmatch(string(text), -1) {
			if _, there := c.definer[m[1]]; !there {
				c.say(false, "reporting."+m[1], "it is not there: have the migrations been run?")
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(c.definer)) {
		c.allow(ctx, "reads reporting."+name, "SELECT * FROM reporting."+name+" LIMIT 1")
	}
}

// definers makes sure that the views read with the writer's rights and not with those of who asks or of an administrator.
func (c *check) definers(context.Context) {
	for _, name := range slices.Sorted(maps.Keys(c.definer)) {
		switch definer := c.definer[name]; definer {
		case "":
			c.say(false, "definer of reporting."+name, "there is none: it reads with the rights of who asks")
		case c.user, "default":
			c.say(false, "definer of reporting."+name, "is "+definer+": the migrations must run as the services' user")
		default:
			c.say(true, "definer of reporting."+name+" is "+definer, "")
		}
	}
}

// grants makes sure that there is one.
func (c *check) grants(ctx context.Context) {
	var have []string
	rows, err := c.reader.Query(ctx, "SHOW GRANTS")
	if err != nil {
		c.say(false, "grants", err.Error())
		return
	}
	defer rows.Close() //nolint:errcheck // rows.Err tells
	for rows.Next() {
		var line string
		if err := rows.Scan(&line); err != nil {
			c.say(false, "grants", err.Error())
			return
		}
		have = append(have, line)
	}
	want := "GRANT SELECT ON reporting.* TO " + c.user
	c.granted = rows.Err() == nil && len(have) == 1 && have[0] == want
	c.say(c.granted, "has one grant, "+want, strings.Join(have, "; "))
}

// persons tries to see anything of prevention.
func (c *check) persons(ctx context.Context) {
	if len(c.tables) == 0 {
		c.say(false, "tables of prevention", "there are none: have the migrations been run?")
	}
	for _, name := range c.tables {
		c.refuse(ctx, "cannot read prevention."+name, "SELECT count() FROM prevention."+name, denied)
	}
	var seen uint64
	err := c.reader.QueryRow(ctx, "SELECT (SELECT count() FROM system.tables WHERE database = 'prevention') + (SELECT count() FROM system.columns WHERE database = 'prevention') + (SELECT count() FROM system.databases WHERE name = 'prevention')").Scan(&seen)
	c.say(err == nil && seen == 0, "sees no table, column or database of prevention", fmt.Sprintf("sees %d; %v", seen, err))
	c.refuse(ctx, "cannot read a table's index", "SELECT * FROM mergeTreeIndex('prevention', 'events')", denied)
	c.refuse(ctx, "cannot read many tables as one", "SELECT count() FROM merge('prevention', '.*')", denied, nothingThere)
	c.refuse(ctx, "cannot see users", "SELECT count() FROM system.users", denied)
	c.refuse(ctx, "cannot ask as somebody else", "EXECUTE AS gapwatch SELECT 1", denied, noFeature)
}

// actions tries what changes something or reaches out of the database.
func (c *check) actions(ctx context.Context) {
	if !c.granted {
		c.say(false, "can change nothing", "not tried, since it has other rights")
		return
	}
	for _, a := range [][2]string{
		{"insert", "INSERT INTO prevention.handled (stream, sequence, outcome) SELECT 0, 0, 'lost' WHERE 0"},
		{"delete", "ALTER TABLE prevention.events DELETE WHERE 0"},
		{"make a view", "CREATE VIEW reporting.deploycheck AS SELECT 1"},
		{"make a table", "CREATE TABLE reporting.deploycheck (a UInt8) ENGINE = Memory"},
		{"make a temporary table", "CREATE TEMPORARY TABLE deploycheck (a UInt8)"},
		{"make a database", "CREATE DATABASE deploycheck"},
		{"make a user", "CREATE USER deploycheck"},
		{"grant", "GRANT SELECT ON prevention.* TO CURRENT_USER"},
		{"make a backup", "BACKUP DATABASE reporting TO Disk('backups', 'deploycheck')"},
		{"order the system about", "SYSTEM FLUSH LOGS"},
		{"read a file", "SELECT * FROM file('/etc/passwd', 'LineAsString')"},
		{"read a URL", "SELECT * FROM url('http://127.0.0.1:1/', 'LineAsString')"},
		{"read another server", "SELECT * FROM remote('127.0.0.1', prevention.events)"},
		{"start a program", "SELECT * FROM executable('x', 'TSV', 'a String')"},
	} {
		c.refuse(ctx, "cannot "+a[0], a[1], denied, readOnly)
	}
}

// settings tries to change what must not be changed.
func (c *check) settings(ctx context.Context) {
	for _, s := range []string{
		"readonly = 0", "max_execution_time = 0", "max_execution_time = 3600", "max_memory_usage = 0", "max_memory_usage_for_user = 0",
		"max_result_rows = 0", "max_result_bytes = 0", "max_rows_to_read = 0", "result_overflow_mode = 'break'", "max_threads = 64",
		"additional_table_filters = {'prevention.events': '1'}", "additional_result_filter = '1'", "parallel_replicas_custom_key = 'sequence'",
		"final = 1", "limit = 1", "offset = 1", "max_block_size = 1", "send_logs_level = 'trace'",
	} {
		c.refuse(ctx, "cannot set "+s, "SELECT 1 SETTINGS "+s, readOnly, constraint)
	}
	c.allow(ctx, "can set max_execution_time up to 65", "SELECT 1 SETTINGS max_execution_time = 65")
	c.allow(ctx, "can set join_use_nulls", "SELECT 1 SETTINGS join_use_nulls = 1")
	c.refuse(ctx, "cannot set max_execution_time to 66", "SELECT 1 SETTINGS max_execution_time = 66", readOnly, constraint)
}

// limits runs into each of them.
func (c *check) limits(ctx context.Context) {
	c.refuse(ctx, "a result has a limit", "SELECT number FROM numbers(10000000)", tooManyRows)
	c.refuse(ctx, "reading has a limit", "SELECT count() FROM system.numbers WHERE NOT ignore(number)", tooManyRowsRead)
	c.refuse(ctx, "time has a limit", "SELECT sleep(2) SETTINGS max_execution_time = 1", timeout)
	c.refuse(ctx, "memory has a limit", "SELECT length(range(number + 400000000)) FROM numbers(1)", memory)
}

// grafana does what the plugin does beside queries.
func (c *check) grafana(ctx context.Context) {
	c.allow(ctx, "the plugin's health check", "SELECT version()")
	for _, query := range []string{
		"SHOW DATABASES", "SHOW TABLES FROM reporting", "SELECT name FROM system.databases",
		"SELECT name, comment FROM system.tables WHERE database = 'reporting'",
		"SELECT name, type, comment FROM system.columns WHERE database = 'reporting'",
		"SELECT name FROM system.functions LIMIT 1",
	} {
		c.allow(ctx, "the plugin's "+query, query)
	}
}
