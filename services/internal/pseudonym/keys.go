// Package pseudonym turns NHS numbers into pseudonyms. It does no input or output, and nothing in it prints a key or a
// number.
package pseudonym

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"log/slog"
	"strings"
	"sync"

	"gapwatch/services/internal/event"
)

// KeyBytes is the least length of a key, in bytes: that of the hash (RFC 2104, section 3).
const KeyBytes = sha256.Size

// Keys are the keys of a deployment, made by [Parse]. The zero value has none and must not be used. Keys may be copied and
// used by several goroutines at once. They are never printed: every verb of fmt, slog and encoding/json shows "[keys]".
type Keys struct {
	record, current, previous *key
}

// key is a secret, kept only as the states of its HMAC.
type key struct {
	id     string
	states sync.Pool // of *state
}

type state struct {
	mac hash.Hash
	in  []byte
	sum [sha256.Size]byte
}

func newKey(id string, secret []byte) *key {
	return &key{id: id, states: sync.Pool{New: func() any {
		return &state{mac: hmac.New(sha256.New, secret), in: make([]byte, 0, 256)}
	}}}
}

// sign is the first half of the HMAC-SHA-256 of first, and of a zero byte and second where that is given.
func (k *key) sign(first []byte, second ...string) (half [16]byte) {
	s, _ := k.states.Get().(*state)
	s.in = append(s.in[:0], first...)
	for _, part := range second {
		s.in = append(append(s.in, 0), part...)
	}
	s.mac.Reset()
	_, _ = s.mac.Write(s.in) // a hash never fails
	copy(half[:], s.mac.Sum(s.sum[:0]))
	clear(s.in)
	k.states.Put(s)
	return half
}

// Person is the pseudonym of a person: the first 128 bits of the HMAC-SHA-256 of the ten digits under the current key,
// and id names that key. During a key change previous is the pseudonym under the key before, otherwise it is zero.
func (k Keys) Person(n NHSNumber) (id string, current, previous event.Pseudonym) {
	current = k.current.sign(n[:])
	if k.previous != nil {
		previous = k.previous.sign(n[:])
	}
	return k.current.id, current, previous
}

// Record is the name that a sender's record goes by: 32 hexadecimal digits, the first 128 bits of the HMAC-SHA-256 of
// source, a zero byte and record under the record key. That key never changes: a correction must find its record. Spaces around
// record are left out, since they come and go with the width of a column.
func (k Keys) Record(source, record string) string {
	half := k.record.sign([]byte(source), strings.TrimSpace(record))
	return hex.EncodeToString(half[:])
}

// CurrentID is the id of the key that pseudonyms are made with.
func (k Keys) CurrentID() string { return k.current.id }

// PreviousID is the id of the key before during a key change, otherwise empty.
func (k Keys) PreviousID() string {
	if k.previous == nil {
		return ""
	}
	return k.previous.id
}

// Generate is the text of a key file with new random keys, the current one under that id. An error means that the
// machine has no randomness to give.
func Generate(id string) ([]byte, error) {
	var secrets [2]string
	for i := range secrets {
		var secret [KeyBytes]byte
		if _, err := io.ReadFull(rand.Reader, secret[:]); err != nil {
			return nil, fmt.Errorf("make a key: %w", err)
		}
		secrets[i] = base64.StdEncoding.EncodeToString(secret[:])
	}
	return fmt.Appendf(nil, "record: %s\ncurrent: {id: %q, key: %s}\n", secrets[0], id, secrets[1]), nil
}

const redacted = "[keys]"

// String hides the keys.
func (Keys) String() string { return redacted }

// GoString hides the keys.
func (Keys) GoString() string { return redacted }

// Format hides the keys from every verb.
func (Keys) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// LogValue hides the keys.
func (Keys) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalJSON hides the keys.
func (Keys) MarshalJSON() ([]byte, error) { return []byte(`"` + redacted + `"`), nil }

// MarshalText hides the keys.
func (Keys) MarshalText() ([]byte, error) { return []byte(redacted), nil }
