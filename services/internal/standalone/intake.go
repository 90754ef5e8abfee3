package standalone

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"

	"gapwatch/services/internal/intake"
	"gapwatch/services/internal/pseudonym"
)

// IntakeAccess is intake.Access under a name by which it can be embedded beside other settings.
type IntakeAccess = intake.Access

// IntakeTuning is intake.Tuning under a name by which it can be embedded beside other settings.
type IntakeTuning = intake.Tuning

// TokenFile is where the token of the sender is that a folder was given at its first start.
func TokenFile(folder string) string { return filepath.Join(folder, "intake", "token") }

// startIntake opens the door for senders. A folder gets keys and a sender of its own at its first start, unless the settings
// name others.
func (s *System) startIntake(_ context.Context, l *lifecycle, c *Config) error {
	if c.Intake.Listen == "" {
		return nil
	}
	access, err := provideAccess(c.Folder, c.Intake)
	if err != nil {
		return named("intake", err)
	}
	config, err := access.Config(c.IntakeTuning, c.Programmes, c.Logger.With("part", "intake"))
	if err != nil {
		return named("intake", err)
	}
	config.Telemetry = s.Telemetry
	if config.NATS, config.JetStream, err = s.openNATS(l, c, "intake"); err != nil {
		return err
	}
	door, err := intake.New(config)
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", access.Listen)
	if err != nil {
		return named("GAPWATCH_INTAKE_LISTEN", err)
	}
	s.IntakeURL = "http://" + listener.Addr().String()
	l.run("intake", func(ctx context.Context) error { return door.Serve(ctx, listener) })
	return nil
}

// provideAccess makes what the settings do not name and the folder does not have yet. Only the folder's owner can read it.
func provideAccess(folder string, a intake.Access) (intake.Access, error) {
	dir := filepath.Join(folder, "intake")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return a, err
	}
	if a.Keys == "" && a.KeysFile == "" {
		a.KeysFile = filepath.Join(dir, "keys.yaml")
		if err := once(a.KeysFile, func() ([]byte, error) { return pseudonym.Generate("demo-1") }); err != nil {
			return a, err
		}
	}
	if a.SendersFile == "" {
		a.SendersFile = filepath.Join(dir, "senders.yaml")
		token, hash := intake.NewToken()
		// The token first: without it nobody could use what the senders' file says.
		if _, err := os.Stat(a.SendersFile); errors.Is(err, fs.ErrNotExist) {
			if err := os.WriteFile(TokenFile(folder), []byte(token+"\n"), 0o600); err != nil {
				return a, err
			}
		}
		err := once(a.SendersFile, func() ([]byte, error) {
			return fmt.Appendf(nil, "senders:\n  - id: demo\n    tokens: [%s]\n    sources: [\"urn:example:demo\", \"*\"]\n    programmes: [\"*\"]\n    limits: {requests: 1000}\n", hash), nil
		})
		if err != nil {
			return a, err
		}
	}
	return a, nil
}

// once writes a file that is not there yet, whole or not at all.
func once(path string, text func() ([]byte, error)) error {
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	data, err := text()
	if err != nil {
		return err
	}
	if err := os.WriteFile(path+".new", data, 0o600); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}
