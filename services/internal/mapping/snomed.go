package mapping

// The tables of the Verhoeff check digit, which SNOMED CT identifiers end with (SNOMED CT Release File Specification,
// "Check-digit").
var (
	verhoeffTimes = [10][10]byte{
		{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}, {1, 2, 3, 4, 0, 6, 7, 8, 9, 5}, {2, 3, 4, 0, 1, 7, 8, 9, 5, 6},
		{3, 4, 0, 1, 2, 8, 9, 5, 6, 7}, {4, 0, 1, 2, 3, 9, 5, 6, 7, 8}, {5, 9, 8, 7, 6, 0, 4, 3, 2, 1},
		{6, 5, 9, 8, 7, 1, 0, 4, 3, 2}, {7, 6, 5, 9, 8, 2, 1, 0, 4, 3}, {8, 7, 6, 5, 9, 3, 2, 1, 0, 4},
		{9, 8, 7, 6, 5, 4, 3, 2, 1, 0},
	}
	verhoeffPlace = [8][10]byte{
		{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}, {1, 5, 7, 6, 2, 8, 3, 0, 9, 4}, {5, 8, 0, 3, 7, 9, 6, 1, 4, 2},
		{8, 9, 1, 6, 0, 4, 3, 5, 2, 7}, {9, 4, 5, 3, 1, 2, 6, 8, 7, 0}, {4, 2, 8, 6, 5, 7, 3, 9, 0, 1},
		{2, 7, 9, 3, 8, 0, 6, 4, 1, 5}, {7, 0, 4, 6, 9, 1, 3, 2, 5, 8},
	}
)

// isConcept tells whether text is a SNOMED CT identifier of a concept.
func isConcept(text string) bool {
	if !IsSNOMED(text) {
		return false
	}
	kind := text[len(text)-3 : len(text)-1]
	return kind == "00" || kind == "10" // concepts of the core and of an extension
}

// IsSNOMED tells whether text is a SNOMED CT identifier: 6 to 18 digits, not a nought first, the last of them the check
// digit. One that fails was mistyped, or rounded by a spreadsheet.
func IsSNOMED(text string) bool {
	n := len(text)
	if n < 6 || n > 18 || text[0] == '0' {
		return false
	}
	var check byte
	for i := range n {
		c := text[n-1-i]
		if c < '0' || c > '9' {
			return false
		}
		check = verhoeffTimes[check][verhoeffPlace[i%8][c-'0']]
	}
	return check == 0
}

// IsLOINC tells whether text is a LOINC code: 1 to 7 digits, a hyphen and the check digit by Luhn's rule.
func IsLOINC(text string) bool {
	n := len(text)
	if n < 3 || n > 9 || text[n-2] != '-' {
		return false
	}
	sum := 0
	for i, c := range []byte(text[:n-2] + text[n-1:]) {
		if c < '0' || c > '9' {
			return false
		}
		d := int(c - '0')
		if (n-1-i)%2 == 0 { // every second digit from the one before the check digit on
			if d *= 2; d > 9 {
				d -= 9
			}
		}
		sum += d
	}
	return sum%10 == 0
}
