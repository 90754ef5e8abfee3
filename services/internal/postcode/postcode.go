// Package postcode finds the LSOA that a postcode lies in, by a look-up file such as the ONS Postcode Directory. It
// does no input or output but read that file.
package postcode

// Code is a postcode in one spelling. It is personal data where it is somebody's: it is for [Index.Find], and nothing
// should keep it.
type Code struct {
	outward uint32 // up to four letters and digits, one a byte
	inward  uint16 // a digit and two letters, counted through: under 6,760
}

// Parse reads a postcode in any case and with spaces anywhere. It checks the form alone: an outward code of two to four
// letters and digits with a letter first, and an inward code of a digit and two letters.
func Parse(text string) (Code, bool) { return parse(text) }

func parse[text string | []byte](t text) (Code, bool) {
	var clean [7]byte
	n := 0
	for i := 0; i < len(t); i++ {
		c := t[i]
		switch {
		case 'a' <= c && c <= 'z':
			c -= 'a' - 'A'
		case 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		case c == ' ' || c == '\t' || c == '\r' || c == '\n':
			continue
		case c == 0xc2 && i+1 < len(t) && t[i+1] == 0xa0: // the no-break space that comes with copying from a page
			i++
			continue
		default:
			return Code{}, false
		}
		if n == len(clean) {
			return Code{}, false
		}
		clean[n] = c
		n++
	}
	if n < 5 || !isLetter(clean[0]) {
		return Code{}, false
	}
	digit, first, second := clean[n-3], clean[n-2], clean[n-1]
	if isLetter(digit) || !isLetter(first) || !isLetter(second) {
		return Code{}, false
	}
	code := Code{inward: uint16(digit-'0')*26*26 + uint16(first-'A')*26 + uint16(second-'A')}
	for _, c := range clean[:n-3] {
		code.outward = code.outward<<8 | uint32(c)
	}
	return code, true
}

func isLetter(c byte) bool { return c >= 'A' }

// isLSOA is the rule of data.lsoa.
func isLSOA(text []byte) bool {
	if len(text) != 9 {
		return false
	}
	switch text[0] {
	case 'E', 'W', 'S', 'N', 'X':
	default:
		return false
	}
	for _, c := range text[1:] {
		if c < '0' || c > '9' {
			return false
		}
	}
	return true
}

// isNone tells whether a directory says with that code that there is no LSOA, or one of a kind that nothing counts by: the
// pseudo codes of the Channel Islands, the Isle of Man and unknown places (L99999999), and the old Super Output Areas of
// Northern Ireland (95GG01S1).
func isNone(text []byte) bool {
	if len(text) == 9 && text[0] >= 'A' && text[0] <= 'Z' && string(text[1:]) == "99999999" {
		return true
	}
	return len(text) == 8 && text[0] == '9' && text[1] == '5' && text[2] >= 'A' && text[2] <= 'Z'
}
