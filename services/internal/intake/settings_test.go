package intake_test

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gapwatch/services/internal/intake"
	"gapwatch/services/internal/pseudonym"
)

// Settings that cannot be right stop the start and name the variable, and neither a key nor a token.
func TestSettings(t *testing.T) {
	dir := t.TempDir()
	write := func(name string, text []byte) string {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	text, err := pseudonym.Generate("k-1")
	if err != nil {
		t.Fatal(err)
	}
	secret := strings.Fields(string(text))[1]
	keys, senders := write("keys.yaml", text), write("senders.yaml", []byte(sendersFile("")))
	broken := write("broken.yaml", bytes.Replace(text, []byte("current"), []byte("now"), 1))
	postcodes := write("postcodes.csv", []byte("postcode,lsoa\nQX1 0AA,X01000001\n"))
	right := intake.Access{KeysFile: keys, SendersFile: senders}
	for name, c := range map[string]struct {
		change func(*intake.Access, *intake.Tuning)
		want   string // part of the error; empty for success
	}{
		"right":            {func(*intake.Access, *intake.Tuning) {}, ""},
		"keys as text":     {func(a *intake.Access, _ *intake.Tuning) { a.Keys, a.KeysFile = string(text), "" }, ""},
		"postcodes":        {func(_ *intake.Access, s *intake.Tuning) { s.Postcodes = postcodes }, ""},
		"no keys":          {func(a *intake.Access, _ *intake.Tuning) { a.KeysFile = "" }, "GAPWATCH_PSEUDONYM_KEYS"},
		"keys twice":       {func(a *intake.Access, _ *intake.Tuning) { a.Keys = string(text) }, "GAPWATCH_PSEUDONYM_KEYS"},
		"no file of keys":  {func(a *intake.Access, _ *intake.Tuning) { a.KeysFile = dir + "/none" }, "GAPWATCH_PSEUDONYM_KEYS_FILE"},
		"broken keys":      {func(a *intake.Access, _ *intake.Tuning) { a.KeysFile = broken }, "current"},
		"nobody":           {func(a *intake.Access, _ *intake.Tuning) { a.SendersFile = "" }, "GAPWATCH_INTAKE_SENDERS"},
		"no senders' file": {func(a *intake.Access, _ *intake.Tuning) { a.SendersFile = dir + "/none" }, "read the senders"},
		"keys for senders": {func(a *intake.Access, _ *intake.Tuning) { a.SendersFile = keys }, "senders' file"},
		"half of TLS":      {func(a *intake.Access, _ *intake.Tuning) { a.TLSKey = keys }, "GAPWATCH_INTAKE_TLS_KEY"},
		"no certificate":   {func(a *intake.Access, _ *intake.Tuning) { a.TLSCertificate, a.TLSKey = keys, keys }, "GAPWATCH_INTAKE_TLS_CERTIFICATE"},
		"no postcodes":     {func(_ *intake.Access, s *intake.Tuning) { s.Postcodes = dir + "/none" }, "none"},
		"no mapping":       {func(_ *intake.Access, s *intake.Tuning) { s.Mapping = dir }, dir},
		"none at once":     {func(_ *intake.Access, s *intake.Tuning) { s.Concurrent = 0 }, "GAPWATCH_INTAKE_CONCURRENT"},
	} {
		access, tuning := right, intake.Tuning{Concurrent: 3}
		c.change(&access, &tuning)
		var log bytes.Buffer
		config, err := access.Config(tuning, programmes(t), slog.New(slog.NewTextHandler(&log, nil)))
		switch {
		case c.want == "" && (err != nil || config.Door == nil || len(config.Senders) != 3 || config.Concurrent != 3):
			t.Errorf("%s: %v", name, err)
		case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
			t.Errorf("%s: %v", name, err)
		}
		if said := log.String() + " "; err != nil && strings.Contains(said+err.Error(), secret) || strings.Contains(said, secret) {
			t.Errorf("%s: a key is shown", name)
		}
	}
}
