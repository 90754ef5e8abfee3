package collect_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"gapwatch/services/internal/collect"
	"gapwatch/services/internal/event"
	"gapwatch/services/internal/stream"
)

// BenchmarkPipeline measures, one after the other on the same messages, fetching with no work, decoding, inserting the
// decoded rows, and the collector as it runs. Use -benchtime 1x.
func BenchmarkPipeline(b *testing.B) {
	const n, batch = 200_000, 20_000
	r := newRig(b, stream.Options{})
	programmes := []string{"flu-65", "covid-autumn"}
	events := r.samples(0, n)
	for i := range events {
		events[i].Programme = programmes[i%2]
		events[i].Record = fmt.Sprintf("%08x-%04x-4%03x-8000-%012x", i*2654435761%(1<<32), i%65536, i%4096, i)
		events[i].LSOA = fmt.Sprintf("E0%07d", 1000000+i%33000)
		events[i].Source = fmt.Sprintf("urn:test:%s:%d", b.Name(), i%40)
		events[i].Practice = fmt.Sprintf("A%05d", i%6000)
	}
	r.publish(events...)
	rate := func(since time.Time) float64 { return n / time.Since(since).Seconds() }
	for b.Loop() {
		consumer, err := r.js.CreateConsumer(b.Context(), stream.Events, jetstream.ConsumerConfig{AckPolicy: jetstream.AckExplicitPolicy, MaxAckPending: n})
		if err != nil {
			b.Fatal(err)
		}
		var messages []collect.Message
		start := time.Now()
		for len(messages) < n {
			fetched, err := collect.Fetch(consumer, batch, 64<<20, time.Second)
			if err != nil {
				b.Fatal(err)
			}
			for i, msg := range fetched {
				messages = append(messages, collect.Message{Sequence: uint64(len(messages) + i), Msg: msg, Received: noon})
			}
		}
		fetch := rate(start)
		decoder := &event.Decoder{Programmes: r.programmes, Now: func() time.Time { return noon }}
		start = time.Now()
		rows := collect.Decode(decoder, messages, 2)
		decoding := rate(start)
		start = time.Now()
		for from := 0; from < n; from += batch {
			if err := collect.InsertRows(context.Background(), r.clickhouse, rows[from:from+batch]); err != nil {
				b.Fatal(err)
			}
		}
		insert := rate(start)
		if err := r.js.DeleteConsumer(b.Context(), stream.Events, consumer.CachedInfo().Name); err != nil {
			b.Fatal(err)
		}
		start = time.Now()
		run := r.collect(func(c *collect.Config) {
			c.Batch, c.MaxAge, c.InsertTimeout, c.AccountEvery = batch, 500*time.Millisecond, 15*time.Second, 5*time.Second
		})
		eventually(b, func() string { // asking ClickHouse would be work that is not the collector's
			if got := run.metric("gapwatch_events_total"); got < n {
				return fmt.Sprintf("%v messages are stored", got)
			}
			return ""
		})
		pipeline := rate(start)
		b.ReportMetric(fetch, "fetched/s")
		b.ReportMetric(decoding, "decoded/s")
		b.ReportMetric(insert, "inserted/s")
		b.ReportMetric(pipeline, "collected/s")
		b.ReportMetric(pipeline*(1/fetch+1/insert), "of-bound")
	}
}
