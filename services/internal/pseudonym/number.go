package pseudonym

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"

	"gapwatch/services/internal/event"
)

// NHSNumber is the ten digits of an NHS number that passed [ParseNHSNumber]. Like [Keys] it is never printed.
type NHSNumber [10]byte

// What is wrong with an NHS number. The text of each is the rule, and never holds the number.
var (
	ErrMissing     = errors.New("must be there")
	ErrDigits      = errors.New("must be ten digits, together or as 3-3-4 with spaces or dashes between")
	ErrCheckDigit  = errors.New("must pass the modulus 11 check of NHS numbers")
	ErrPlaceholder = errors.New("must not be one digit ten times, which stands for a number that is not known")
)

// ParseNHSNumber reads an NHS number: ten digits that pass the modulus 11 check (NHS Data Dictionary, "NHS NUMBER"),
// together or as 3-3-4 with a space or a dash between. Spaces around it do not matter. One digit ten times passes the
// check, whichever digit, and is refused all the same: it would make one person of everybody who has no number.
func ParseNHSNumber(text string) (NHSNumber, error) {
	var n NHSNumber
	text = strings.Trim(text, " \t\r\n")
	switch {
	case text == "":
		return n, ErrMissing
	case len(text) == 10:
		copy(n[:], text)
	case len(text) == 12 && isGap(text[3]) && isGap(text[7]):
		copy(n[:3], text[:3])
		copy(n[3:6], text[4:7])
		copy(n[6:], text[8:])
	default:
		return n, ErrDigits
	}
	same := true
	for _, c := range n {
		if c < '0' || c > '9' {
			return NHSNumber{}, ErrDigits
		}
		same = same && c == n[0]
	}
	if same {
		return NHSNumber{}, ErrPlaceholder
	}
	if !event.ValidNHSNumber(n) {
		return NHSNumber{}, ErrCheckDigit
	}
	return n, nil
}

func isGap(c byte) bool { return c == ' ' || c == '-' }

const hidden = "[NHS number]"

// String hides the number.
func (NHSNumber) String() string { return hidden }

// GoString hides the number.
func (NHSNumber) GoString() string { return hidden }

// Format hides the number from every verb.
func (NHSNumber) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, hidden) }

// LogValue hides the number.
func (NHSNumber) LogValue() slog.Value { return slog.StringValue(hidden) }

// MarshalJSON hides the number.
func (NHSNumber) MarshalJSON() ([]byte, error) { return []byte(`"` + hidden + `"`), nil }

// MarshalText hides the number.
func (NHSNumber) MarshalText() ([]byte, error) { return []byte(hidden), nil }
