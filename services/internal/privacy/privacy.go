// Package privacy proves that nothing that tells who a person is goes past the door. Its test runs a whole Gapwatch, sends
// people whose NHS number, name, postcode and birth date are each there once in the world through every door, in order and
// broken in many ways, and then looks for each of these values in every place that keeps or says anything:
//
//   - every column of every table, by SQL
//   - every message of every stream, with its subject and headers
//   - the logs of both processes, at the level debug
//   - metrics, health checks, and every answer to a sender with its headers, the list of rejections among them
//   - what the command deadletters lists and shows
//   - the files that NATS and ClickHouse leave on disk, with ClickHouse's compression off
//
// A value is looked for as it was sent, in other ways of writing it, in base64 and hex, and as a hash without a key. The same
// search must first find values that were put on purpose into each of these places.
//
// What it does not prove: that a sender cannot hide a person's data where the text is Gapwatch's to keep (the source that the
// deployment allows, a group in data.plus, a name of up to five letters that stands where an ODS code should), nor in an
// encryption of the sender's own; and, of messages that are published past the door, anything about what is no NHS number.
package privacy

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Secret is a value that must be nowhere.
type Secret struct {
	Name  string // what it is and whose, for reports
	Value string // a ten-digit NHS number, a date as YYYY-MM-DD, a postcode, or a name; at least five bytes
}

// Found is a secret that was found.
type Found struct {
	Name string
	Form string // how it was written
}

// Search looks for secrets.
type Search struct {
	first map[uint32][]pattern // by their first four bytes
	may   [1 << 16]bool        // whether any pattern begins with these two bytes
}

// pattern is one way of writing a secret, in lower case.
type pattern struct {
	found  Found
	text   []byte
	digits bool // nothing else: such are easily a part of a longer number
}

// NewSearch prepares the search for secrets in all their forms.
func NewSearch(secrets ...Secret) *Search {
	s := &Search{first: make(map[uint32][]pattern)}
	for _, secret := range secrets {
		for _, spelling := range spellings(secret.Value) {
			s.add(secret.Name, "as "+strconv.Quote(spelling), []byte(spelling))
			s.add(secret.Name, "in hex", []byte(hex.EncodeToString([]byte(spelling))))
			s.add(secret.Name, "in UTF-16", wide(spelling))
			for _, text := range base64s(spelling) {
				s.add(secret.Name, "in base64", []byte(text))
			}
			// There are so few NHS numbers that a hash without a key is as good as the number.
			sum := sha256.Sum256([]byte(spelling))
			s.add(secret.Name, "as a hash", sum[:16])
			s.add(secret.Name, "as a hash in hex", []byte(hex.EncodeToString(sum[:16])))
		}
		if number, err := strconv.ParseUint(secret.Value, 10, 64); err == nil {
			s.add(secret.Name, "as a little-endian number", binary.LittleEndian.AppendUint64(nil, number))
			s.add(secret.Name, "as a big-endian number", binary.BigEndian.AppendUint64(nil, number))
		}
	}
	return s
}

func (s *Search) add(name, form string, text []byte) {
	text = fold(text)
	if len(text) < 5 {
		panic("too short to be looked for: " + name)
	}
	key := binary.LittleEndian.Uint32(text)
	for _, p := range s.first[key] {
		if bytes.Equal(p.text, text) && p.found.Name == name {
			return
		}
	}
	digits := len(text) <= 10 && len(bytes.Trim(text, "0123456789")) == 0
	s.first[key] = append(s.first[key], pattern{found: Found{Name: name, Form: form}, text: text, digits: digits})
	s.may[binary.LittleEndian.Uint16(text)] = true
}

// Find is every secret that text holds, each form once. It looks at bytes, whatever they mean, and upper and lower case are one.
func (s *Search) Find(text []byte) (all []Found) {
	text = fold(text)
	for i := 0; i+4 <= len(text); i++ {
		if !s.may[binary.LittleEndian.Uint16(text[i:])] {
			continue
		}
		for _, p := range s.first[binary.LittleEndian.Uint32(text[i:])] {
			if !bytes.HasPrefix(text[i:], p.text) || p.digits && byChance(text, i, i+len(p.text)) {
				continue
			}
			if !slices.Contains(all, p.found) {
				all = append(all, p.found)
			}
		}
	}
	return all
}

// byChance tells whether digits are rather a part of something longer. There are so many numbers, times and hashes in what is
// searched that some hold the digits of a date. Ten digits are taken for a part of a number of 15 digits and more only; eight
// digits for one of any longer number, of the decimals of a number, and of a hash.
func byChance(text []byte, from, to int) bool {
	run := func(is func(byte) bool) (before, after int) {
		for from-before > 0 && before < 64 && is(text[from-before-1]) {
			before++
		}
		for to+after < len(text) && after < 64 && is(text[to+after]) {
			after++
		}
		return before, after
	}
	before, after := run(isDigit)
	if to-from == 10 {
		return before+after >= 5
	}
	decimals := from >= 2 && text[from-1] == '.' && isDigit(text[from-2])
	first, last := run(func(c byte) bool { return isDigit(c) || 'a' <= c && c <= 'f' })
	return before+after > 0 || decimals || first+last >= 4
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

func fold(text []byte) []byte {
	folded := make([]byte, len(text))
	for i, c := range text {
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		folded[i] = c
	}
	return folded
}

// spellings are the ways in which people and computers write a value.
func spellings(value string) []string {
	all := []string{value}
	if day, err := time.Parse(time.DateOnly, value); err == nil {
		for _, layout := range []string{"20060102", "02/01/2006", "02-01-2006", "02.01.2006", "2006/01/02", "2 January 2006", "2-Jan-2006"} {
			all = append(all, day.Format(layout))
		}
		return all
	}
	if _, err := strconv.ParseUint(value, 10, 64); err == nil && len(value) == 10 {
		for _, gap := range []string{" ", "-", "+", "%20", "\u00a0", "\u2009", "_", ".", ","} {
			all = append(all, value[:3]+gap+value[3:6]+gap+value[6:])
		}
		return all
	}
	if joined := strings.ReplaceAll(value, " ", ""); joined != value { // a postcode
		all = append(all, joined)
		for _, gap := range []string{"%20", "+", "-", "_"} {
			all = append(all, strings.ReplaceAll(value, " ", gap))
		}
	}
	return all
}

// base64s are the ways in which a value may stand within something longer that is base64: of the first and last letters, which
// also tell of what stands beside it, it leaves out those.
func base64s(value string) (all []string) {
	for before := range 3 {
		padded := append(make([]byte, before), value...)
		from, to := (before*8+5)/6, len(padded)*8/6
		for _, encoding := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
			if text := encoding.EncodeToString(padded)[from:to]; !slices.Contains(all, text) {
				all = append(all, text)
			}
		}
	}
	return all
}

func wide(value string) (text []byte) {
	for _, c := range []byte(value) {
		text = append(text, c, 0)
	}
	return text[:len(text)-1]
}
