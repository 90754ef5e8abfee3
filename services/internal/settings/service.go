package settings

import (
	"fmt"
	"io"
	"log/slog"
	"time"

	"gapwatch/services/internal/store"
	"gapwatch/services/internal/stream"
)

// Service is what every service that runs for long is told. Embed it.
type Service struct {
	MetricsListen string `envconfig:"GAPWATCH_METRICS_LISTEN" default:"127.0.0.1:9464"`
	Log           string `envconfig:"GAPWATCH_LOG" default:"text"`
	LogLevel      string `envconfig:"GAPWATCH_LOG_LEVEL" default:"info"`
}

// Logger is the logger that the settings ask for, writing to w.
func (s Service) Logger(w io.Writer) (*slog.Logger, error) {
	var level slog.Level
	if err := level.UnmarshalText([]byte(s.LogLevel)); err != nil {
		return nil, fmt.Errorf("GAPWATCH_LOG_LEVEL is %q, not debug, info, warn or error", s.LogLevel)
	}
	options := &slog.HandlerOptions{Level: level}
	switch s.Log {
	case "text":
		return slog.New(slog.NewTextHandler(w, options)), nil
	case "json":
		return slog.New(slog.NewJSONHandler(w, options)), nil
	default:
		return nil, fmt.Errorf("GAPWATCH_LOG is %q, not text or json", s.Log)
	}
}

// NATS is how a service reaches NATS. Embed it.
type NATS struct {
	NATSURL         string `envconfig:"GAPWATCH_NATS_URL" default:"nats://127.0.0.1:4222" required:"true"`
	NATSCredentials string `envconfig:"GAPWATCH_NATS_CREDENTIALS"`
	NATSCA          string `envconfig:"GAPWATCH_NATS_CA"`
	NATSCertificate string `envconfig:"GAPWATCH_NATS_CERTIFICATE"`
	NATSKey         string `envconfig:"GAPWATCH_NATS_KEY"`
}

// Connect is these settings for [stream.Connect]; name is shown in the server's list of connections. Answers come to
// _INBOX.<name>, so that the server's permissions can keep what one service reads from the others: see
// deploy/nats/nats.conf.
func (n NATS) Connect(name string, logger *slog.Logger) stream.ConnectOptions {
	return stream.ConnectOptions{URL: n.NATSURL, Name: name, Inbox: "_INBOX." + name, Credentials: n.NATSCredentials, CA: n.NATSCA,
		Certificate: n.NATSCertificate, Key: n.NATSKey, Logger: logger}
}

// Streams is how streams that do not exist yet are made; what is not set is the default of [stream.Options]. Embed it.
type Streams struct {
	MaxAge          time.Duration `envconfig:"GAPWATCH_STREAM_MAX_AGE"`
	MaxBytes        int64         `envconfig:"GAPWATCH_STREAM_MAX_BYTES"`
	DeadLetterBytes int64         `envconfig:"GAPWATCH_STREAM_DEAD_LETTER_BYTES"`
	GapBytes        int64         `envconfig:"GAPWATCH_STREAM_GAP_BYTES"`
	Replicas        int           `envconfig:"GAPWATCH_STREAM_REPLICAS"`
}

// Options is these settings for [stream.Ensure].
func (s Streams) Options() stream.Options {
	return stream.Options{MaxAge: s.MaxAge, MaxBytes: s.MaxBytes, DeadLetterBytes: s.DeadLetterBytes, GapBytes: s.GapBytes, Replicas: s.Replicas}
}

// ClickHouse is where a service finds ClickHouse. Embed it.
type ClickHouse struct {
	ClickHouseURL string `envconfig:"GAPWATCH_CLICKHOUSE_URL" default:"http://127.0.0.1:8123" required:"true"`
	ClickHouseCA  string `envconfig:"GAPWATCH_CLICKHOUSE_CA"`
}

// Address is these settings for package store.
func (c ClickHouse) Address() string { return store.WithCA(c.ClickHouseURL, c.ClickHouseCA) }

// Programmes is which programmes a service knows. Embed it.
type Programmes struct {
	ProgrammeFile string `envconfig:"GAPWATCH_PROGRAMMES"`
}
