package pseudonym_test

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"gapwatch/services/internal/event"
	"gapwatch/services/internal/pseudonym"
)

// The keys of the known answers: 32 characters each.
const (
	recordKey   = "record key of the known answers!"
	currentKey  = "current key of the known answer!"
	previousKey = "previous key of the known answer"
)

func base(key string) string { return base64.StdEncoding.EncodeToString([]byte(key)) }

// file is a key file of both.
var file = fmt.Sprintf("record: %s\ncurrent: {id: 2026-2, key: %s}\nprevious: {id: 2026-1, key: %s}\n", base(recordKey), base(currentKey), base(previousKey))

func parse(t testing.TB, text string) pseudonym.Keys {
	t.Helper()
	keys, err := pseudonym.Parse("keys.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

func number(t testing.TB, text string) pseudonym.NHSNumber {
	t.Helper()
	n, err := pseudonym.ParseNHSNumber(text)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// The answers are OpenSSL's, the first 32 digits of
//
//	printf '%s' 9434765919 | openssl dgst -sha256 -hmac 'current key of the known answer!'
//	printf 'https://gp.example/1\0vacc-1' | openssl dgst -sha256 -hmac 'record key of the known answers!'
func TestKnownAnswers(t *testing.T) {
	keys := parse(t, file)
	for text, want := range map[string][2]string{
		"9434765919":   {"281a3d4ae7f09cea846e460f8a5cebe5", "b6a00e2d74e7a89b25f292d9e7195901"},
		"943 476 5919": {"281a3d4ae7f09cea846e460f8a5cebe5", "b6a00e2d74e7a89b25f292d9e7195901"},
		"999-054-8609": {"d72f3a556314d3670e21f72a24b045eb", "4bac66ab11a79453c17923dbfaccb112"},
	} {
		id, current, previous := keys.Person(number(t, text))
		if id != "2026-2" || current.String() != want[0] || previous.String() != want[1] {
			t.Errorf("%s: %s %v %v, want %v", text, id, current, previous, want)
		}
	}
	if got := keys.Record("https://gp.example/1", "vacc-1"); got != "4f84e05b482c11ec79e5aac07ec00af4" {
		t.Errorf("record %s", got)
	}
	if keys.CurrentID() != "2026-2" || keys.PreviousID() != "2026-1" {
		t.Error(keys.CurrentID(), keys.PreviousID())
	}
}

func TestWithoutKeyChange(t *testing.T) {
	keys := parse(t, file[:strings.Index(file, "previous")])
	if _, current, previous := keys.Person(number(t, "9434765919")); current == (event.Pseudonym{}) || previous != (event.Pseudonym{}) {
		t.Error(current, previous)
	}
	if keys.PreviousID() != "" {
		t.Error(keys.PreviousID())
	}
}

// Keys are shared by all requests.
func TestKeysForManyAtOnce(t *testing.T) {
	keys := parse(t, file)
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 500 {
				_, current, _ := keys.Person(number(t, "9434765919"))
				if got := keys.Record("https://gp.example/1", "vacc-1"); current.String() != "281a3d4ae7f09cea846e460f8a5cebe5" || got != "4f84e05b482c11ec79e5aac07ec00af4" {
					t.Error(current, got)
					return
				}
			}
		})
	}
	all.Wait()
}

func TestRecordKeepsSourceAndRecordApart(t *testing.T) {
	keys := parse(t, file)
	if keys.Record("urn:a", "b1") == keys.Record("urn:ab", "1") {
		t.Error("source and record run into each other")
	}
}

func TestGenerate(t *testing.T) {
	one, err := pseudonym.Generate("demo")
	if err != nil {
		t.Fatal(err)
	}
	keys := parse(t, string(one))
	two, err := pseudonym.Generate("demo")
	if err != nil || bytes.Equal(one, two) {
		t.Fatal("the same keys twice", err)
	}
	if keys.CurrentID() != "demo" || keys.PreviousID() != "" {
		t.Error(keys.CurrentID(), keys.PreviousID())
	}
	if _, a, _ := keys.Person(number(t, "9434765919")); a == (event.Pseudonym{}) {
		t.Error("no pseudonym")
	}
}

// Every error names the field, and none holds a key or any part of what stands in a key's place.
func TestParseRefuses(t *testing.T) {
	r, c, p := base(recordKey), base(currentKey), base(previousKey)
	for text, want := range map[string]string{
		"": "keys.yaml:1: must be one YAML document",
		r:  "keys.yaml: file: must be a mapping with the keys record, current, previous",
		"record: " + r + "\ncurrent: {id: k, key: " + c + "}\n" + p + ": x\n":                      "keys.yaml: file: unknown key on line 3; known are record, current, previous",
		"record: " + r + "\nrecord: " + r + "\ncurrent: {id: k, key: " + c + "}\n":                 "keys.yaml: record: is given twice",
		"current: {id: k, key: " + c + "}\n":                                                       "keys.yaml: record: is missing",
		"record: " + r + "\n":                                                                      "keys.yaml: current: is missing",
		"record: " + r + "\ncurrent: " + c + "\n":                                                  "keys.yaml: current: must be a mapping with the keys id, key",
		"record: " + r + "\ncurrent: {id: k, key: " + c + ", " + p + ": 1}\n":                      "keys.yaml: current: unknown key on line 2; known are id, key",
		"record: " + r + "\ncurrent: {id: \"a b\", key: " + c + "}\n":                              "keys.yaml: current.id: must be 1 to 64 letters, digits, dots, hyphens and underscores, a letter or digit first",
		"record: " + r + "\ncurrent: {id: 9434765919, key: " + c + "}\n":                           "keys.yaml: current.id: must not hold ten digits that pass for an NHS number",
		"record: " + r + "\ncurrent: {id: k, key: " + base(currentKey[1:]) + "}\n":                 "keys.yaml: current.key: must have at least 32 bytes",
		"record: " + currentKey + "\ncurrent: {id: k, key: " + c + "}\n":                           "keys.yaml: record: must be base64 (RFC 4648, with padding)",
		"record: [" + r + "]\ncurrent: {id: k, key: " + c + "}\n":                                  "keys.yaml: record: must be base64 (RFC 4648, with padding)",
		"record: " + r + "\ncurrent: {id: k, key: " + r + "}\n":                                    "keys.yaml: current.key: must be another key than record",
		"record: " + r + "\ncurrent: {id: k, key: " + c + "}\nprevious: {id: l, key: " + c + "}\n": "keys.yaml: previous.key: must be another key than current.key",
		"record: " + r + "\ncurrent: {id: k, key: " + c + "}\nprevious: {id: k, key: " + p + "}\n": "keys.yaml: previous.id: must be another id than current.id",
		"record: " + r + "\ncurrent: {id: k, key: " + base(strings.Repeat("\x00", 40)) + "}\n":     "keys.yaml: current.key: must be random: it is one byte again and again",
		"record: " + r + "\ncurrent: {id: k, key: *" + currentKey[:7] + "}\n":                      "keys.yaml:2: must be one YAML document",
		"record: {" + r + "\ncurrent: \t" + c:                                                      "keys.yaml:3: must be one YAML document",
		"record: " + r + "\ncurrent: {id: k, key: " + c + "}\n---\nrecord: " + r + "\n":            "keys.yaml:1: must be one YAML document",
	} {
		keys, err := pseudonym.Parse("keys.yaml", []byte(text))
		if err == nil {
			t.Errorf("accepted: %q", text)
			continue
		}
		if got := err.Error(); got != want {
			t.Errorf("%q:\n got %s\nwant %s", text, got, want)
		}
		silent(t, err.Error())
		silent(t, fmt.Sprint(keys))
	}
}

// silent fails if a text holds a key, plain, as base64 or in hexadecimal.
func silent(t testing.TB, text string) {
	t.Helper()
	for _, key := range []string{recordKey, currentKey, previousKey} {
		for _, form := range []string{key, key[4:24], base(key), base(key)[:12], hex.EncodeToString([]byte(key)), hex.EncodeToString([]byte(key))[:12], fmt.Sprint([]byte(key))[1:20]} {
			if strings.Contains(strings.ToLower(text), strings.ToLower(form)) {
				t.Errorf("prints a key: %s", text)
			}
		}
	}
}

// Neither keys nor NHS numbers are printed by anything that prints.
func TestNothingIsPrinted(t *testing.T) {
	keys, n := parse(t, file), number(t, "9434765919")
	silent(t, file[:0])
	probe := new(testing.T)
	silent(probe, file)
	if !probe.Failed() {
		t.Fatal("the search does not find a key that is there")
	}
	inside := struct {
		Keys   pseudonym.Keys
		Number pseudonym.NHSNumber
		At     *pseudonym.Keys
		List   []pseudonym.NHSNumber
	}{keys, n, &keys, []pseudonym.NHSNumber{n}}
	var log bytes.Buffer
	for _, logger := range []*slog.Logger{slog.New(slog.NewTextHandler(&log, nil)), slog.New(slog.NewJSONHandler(&log, nil))} {
		logger.Info("x", "keys", keys, "number", n, "at", &keys, "inside", inside)
	}
	texts := []string{log.String(), keys.String(), keys.GoString(), n.String(), n.GoString()}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%c", "%o", "%U", "%08b", "%t"} {
		texts = append(texts, fmt.Sprintf(verb, keys), fmt.Sprintf(verb, &keys), fmt.Sprintf(verb, n), fmt.Sprintf(verb, &n), fmt.Sprintf(verb, inside))
	}
	for _, v := range []any{keys, &keys, n, &n, inside} {
		data, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		texts = append(texts, string(data))
	}
	for _, text := range texts {
		silent(t, text)
		if strings.Contains(text, "9434765919") || strings.Contains(text, "57 52 51") || strings.Contains(text, "39343334") {
			t.Errorf("prints the NHS number: %s", text)
		}
	}
}

func BenchmarkPerson(b *testing.B) {
	keys, n := parse(b, file), number(b, "9434765919")
	b.ReportAllocs()
	for b.Loop() {
		keys.Person(n)
	}
}
