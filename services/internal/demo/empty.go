package demo

import (
	"context"
	_ "embed" // the query
	"errors"
	"fmt"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"gapwatch/services/internal/standalone"
	"gapwatch/services/internal/store"
)

// ErrNotEmpty refuses to mix invented people with what a ClickHouse holds already: stop, nothing was written to it.
var ErrNotEmpty = errors.New("the store is not empty")

//go:embed held.sql
var heldQuery string

// empty asks whether a store holds events or reference data.
func empty(c standalone.Config) func(context.Context, driver.Conn) error {
	where := "ClickHouse in " + c.Folder
	instead := "choose another folder with GAPWATCH_DATA"
	if c.ClickHouseURL != "" {
		where = "ClickHouse at " + store.Redacted(c.ClickHouseURL)
		instead = "name an empty one with GAPWATCH_CLICKHOUSE_URL, or set none for the embedded engine"
	}
	return func(ctx context.Context, conn driver.Conn) error {
		var events, reference uint64
		if err := conn.QueryRow(ctx, heldQuery).Scan(&events, &reference); err != nil {
			return fmt.Errorf("look what %s holds: %w", where, err)
		}
		if events > 0 || reference > 0 {
			return fmt.Errorf("%w: %s holds %s rows of events and %s of reference data, and invented ones must not be mixed with them. Nothing was written to it: %s",
				ErrNotEmpty, where, grouped(int(events)), grouped(int(reference)), instead)
		}
		return nil
	}
}
