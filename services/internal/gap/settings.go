package gap

import (
	"errors"
	"fmt"
	"time"

	"gapwatch/services/internal/disclosure"
)

// Settings are a keeper's as environment variables say them.
type Settings struct {
	Interval   time.Duration `envconfig:"GAPWATCH_GAP_INTERVAL" default:"2s"`         // shortest time between two looks at what is new
	Share      float64       `envconfig:"GAPWATCH_GAP_SHARE" default:"0.25"`          // of the time, over 0 to 1
	Settle     time.Duration `envconfig:"GAPWATCH_GAP_SETTLE" default:"10m"`          // 0: not at all
	Disclosure string        `envconfig:"GAPWATCH_DISCLOSURE" default:"nhs-england"`  // nhs-england or none
	National   bool          `envconfig:"GAPWATCH_NATIONAL_COVERAGE" default:"false"` // rows of England
}

// Config is the part of a configuration that the settings say. An error names the variable: stop at start.
func (s Settings) Config() (Config, error) {
	var errs []error
	if s.Interval <= 0 {
		errs = append(errs, errors.New("GAPWATCH_GAP_INTERVAL is not over 0"))
	}
	if s.Share <= 0 || s.Share > 1 {
		errs = append(errs, errors.New("GAPWATCH_GAP_SHARE is not over 0 and at most 1"))
	}
	if s.Settle == 0 {
		s.Settle = -1 // what Config takes for not at all
	}
	mode, err := disclosure.ParseMode(s.Disclosure)
	if err != nil {
		errs = append(errs, fmt.Errorf("GAPWATCH_DISCLOSURE: %w", err))
	}
	return Config{Interval: s.Interval, Share: s.Share, Settle: s.Settle, Disclosure: mode, National: s.National}, errors.Join(errs...)
}
