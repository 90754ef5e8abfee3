package area

import (
	"maps"
	"slices"
)

// Raw is what the look-up files say, each file by itself. Codes are those of the ONS; an empty target means "unknown".
// Any of the maps may be nil: what cannot be found out is unknown.
type Raw struct {
	Deprivation2019   map[string]Deprivation // IMD 2019 by 2011 LSOA
	Deprivation2025   map[string]Deprivation // IMD 2025 by 2021 LSOA
	Neighbourhood2011 map[string]string      // 2011 LSOA to 2011 MSOA
	Neighbourhood2021 map[string]string      // 2021 LSOA to 2021 MSOA; where a code is in it, it decides
	Place             map[string]string      // 2021 LSOA to local authority of 2024
	System            map[string]string      // 2021 LSOA to ICB of 2024
	Region            map[string]string      // local authority of 2024 to region of 2024
	Successors        map[string][]string    // 2011 LSOA to the 2021 LSOAs that people of it may live in now
}

// Deprivation is one LSOA's place in the national ranking.
type Deprivation struct {
	Rank   uint32 // 1 = most deprived LSOA of England
	Decile uint8  // 1 = most deprived tenth to 10 = least
}

// Resolved is where one LSOA code lies, worked out once from all look-ups. Empty and 0 mean "unknown".
type Resolved struct {
	LSOA          string
	Neighbourhood string
	Place         string
	System        string
	Region        string
	Quintile2019  uint8
	Quintile2025  uint8
	Rank2019      uint32
	Rank2025      uint32
}

// Area is the resolved area under one edition of the IMD, 2019 or 2025.
func (r Resolved) Area(edition int) Area {
	a := Area{Neighbourhood: r.Neighbourhood, Place: r.Place, System: r.System, Region: r.Region}
	switch edition {
	case 2019:
		a.Quintile, a.Rank = r.Quintile2019, r.Rank2019
	case 2025:
		a.Quintile, a.Rank = r.Quintile2025, r.Rank2025
	}
	return a
}

// Quintile is the fifth that a decile (1 to 10) lies in: 1 = most deprived. 0, an unknown decile, stays 0.
func Quintile(decile uint8) uint8 { return (decile + 1) / 2 }

// Resolve works out the area of every LSOA code that any look-up names, 2011 or 2021, in the order of their codes.
//
// Areas are those of the 2021 LSOAs. A 2011 code takes what all its 2021 parts share and is otherwise unknown, attribute
// by attribute; so does a 2021 code for what is published by 2011 LSOA only (IMD 2019, and the MSOA where no look-up by
// 2021 LSOA is loaded). It does not matter whether a code was split, merged or cut in another way. A code that Successors
// does not name stands for itself: the ONS never gives a code to another area.
func Resolve(raw Raw) []Resolved {
	parents := make(map[string][]string, len(raw.Successors))
	for from, parts := range raw.Successors {
		for _, to := range parts {
			parents[to] = append(parents[to], from)
		}
	}
	whole := func(code string) Resolved { // of a 2021 code
		from := parents[code]
		if len(from) == 0 {
			from = []string{code}
		}
		place := raw.Place[code]
		neighbourhood := raw.Neighbourhood2021[code]
		if neighbourhood == "" {
			neighbourhood = shared(from, func(c string) string { return raw.Neighbourhood2011[c] })
		}
		return Resolved{
			Neighbourhood: neighbourhood,
			Place:         place,
			System:        raw.System[code],
			Region:        raw.Region[place],
			Quintile2019:  shared(from, func(c string) uint8 { return Quintile(raw.Deprivation2019[c].Decile) }),
			Quintile2025:  Quintile(raw.Deprivation2025[code].Decile),
			Rank2019:      shared(from, func(c string) uint32 { return raw.Deprivation2019[c].Rank }),
			Rank2025:      raw.Deprivation2025[code].Rank,
		}
	}

	codes := lsoas(raw)
	resolved := make([]Resolved, len(codes))
	for i, code := range codes {
		r := whole(code)
		if successors := raw.Successors[code]; len(successors) > 0 {
			parts := make([]Resolved, len(successors), len(successors)+1)
			for j, to := range successors {
				parts[j] = whole(to)
			}
			if len(parents[code]) > 0 {
				parts = append(parts, r) // the code is of both years: people may be meant by either
			}
			r = Resolved{
				Neighbourhood: shared(parts, func(p Resolved) string { return p.Neighbourhood }),
				Place:         shared(parts, func(p Resolved) string { return p.Place }),
				System:        shared(parts, func(p Resolved) string { return p.System }),
				Region:        shared(parts, func(p Resolved) string { return p.Region }),
				Quintile2019:  shared(parts, func(p Resolved) uint8 { return p.Quintile2019 }),
				Quintile2025:  shared(parts, func(p Resolved) uint8 { return p.Quintile2025 }),
				Rank2019:      shared(parts, func(p Resolved) uint32 { return p.Rank2019 }),
				Rank2025:      shared(parts, func(p Resolved) uint32 { return p.Rank2025 }),
			}
		}
		r.LSOA = code
		resolved[i] = r
	}
	return resolved
}

// shared is the value that all parts have, or the zero value where they differ.
func shared[P any, V comparable](parts []P, value func(P) V) V {
	v := value(parts[0])
	for _, p := range parts[1:] {
		if value(p) != v {
			var unknown V
			return unknown
		}
	}
	return v
}

// lsoas is every LSOA code that a look-up names, sorted.
func lsoas(raw Raw) []string {
	all := map[string]struct{}{}
	for _, m := range []map[string]Deprivation{raw.Deprivation2019, raw.Deprivation2025} {
		for code := range m {
			all[code] = struct{}{}
		}
	}
	for _, m := range []map[string]string{raw.Neighbourhood2011, raw.Neighbourhood2021, raw.Place, raw.System} {
		for code := range m {
			all[code] = struct{}{}
		}
	}
	for from, parts := range raw.Successors {
		all[from] = struct{}{}
		for _, to := range parts {
			all[to] = struct{}{}
		}
	}
	return slices.Sorted(maps.Keys(all))
}
