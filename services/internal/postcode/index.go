package postcode

import (
	"slices"
)

// Index answers which LSOA a postcode lies in. It is made by [Read] and not changed after that, so that several
// goroutines may use it at once. A nil Index knows nothing.
//
// It holds four bytes a postcode: postcodes are kept by outward code, sorted, each as its inward code and the number of
// its LSOA.
type Index struct {
	outward map[uint32][]entry
	lsoas   []string // by number; 0 is none
	size    int
}

// entry is an inward code (13 bits) and the number of an LSOA (19 bits).
type entry uint32

const (
	lsoaBits = 19
	maxLSOAs = 1 << lsoaBits
)

func (e entry) inward() uint16 { return uint16(e >> lsoaBits) }

func (e entry) lsoa() int { return int(e & (maxLSOAs - 1)) }

// Find is the LSOA that a postcode lies in: empty where the file gives none for it. known is false where the file does
// not have the postcode, or it is no postcode.
func (ix *Index) Find(postcode string) (lsoa string, known bool) {
	code, ok := Parse(postcode)
	if !ok {
		return "", false
	}
	return ix.Get(code)
}

// Get is Find for a postcode that is read already.
func (ix *Index) Get(code Code) (lsoa string, known bool) {
	if ix == nil {
		return "", false
	}
	entries := ix.outward[code.outward]
	at, found := slices.BinarySearchFunc(entries, code.inward, byInward)
	if !found {
		return "", false
	}
	return ix.lsoas[entries[at].lsoa()], true
}

func byInward(e entry, inward uint16) int { return int(e.inward()) - int(inward) }

// Len is how many postcodes are known.
func (ix *Index) Len() int {
	if ix == nil {
		return 0
	}
	return ix.size
}

// add adds a postcode. It tells whether it was there before with another LSOA.
func (ix *Index) add(code Code, lsoa int) (other bool) {
	e := entry(code.inward)<<lsoaBits | entry(lsoa)
	entries := ix.outward[code.outward]
	at := len(entries)
	if at > 0 && entries[at-1].inward() >= code.inward { // not in order, as directories are
		var found bool
		if at, found = slices.BinarySearchFunc(entries, code.inward, byInward); found {
			return entries[at] != e
		}
	}
	ix.outward[code.outward] = slices.Insert(entries, at, e)
	ix.size++
	return false
}
