package gap

import (
	"context"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"gapwatch/services/internal/calendar"
	"gapwatch/services/internal/completeness"
	"gapwatch/services/internal/programme"
)

// learnEvery is how often a lag is learnt anew within a day.
const learnEvery = time.Hour

// arrivalRecords is about how many records a lag is learnt from at most.
const arrivalRecords = 500_000

// complete is the last complete day of a programme. The lag is learnt again on each new day, every hour, and as long as
// a history is coming in: settled tells that it is not.
func (k *Keeper) complete(ctx context.Context, p *programme.Programme, clock calendar.Day, settled bool) (calendar.Day, error) {
	today := clock
	if l, ok := k.lags[p.ID]; ok && l.clock == clock && l.settled && time.Since(l.at) < learnEvery {
		return l.LastComplete(l.today), nil
	}
	since := today - completeness.Window - 1
	var recent uint64
	args := []any{clickhouse.Named("programme", p.ID), clickhouse.Named("since", since.String())}
	if err := k.each(ctx, "recent", args, func(rows driver.Rows) error { return rows.Scan(&recent) }); err != nil {
		return 0, err
	}
	var arrivals []completeness.Arrivals
	if err := k.each(ctx, "arrivals", append(args, clickhouse.Named("of", recent/arrivalRecords+1)), func(rows driver.Rows) error {
		var lsoa string
		var occurred, received int32
		var events int64
		err := rows.Scan(&lsoa, &occurred, &received, &events)
		arrivals = append(arrivals, completeness.Arrivals{Quintile: k.areas.Find(lsoa).Quintile,
			Occurred: calendar.Day(occurred), Received: calendar.Day(received), Events: events})
		return err
	}); err != nil {
		return 0, err
	}
	// A day does not become complete because nothing comes in any more, of whatever programme: a feed or a collector that
	// stands still would make days without events, and a gap of nothing.
	if err := k.each(ctx, "newest", nil, func(rows driver.Rows) error {
		var newest int32
		var some bool
		err := rows.Scan(&newest, &some)
		if some {
			today = min(today, calendar.Day(newest))
		}
		return err
	}); err != nil {
		return 0, err
	}
	lag := completeness.Learn(today, arrivals)
	quintiles := make([]uint16, len(lag.Quintiles))
	for i, q := range lag.Quintiles {
		quintiles[i] = uint16(q.Days)
	}
	if l, ok := k.lags[p.ID]; ok && l.Lag == lag && l.today == today && time.Since(l.at) < learnEvery {
		k.lags[p.ID] = learnt{lag, clock, today, l.at, settled} // it stands there already
		return lag.LastComplete(today), nil
	}
	if err := k.insert(ctx, "completeness (programme, as_of, lag, basis, quintile_lags, last_complete, learnt_at)", "", 1, func(int) []any {
		return []any{p.ID, today.Time(), uint16(lag.Days), string(lag.Basis), quintiles, lag.LastComplete(today).Time(), k.config.Now()}
	}); err != nil {
		return 0, err
	}
	k.metrics.lag.WithLabelValues(p.ID).Set(float64(lag.Days))
	k.lags[p.ID] = learnt{lag, clock, today, time.Now(), settled}
	return lag.LastComplete(today), nil
}
