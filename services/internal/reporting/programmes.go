// Package reporting is what the database reporting needs besides the snapshots: the settings of the programmes. The views
// themselves are in schemas/migrations/0005_reporting.sql and 0006_feed.sql; the tests of this package are theirs.
package reporting

import (
	"context"
	"fmt"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"gapwatch/services/internal/calendar"
	"gapwatch/services/internal/programme"
)

// endless is the last day of a season that does not end, as the views know it: the greatest that a Date32 holds.
var endless = calendar.Date(2299, 12, 31)

// WriteProgrammes stores names, targets, limits and seasons for the views, without seasons whose retention is over by now.
// Call it at start, and when a season's retention has ended (services/internal/retention does): of two sets
// the one written later is shown, and a programme that is no longer in the set keeps what was said of it last. Percent
// become shares of 1. An error is ClickHouse's: store.Judge says what to do.
func WriteProgrammes(ctx context.Context, conn driver.Conn, set *programme.Set, now time.Time) error {
	batch, err := conn.PrepareBatch(ctx, `INSERT INTO prevention.programmes (programme, position, name, kind, target, history_from, floor,
		smallest_change, unknown_area, ceiling, behind, eligible_group, source, imd, seasons, starts, ends, written_at)`)
	if err != nil {
		return fmt.Errorf("write the programmes: %w", err)
	}
	defer batch.Close() //nolint:errcheck // after Send there is nothing to lose
	for i, p := range set.AsOf(calendar.Of(now)).Programmes {
		seasons := p.Seasons
		if p.Kind == programme.Rolling {
			seasons = []programme.Season{{ID: programme.RollingSeason, Start: p.HistoryFrom, End: endless}}
		}
		ids, starts, ends := make([]string, len(seasons)), make([]time.Time, len(seasons)), make([]time.Time, len(seasons))
		for j, s := range seasons {
			ids[j], starts[j], ends[j] = s.ID, s.Start.Time(), s.End.Time()
		}
		if err := batch.Append(p.ID, uint16(i+1), p.Name, string(p.Kind), p.Target/100, p.HistoryFrom.Time(), uint32(p.Limits.Floor),
			p.Limits.SmallestChange/100, p.Limits.UnknownArea/100, p.Limits.Ceiling/100, p.Limits.Behind/100, p.Eligible, p.Source, uint16(set.Edition),
			ids, starts, ends, now.UTC()); err != nil {
			return fmt.Errorf("write the programmes: %s: %w", p.ID, err)
		}
	}
	if err := batch.Send(); err != nil {
		return fmt.Errorf("write the programmes: %w", err)
	}
	return nil
}
