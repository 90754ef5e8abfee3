package stream

import (
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"time"
)

// Headers of every event that intake publishes: where it came from. Both are for finding things again, and nothing that is
// counted depends on them.
const (
	HeaderRequest = "Gapwatch-Request" // the request that brought it, see [IsRequest]
	HeaderSender  = "Gapwatch-Sender"  // the sender that brought it, see [IsSender]
)

// Direct stands in subjects for the sender of a message that names none. No sender may be called so.
const Direct = "direct"

// requestDigits is fewer than a pseudonym or a record has, so that the one is never taken for the other.
const requestDigits = 24

// NewRequest is a new request id: 24 lower-case hex digits, of which the first 12 are the milliseconds since 1970. So ids are
// in the order of time, nobody can guess the next one, and none can be taken for an NHS number.
func NewRequest() string {
	var id [requestDigits / 2]byte
	binary.BigEndian.PutUint64(id[:8], uint64(time.Now().UnixMilli())<<16)
	_, _ = rand.Read(id[6:]) // it never fails
	return hex.EncodeToString(id[:])
}

// IsRequest tells whether text is a request id as [NewRequest] makes them. Whatever else stands in the header is ignored.
func IsRequest(text string) bool {
	if len(text) != requestDigits {
		return false
	}
	for _, c := range []byte(text) {
		if !('0' <= c && c <= '9' || 'a' <= c && c <= 'f') {
			return false
		}
	}
	return true
}

// IsSender tells whether text may be a sender's id: 1 to 32 lower-case letters, digits and dashes, no dash first, not
// [Direct]. So it is fit for a part of a subject, a label and a log.
func IsSender(text string) bool {
	if len(text) < 1 || len(text) > 32 || text[0] == '-' || text == Direct {
		return false
	}
	for _, c := range []byte(text) {
		if !('0' <= c && c <= '9' || 'a' <= c && c <= 'z' || c == '-') {
			return false
		}
	}
	return true
}
