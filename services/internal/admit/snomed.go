package admit

// IsSNOMED tells whether text is a SNOMED CT identifier: 6 to 18 digits, not a nought first, the last of them Verhoeff's
// check digit (SNOMED CT Release File Specification, "Check-digit"). One that fails was mistyped or rounded by a spreadsheet.
func IsSNOMED(text string) bool {
	if len(text) < 6 || len(text) > 18 || text[0] == '0' {
		return false
	}
	check := byte(0)
	for i := range len(text) {
		digit := text[len(text)-1-i] - '0'
		if digit > 9 {
			return false
		}
		check = verhoeffProduct[check][verhoeffPlace[i%8][digit]]
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
