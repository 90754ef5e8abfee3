package event

import (
	"bytes"
	"encoding/binary"
	"unicode"
	"unicode/utf8"
)

// HoldsNHSNumber tells whether text holds what looks like an NHS number: ten digits that pass the modulus 11 check,
// written together or as 3-3-4 groups with spaces or dashes between, and not part of a longer number.
//
// It is meant to find too much rather than too little: one ten-digit number in eleven passes the check, so a sender
// must not use bare ten-digit numbers as ids. Letters may stand next to the digits ("nhs9434765919" is found), with
// one exception: ten digits inside a word of 12 or more hexadecimal digits are taken for a part of a UUID or a hash.
// Without it one random pseudonym in 300 would be refused.
//
// text may be raw JSON: \u escapes, percent-encoding, UTF-16, full-width digits and Unicode spaces and dashes are seen
// through; compression and base64 are not.
func HoldsNHSNumber(text []byte) bool {
	if !plain(text) {
		text = simplify(text)
	}
	return holds(text) || bytes.IndexByte(text, '%') >= 0 && holds(unpercent(text))
}

func holds(text []byte) bool {
	// Ten bytes of the kind looked for must cover every tenth position: the others need not be read.
	for i := 9; i < len(text); i += 10 {
		if !inNumber(text[i]) {
			continue
		}
		start, end := i, i+1
		for start > 0 && inNumber(text[start-1]) {
			start--
		}
		for end < len(text) && inNumber(text[end]) {
			end++
		}
		if end-start >= 10 && runHolds(text, start, end) {
			return true
		}
		i = end - 1
	}
	return false
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

// A plus is a space in the query of a URI.
func isSeparator(c byte) bool { return c == ' ' || c == '-' || c == '+' || c == '\t' }

func inNumber(c byte) bool { return isDigit(c) || isSeparator(c) }

// runHolds looks through text[start:end], which holds digits and separators only and ends where they end.
func runHolds(text []byte, start, end int) bool {
	// The last three groups of digits, as positions.
	var from, to [3]int
	joined := 0 // how many of them follow each other with one to three separators between
	for i := start; i < end; {
		if isSeparator(text[i]) {
			i++
			continue
		}
		first := i
		for i < end && isDigit(text[i]) {
			i++
		}
		if i-first == 10 && validNumber(text[first:i]) && !hexWord(text, first, i) {
			return true
		}
		if joined > 0 && first-to[2] > 3 {
			joined = 0
		}
		from[0], from[1], from[2] = from[1], from[2], first
		to[0], to[1], to[2] = to[1], to[2], i
		joined++
		if joined >= 3 && to[0]-from[0] == 3 && to[1]-from[1] == 3 && to[2]-from[2] == 4 {
			var number [10]byte
			copy(number[:3], text[from[0]:to[0]])
			copy(number[3:6], text[from[1]:to[1]])
			copy(number[6:], text[from[2]:to[2]])
			if validNumber(number[:]) {
				return true
			}
		}
	}
	return false
}

// ValidNHSNumber tells whether ten digits pass the modulus 11 check (NHS Data Dictionary, "NHS NUMBER").
func ValidNHSNumber(digits [10]byte) bool { return validNumber(digits[:]) }

// validNumber is the modulus 11 check of ten digits (NHS Data Dictionary, "NHS NUMBER").
func validNumber(digits []byte) bool {
	sum := 0
	for i, c := range digits[:9] {
		sum += int(c-'0') * (10 - i)
	}
	check := 11 - sum%11
	if check == 11 {
		check = 0
	}
	return check == int(digits[9]-'0') // 10 equals no digit: such numbers are not issued
}

// hexWord tells whether text[from:to] lies in a word of 12 or more letters and digits that are all hexadecimal.
func hexWord(text []byte, from, to int) bool {
	const reach = 64 // far enough for a SHA-256, near enough to stay linear on any input
	start, end := from, to
	for start > 0 && from-start < reach && isWord(text[start-1]) {
		start--
		if !isHex(text[start]) {
			return false
		}
	}
	for end < len(text) && end-to < reach && isWord(text[end]) {
		if !isHex(text[end]) {
			return false
		}
		end++
	}
	return end-start >= 12
}

func isWord(c byte) bool {
	return isDigit(c) || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}

func isHex(c byte) bool {
	return isDigit(c) || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
}

// plain tells whether text is ASCII without backslashes and zero bytes, so that what is written is what is meant.
func plain(text []byte) bool {
	const high, ones, slashes = 0x8080808080808080, 0x0101010101010101, '\\' * 0x0101010101010101
	for len(text) >= 8 {
		word := binary.LittleEndian.Uint64(text)
		other := word ^ slashes // a byte that is zero here was a backslash
		if (word|(word-ones)&^word|(other-ones)&^other)&high != 0 {
			return false
		}
		text = text[8:]
	}
	for _, c := range text {
		if c >= utf8.RuneSelf || c == '\\' || c == 0 {
			return false
		}
	}
	return true
}

// simplify undoes \u escapes and writes digits, spaces and dashes of other alphabets in ASCII. Everything else that is
// not ASCII becomes a full stop, which bounds a number and a word.
func simplify(text []byte) []byte {
	out := make([]byte, 0, len(text))
	for len(text) > 0 {
		r, size := utf8.DecodeRune(text)
		if r == '\\' && len(text) > 1 {
			escaped, ok := unicodeEscape(text)
			switch {
			case ok:
				r, size = escaped, 6
			case text[1] == 't':
				r, size = '\t', 2
			case bytes.IndexByte([]byte(`"\/bfnr`), text[1]) >= 0:
				r, size = '.', 2
			default:
				r = '.' // no JSON, so no escape either
			}
		}
		text = text[size:]
		switch {
		case r == 0: // every other byte of ASCII written as UTF-16
		case r < utf8.RuneSelf:
			out = append(out, byte(r))
		case unicode.Is(unicode.Zs, r):
			out = append(out, ' ')
		case unicode.Is(unicode.Pd, r), r == '\u2212':
			out = append(out, '-')
		case unicode.Is(unicode.Nd, r):
			out = append(out, decimal(r))
		case unicode.Is(unicode.Cf, r): // zero-width characters and the like are not seen by a reader
		default:
			out = append(out, '.')
		}
	}
	return out
}

// unpercent undoes the percent-encoding of URIs.
func unpercent(text []byte) []byte {
	out := make([]byte, 0, len(text))
	for i := 0; i < len(text); i++ {
		c := text[i]
		if c == '%' && i+2 < len(text) && isHex(text[i+1]) && isHex(text[i+2]) {
			c = hexValue(text[i+1])<<4 | hexValue(text[i+2])
			i += 2
		}
		out = append(out, c)
	}
	return out
}

func hexValue(c byte) byte {
	if isDigit(c) {
		return c - '0'
	}
	return (c | 0x20) - 'a' + 10
}

func unicodeEscape(text []byte) (rune, bool) {
	if len(text) < 6 || text[1] != 'u' {
		return 0, false
	}
	var r rune
	for _, c := range text[2:6] {
		if !isHex(c) {
			return 0, false
		}
		r = r<<4 | rune(hexValue(c))
	}
	return r, true
}

// decimal is the ASCII digit of a decimal digit of any alphabet. Unicode keeps them in blocks of ten from nought.
func decimal(r rune) byte {
	for _, block := range unicode.Nd.R16 {
		if rune(block.Lo) <= r && r <= rune(block.Hi) {
			return '0' + byte((r-rune(block.Lo))%10)
		}
	}
	for _, block := range unicode.Nd.R32 {
		if rune(block.Lo) <= r && r <= rune(block.Hi) {
			return '0' + byte((r-rune(block.Lo))%10)
		}
	}
	return '.'
}
