package area_test

import (
	"fmt"
	"testing"

	"gapwatch/services/internal/area"
)

func TestFifthsHoldAFifthOfTheEligiblePeopleEach(t *testing.T) {
	areas, eligible := map[string]area.Area{}, map[string]uint64{}
	add := func(rank uint32, place string, people uint64) {
		code := fmt.Sprintf("E01%06d", len(areas))
		areas[code], eligible[code] = area.Area{Place: place, System: "s", Rank: rank}, people
	}
	// North: ten LSOAs of 100. South: one large LSOA and nine small ones; the large one holds fifths 1 to 4 and lies, by
	// its middle person, in fifth 2 or 3.
	for i := range uint32(10) {
		add(1000+i, "north", 100)
	}
	add(2000, "south", 800)
	for i := range uint32(10) {
		add(2001+i, "south", 20)
	}
	add(0, "north", 5000) // no rank: counts nowhere
	fifths := area.NewFifths(area.NewIndex(areas, nil), eligible)
	for rank, want := range map[uint32]string{900: "1", 1000: "1", 1001: "1", 1002: "2", 1005: "3", 1009: "5", 3000: "5", 0: ""} {
		if got, _ := fifths.In(area.Area{Place: "north", Rank: rank}); got != want {
			t.Errorf("rank %d is in fifth %q of north, want %q", rank, got, want)
		}
	}
	for rank, want := range map[uint32]string{2000: "3", 2001: "5", 2010: "5"} {
		if got, _ := fifths.In(area.Area{Place: "south", Rank: rank}); got != want {
			t.Errorf("rank %d is in fifth %q of south, want %q", rank, got, want)
		}
	}
	// 2,000 people in the system, the 1,000 of north first: 200 in each of its fifths but for the large LSOA's 800.
	for rank, want := range map[uint32]string{1000: "1", 1004: "2", 1005: "2", 1009: "3", 2000: "4", 2001: "5"} {
		if _, got := fifths.In(area.Area{System: "s", Rank: rank}); got != want {
			t.Errorf("rank %d is in fifth %q of the system, want %q", rank, got, want)
		}
	}
	if place, system := fifths.In(area.Area{Place: "elsewhere", Rank: 5}); place != "" || system != "" {
		t.Error("a place without eligible people has no fifths")
	}
}
