package extract

import (
	"strings"

	"gapwatch/services/internal/admit"
)

// maxCodes is how many codes a column may hold.
const maxCodes = 8

// parseCodes reads codes with spaces or vertical bars between. LOINC codes are told by their hyphen, where they are taken.
// A code whose check digit is wrong is refused here, because after this it would only be one that no programme knows: most
// likely a spreadsheet kept its first 15 digits.
func parseCodes(text string, loinc bool) ([]admit.Code, bool) {
	if text == "" {
		return nil, true
	}
	if isSNOMED(text) {
		return []admit.Code{{System: admit.SNOMED, Code: text}}, true
	}
	var codes []admit.Code
	for code := range strings.FieldsFuncSeq(text, isGap) {
		switch {
		case len(codes) == maxCodes:
			return nil, false
		case isSNOMED(code):
			codes = append(codes, admit.Code{System: admit.SNOMED, Code: code})
		case loinc && isLOINC(code):
			codes = append(codes, admit.Code{System: admit.LOINC, Code: code})
		default:
			return nil, false
		}
	}
	return codes, true
}

func isGap(r rune) bool { return r == ' ' || r == '|' }

// isSNOMED tells whether text is the SNOMED CT identifier of a concept: 6 to 18 digits, before the last the partition 00 or 10,
// the last of them Verhoeff's check digit.
func isSNOMED(text string) bool {
	if len(text) < 6 || len(text) > 18 || text[0] == '0' || !digits(text) ||
		text[len(text)-2] != '0' || text[len(text)-3] > '1' {
		return false
	}
	check := byte(0)
	for i := range len(text) {
		check = verhoeffProduct[check][verhoeffPlace[i%8][text[len(text)-1-i]-'0']]
	}
	return check == 0
}

// Verhoeff's tables: the multiplication of the dihedral group of the pentagon, and what is done to a digit at each place.
var (
	verhoeffProduct = [10][10]byte{
		{0, 1, 2, 3, 4, 5, 6, 7, 8, 9},
		{1, 2, 3, 4, 0, 6, 7, 8, 9, 5},
		{2, 3, 4, 0, 1, 7, 8, 9, 5, 6},
		{3, 4, 0, 1, 2, 8, 9, 5, 6, 7},
		{4, 0, 1, 2, 3, 9, 5, 6, 7, 8},
		{5, 9, 8, 7, 6, 0, 4, 3, 2, 1},
		{6, 5, 9, 8, 7, 1, 0, 4, 3, 2},
		{7, 6, 5, 9, 8, 2, 1, 0, 4, 3},
		{8, 7, 6, 5, 9, 3, 2, 1, 0, 4},
		{9, 8, 7, 6, 5, 4, 3, 2, 1, 0},
	}
	verhoeffPlace = [8][10]byte{
		{0, 1, 2, 3, 4, 5, 6, 7, 8, 9},
		{1, 5, 7, 6, 2, 8, 3, 0, 9, 4},
		{5, 8, 0, 3, 7, 9, 6, 1, 4, 2},
		{8, 9, 1, 6, 0, 4, 3, 5, 2, 7},
		{9, 4, 5, 3, 1, 2, 6, 8, 7, 0},
		{4, 2, 8, 6, 5, 7, 3, 9, 0, 1},
		{2, 7, 9, 3, 8, 0, 6, 4, 1, 5},
		{7, 0, 4, 6, 9, 1, 3, 2, 5, 8},
	}
)

// isLOINC tells whether text is written as a LOINC code: up to seven digits, a hyphen, a digit.
func isLOINC(text string) bool {
	number, check, ok := strings.Cut(text, "-")
	return ok && len(number) >= 1 && len(number) <= 7 && len(check) == 1 && digits(number) && digits(check)
}
