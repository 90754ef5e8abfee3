package collect

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/nats-io/nats.go/jetstream"

	"gapwatch/services/internal/programme"
	"gapwatch/services/internal/stream"
	"gapwatch/services/internal/telemetry"
)

// Config is what a collector is made of. Zero values of settings mean the default that is named.
type Config struct {
	JetStream  jetstream.JetStream         // required; the caller closes its connection after Run
	ClickHouse driver.Conn                 // required; the caller closes it after Run
	Programmes *programme.Set              // required
	Telemetry  *telemetry.Telemetry        // where metrics and readiness go; nil for nowhere
	Logger     *slog.Logger                // nil for silence
	Now        func() time.Time            // the clock that events are judged by; nil: each as of when JetStream took it
	Streams    stream.Options              // how streams that do not exist yet are made
	Prepare    func(context.Context) error // run at start, again and again until it succeeds (migrations); may be nil

	Batch      int           // messages of a batch at most; 1 to 100,000; default 20,000
	BatchBytes int           // bytes of a batch at most; default 64 MiB, and never less than two messages of the server's largest size
	MaxAge     time.Duration // how long a message waits for its batch to fill; default 500 ms
	Owners     int           // batches in hand at once; default 2: one is inserted while the next is fetched and decoded
	Decoders   int           // goroutines that decode a batch; default GOMAXPROCS
	Collectors int           // how many collectors share the stream; default 1

	InsertTimeout time.Duration // of one try to insert or to ask; default 15 s; up to four times that after one that took longer
	FlushTimeout  time.Duration // of handing acknowledgements to NATS; default 5 s
	StopTimeout   time.Duration // for the batches in hand when told to stop; default 10 s
	RetryFirst    time.Duration // wait before the second try of anything; default 100 ms, then growing
	RetryMost     time.Duration // up to this; default 10 s
	AccountEvery  time.Duration // how often the stream is compared with what was handled; default 5 s

	// LostAfter is how long a message must have been gone from the stream without anybody having handled it, with
	// ClickHouse answering all the while, before it is written off as lost. Until then some collector may still hold
	// it. Default 3 x (InsertTimeout + FlushTimeout + RetryMost).
	LostAfter time.Duration

	// Checkpoint is called after each step of a batch. An error from it ends the collector on the spot, as a kill
	// would: nothing is handed back. For tests; nil otherwise.
	Checkpoint func(step Step) error
}

// Step is a point at which a collector may be cut off.
type Step string

// The steps in their order.
const (
	Fetched      Step = "fetched"
	Inserted     Step = "inserted"      // rows are in prevention.events
	DeadLettered Step = "dead-lettered" // dead letters are confirmed
	Handled      Step = "handled"       // rows are in prevention.handled
	Removed      Step = "removed"       // messages with an NHS number are gone from the stream
	Acknowledged Step = "acknowledged"
)

func (c Config) withDefaults() Config {
	setInt := func(v *int, d int) {
		if *v == 0 {
			*v = d
		}
	}
	set := func(v *time.Duration, d time.Duration) {
		if *v == 0 {
			*v = d
		}
	}
	setInt(&c.Batch, 20_000)
	setInt(&c.BatchBytes, 64<<20)
	set(&c.MaxAge, 500*time.Millisecond)
	setInt(&c.Owners, 2)
	setInt(&c.Decoders, runtime.GOMAXPROCS(0))
	setInt(&c.Collectors, 1)
	set(&c.InsertTimeout, 15*time.Second)
	set(&c.FlushTimeout, 5*time.Second)
	set(&c.StopTimeout, 10*time.Second)
	set(&c.RetryFirst, 100*time.Millisecond)
	set(&c.RetryMost, 10*time.Second)
	set(&c.AccountEvery, 5*time.Second)
	set(&c.LostAfter, 3*(c.InsertTimeout+c.FlushTimeout+c.RetryMost))
	if c.Telemetry == nil {
		c.Telemetry = telemetry.New()
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return c
}

// Validate says which setting is missing or out of its range. It is for stopping at start.
func (c Config) Validate() error {
	c = c.withDefaults()
	var errs []error
	require := func(ok bool, rule string) {
		if !ok {
			errs = append(errs, errors.New(rule))
		}
	}
	require(c.JetStream != nil, "JetStream is missing")
	require(c.ClickHouse != nil, "ClickHouse is missing")
	require(c.Programmes != nil, "Programmes is missing")
	require(c.Batch >= 1 && c.Batch <= 100_000, "Batch is not between 1 and 100,000")
	require(c.BatchBytes >= 1, "BatchBytes is not positive")
	require(c.Owners >= 1 && c.Owners <= 16, "Owners is not between 1 and 16")
	require(c.Decoders >= 1, "Decoders is not positive")
	require(c.Collectors >= 1, "Collectors is not positive")
	for name, d := range map[string]time.Duration{"MaxAge": c.MaxAge, "InsertTimeout": c.InsertTimeout, "FlushTimeout": c.FlushTimeout,
		"StopTimeout": c.StopTimeout, "RetryFirst": c.RetryFirst, "RetryMost": c.RetryMost, "AccountEvery": c.AccountEvery, "LostAfter": c.LostAfter} {
		require(d > 0, name+" is not positive")
	}
	require(c.RetryMost >= c.RetryFirst, "RetryMost is less than RetryFirst")
	errs = append(errs, c.Streams.Validate())
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("collector: %w", err)
	}
	return nil
}

// ackWait is how long JetStream waits for an acknowledgement or a sign of life before it hands a message to somebody
// else. A collector gives a sign three times in that time, so that a try may take longer.
func (c Config) ackWait() time.Duration { return 3 * (c.InsertTimeout + c.FlushTimeout) }

// maxAckPending lets every collector hold its batches and fetch one more, beside the suspects that it waits for. Too few,
// and a fetch waits for acknowledgements of the batch that is waiting for the fetch.
func (c Config) maxAckPending() int { return ((c.Owners+1)*c.Batch + someRows) * c.Collectors }
