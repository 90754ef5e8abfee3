package deadletter

import (
	"context"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go"

	"gapwatch/services/internal/stream"
)

// ErrRetry is wrapped by errors that may pass. What was done is done, what was not is as it was: run it again.
var ErrRetry = errors.New("try again")

// judged makes errors of NATS that may pass an [ErrRetry].
func judged(err error) error {
	switch {
	case err == nil || errors.Is(err, ErrRetry):
		return err
	case errors.Is(err, stream.ErrFull):
		return fmt.Errorf("%w once collectors have caught up: %w", ErrRetry, err)
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, nats.ErrTimeout), errors.Is(err, nats.ErrNoResponders), errors.Is(err, nats.ErrDisconnected):
		return fmt.Errorf("%w: %w (no answer: is NATS there, and may this user do that?)", ErrRetry, err)
	default:
		return err
	}
}
