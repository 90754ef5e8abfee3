package rollup

import (
	"context"
	"slices"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

const (
	namedRequests = 10   // that a line of the log names
	knownRequests = 1000 // that are looked up for it: of more than these it says how many at least
)

// logCounted says which requests to intake brought what a tick has published, so that one can be followed from intake's log
// to the numbers. It comes after everything is published, and a fault here is none of the counts'.
func (a *Aggregator) logCounted(ctx context.Context, behind []progress, to Position, slicesChanged int) {
	from := behind[0].from
	for _, b := range behind {
		if from.After(b.from) {
			from = b.from
		}
	}
	var requests []string
	args := append(upTo(to), clickhouse.Named("from_stream", from.Stream), clickhouse.Named("from_sequence", from.Sequence),
		clickhouse.Named("most", knownRequests))
	if err := a.each(ctx, "requests", args, func(rows driver.Rows) error {
		var request string
		err := rows.Scan(&request)
		requests = append(requests, request)
		return err
	}); err != nil {
		a.config.Log.Debug("cannot tell which requests were counted", "error", err)
		return
	}
	if len(requests) == 0 {
		return
	}
	slices.Sort(requests) // they begin with their time
	named := requests[:min(len(requests), namedRequests)]
	a.config.Log.Info("counted", "from", from.Sequence, "to", to.Sequence, "slices", slicesChanged, "requests", named, "more_requests", len(requests)-len(named))
}
