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
	Access
}

// Access is where senders find the door, who they are, and the keys that it makes pseudonyms with.
type Access struct {
	Listen         string `envconfig:"GAPWATCH_INTAKE_LISTEN" default:"127.0.0.1:8480" required:"true"`
	SendersFile    string `envconfig:"GAPWATCH_INTAKE_SENDERS"`
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
	config, err := s.Access.Config(s.Tuning, programmes, logger)
	if err != nil {
		return nil, nil, err
	}
	config.Telemetry = tel
	if config.NATS, config.JetStream, err = stream.Connect(s.NATS.Connect("intake", logger)); err != nil {
		return nil, nil, err
	}
	if door, err = New(config); err != nil {
		config.NATS.Close()
		return nil, nil, err
	}
	return door, config.NATS.Close, nil
}

// Config is the configuration that the settings say, but for NATS and telemetry. Errors name what is wrong without a key or
// a token: stop.
func (a Access) Config(t Tuning, programmes *programme.Set, logger *slog.Logger) (c Config, err error) {
	keys, err := a.keys()
	if err != nil {
		return c, err
	}
	if a.SendersFile == "" {
		return c, errors.New("GAPWATCH_INTAKE_SENDERS must be set: without it nobody may send")
	}
	load := func(path string) (Senders, error) { return LoadSenders(path, programmes) }
	c = Config{Logger: logger, Concurrent: t.Concurrent, Times: Times{Stop: t.StopTimeout}, Reload: Watch(a.SendersFile, load)}
	if c.Senders, err = load(a.SendersFile); err != nil {
		return c, err
	}
	if c.Door, err = t.admission(programmes, keys, logger); err != nil {
		return c, err
	}
	c.TLS, err = a.tls()
	return c, err
}

// admission is what decides about items: tables, look-ups and keys.
func (t Tuning) admission(programmes *programme.Set, keys pseudonym.Keys, logger *slog.Logger) (*admit.Door, error) {
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

func (a Access) keys() (pseudonym.Keys, error) {
	switch {
	case (a.Keys == "") == (a.KeysFile == ""):
		return pseudonym.Keys{}, errors.New("one of GAPWATCH_PSEUDONYM_KEYS and GAPWATCH_PSEUDONYM_KEYS_FILE must be set")
	case a.Keys != "":
		return pseudonym.Parse("GAPWATCH_PSEUDONYM_KEYS", []byte(a.Keys))
	}
	text, err := os.ReadFile(a.KeysFile)
	if err != nil {
		return pseudonym.Keys{}, fmt.Errorf("GAPWATCH_PSEUDONYM_KEYS_FILE: %w", err)
	}
	return pseudonym.Parse(a.KeysFile, text)
}

func (a Access) tls() (*tls.Config, error) {
	switch {
	case a.TLSCertificate == "" && a.TLSKey == "":
		return nil, nil
	case a.TLSCertificate == "" || a.TLSKey == "":
		return nil, errors.New("GAPWATCH_INTAKE_TLS_CERTIFICATE and GAPWATCH_INTAKE_TLS_KEY must be set together")
	}
	pair, err := tls.LoadX509KeyPair(a.TLSCertificate, a.TLSKey)
	if err != nil {
		return nil, fmt.Errorf("GAPWATCH_INTAKE_TLS_CERTIFICATE: %w", err)
	}
	return &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12, NextProtos: []string{"http/1.1"}}, nil
}
