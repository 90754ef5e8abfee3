package deadletter

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"time"

	"gapwatch/services/internal/event"
)

// Kind is what letters are counted by.
type Kind struct {
	Reason event.Reason
	Field  string
	Sender string // or [stream.Direct]
}

// Count is how many letters of a kind there are.
type Count struct {
	Kind
	Letters     int
	Replayable  int // have their message with them
	First, Last time.Time
}

// List counts the letters that a filter chooses, by kind; the most frequent come first. Its error is [ErrRetry] where it may
// pass.
func List(ctx context.Context, b *Box, f Filter) ([]Count, error) {
	counts := map[Kind]*Count{}
	err := b.Each(ctx, f, func(e Entry) error {
		kind := Kind{e.Reason, e.Field, e.From()}
		c := counts[kind]
		if c == nil {
			c = &Count{Kind: kind, First: e.Received, Last: e.Received}
			counts[kind] = c
		}
		c.Letters++
		if e.Replayable() {
			c.Replayable++
		}
		if e.Received.Before(c.First) {
			c.First = e.Received
		}
		if e.Received.After(c.Last) {
			c.Last = e.Received
		}
		return nil
	})
	list := make([]Count, 0, len(counts))
	for c := range maps.Values(counts) {
		list = append(list, *c)
	}
	slices.SortFunc(list, func(a, b Count) int {
		return cmp.Or(cmp.Compare(b.Letters, a.Letters), cmp.Compare(a.Reason, b.Reason), cmp.Compare(a.Field, b.Field), cmp.Compare(a.Sender, b.Sender))
	})
	return list, judged(err)
}
