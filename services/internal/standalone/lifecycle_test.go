package standalone

import (
	"context"
	"errors"
	"slices"
	"testing"
)

var errBroken = errors.New("it broke")

// failing runs three parts, of which the second ends by itself, and returns why all end and what stopping says.
func failing(t *testing.T, second func(context.Context) error) (cause, stopped error) {
	t.Helper()
	ctx, fail := context.WithCancelCause(t.Context())
	l := &lifecycle{fail: fail}
	patient := func(ctx context.Context) error {
		<-ctx.Done()
		return ctx.Err()
	}
	l.run("first", patient)
	l.run("second", second)
	l.run("third", patient)
	<-ctx.Done()
	return context.Cause(ctx), l.stop()
}

func TestTheFirstThatFailsFailsAllByName(t *testing.T) {
	cause, err := failing(t, func(context.Context) error { return errBroken })
	if !errors.Is(cause, errBroken) || cause.Error() != "second: it broke" {
		t.Errorf("the cause is %v", cause)
	}
	if !errors.Is(err, errBroken) {
		t.Errorf("stopping said %v", err)
	}
	cause, _ = failing(t, func(context.Context) error { return nil })
	if cause == nil || cause.Error() != "second: ended by itself" {
		t.Errorf("the cause is %v", cause)
	}
}

func TestPartsStopInReverseOrderEachAfterTheLast(t *testing.T) {
	_, fail := context.WithCancelCause(t.Context())
	defer fail(nil)
	l := &lifecycle{fail: fail}
	var order []string
	for _, name := range []string{"engine", "NATS", "aggregator", "collector"} {
		l.run(name, func(ctx context.Context) error {
			<-ctx.Done()
			order = append(order, name)
			return nil
		})
	}
	if err := l.stop(); err != nil {
		t.Error(err)
	}
	if !slices.Equal(order, []string{"collector", "aggregator", "NATS", "engine"}) {
		t.Errorf("stopped in the order %v", order)
	}
}
