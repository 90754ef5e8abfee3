// Package area knows which neighbourhood, place, system, region and deprivation quintile a person's LSOA lies in.
package area

import (
	"iter"
	"maps"
)

// Area is where an LSOA lies, in the areas of 2024. An empty code or quintile 0 means "unknown".
type Area struct {
	Neighbourhood string // MSOA
	Place         string // local authority
	System        string // ICB
	Region        string
	Quintile      uint8  // 1 = most deprived fifth of England to 5 = least, 0 = unknown
	Rank          uint32 // in the national ranking, 1 = most deprived, 0 = unknown
}

// Index answers where an LSOA (2011 or 2021 code) lies and which PCN a practice belongs to, under one edition of the IMD.
type Index struct {
	areas map[string]Area
	pcns  map[string]string
}

// NewIndex makes an index from resolved areas by LSOA code and PCNs by practice code.
func NewIndex(areas map[string]Area, pcns map[string]string) *Index {
	return &Index{areas: areas, pcns: pcns}
}

// Find is the area of an LSOA; the zero Area where it is not known.
func (ix *Index) Find(lsoa string) Area { return ix.areas[lsoa] }

// PCN is the PCN of a practice; empty where it is not known.
func (ix *Index) PCN(practice string) string { return ix.pcns[practice] }

// LSOAs are the codes of all LSOAs that the index knows.
func (ix *Index) LSOAs() iter.Seq[string] { return maps.Keys(ix.areas) }

// Practices are the codes of all practices that the index knows.
func (ix *Index) Practices() iter.Seq[string] { return maps.Keys(ix.pcns) }
