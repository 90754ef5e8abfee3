package area_test

import (
	"testing"

	"gapwatch/services/internal/area"
)

// A geography small enough to work out by hand. 2011 LSOAs: 1 unchanged, 2 split into 21 and 22 (alike), 3 split into 31
// and 32 (in two places, quintiles and systems), 4 and 5 merged into 45, 6 and 7 cut anew into 61, 67 and 71 where 67 has
// a part of both.
var small = area.Raw{
	Successors: map[string][]string{
		"E01000001": {"E01000001"},
		"E01000002": {"E01000021", "E01000022"},
		"E01000003": {"E01000031", "E01000032"},
		"E01000004": {"E01000045"},
		"E01000005": {"E01000045"},
		"E01000006": {"E01000061", "E01000067"},
		"E01000007": {"E01000067", "E01000071"},
	},
	Deprivation2019: map[string]area.Deprivation{
		"E01000001": {Rank: 1, Decile: 1}, "E01000002": {Rank: 20, Decile: 2}, "E01000003": {Rank: 30, Decile: 3},
		"E01000004": {Rank: 40, Decile: 4}, "E01000005": {Rank: 50, Decile: 5}, "E01000006": {Rank: 70, Decile: 7},
		"E01000007": {Rank: 80, Decile: 8},
	},
	Deprivation2025: map[string]area.Deprivation{
		"E01000001": {Rank: 100, Decile: 10}, "E01000021": {Rank: 11, Decile: 1}, "E01000022": {Rank: 22, Decile: 2},
		"E01000031": {Rank: 31, Decile: 4}, "E01000032": {Rank: 52, Decile: 5}, "E01000045": {Rank: 45, Decile: 4},
		"E01000061": {Rank: 61, Decile: 6}, "E01000067": {Rank: 62, Decile: 6}, "E01000071": {Rank: 71, Decile: 7},
	},
	Neighbourhood2011: map[string]string{
		"E01000001": "E02000001", "E01000002": "E02000002", "E01000003": "E02000003", "E01000004": "E02000004",
		"E01000005": "E02000005", "E01000006": "E02000006", "E01000007": "E02000006",
	},
	Place: map[string]string{
		"E01000001": "E06000001", "E01000021": "E06000001", "E01000022": "E06000001", "E01000031": "E06000001",
		"E01000032": "E06000002", "E01000045": "E06000002", "E01000061": "E06000002", "E01000067": "E06000002",
		"E01000071": "E06000003", "W01000001": "W06000001",
	},
	System: map[string]string{
		"E01000001": "E54000001", "E01000021": "E54000001", "E01000022": "E54000001", "E01000031": "E54000001",
		"E01000032": "E54000002", "E01000045": "E54000002", "E01000061": "E54000002", "E01000067": "E54000002",
		"E01000071": "E54000002",
	},
	Region: map[string]string{"E06000001": "E12000001", "E06000002": "E12000001", "E06000003": "E12000003"},
}

func TestResolve(t *testing.T) {
	want := []area.Resolved{
		{"E01000001", "E02000001", "E06000001", "E54000001", "E12000001", 1, 5, 1, 100},
		{"E01000002", "E02000002", "E06000001", "E54000001", "E12000001", 1, 1, 20, 0}, // parts alike but for the rank
		{"E01000003", "E02000003", "", "", "E12000001", 2, 0, 30, 0},                   // parts differ in all but the region
		{"E01000004", "", "E06000002", "E54000002", "E12000001", 0, 2, 0, 45},          // merged: MSOAs and quintiles of 2019 differ
		{"E01000005", "", "E06000002", "E54000002", "E12000001", 0, 2, 0, 45},
		{"E01000006", "E02000006", "E06000002", "E54000002", "E12000001", 4, 3, 0, 0}, // deciles 7 and 8 are one fifth
		{"E01000007", "E02000006", "", "E54000002", "", 4, 0, 0, 0},
		{"E01000021", "E02000002", "E06000001", "E54000001", "E12000001", 1, 1, 20, 11},
		{"E01000022", "E02000002", "E06000001", "E54000001", "E12000001", 1, 1, 20, 22},
		{"E01000031", "E02000003", "E06000001", "E54000001", "E12000001", 2, 2, 30, 31},
		{"E01000032", "E02000003", "E06000002", "E54000002", "E12000001", 2, 3, 30, 52},
		{"E01000045", "", "E06000002", "E54000002", "E12000001", 0, 2, 0, 45},
		{"E01000061", "E02000006", "E06000002", "E54000002", "E12000001", 4, 3, 70, 61},
		{"E01000067", "E02000006", "E06000002", "E54000002", "E12000001", 4, 3, 0, 62},
		{"E01000071", "E02000006", "E06000003", "E54000002", "E12000003", 4, 4, 80, 71},
		{"W01000001", "", "W06000001", "", "", 0, 0, 0, 0},
	}
	compare(t, area.Resolve(small), want)
}

func compare(t *testing.T, got, want []area.Resolved) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%d codes, want %d: %+v", len(got), len(want), got)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("got  %+v\nwant %+v", got[i], want[i])
		}
	}
}

// Where a look-up by 2021 LSOA gives the neighbourhood it decides, code by code.
func TestNeighbourhoodOf2021Decides(t *testing.T) {
	got := area.Resolve(area.Raw{
		Neighbourhood2011: map[string]string{"E01000001": "E02000001", "E01000002": "E02000002"},
		Neighbourhood2021: map[string]string{"E01000001": "E02000009"},
	})
	compare(t, got, []area.Resolved{
		{LSOA: "E01000001", Neighbourhood: "E02000009"},
		{LSOA: "E01000002", Neighbourhood: "E02000002"},
	})
}

// Without the look-up of changes a code stands for itself, in both years.
func TestCodeWithoutChangeStandsForItself(t *testing.T) {
	got := area.Resolve(area.Raw{
		Deprivation2019: map[string]area.Deprivation{"E01000001": {Rank: 7, Decile: 9}},
		Deprivation2025: map[string]area.Deprivation{"E01000001": {Rank: 8, Decile: 10}, "E01000002": {Rank: 9, Decile: 1}},
	})
	compare(t, got, []area.Resolved{
		{LSOA: "E01000001", Quintile2019: 5, Quintile2025: 5, Rank2019: 7, Rank2025: 8},
		{LSOA: "E01000002", Quintile2025: 1, Rank2025: 9},
	})
}

// The ONS gives no code to two areas. Should a file do so all the same, only what both share is known.
func TestCodeOfBothYearsThatChanged(t *testing.T) {
	got := area.Resolve(area.Raw{
		Successors: map[string][]string{"E01000001": {"E01000002"}, "E01000003": {"E01000001"}},
		Place:      map[string]string{"E01000001": "E06000001", "E01000002": "E06000002"},
		System:     map[string]string{"E01000001": "E54000001", "E01000002": "E54000001"},
	})
	compare(t, got, []area.Resolved{
		{LSOA: "E01000001", System: "E54000001"},
		{LSOA: "E01000002", Place: "E06000002", System: "E54000001"},
		{LSOA: "E01000003", Place: "E06000001", System: "E54000001"},
	})
}

func TestQuintile(t *testing.T) {
	want := map[uint8]uint8{0: 0, 1: 1, 2: 1, 3: 2, 4: 2, 5: 3, 6: 3, 7: 4, 8: 4, 9: 5, 10: 5}
	for decile, quintile := range want {
		if got := area.Quintile(decile); got != quintile {
			t.Errorf("quintile of decile %d is %d, want %d", decile, got, quintile)
		}
	}
}

func TestIndexFindsByEdition(t *testing.T) {
	r := area.Resolved{LSOA: "E01000001", Neighbourhood: "n", Place: "p", System: "s", Region: "r", Quintile2019: 2, Quintile2025: 4, Rank2019: 20, Rank2025: 40}
	for edition, quintile := range map[int]uint8{2019: 2, 2025: 4} {
		ix := area.NewIndex(map[string]area.Area{r.LSOA: r.Area(edition)}, map[string]string{"A81001": "U12345"})
		want := area.Area{Neighbourhood: "n", Place: "p", System: "s", Region: "r", Quintile: quintile, Rank: uint32(quintile) * 10}
		if got := ix.Find("E01000001"); got != want {
			t.Errorf("%d: %+v, want %+v", edition, got, want)
		}
		if got := ix.Find("E01999999"); got != (area.Area{}) {
			t.Errorf("an unknown LSOA lies in %+v", got)
		}
		if ix.PCN("A81001") != "U12345" || ix.PCN("A81002") != "" {
			t.Errorf("PCNs are %q and %q", ix.PCN("A81001"), ix.PCN("A81002"))
		}
	}
}
