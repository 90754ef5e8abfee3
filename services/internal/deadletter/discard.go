package deadletter

import (
	"context"
	"errors"
)

// Discard is how letters are discarded.
type Discard struct {
	Log    Log // with a note
	DryRun bool
}

// Discarded is what was discarded. After an error it is what was before.
type Discarded struct {
	Discarded int // logged and removed, their bytes overwritten; of a dry run, those that would be
	Elsewhere int // of those, letters that somebody else had removed meanwhile
	Kept      int // of those, had their message with them: it could have been replayed, now or after a fix
}

// Run discards the letters that a filter chooses, each logged before it is removed. Its error is [ErrRetry] where it may pass.
// Running it again is safe: what was cut off may stand in the log twice.
func (d Discard) Run(ctx context.Context, b *Box, f Filter) (Discarded, error) {
	var result Discarded
	if d.Log.Note == "" {
		return result, errors.New("a note must say why")
	}
	var chosen []Entry
	flush := func() error {
		if d.DryRun || len(chosen) == 0 {
			return nil
		}
		if err := d.Log.write(ctx, b, discarded, chosen, nil); err != nil {
			return err
		}
		removed, err := b.remove(ctx, chosen, true)
		if err != nil {
			return err
		}
		result.Discarded += len(chosen)
		result.Elsewhere += len(chosen) - removed
		for _, e := range chosen {
			if e.Replayable() {
				result.Kept++
			}
		}
		chosen = chosen[:0]
		return nil
	}
	err := b.Each(ctx, f, func(e Entry) error {
		if d.DryRun {
			result.Discarded++
			if e.Replayable() {
				result.Kept++
			}
			return nil
		}
		if chosen = append(chosen, e); len(chosen) == chunk {
			return flush()
		}
		return nil
	})
	if err == nil {
		err = flush()
	}
	return result, judged(err)
}
