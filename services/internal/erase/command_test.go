package erase_test

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gapwatch/services/internal/cases"
	"gapwatch/services/internal/erase"
	"gapwatch/services/internal/pseudonym"
	"gapwatch/services/internal/settings"
)

// TestCommand erases by NHS number, under the current and the previous key, and by pseudonym.
func TestCommand(t *testing.T) {
	s := newSystem(t)
	const number, other = "943 476 5919", "9000000009" // of the range that is never issued, and the data dictionary's example
	before, err := pseudonym.Generate("2025")
	if err != nil {
		t.Fatal(err)
	}
	now, err := pseudonym.Generate("2026")
	if err != nil {
		t.Fatal(err)
	}
	text := string(now) + strings.Replace(strings.SplitAfterN(string(before), "\n", 2)[1], "current", "previous", 1)
	keys, err := pseudonym.Parse("keys", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := pseudonym.ParseNHSNumber(number)
	if err != nil {
		t.Fatal(err)
	}
	_, current, previous := keys.Person(parsed)
	file := filepath.Join(t.TempDir(), "keys.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	s.publish("prevention.events.vaccination.flu-65", "1", []byte(current.String()))
	s.publish("prevention.events.vaccination.flu-65", "2", []byte(previous.String()))
	s.publish("prevention.events.vaccination.flu-65", "3", []byte(cases.Pseudonym("c").String()))
	url := s.url
	set := erase.Settings{NATS: settings.NATS{NATSURL: s.nats.URL()}, ClickHouse: settings.ClickHouse{ClickHouseURL: url}, KeysFile: file}

	run := func(set erase.Settings, in string, args ...string) (string, error) {
		var out bytes.Buffer
		err := erase.Command(t.Context(), set, append(args, "--reference", "r 1", "--by", "test"), strings.NewReader(in), &out)
		for _, secret := range []string{"943", "9000000009", current.String(), previous.String()} {
			if strings.Contains(out.String(), secret) || err != nil && strings.Contains(err.Error(), secret) {
				t.Errorf("%s is shown:\n%s%v", secret, &out, err)
			}
		}
		return out.String(), err
	}
	s.collect(context.Background())
	if out, err := run(set, "\n"+number+"\n"+other+"\n", "--person", "--dry-run"); err != nil || !strings.HasPrefix(out, "would be removed, for 4 pseudonyms: 2 messages") {
		t.Errorf("%s, %v", out, err)
	}
	if out, err := run(set, number, "--person"); err != nil || !strings.HasPrefix(out, "removed, for 2 pseudonyms: 2 messages") || !strings.Contains(out, "backups") {
		t.Errorf("%s, %v", out, err)
	}
	if out, err := run(set, cases.Pseudonym("c").String(), "--pseudonym"); err != nil || !strings.HasPrefix(out, "removed, for 1 pseudonyms: 1 messages") {
		t.Errorf("%s, %v", out, err)
	}
	both := set
	both.Keys = text
	for _, wrong := range []struct {
		set  erase.Settings
		in   string
		args []string
		want string
	}{
		{set, number + "\n943 476 5918", []string{"--person"}, "standard input, line 2: "},
		{set, "x" + current.String(), []string{"--pseudonym"}, "standard input, line 1: must be 32 hexadecimal digits"},
		{set, "", []string{"--person"}, "nobody is named"},
		{set, "", []string{"--person", number}, "never from the command line"},
		{set, "", []string{"--person=" + number}, "never from the command line"},
		{set, number, nil, "see --help"},
		{set, number, []string{"--person", "--pseudonym"}, "see --help"},
		{both, number, []string{"--person"}, "both set"},
		{erase.Settings{}, number, []string{"--person"}, "GAPWATCH_PSEUDONYM_KEYS"},
	} {
		if _, err := run(wrong.set, wrong.in, wrong.args...); err == nil || !strings.Contains(err.Error(), wrong.want) {
			t.Errorf("%v: %v, want %s", wrong.args, err, wrong.want)
		}
	}
}
