package stream

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Message is a JetStream message with the id that makes publishing it again harmless.
func Message(subject, id string, data []byte) *nats.Msg {
	return &nats.Msg{Subject: subject, Data: data, Header: nats.Header{jetstream.MsgIDHeader: {id}}}
}

// Publish publishes one message and waits until the stream has it. It tells whether the stream had the id already. A
// full stream is an [ErrFull]; other errors mean that it is not known whether the message arrived: publish it again.
func Publish(ctx context.Context, js jetstream.JetStream, msg *nats.Msg) (duplicate bool, err error) {
	ack, err := PublishAck(ctx, js, msg)
	return err == nil && ack.Duplicate, err
}

// PublishAck is Publish that tells what the stream answered, such as the message's sequence; of a duplicate that is the first
// one's.
func PublishAck(ctx context.Context, js jetstream.JetStream, msg *nats.Msg) (*jetstream.PubAck, error) {
	ack, err := js.PublishMsg(ctx, msg)
	if err != nil {
		return nil, full(msg.Subject, err)
	}
	return ack, nil
}

// Listens says whether a stream takes a subject's messages. It sends one that no stream keeps, since it is for another one, so it
// needs no right but to publish there. The error is nil where a stream answers, whatever it says.
func Listens(ctx context.Context, nc *nats.Conn, subject string) error {
	probe := nats.NewMsg(subject)
	probe.Header.Set(jetstream.ExpectedStreamHeader, "none")
	_, err := nc.RequestMsgWithContext(ctx, probe)
	switch {
	case errors.Is(err, nats.ErrNoResponders):
		return fmt.Errorf("no stream takes %s", subject)
	case err != nil:
		return fmt.Errorf("ask for the stream of %s: %w", subject, err)
	}
	return nil
}

// PublisherOptions tunes a [Publisher].
type PublisherOptions struct {
	Pending    int           // messages on the way at once; 0 means 4,000
	AckTimeout time.Duration // how long to wait for a confirmation before publishing again; 0 means 5 s
}

// Publisher publishes many messages with every single one confirmed. It keeps a bounded number on the way and
// publishes again, under the same id, whatever was not confirmed: NATS may restart meanwhile. Messages that had to be
// published again arrive out of order.
//
// Publish and Flush may be called from several goroutines.
type Publisher struct {
	js      jetstream.JetStream
	timeout time.Duration
	queue   chan onTheWay
	stop    context.CancelFunc
	done    chan struct{}

	mu    sync.Mutex
	fault error // why nothing more is published

	confirmed, duplicates atomic.Uint64
}

type onTheWay struct {
	msg    *nats.Msg
	ack    jetstream.PubAckFuture
	err    error         // publishing failed at once
	marker chan struct{} // closed when everything before it is confirmed; no message
}

// NewPublisher starts a publisher. Close it after the last Flush.
func NewPublisher(nc *nats.Conn, o PublisherOptions) (*Publisher, error) {
	if o.Pending < 0 || o.AckTimeout < 0 {
		return nil, errors.New("publisher options: negative")
	}
	if o.Pending == 0 {
		o.Pending = 4000
	}
	if o.AckTimeout == 0 {
		o.AckTimeout = 5 * time.Second
	}
	// The queue is what bounds; the client's own limit would answer with an error instead of waiting.
	js, err := jetstream.New(nc, jetstream.WithPublishAsyncMaxPending(2*o.Pending+16),
		jetstream.WithPublishAsyncTimeout(o.AckTimeout))
	if err != nil {
		return nil, fmt.Errorf("publisher: %w", err)
	}
	ctx, stop := context.WithCancel(context.Background())
	p := &Publisher{js: js, timeout: o.AckTimeout, queue: make(chan onTheWay, o.Pending), stop: stop, done: make(chan struct{})}
	go p.confirm(ctx)
	return p, nil
}

// Publish sends the message on its way, waiting for room. Its success says nothing: Flush does. An error is the first
// fault of any message so far, for which nothing more is published (an [ErrFull], or a message that the server will
// never take), or ctx's.
func (p *Publisher) Publish(ctx context.Context, msg *nats.Msg) error {
	if err := p.failed(); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	item := onTheWay{msg: msg}
	item.ack, item.err = p.js.PublishMsgAsync(msg)
	return p.enqueue(ctx, item)
}

// Flush waits until everything published before is confirmed.
func (p *Publisher) Flush(ctx context.Context) error {
	marker := make(chan struct{})
	if err := p.enqueue(ctx, onTheWay{marker: marker}); err != nil {
		return err
	}
	select {
	case <-marker:
		return p.failed()
	case <-ctx.Done():
		return ctx.Err()
	case <-p.done:
		return errors.Join(p.failed(), errClosed)
	}
}

// Confirmed counts the messages that the stream confirmed, duplicates included, and how many of them it had already.
func (p *Publisher) Confirmed() (total, duplicates uint64) {
	return p.confirmed.Load(), p.duplicates.Load()
}

// Close gives up whatever is not confirmed yet.
func (p *Publisher) Close() {
	p.stop()
	<-p.done
}

var errClosed = errors.New("publisher is closed")

func (p *Publisher) enqueue(ctx context.Context, item onTheWay) error {
	select {
	case p.queue <- item:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-p.done:
		return errClosed
	}
}

func (p *Publisher) failed() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.fault
}

func (p *Publisher) confirm(ctx context.Context) {
	defer close(p.done)
	for {
		select {
		case item := <-p.queue:
			if item.marker != nil {
				close(item.marker)
			} else if err := p.settle(ctx, item); err != nil {
				p.mu.Lock()
				if p.fault == nil {
					p.fault = err
				}
				p.mu.Unlock()
			}
		case <-ctx.Done():
			return
		}
	}
}

// settle returns when the message is confirmed, or with the reason for which it never will be.
func (p *Publisher) settle(ctx context.Context, item onTheWay) error {
	err := item.err
	if err == nil {
		select {
		case ack := <-item.ack.Ok():
			p.count(ack.Duplicate)
			return nil
		case err = <-item.ack.Err():
		case <-ctx.Done():
			return errClosed
		}
	}
	if Hopeless(err) {
		return full(item.msg.Subject, err)
	}
	wait := backoff.NewExponentialBackOff()
	wait.InitialInterval, wait.MaxInterval = 20*time.Millisecond, time.Second
	_, err = backoff.Retry(ctx, func() (struct{}, error) {
		attempt, cancel := context.WithTimeout(ctx, p.timeout)
		defer cancel()
		// The asynchronous try left its reply subject in the message.
		duplicate, err := Publish(attempt, p.js, &nats.Msg{Subject: item.msg.Subject, Header: item.msg.Header, Data: item.msg.Data})
		if err == nil {
			p.count(duplicate)
		} else if Hopeless(err) {
			err = backoff.Permanent(err)
		}
		return struct{}{}, err
	}, backoff.WithBackOff(wait), backoff.WithMaxElapsedTime(0))
	return err
}

// Hopeless tells errors of a publish that the same message will meet again, until somebody repairs something, from
// those that may pass. A full stream is one of them: see [ErrFull].
func Hopeless(err error) bool {
	var api *jetstream.APIError
	if errors.As(err, &api) {
		return api.Code < 500 && api.Code != 429 || errors.Is(full("", err), ErrFull) // 429: its queue is full for now
	}
	return errors.Is(err, ErrFull) || errors.Is(err, nats.ErrMaxPayload) || errors.Is(err, nats.ErrBadSubject) ||
		errors.Is(err, nats.ErrConnectionClosed)
}

func (p *Publisher) count(duplicate bool) {
	p.confirmed.Add(1)
	if duplicate {
		p.duplicates.Add(1)
	}
}
