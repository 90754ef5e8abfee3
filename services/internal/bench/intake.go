package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"golang.org/x/sync/errgroup"

	"gapwatch/services/internal/admit"
	"gapwatch/services/internal/intake"
	"gapwatch/services/internal/mapping"
	"gapwatch/services/internal/postcode"
	"gapwatch/services/internal/programme"
	"gapwatch/services/internal/pseudonym"
	"gapwatch/services/internal/stream"
)

// IntakeResult is what the door does, beside what JetStream could do at best with the very events that the door makes of what
// is sent, published by [stream.Publisher] in the same run. Rates are events a second; client, door and NATS share the machine.
// The keys are the kinds of body: see [bodies].
type IntakeResult struct {
	PublishPerS         float64            `json:"publish_per_s,omitempty"`
	PerS                map[string]float64 `json:"intake_per_s,omitempty"`
	OfPublish           map[string]float64 `json:"intake_of_publish,omitempty"`
	SinglePerS          float64            `json:"intake_single_per_s,omitempty"`    // events that come one a request, as fast as they are answered
	P99MS               float64            `json:"intake_p99_ms,omitempty"`          // from when a request is due to its answer, at half of that rate
	SustainedPerS       float64            `json:"intake_sustained_per_s,omitempty"` // CloudEvents, for IntakeFor
	HeapGrowthMB        *float64           `json:"intake_heap_growth_mb,omitempty"`  // live heap after that, above what it was a fifth of the way in
	HeapMostMB          float64            `json:"intake_heap_most_mb,omitempty"`    // live heap at most
	SyncPublishPerS     float64            `json:"sync_always_publish_per_s,omitempty"`
	SyncAlwaysOfPublish map[string]float64 `json:"intake_sync_always_of_publish,omitempty"` // both with sync_interval: always
}

const (
	senders       = 4  // requests at once
	singleSenders = 16 // requests of one event at once
	rounds        = 5  // of each measurement of a rate; the median counts
)

// door is an intake with a NATS server of its own, so that nothing of an earlier measurement is a duplicate.
type door struct {
	url  string
	nc   *nats.Conn
	js   jetstream.JetStream
	stop func() error
}

// openDoor starts NATS and the door in a new folder. duplicates is how long JetStream remembers ids, 0 for the usual time.
func (r *run) openDoor(ctx context.Context, syncAlways bool, duplicates time.Duration) (d *door, err error) {
	d = &door{}
	dir, err := os.MkdirTemp(r.Dir, "door-*")
	if err != nil {
		return nil, err
	}
	server, err := stream.Embed(ctx, stream.EmbedOptions{Dir: dir, SyncAlways: syncAlways, Logger: r.Log})
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan error, 1)
	serving := false
	d.stop = func() (err error) {
		cancel()
		if serving {
			err = <-ended
		}
		if d.nc != nil {
			d.nc.Close()
		}
		server.Stop()
		_ = os.RemoveAll(dir)
		return err
	}
	defer func() {
		if err != nil {
			_ = d.stop()
		}
	}()
	if d.nc, d.js, err = stream.Connect(stream.ConnectOptions{URL: server.URL(), Name: "bench", Logger: r.Log}); err != nil {
		return nil, err
	}
	if err = stream.Ensure(ctx, d.js, stream.Options{Duplicates: duplicates}); err != nil {
		return nil, err
	}
	admission, err := r.admission()
	if err != nil {
		return nil, err
	}
	token, hash := intake.NewToken()
	known, err := intake.ParseSenders(fmt.Appendf(nil, "senders:\n  - {id: bench, tokens: [%s], sources: [%q], programmes: [\"*\"], limits: {requests: 1000000, concurrent: 64}}\n",
		hash, benchSource), r.set)
	if err != nil {
		return nil, err
	}
	served, err := intake.New(intake.Config{Door: admission, Senders: known, NATS: d.nc, JetStream: d.js})
	if err != nil {
		return nil, err
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	d.url = "http://" + listener.Addr().String()
	client.token.Store(&token)
	serving = true
	go func() { ended <- served.Serve(ctx, listener) }()
	return d, nil
}

// admission decides as in production: with the shipped mapping and a look-up of as many postcodes as [bodyOf] uses.
func (r *run) admission() (*admit.Door, error) {
	tables, err := mapping.Load("", r.set)
	if err != nil {
		return nil, err
	}
	text, err := pseudonym.Generate("bench-1")
	if err != nil {
		return nil, err
	}
	keys, err := pseudonym.Parse("keys", text)
	if err != nil {
		return nil, err
	}
	index, err := postcode.Read("postcodes", strings.NewReader(postcodes()))
	if err != nil {
		return nil, err
	}
	return &admit.Door{Programmes: r.set, Mapping: tables, Keys: keys, Postcodes: index, Now: time.Now}, nil
}

// intake measures the door.
func (r *run) intake(ctx context.Context) error {
	if r.set == nil {
		set, err := programme.Load("")
		if err != nil {
			return err
		}
		r.set = set
	}
	plain, err := r.rates(ctx, r.IntakeEvents, false)
	if err != nil {
		return err
	}
	r.result.PublishPerS, r.result.PerS, r.result.OfPublish = plain.publish, plain.perS, plain.ofPublish
	r.Log.Info("bench", "publish", plain.publish, "intake", plain.perS, "of publish", plain.ofPublish)
	synced, err := r.rates(ctx, r.IntakeEvents/10, true)
	if err != nil {
		return err
	}
	r.result.SyncPublishPerS, r.result.SyncAlwaysOfPublish = synced.publish, synced.ofPublish
	if err := r.singles(ctx); err != nil {
		return fmt.Errorf("single events: %w", err)
	}
	return r.sustained(ctx)
}

// rates are those of plain publishing and of each kind of body, medians of some rounds.
type rates struct {
	publish         float64
	perS, ofPublish map[string]float64
}

// rates measures plain publishing and each kind of body in turn, some rounds of all of them, and compares those of one round: what
// else the machine does hits them alike.
func (r *run) rates(ctx context.Context, n int, syncAlways bool) (rates, error) {
	messages, err := r.messages(n)
	if err != nil {
		return rates{}, err
	}
	files := map[string][]string{}
	for kind, b := range bodies {
		if files[kind], err = b.files(r.Dir, n); err != nil {
			return rates{}, err
		}
	}
	var publish []float64
	perS, ofPublish := map[string][]float64{}, map[string][]float64{}
	for range rounds {
		plain, err := r.plainly(ctx, messages, syncAlways)
		if err != nil {
			return rates{}, err
		}
		publish = append(publish, plain)
		for _, kind := range slices.Sorted(maps.Keys(bodies)) {
			rate, err := r.through(ctx, bodies[kind], files[kind], n, syncAlways)
			if err != nil {
				return rates{}, fmt.Errorf("%s: %w", kind, err)
			}
			perS[kind], ofPublish[kind] = append(perS[kind], rate), append(ofPublish[kind], rate/plain)
		}
	}
	all := rates{publish: median(publish), perS: map[string]float64{}, ofPublish: map[string]float64{}}
	for kind := range bodies {
		all.perS[kind], all.ofPublish[kind] = median(perS[kind]), median(ofPublish[kind])
	}
	return all, nil
}

func median(of []float64) float64 {
	slices.Sort(of)
	return of[len(of)/2]
}

// messages are the events that the door makes of n bodies, ready to be published.
func (r *run) messages(n int) ([]*nats.Msg, error) {
	admission, err := r.admission()
	if err != nil {
		return nil, err
	}
	all := make([]*nats.Msg, n)
	for i := range all {
		submission, problem := bodies["cloudevents"].decode(i)
		if problem != nil {
			return nil, problem
		}
		result, problem := admission.Admit(&submission, admit.Scope{Sources: []string{admit.Any}, Programmes: []string{admit.Any}})
		if problem != nil {
			return nil, problem
		}
		if !result.Publish || result.NoProgramme || result.Event.LSOA == "" {
			return nil, fmt.Errorf("event %d is not counted, or its postcode not known: %s", i, result.Why)
		}
		all[i] = stream.Message(result.Subject, result.MsgID, result.Payload)
	}
	return all, nil
}

func (r *run) plainly(ctx context.Context, messages []*nats.Msg, syncAlways bool) (perS float64, err error) {
	d, err := r.openDoor(ctx, syncAlways, 0)
	if err != nil {
		return 0, err
	}
	defer d.stop() //nolint:errcheck // what was measured was confirmed
	publisher, err := stream.NewPublisher(d.nc, stream.PublisherOptions{})
	if err != nil {
		return 0, err
	}
	defer publisher.Close()
	runtime.GC()
	started := time.Now()
	for _, msg := range messages {
		// A message that was published holds the reply subject of that time.
		if err := publisher.Publish(ctx, &nats.Msg{Subject: msg.Subject, Header: msg.Header, Data: msg.Data}); err != nil {
			return 0, err
		}
	}
	if err := publisher.Flush(ctx); err != nil {
		return 0, err
	}
	perS = float64(len(messages)) / time.Since(started).Seconds()
	return perS, d.holds(ctx, len(messages))
}

// through sends the files, several at once, and measures from the first byte to the last answer.
func (r *run) through(ctx context.Context, b body, files []string, n int, syncAlways bool) (perS float64, err error) {
	d, err := r.openDoor(ctx, syncAlways, 0)
	if err != nil {
		return 0, err
	}
	defer d.stop() //nolint:errcheck // what was measured was confirmed
	runtime.GC()
	started := time.Now()
	group, sending := errgroup.WithContext(ctx)
	group.SetLimit(senders)
	for _, path := range files {
		group.Go(func() error {
			file, err := os.Open(path)
			if err != nil {
				return err
			}
			defer file.Close()
			return d.post(sending, b, file)
		})
	}
	if err := group.Wait(); err != nil {
		return 0, err
	}
	perS = float64(n) / time.Since(started).Seconds()
	return perS, d.holds(ctx, n)
}

// client keeps its connections, as a sender's does. The token is the newest door's: there is one at a time.
var client struct {
	http.Client
	token atomic.Pointer[string]
}

func init() {
	client.Transport = &http.Transport{MaxIdleConnsPerHost: 64}
}

func (d *door) post(ctx context.Context, b body, text io.Reader) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, d.url+b.path, text)
	if err != nil {
		return err
	}
	if file, ok := text.(*os.File); ok {
		info, err := file.Stat()
		if err != nil {
			return err
		}
		r.ContentLength = info.Size()
	}
	r.Header.Set("Authorization", "Bearer "+*client.token.Load())
	r.Header.Set("Content-Type", b.media)
	response, err := client.Do(r)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusAccepted {
		text, _ := io.ReadAll(io.LimitReader(response.Body, 2000))
		return fmt.Errorf("answered with %d: %s", response.StatusCode, text)
	}
	_, err = io.Copy(io.Discard, response.Body)
	return err
}

// holds makes sure that every event came in, each once.
func (d *door) holds(ctx context.Context, n int) error {
	events, err := d.js.Stream(ctx, stream.Events)
	if err != nil {
		return err
	}
	if got := events.CachedInfo().State.Msgs; got != uint64(n) {
		return fmt.Errorf("%d events are in the stream, %d were sent", got, n)
	}
	return nil
}

// singles measures requests of one event: how many can be answered, and how long they take at half of that.
func (r *run) singles(ctx context.Context) error {
	d, err := r.openDoor(ctx, false, 0)
	if err != nil {
		return err
	}
	defer d.stop() //nolint:errcheck // what was measured was confirmed
	var next atomic.Int64
	one := func(ctx context.Context) error {
		return d.post(ctx, single, strings.NewReader(single.item(int(next.Add(1)))))
	}
	busy, stop := context.WithTimeout(ctx, min(r.IntakeFor/4, 10*time.Second))
	defer stop()
	started := time.Now()
	var group sync.WaitGroup
	failed := make(chan error, singleSenders)
	for range singleSenders {
		group.Go(func() {
			for busy.Err() == nil {
				if err := one(ctx); err != nil {
					failed <- err
					return
				}
			}
		})
	}
	group.Wait()
	r.result.SinglePerS = float64(next.Load()) / time.Since(started).Seconds()
	select {
	case err := <-failed:
		return err
	default:
	}
	r.result.P99MS, err = paced(ctx, r.result.SinglePerS/2, min(r.IntakeFor/2, 20*time.Second), one)
	return err
}

// paced calls do so many times a second, whether or not earlier calls have ended, and says the 99th percentile of the time in
// milliseconds from when each was due. Waiting for its turn is part of it.
func paced(ctx context.Context, perS float64, during time.Duration, do func(context.Context) error) (p99 float64, err error) {
	n := int(perS * during.Seconds())
	took := make([]time.Duration, n)
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(singleSenders)
	started := time.Now()
	for i := range n {
		due := started.Add(time.Duration(float64(i) / perS * float64(time.Second)))
		if wait := time.Until(due); wait > 0 {
			timer := time.NewTimer(wait)
			select {
			case <-timer.C:
			case <-ctx.Done():
				timer.Stop()
				return 0, group.Wait()
			}
		}
		group.Go(func() error {
			defer func() { took[i] = time.Since(due) }()
			return do(ctx)
		})
	}
	if err := group.Wait(); err != nil || n == 0 {
		return 0, err
	}
	slices.Sort(took)
	return float64(took[n*99/100].Microseconds()) / 1000, nil
}

// sustained sends batches for IntakeFor and watches the live heap of this process, where client, door and NATS all are. What
// NATS keeps for each event is kept short: it remembers ids for a second, and the stream is emptied all the time.
func (r *run) sustained(ctx context.Context) error {
	d, err := r.openDoor(ctx, false, time.Second)
	if err != nil {
		return err
	}
	defer d.stop() //nolint:errcheck // what was measured was confirmed
	b := bodies["cloudevents"]
	const batch = 1000
	var next, sent atomic.Int64
	var calm sync.RWMutex // held for reading by each request, so that the heap is seen with none in hand
	ends := time.Now().Add(r.IntakeFor)
	group, ctx := errgroup.WithContext(ctx)
	for range senders {
		group.Go(func() error {
			for time.Now().Before(ends) {
				from := int(next.Add(batch))
				calm.RLock()
				reader, writer := io.Pipe()
				go func() { _ = writer.CloseWithError(b.write(writer, from, from+batch)) }()
				err := d.post(ctx, b, reader)
				calm.RUnlock()
				if err != nil {
					return err
				}
				sent.Add(batch)
			}
			return nil
		})
	}
	var heap []float64
	group.Go(func() error {
		events, err := d.js.Stream(ctx, stream.Events)
		if err != nil {
			return err
		}
		tick := time.NewTicker(max(r.IntakeFor/50, 20*time.Millisecond))
		defer tick.Stop()
		for time.Now().Before(ends) {
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-tick.C:
			}
			calm.Lock()
			err := events.Purge(ctx)
			runtime.GC()
			var memory runtime.MemStats
			runtime.ReadMemStats(&memory)
			heap = append(heap, float64(memory.HeapAlloc)/1e6)
			calm.Unlock()
			if err != nil {
				return err
			}
		}
		return nil
	})
	started := time.Now()
	if err := group.Wait(); err != nil {
		return err
	}
	r.result.SustainedPerS = float64(sent.Load()) / time.Since(started).Seconds()
	if len(heap) == 0 {
		return errors.New("the heap was never seen")
	}
	// A single look depends on what NATS has on its way just then: medians of a tenth of them are compared.
	tenth := (len(heap) + 9) / 10
	early, late := slices.Clone(heap[len(heap)/5:][:tenth]), slices.Clone(heap[len(heap)-tenth:])
	growth := median(late) - median(early)
	r.result.HeapGrowthMB, r.result.HeapMostMB = &growth, slices.Max(heap)
	r.Log.Info("bench", "live heap, MB", heap)
	return nil
}

// files writes n items to files of a fixed folder and says their paths: one for each request.
func (b body) files(dir string, n int) ([]string, error) {
	dir, err := os.MkdirTemp(dir, "bodies-*")
	if err != nil {
		return nil, err
	}
	var paths []string
	for at := 0; at < n; at += b.perRequest {
		path := filepath.Join(dir, fmt.Sprint(at))
		file, err := os.Create(path)
		if err != nil {
			return nil, err
		}
		if err := b.write(file, at, min(at+b.perRequest, n)); err != nil {
			return nil, err
		}
		if err := file.Close(); err != nil {
			return nil, err
		}
		paths = append(paths, path)
	}
	return paths, nil
}
