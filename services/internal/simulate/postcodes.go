package simulate

import (
	"fmt"
	"path/filepath"
)

// PostcodeFile is the name of the file that [WritePostcodes] writes.
const PostcodeFile = "postcodes.csv"

// WritePostcodes writes a look-up from postcode to LSOA for the synthetic geography, whatever its seed: one postcode for each
// 2021 LSOA, in the area QX, which no real postcode is in. QX1 0AA lies in X01000001, the first LSOA of Northmoor.
func WritePostcodes(dir string) error {
	return writeTable(filepath.Join(dir, PostcodeFile), []string{"postcode", "lsoa"}, func(put func(cells ...string)) {
		const letters = "ABDEFGHJLNPQRSTUWXYZ" // that the second part of a postcode has
		lsoa := 0
		for place, plan := range placePlan {
			for i := range plan.neighbourhoods * lsoasPerNeighbourhood {
				lsoa++
				put(fmt.Sprintf("QX%d %d%cA", place+1, i/len(letters), letters[i%len(letters)]), fmt.Sprintf("X01%06d", lsoa))
			}
		}
	})
}
