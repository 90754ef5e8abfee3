package collect

import (
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"time"

	"gapwatch/services/internal/rejection"
	"gapwatch/services/internal/store"
	"gapwatch/services/internal/stream"
)

// keepRejections copies what senders are told into prevention.rejections, again and again: where it goes on is what is there,
// so nothing else must be remembered, and two collectors write the same rows. A fault here never ends the collector.
func (c *Collector) keepRejections(ctx context.Context) error {
	for {
		start := time.Now()
		if err := c.keepNewRejections(ctx); err != nil && ctx.Err() == nil {
			c.Logger.Warn("cannot keep rejections", "error", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(max(c.AccountEvery, 2*time.Since(start))):
		}
	}
}

// rejectionsPage is how many rejections are read and written at once.
const rejectionsPage = 5000

func (c *Collector) keepNewRejections(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, c.InsertTimeout+natsTimeout)
	defer cancel()
	st, err := c.JetStream.Stream(ctx, stream.Rejections)
	if err != nil {
		return fmt.Errorf("look up stream %s: %w", stream.Rejections, err)
	}
	created := uint64(st.CachedInfo().Created.UnixNano())
	var after uint64
	if err := c.ClickHouse.QueryRow(ctx, "SELECT max(sequence) FROM prevention.rejections WHERE stream = ?", created).Scan(&after); err != nil {
		return fmt.Errorf("look up the last rejection: %w", err)
	}
	for {
		messages, left, err := stream.Read(ctx, c.JetStream, stream.Rejections, stream.RejectionSubjects, after, rejectionsPage)
		if err != nil || len(messages) == 0 {
			return err
		}
		rows := make([]rejection.Rejection, len(messages))
		for i, m := range messages {
			if json.Unmarshal(m.Data, &rows[i]) != nil || !stream.IsSender(rows[i].Sender) {
				rows[i] = rejection.Rejection{Reason: otherField, Field: otherField, At: m.Time} // of nobody's that may publish there
			}
		}
		if err := store.Insert(ctx, c.ClickHouse, "rejections (stream, sequence, at, sender, door, reason, field)", "", len(rows), func(i int) []any {
			r := rows[i]
			return []any{created, messages[i].Sequence, r.At, r.Sender, string(r.Door), r.Reason, entries.ReplaceAllString(r.Field, "[]")}
		}); err != nil {
			return err
		}
		after = messages[len(messages)-1].Sequence
		if left == 0 {
			return nil
		}
	}
}

// entries are the numbers of entries in a field such as entry[17].resource.
var entries = regexp.MustCompile(`\[\d+\]`)
