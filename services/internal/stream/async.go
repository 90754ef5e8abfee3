package stream

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// AsyncOptions tunes an [Async].
type AsyncOptions struct {
	Pending    int           // messages on the way at once, of all callers together; 0 means 4,000. More are an error
	AckTimeout time.Duration // how long to wait for a confirmation before publishing again; 0 means 5 s
	GiveUp     time.Duration // how long to publish one message again and again before [Sent.Wait] fails; 0 means 5 s
}

// Async publishes for several callers at once, each of which waits for the confirmation of its own messages and hears of
// nobody else's. Unlike [Publisher] it gives up: whoever waits has somebody waiting, who can send everything again.
//
// Its methods may be called from several goroutines.
type Async struct {
	js              jetstream.JetStream
	timeout, giveUp time.Duration
}

// NewAsync makes an Async on a connection, which it does not close.
func NewAsync(nc *nats.Conn, o AsyncOptions) (*Async, error) {
	if o.Pending < 0 || o.AckTimeout < 0 || o.GiveUp < 0 {
		return nil, errors.New("async publishing options: negative")
	}
	if o.Pending == 0 {
		o.Pending = 4000
	}
	if o.AckTimeout == 0 {
		o.AckTimeout = 5 * time.Second
	}
	if o.GiveUp == 0 {
		o.GiveUp = 5 * time.Second
	}
	js, err := jetstream.New(nc, jetstream.WithPublishAsyncMaxPending(o.Pending), jetstream.WithPublishAsyncTimeout(o.AckTimeout))
	if err != nil {
		return nil, fmt.Errorf("async publishing: %w", err)
	}
	return &Async{js: js, timeout: o.AckTimeout, giveUp: o.GiveUp}, nil
}

// Sent is a message on its way.
type Sent struct {
	from *Async
	msg  *nats.Msg
	ack  jetstream.PubAckFuture
	err  error // publishing failed at once
}

// Publish sends a message on its way. Whether it arrived is what [Sent.Wait] says. A Sent that nobody waits for is no harm.
func (a *Async) Publish(msg *nats.Msg) Sent {
	s := Sent{from: a, msg: msg}
	s.ack, s.err = a.js.PublishMsgAsync(msg)
	return s
}

// Wait waits until the stream has the message, publishing it again for a while where that is not confirmed. It tells
// whether the stream had its id already. An error is ctx's, an [ErrFull], or says that NATS could not be reached in time;
// but for ErrFull the message may have arrived all the same.
func (s Sent) Wait(ctx context.Context) (duplicate bool, err error) {
	if err = s.err; err == nil {
		select {
		case ack := <-s.ack.Ok():
			return ack.Duplicate, nil
		case err = <-s.ack.Err():
		case <-ctx.Done():
			return false, ctx.Err()
		}
	}
	if Hopeless(err) {
		return false, full(s.msg.Subject, err)
	}
	wait := backoff.NewExponentialBackOff()
	wait.InitialInterval, wait.MaxInterval = 20*time.Millisecond, time.Second
	ctx, cancel := context.WithTimeoutCause(ctx, s.from.giveUp, errGaveUp)
	defer cancel()
	duplicate, err = backoff.Retry(ctx, func() (bool, error) {
		attempt, cancel := context.WithTimeout(ctx, s.from.timeout)
		defer cancel()
		duplicate, err := Publish(attempt, s.from.js, &nats.Msg{Subject: s.msg.Subject, Header: s.msg.Header, Data: s.msg.Data})
		if err != nil && Hopeless(err) {
			err = backoff.Permanent(err)
		}
		return duplicate, err
	}, backoff.WithBackOff(wait), backoff.WithMaxElapsedTime(0))
	if err != nil && errors.Is(context.Cause(ctx), errGaveUp) && !Hopeless(err) {
		err = fmt.Errorf("%s: %w", s.msg.Subject, errGaveUp)
	}
	return duplicate, err
}

var errGaveUp = errors.New("not confirmed in time")
