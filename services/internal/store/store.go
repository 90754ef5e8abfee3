// Package store connects to ClickHouse, brings its schema up to date, and says what to do about its errors.
package store

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/cenkalti/backoff/v5"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/database"

	"gapwatch/schemas"
)

// Options reads a ClickHouse address: http://user:password@host:8123 or https://... Gapwatch speaks ClickHouse's HTTP
// protocol everywhere: the embedded engine has no other, and one protocol is tested once. Time-outs and settings of the
// driver may be given as query parameters, as in its own DSN, and so may the authorities to trust: see [WithCA]. Errors
// repeat neither address nor password.
func Options(address string) (*clickhouse.Options, error) {
	u, err := url.Parse(address)
	if err != nil {
		return nil, errAddress
	}
	if u.Scheme != "http" && u.Scheme != "https" {
		return nil, errors.New("ClickHouse address: its scheme is not http or https")
	}
	query := u.Query()
	ca := query.Get(caParameter)
	query.Del(caParameter)
	if u.Scheme == "https" {
		query.Set("secure", "true") // the driver takes no https without it
	}
	u.RawQuery = query.Encode()
	opts, err := clickhouse.ParseDSN(u.String())
	if password, _ := u.User.Password(); err != nil && password != "" && strings.Contains(err.Error(), password) {
		return nil, errAddress
	}
	if err != nil {
		return nil, fmt.Errorf("ClickHouse address: %w", err)
	}
	if u.Scheme == "https" {
		opts.TLS.MinVersion = tls.VersionTLS12
	}
	if ca != "" {
		if u.Scheme != "https" {
			return nil, errors.New("ClickHouse address: there are authorities to check a certificate against (GAPWATCH_CLICKHOUSE_CA), but it is not https")
		}
		text, err := os.ReadFile(ca)
		if err != nil {
			return nil, fmt.Errorf("GAPWATCH_CLICKHOUSE_CA: %w", err)
		}
		opts.TLS.RootCAs = x509.NewCertPool()
		if !opts.TLS.RootCAs.AppendCertsFromPEM(text) {
			return nil, fmt.Errorf("GAPWATCH_CLICKHOUSE_CA: %s holds no certificate (PEM)", ca)
		}
	}
	if opts.Auth.Username == "" {
		opts.Auth.Username = "default"
	}
	opts.MaxOpenConns, opts.MaxIdleConns = 8, 8
	if opts.ReadTimeout == 0 {
		opts.ReadTimeout = 5 * time.Minute
	}
	return opts, nil
}

var errAddress = errors.New("ClickHouse address: must be http://user:password@host:8123 or https://..., with what is special in user and password percent-encoded")

// caParameter is the query parameter of an address that names a file of authorities.
const caParameter = "gapwatch_ca"

// WithCA is an address whose certificate is checked against the authorities of a PEM file; an empty path means the system's.
func WithCA(address, path string) string {
	if path == "" {
		return address
	}
	join := "?"
	if strings.Contains(address, "?") {
		join = "&"
	}
	return address + join + caParameter + "=" + url.QueryEscape(path)
}

// WithoutCA is an address as others than Gapwatch take it.
func WithoutCA(address string) string {
	before, _, _ := strings.Cut(address, caParameter+"=")
	return strings.TrimRight(before, "?&")
}

// Redacted is an address fit for a log: without user, password and parameters.
func Redacted(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return "(not an address)"
	}
	return u.Scheme + "://" + u.Host
}

// Open connects to ClickHouse; it does not wait for an answer.
func Open(address string) (driver.Conn, error) {
	opts, err := Options(address)
	if err != nil {
		return nil, err
	}
	return clickhouse.Open(opts)
}

// Migrate brings the schema up to date. It may be run again and by several services at once: every statement is
// idempotent, so two that run the same migration do no harm, and one that lost a race tries again.
func Migrate(ctx context.Context, address string) error {
	opts, err := Options(address)
	if err != nil {
		return err
	}
	db := clickhouse.OpenDB(opts)
	defer db.Close() //nolint:errcheck // nothing was left unwritten
	_, err = backoff.Retry(ctx, func() (struct{}, error) { return struct{}{}, migrateOnce(ctx, db) },
		backoff.WithMaxTries(5))
	return err
}

// MigrateWhenThere is Migrate that sits out ClickHouse being away, however long: a service that starts before its store
// waits for it. Each failed try is logged. An error means that somebody must repair something, or is ctx's.
func MigrateWhenThere(ctx context.Context, address string, log *slog.Logger) error {
	wait := backoff.NewExponentialBackOff()
	wait.MaxInterval = 10 * time.Second
	_, err := backoff.Retry(ctx, func() (struct{}, error) {
		err := Migrate(ctx, address)
		if err != nil && Judge(err) != Retry {
			err = backoff.Permanent(err)
		}
		return struct{}{}, err
	}, backoff.WithBackOff(wait), backoff.WithMaxElapsedTime(0), backoff.WithNotify(func(err error, next time.Duration) {
		log.Warn("the schema is not up to date yet, will try again", "in", next, "error", err)
	}))
	return err
}

func migrateOnce(ctx context.Context, db *sql.DB) error {
	for _, name := range []string{"prevention", "reporting"} {
		// Atomic is what makes inserts and EXCHANGE safe; the embedded engine's default is another.
		if _, err := db.ExecContext(ctx, "CREATE DATABASE IF NOT EXISTS "+name+" ENGINE = Atomic"); err != nil {
			return fmt.Errorf("create database %s: %w", name, err)
		}
	}
	migrations, err := fs.Sub(schemas.Files, "migrations")
	if err != nil {
		return err
	}
	versions, err := database.NewStore(goose.DialectClickHouse, "prevention.schema_versions")
	if err != nil {
		return err
	}
	provider, err := goose.NewProvider("", db, migrations, goose.WithStore(versions), goose.WithDisableGlobalRegistry(true))
	if err != nil {
		return fmt.Errorf("read migrations: %w", err)
	}
	if _, err := provider.Up(ctx); err != nil {
		return fmt.Errorf("migrate ClickHouse: %w", err)
	}
	return nil
}

// Verdict says what to do about an error.
type Verdict int

const (
	// Retry: the same call may work later (server away, overloaded, out of disk for now).
	Retry Verdict = iota
	// Reject: this data can never be stored; smaller parts of it may.
	Reject
	// Stop: nothing will work until somebody repairs the set-up (wrong password, missing table).
	Stop
)

// codes that say that the data is at fault, or the set-up; everything else may pass. From ClickHouse's ErrorCodes.cpp.
var verdicts = map[int32]Verdict{
	6: Reject, 26: Reject, 27: Reject, 38: Reject, 41: Reject, 53: Reject, 69: Reject, 70: Reject,
	72: Reject, 117: Reject, 131: Reject, tooManyParts: Reject, 321: Reject, 349: Reject, 407: Reject, 469: Reject, 691: Reject,
	16: Stop, 47: Stop, 60: Stop, 62: Stop, 81: Stop, 192: Stop, 193: Stop, 194: Stop, 497: Stop, 516: Stop,
}

// tooManyParts is the code both of an insert into too many partitions and of a table whose merges lag behind.
const tooManyParts = 252

// Judge says what an error of the driver asks for. Not reaching ClickHouse is always Retry.
func Judge(err error) Verdict {
	var network net.Error
	if errors.As(err, &network) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return Retry
	}
	var exception *clickhouse.Exception
	if errors.As(err, &exception) {
		if exception.Code == tooManyParts && !strings.Contains(exception.Message, "Too many partitions") {
			return Retry // there is room again when the merges have caught up
		}
		return verdicts[exception.Code]
	}
	if strings.HasPrefix(err.Error(), "clickhouse [Append") || strings.Contains(err.Error(), "converting") {
		return Reject // the driver refused a value before it sent anything
	}
	return Retry
}
