package intake

import (
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"gapwatch/services/internal/admit"
	"gapwatch/services/internal/mapping"
	"gapwatch/services/internal/postcode"
	"gapwatch/services/internal/programme"
	"gapwatch/services/internal/pseudonym"
	"gapwatch/services/internal/settings"
	"gapwatch/services/internal/stream"
	"gapwatch/services/internal/telemetry"
)

// Settings is the door's part of the environment.
type Settings struct {
	settings.NATS
	settings.Programmes
	Tuning
	Listen         string `envconfig:"GAPWATCH_INTAKE_LISTEN" default:"127.0.0.1:8480" required:"true"`
	SendersFile    string `envconfig:"GAPWATCH_INTAKE_SENDERS" required:"true"`
	TLSCertificate string `envconfig:"GAPWATCH_INTAKE_TLS_CERTIFICATE"`
	TLSKey         string `envconfig:"GAPWATCH_INTAKE_TLS_KEY"`
	Keys           string `envconfig:"GAPWATCH_PSEUDONYM_KEYS"`
	KeysFile       string `envconfig:"GAPWATCH_PSEUDONYM_KEYS_FILE"`
}

// Tuning is the part of the settings that is about what the door does, and not about where its servers and secrets are.
type Tuning struct {
	Postcodes   string        `envconfig:"GAPWATCH_POSTCODES"`
	Mapping     string        `envconfig:"GAPWATCH_MAPPING"`
	Concurrent  int           `envconfig:"GAPWATCH_INTAKE_CONCURRENT" default:"64"`
	StopTimeout time.Duration `envconfig:"GAPWATCH_INTAKE_STOP_TIMEOUT" default:"20s"`
}

// Connect makes a door with a connection of its own. closeAll closes that; call it after [Server.Run]. Errors are of the
// settings and name what is wrong without a key or a token: stop.
func Connect(s Settings, tel *telemetry.Telemetry, logger *slog.Logger) (door *Server, closeAll func(), err error) {
	programmes, err := programme.Load(s.ProgrammeFile)
	if err != nil {
		return nil, nil, err
	}
	keys, err := s.keys()
	if err != nil {
		return nil, nil, err
	}
	admission, err := s.Tuning.Admission(programmes, keys, logger)
	if err != nil {
		return nil, nil, err
	}
	load := func(path string) (Senders, error) { return LoadSenders(path, programmes) }
	watch := Watch(s.SendersFile, load)
	senders, err := load(s.SendersFile)
	if err != nil {
		return nil, nil, err
	}
	config := Config{Door: admission, Senders: senders, Reload: watch, Telemetry: tel, Logger: logger, Concurrent: s.Concurrent, Times: Times{Stop: s.StopTimeout}}
	if config.TLS, err = s.tls(); err != nil {
		return nil, nil, err
	}
	if config.NATS, config.JetStream, err = stream.Connect(s.NATS.Connect("intake", logger)); err != nil {
		return nil, nil, err
	}
	if door, err = New(config); err != nil {
		config.NATS.Close()
		return nil, nil, err
	}
	return door, config.NATS.Close, nil
}

// Admission is what decides about items: tables, look-ups and keys. Errors are for stopping at start.
func (t Tuning) Admission(programmes *programme.Set, keys pseudonym.Keys, logger *slog.Logger) (*admit.Door, error) {
	if t.Concurrent < 1 {
		return nil, errors.New("GAPWATCH_INTAKE_CONCURRENT must be at least 1")
	}
	tables, err := mapping.Load(t.Mapping, programmes)
	if err != nil {
		return nil, err
	}
	for _, note := range tables.Notes() {
		logger.Info("mapping", "note", note)
	}
	door := &admit.Door{Programmes: programmes, Mapping: tables, Keys: keys, Now: time.Now}
	if t.Postcodes == "" {
		logger.Warn("there is no look-up of postcodes (GAPWATCH_POSTCODES): who comes without an LSOA counts as of unknown area")
		return door, nil
	}
	if door.Postcodes, err = postcode.Load(t.Postcodes); err != nil {
		return nil, err
	}
	logger.Info("postcodes are known", "postcodes", door.Postcodes.Len())
	return door, nil
}

func (s Settings) keys() (pseudonym.Keys, error) {
	switch {
	case (s.Keys == "") == (s.KeysFile == ""):
		return pseudonym.Keys{}, errors.New("one of GAPWATCH_PSEUDONYM_KEYS and GAPWATCH_PSEUDONYM_KEYS_FILE must be set")
	case s.Keys != "":
		return pseudonym.Parse("GAPWATCH_PSEUDONYM_KEYS", []byte(s.Keys))
	}
	text, err := os.ReadFile(s.KeysFile)
	if err != nil {
		return pseudonym.Keys{}, fmt.Errorf("GAPWATCH_PSEUDONYM_KEYS_FILE: %w", err)
	}
	return pseudonym.Parse(s.KeysFile, text)
}

func (s Settings) tls() (*tls.Config, error) {
	switch {
	case s.TLSCertificate == "" && s.TLSKey == "":
		return nil, nil
	case s.TLSCertificate == "" || s.TLSKey == "":
		return nil, errors.New("GAPWATCH_INTAKE_TLS_CERTIFICATE and GAPWATCH_INTAKE_TLS_KEY must be set together")
	}
	pair, err := tls.LoadX509KeyPair(s.TLSCertificate, s.TLSKey)
	if err != nil {
		return nil, fmt.Errorf("GAPWATCH_INTAKE_TLS_CERTIFICATE: %w", err)
	}
	return &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12, NextProtos: []string{"http/1.1"}}, nil
}
