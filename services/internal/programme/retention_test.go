package programme_test

import (
	"strings"
	"testing"

	"gapwatch/services/internal/calendar"
	"gapwatch/services/internal/programme"
)

func TestRetention(t *testing.T) {
	set, err := programme.Parse("p.yaml", []byte(strings.Replace(good, "    target: 75\n", "    target: 75\n    retention: 36\n", 1)))
	if err != nil {
		t.Fatal(err)
	}
	flu, _ := set.Get("flu")
	mmr, _ := set.Get("mmr")
	bp, _ := set.Get("bp")
	first := flu.Seasons[0]
	if flu.Retention != 36 || mmr.Retention != 60 || flu.KeptTo(first) != calendar.Date(2027, 3, 31) || mmr.KeptTo(mmr.Seasons[0]) != calendar.Date(2029, 3, 31) {
		t.Errorf("flu is kept %d months, to %s; mmr %d, to %s", flu.Retention, flu.KeptTo(first), mmr.Retention, mmr.KeptTo(mmr.Seasons[0]))
	}
	if set.AsOf(calendar.Date(2027, 3, 31)) != set {
		t.Error("a season is gone on its last day")
	}
	after := set.AsOf(calendar.Date(2027, 4, 1))
	was, _ := after.Get("flu")
	if _, ok := was.Season(first.ID); ok || len(was.Seasons) != 1 || len(flu.Seasons) != 2 || after.SHA256 != set.SHA256 || len(after.Programmes) != 3 || after.Programmes[1] != mmr {
		t.Errorf("%+v, of %+v", was, flu)
	}
	if _, ok := was.SeasonOn(first.Start); ok {
		t.Error("a day lies in a season that is gone")
	}
	if gone, _ := set.AsOf(calendar.Date(2040, 1, 1)).Get("flu"); len(gone.Seasons) != 0 {
		t.Errorf("%+v", gone.Seasons)
	}
	if got := bp.KeptFrom(calendar.Date(2026, 11, 22)); got != bp.HistoryFrom {
		t.Errorf("kept from %s", got)
	}
	if got := bp.KeptFrom(calendar.Date(2030, 11, 22)); got != calendar.Date(2025, 11, 1) {
		t.Errorf("kept from %s", got)
	}
	if flu.KeptFrom(calendar.Date(2050, 1, 1)) != flu.HistoryFrom || bp.KeptTo(programme.Season{}) != calendar.Far {
		t.Error("seasons and days are mixed up")
	}
}

func TestRetentionIsRefused(t *testing.T) {
	for value, want := range map[string]string{
		"26":    "p.yaml:8: flu.retention: must be a whole number from 27 to 1200",
		"years": "p.yaml:8: flu.retention: must be a whole number from 27 to 1200",
	} {
		_, err := programme.Parse("p.yaml", []byte(strings.Replace(good, "    target: 75\n", "    target: 75\n    retention: "+value+"\n", 1)))
		if err == nil || err.Error() != want {
			t.Errorf("%s: %v, want %s", value, err, want)
		}
	}
	late := strings.NewReplacer("    target: 75\n", "    target: 75\n    retention: 27\n", "start: 2024-10-03, end: 2025-03-31", "start: 2024-10-03, end: 2026-07-31").Replace(good)
	if _, err := programme.Parse("p.yaml", []byte(late)); err == nil ||
		err.Error() != "p.yaml:8: flu.retention: season 2023-24 would be gone on 2026-07-02, before season 2024-25, which is compared with it, is over" {
		t.Error(err)
	}
}
