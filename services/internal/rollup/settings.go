package rollup

import (
	"errors"
	"time"
)

// Settings are an aggregator's as environment variables say them.
type Settings struct {
	Interval   time.Duration `envconfig:"GAPWATCH_AGGREGATOR_INTERVAL" default:"1s"`    // shortest time between two ticks
	Share      float64       `envconfig:"GAPWATCH_AGGREGATOR_SHARE" default:"0.75"`     // of the time, over 0 to 1
	Threads    int           `envconfig:"GAPWATCH_AGGREGATOR_THREADS" default:"1"`      // of ClickHouse, for a full recompute
	Backlog    uint64        `envconfig:"GAPWATCH_AGGREGATOR_BACKLOG" default:"50000"`  // messages
	AuditEvery time.Duration `envconfig:"GAPWATCH_AGGREGATOR_AUDIT_EVERY" default:"1h"` // 0: never
}

// Config is the part of a configuration that the settings say. An error names the variable: stop at start.
func (s Settings) Config() (Config, error) {
	var errs []error
	if s.Interval <= 0 {
		errs = append(errs, errors.New("GAPWATCH_AGGREGATOR_INTERVAL is not over 0"))
	}
	if s.Share <= 0 || s.Share > 1 {
		errs = append(errs, errors.New("GAPWATCH_AGGREGATOR_SHARE is not over 0 and at most 1"))
	}
	if s.Threads < 1 {
		errs = append(errs, errors.New("GAPWATCH_AGGREGATOR_THREADS is not at least 1"))
	}
	if s.Backlog < 1 {
		errs = append(errs, errors.New("GAPWATCH_AGGREGATOR_BACKLOG is not at least 1"))
	}
	if s.AuditEvery == 0 {
		s.AuditEvery = -1 // what Config takes for never
	}
	return Config{Interval: s.Interval, Share: s.Share, Threads: s.Threads, Backlog: s.Backlog, AuditEvery: s.AuditEvery}, errors.Join(errs...)
}
