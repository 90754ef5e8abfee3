package intake

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"

	"gapwatch/services/internal/admit"
	"gapwatch/services/internal/event"
	"gapwatch/services/internal/programme"
	"gapwatch/services/internal/stream"
)

// Sender is who may send, and what.
type Sender struct {
	ID string `yaml:"id"` // see [stream.IsSender]; it stands in logs, metrics and message headers
	// Tokens are the SHA-256 of the sender's bearer tokens, as 64 hex digits: see [NewToken]. Several are live at once, so that a
	// sender can change from one to the next.
	Tokens []string `yaml:"tokens"`
	// Sources are the URIs that the sender may name as source, exactly, or "*" for all. The first URI is the source of what names none.
	Sources []string `yaml:"sources"`
	// Programmes are the ids of the programmes that the sender may send to, or "*" for all.
	Programmes []string `yaml:"programmes"`
	// Pseudonyms lets the sender send pseudonyms that it made itself, with one of our keys.
	Pseudonyms bool   `yaml:"pseudonyms"`
	Limits     Limits `yaml:"limits"`

	hashes [][sha256.Size]byte
}

// Limits are what a sender may use. Nought means the default.
type Limits struct {
	Bytes      int64   `yaml:"bytes"`      // of a body, after decompression; default 1 GiB
	Requests   float64 `yaml:"requests"`   // a second; default 20, in bursts of as many as five seconds have
	Concurrent int     `yaml:"concurrent"` // requests at once; default 8
}

const (
	defaultBytes      = 1 << 30
	defaultRequests   = 20
	defaultConcurrent = 8
	burst             = 5 // seconds of requests that may come at once
)

// Senders is everybody who may send.
type Senders []*Sender

// LoadSenders reads the senders' file. An error names the sender, the field and the rule, and never a token.
func LoadSenders(path string, programmes *programme.Set) (Senders, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read the senders: %w", err)
	}
	senders, err := ParseSenders(data, programmes)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return senders, nil
}

// ParseSenders is [LoadSenders] of a file's text.
func ParseSenders(data []byte, programmes *programme.Set) (Senders, error) {
	var file struct {
		Senders Senders `yaml:"senders"`
	}
	if err := yaml.Load(data, &file, yaml.WithKnownFields(), yaml.WithUniqueKeys()); err != nil {
		return nil, plainly(err)
	}
	if len(file.Senders) == 0 {
		return nil, errors.New("senders: must have at least one")
	}
	var errs []error
	ids, tokens := map[string]bool{}, map[string]bool{}
	for i, s := range file.Senders {
		if s == nil {
			return nil, fmt.Errorf("senders[%d]: is empty", i)
		}
		for _, err := range s.check(programmes, tokens) {
			errs = append(errs, fmt.Errorf("senders[%d] %s: %w", i, s.ID, err))
		}
		if ids[s.ID] {
			errs = append(errs, fmt.Errorf("senders[%d] %s: id: is given twice", i, s.ID))
		}
		ids[s.ID] = true
	}
	return file.Senders, errors.Join(errs...)
}

// plainly drops what a YAML library says about values: one of them could be a token in the wrong place.
func plainly(err error) error {
	var many *yaml.LoadErrors
	if errors.As(err, &many) && len(many.Errors) > 0 {
		return fmt.Errorf("line %d: is not as the senders' file must be", many.Errors[0].Mark.Line)
	}
	var one *yaml.LoadError
	if errors.As(err, &one) && one.Mark.Line > 0 {
		return fmt.Errorf("line %d: is not as the senders' file must be", one.Mark.Line)
	}
	return errors.New("is not as the senders' file must be")
}

func (s *Sender) check(programmes *programme.Set, tokens map[string]bool) (errs []error) {
	wrong := func(text string, args ...any) { errs = append(errs, fmt.Errorf(text, args...)) }
	if !stream.IsSender(s.ID) || event.HoldsNHSNumber([]byte(s.ID)) {
		s.ID = ""
		wrong("id: must be 1 to 32 lower-case letters, digits and dashes, not a dash first, not %q, and nothing like an NHS number", stream.Direct)
	}
	if len(s.Tokens) == 0 {
		wrong("tokens: must have at least one")
	}
	for i, token := range s.Tokens {
		hash, err := hex.DecodeString(token)
		switch {
		case err != nil || len(hash) != sha256.Size:
			wrong("tokens[%d]: must be the SHA-256 of a token, 64 hex digits: `go run ./services/intake token` makes both", i)
		case tokens[strings.ToLower(token)]:
			wrong("tokens[%d]: is given twice", i)
		default:
			tokens[strings.ToLower(token)] = true
			s.hashes = append(s.hashes, [sha256.Size]byte(hash))
		}
	}
	if len(s.Sources) == 0 {
		wrong("sources: must have at least one")
	}
	for i, source := range s.Sources {
		if scheme, rest, _ := strings.Cut(source, ":"); source != admit.Any && (scheme == "" || rest == "") {
			wrong("sources[%d]: must be an absolute URI, or *", i)
		}
	}
	if len(s.Programmes) == 0 {
		wrong("programmes: must have at least one, or *")
	}
	for i, id := range s.Programmes {
		if _, ok := programmes.Get(id); !ok && id != admit.Any {
			wrong("programmes[%d]: must be an id from programmes.yaml, or *", i)
		}
	}
	l := &s.Limits
	if l.Bytes < 0 || l.Requests < 0 || l.Concurrent < 0 {
		wrong("limits: must not be negative")
	}
	l.Bytes, l.Requests, l.Concurrent = orElse(l.Bytes, defaultBytes), orElse(l.Requests, defaultRequests), orElse(l.Concurrent, defaultConcurrent)
	return errs
}

func orElse[T comparable](value, otherwise T) T {
	var none T
	if value == none {
		return otherwise
	}
	return value
}

// Find is the sender that a bearer token belongs to. How long it takes says nothing about the token: every hash is compared.
func (s Senders) Find(token string) (found *Sender) {
	hash := sha256.Sum256([]byte(token))
	for _, sender := range s {
		for _, known := range sender.hashes {
			if subtle.ConstantTimeCompare(known[:], hash[:]) == 1 {
				found = sender
			}
		}
	}
	return found
}

// Source is the source of what names none, or "".
func (s *Sender) Source() string {
	i := slices.IndexFunc(s.Sources, func(source string) bool { return source != admit.Any })
	if i < 0 {
		return ""
	}
	return s.Sources[i]
}

// NewToken makes a bearer token of 32 random bytes, and what the senders' file has for it.
func NewToken() (token, hash string) {
	var random [32]byte
	_, _ = rand.Read(random[:]) // it never fails
	token = base64.RawURLEncoding.EncodeToString(random[:])
	sum := sha256.Sum256([]byte(token))
	return token, hex.EncodeToString(sum[:])
}
