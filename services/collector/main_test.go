package main

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"gapwatch/services/internal/engine/enginetest"
	"gapwatch/services/internal/stream"
	"gapwatch/services/internal/stream/streamtest"
)

func TestMain(m *testing.M) { enginetest.Main(m) }

const sample = `{"specversion":"1.0","id":"1","source":"urn:test:collector","type":"uk.nhs.prevention.vaccination.v1","time":"2026-11-20T09:31:22Z",
	"data":{"record":"1","status":"completed","person":"9b74c9897bac770ffc029102a200c5de","personKey":"2026-1","programme":"flu-65",
	"occurredAt":"2025-11-20","lsoa":"E01000001"}}`

func TestRun(t *testing.T) {
	nats := streamtest.New(t)
	address := freeAddress(t)
	t.Setenv("GAPWATCH_NATS_URL", nats.URL())
	t.Setenv("GAPWATCH_CLICKHOUSE_URL", enginetest.URL(t))
	t.Setenv("GAPWATCH_METRICS_LISTEN", address)
	t.Setenv("GAPWATCH_COLLECTOR_MAX_AGE", "20ms")
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- run(ctx) }()

	_, js := nats.Ensure(stream.Options{})
	if _, err := stream.Publish(t.Context(), js, stream.Message("prevention.events.vaccination.flu-65", "1", []byte(sample))); err != nil {
		t.Fatal(err)
	}
	expect(t, ended, "http://"+address+"/readyz", "collector: ok")
	expect(t, ended, "http://"+address+"/metrics", `gapwatch_events_total{outcome="stored",programme="flu-65"} 1`)
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// freeAddress is a loopback address that nobody listens on. Where all of 127.0.0.0/8 is loopback it is one on which nobody else
// will, before it is used.
func freeAddress(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", fmt.Sprintf("127.%d.%d.%d:0", 1+rand.IntN(254), rand.IntN(256), 1+rand.IntN(254)))
	if err != nil {
		listener, err = net.Listen("tcp", "127.0.0.1:0")
	}
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().String()
}

// expect waits until the page holds the text.
func expect(t *testing.T, ended <-chan error, url, want string) {
	t.Helper()
	deadline := time.After(3 * time.Minute)
	ticks := time.NewTicker(20 * time.Millisecond)
	defer ticks.Stop()
	for {
		page, err := get(url)
		if strings.Contains(page, want) {
			return
		}
		select {
		case err := <-ended:
			t.Fatalf("the collector ended: %v", err)
		case <-deadline:
			t.Fatalf("%q is not in %s: %v\n%s", want, url, err, page)
		case <-ticks.C:
		}
	}
}

func get(url string) (string, error) {
	response, err := http.Get(url) //nolint:gosec // an address of this test
	if err != nil {
		return "", err
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return "", fmt.Errorf("read %s: %w", url, err)
	}
	return string(body), nil
}

func TestRunRefusesWrongSettings(t *testing.T) {
	for name, value := range map[string]string{
		"GAPWATCH_COLLECTOR_BATCH": "0x", "GAPWATCH_NATS_URL": "", "GAPWATCH_LOG": "xml", "GAPWATCH_CLICKHOUSE_URL": "ftp://x",
		"GAPWATCH_PROGRAMMES": "/nowhere.yaml", "GAPWATCH_COLLECTOR_MAX_AGE": "-1s", "GAPWATCH_BATCH": "1", "GAPWATCH_NATS_CREDENTIALS": "/nowhere",
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv(name, value)
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
			defer cancel()
			if err := run(ctx); err == nil || ctx.Err() != nil {
				t.Errorf("%s=%s was taken: %v", name, value, err)
			} else if !strings.Contains(err.Error(), "GAPWATCH_") && !strings.Contains(err.Error(), "nowhere") && !strings.Contains(err.Error(), "ClickHouse address") {
				t.Errorf("the error does not name the setting: %v", err)
			}
		})
	}
}
