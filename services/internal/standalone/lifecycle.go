package standalone

import (
	"context"
	"errors"
	"fmt"
	"slices"
)

// lifecycle holds what runs. Parts are stopped one after the other, the last one started first, each only when what
// uses it has ended. The first that fails fails all.
type lifecycle struct {
	fail  context.CancelCauseFunc
	parts []func() error // stops one and waits for its end
}

// run starts a part that works until its context ends. Ending before that, with an error or without, fails all.
func (l *lifecycle) run(name string, work func(context.Context) error) {
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() {
		err := work(ctx)
		if ctx.Err() == nil {
			if err == nil {
				err = errors.New("ended by itself")
			}
			l.fail(named(name, err))
		}
		ended <- err
	}()
	l.stopWith(name, func() error {
		stop()
		return <-ended
	})
}

// stopWith adds what stops a part that runs already. It returns when that has ended.
func (l *lifecycle) stopWith(name string, stop func() error) {
	l.parts = append(l.parts, func() error { return named(name, stop()) })
}

// stop stops everything and returns what went wrong in it.
func (l *lifecycle) stop() error {
	var errs []error
	for _, stop := range slices.Backward(l.parts) {
		if err := stop(); !errors.Is(err, context.Canceled) {
			errs = append(errs, err)
		}
	}
	l.parts = nil
	return errors.Join(errs...)
}

func named(part string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", part, err)
}
