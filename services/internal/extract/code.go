package extract

import (
	"strings"

	"gapwatch/services/internal/admit"
	"gapwatch/services/internal/mapping"
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
	if mapping.IsSNOMED(text) {
		return []admit.Code{{System: admit.SNOMED, Code: text}}, true
	}
	var codes []admit.Code
	for code := range strings.FieldsFuncSeq(text, isGap) {
		switch {
		case len(codes) == maxCodes:
			return nil, false
		case mapping.IsSNOMED(code):
			codes = append(codes, admit.Code{System: admit.SNOMED, Code: code})
		case loinc && mapping.IsLOINC(code):
			codes = append(codes, admit.Code{System: admit.LOINC, Code: code})
		default:
			return nil, false
		}
	}
	return codes, true
}

func isGap(r rune) bool { return r == ' ' || r == '|' }
