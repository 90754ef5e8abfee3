package store

import (
	"context"
	"fmt"
	"io/fs"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// Queries are the queries of a package, in files queries/<name>.sql beside its Go files.
type Queries struct {
	Files    fs.FS // embedded
	Settings clickhouse.Settings
}

// Each runs a query and calls scan for every row. Errors carry the query's name; an error of scan ends it.
func (q Queries) Each(ctx context.Context, conn driver.Conn, name string, args []any, scan func(driver.Rows) error) error {
	text, err := fs.ReadFile(q.Files, "queries/"+name+".sql")
	if err != nil {
		return err
	}
	rows, err := conn.Query(clickhouse.Context(ctx, clickhouse.WithSettings(q.Settings)), string(text), args...)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	defer rows.Close() //nolint:errcheck // rows.Err tells
	for rows.Next() {
		if err := scan(rows); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

// Insert writes rows into a table of the database prevention, named with its columns, in one block, so that all of them
// appear together or none. A token, where not empty, makes a second insert of the same rows nothing. It tries once.
func Insert(ctx context.Context, conn driver.Conn, into, token string, rows int, row func(i int) []any) error {
	if rows == 0 {
		return nil
	}
	// An asynchronous insert, which a server's profile may ask for, can be confirmed before it is stored.
	settings := clickhouse.Settings{"async_insert": 0}
	if token != "" {
		settings["insert_deduplication_token"] = token
	}
	batch, err := conn.PrepareBatch(clickhouse.Context(ctx, clickhouse.WithSettings(settings)), "INSERT INTO prevention."+into)
	if err != nil {
		return fmt.Errorf("insert into %s: %w", into, err)
	}
	defer batch.Close() //nolint:errcheck // after Send there is nothing to lose
	for i := range rows {
		if err := batch.Append(row(i)...); err != nil {
			return fmt.Errorf("insert into %s: %w", into, err)
		}
	}
	if err := batch.Send(); err != nil {
		return fmt.Errorf("insert into %s: %w", into, err)
	}
	return nil
}
