package reporting_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"gapwatch/services/internal/engine/enginetest"
	"gapwatch/services/internal/store"
)

// fresh is a store with nothing in it.
func fresh(t *testing.T) driver.Conn {
	t.Helper()
	url := enginetest.New(t).URL()
	if err := store.Migrate(t.Context(), url); err != nil {
		t.Fatal(err)
	}
	conn, err := store.Open(url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// TestWhatIsSaidOfTheFeed writes one heartbeat after the other: the view always has one row, which says what is wrong.
func TestWhatIsSaidOfTheFeed(t *testing.T) {
	conn := fresh(t)
	for _, c := range []struct {
		beat  string // seconds ago, stored, dead letters, lost, waiting, unaccounted, seconds that the oldest waits, seconds behind
		stale bool
		want  string
	}{
		{"", true, "No aggregator has ever said how the feed is: nothing is known of it."},
		{"9000, 10, 0, 0, 0, 0, 0, 0", true, "No heartbeat for 2 hours, the last one at "},
		{"200, 10, 0, 0, 0, 0, 0, 0", true, "No heartbeat for 3 minutes, the last one at "},
		{"100, 10, 0, 0, 0, 0, 0, 0", false, "Everything that came in is in the numbers."},
		{"90, 10, 0, 0, 5, 0, 2, 7", false, "Messages come in and are counted; the numbers are 7 seconds behind."},
		{"75, 10, 0, 0, 5, 0, 299, 899", false, "Messages come in and are counted; the numbers are 14 minutes behind."},
		{"60, 10, 0, 0, 5, 0, 700, 0", true, "Messages waiting in the stream: 5, the oldest for 11 minutes: no collector runs, or it does not keep up."},
		{"45, 10, 0, 0, 0, 0, 0, 1000", true, "What was stored in the last 16 minutes is not in the numbers yet."},
		{"30, 10, 0, 0, 0, 2, 0, 0", false, "Messages unaccounted for: 2."},
		{"15, 10, 0, 2, 0, 2, 0, 0", false, "Messages lost in the last 24 hours, because they left the stream before anybody read them: 2."},
	} {
		if c.beat != "" {
			ago, _, _ := strings.Cut(c.beat, ",")
			query := "INSERT INTO prevention.heartbeats (at, taken_at, stored, dead_lettered, lost, waiting, unaccounted, oldest_waiting_seconds, behind_seconds) SELECT toStartOfInterval(now64(3) - INTERVAL " +
				ago + " SECOND, INTERVAL 15 SECOND), now64(3) - INTERVAL " + strings.Replace(c.beat, ",", " SECOND,", 1)
			if err := conn.Exec(t.Context(), query); err != nil {
				t.Fatal(err)
			}
		}
		var rows uint64
		var stale bool
		var sentence string
		if err := conn.QueryRow(t.Context(), "SELECT count(), any(stale), any(sentence) FROM reporting.feed_now").Scan(&rows, &stale, &sentence); err != nil {
			t.Fatal(err)
		}
		if rows != 1 || stale != c.stale || !strings.HasPrefix(sentence, c.want) {
			t.Errorf("%q: %d rows, stale %v, %q; want %v, %q", c.beat, rows, stale, sentence, c.stale, c.want)
		}
	}
}

// TestLossesBeforeTheFirstHeartbeat takes heartbeats that start on a feed with losses, as after an upgrade.
func TestLossesBeforeTheFirstHeartbeat(t *testing.T) {
	conn := fresh(t)
	for _, c := range []struct {
		beat string // hours ago, lost
		want uint64
	}{{"3, 7", 0}, {"2, 7", 0}, {"1, 9", 2}, {"25, 6", 3}, {"30, 1", 3}} {
		ago, lost, _ := strings.Cut(c.beat, ", ")
		if err := conn.Exec(t.Context(), "INSERT INTO prevention.heartbeats (at, taken_at, lost) SELECT now64(3) - INTERVAL "+ago+" HOUR, now64(3) - INTERVAL "+ago+" HOUR, "+lost); err != nil {
			t.Fatal(err)
		}
		var got uint64
		if err := conn.QueryRow(t.Context(), "SELECT lost_last_day FROM reporting.feed_now").Scan(&got); err != nil {
			t.Fatal(err)
		}
		if got != c.want {
			t.Errorf("with the heartbeat %q: %d lost in the last day, want %d", c.beat, got, c.want)
		}
	}
}

// TestDeadLettersBesideWhatIsUsual: neither a fault that lasts nor one burst may become what is usual.
func TestDeadLettersBesideWhatIsUsual(t *testing.T) {
	conn := fresh(t)
	for name, c := range map[string]struct {
		since   string // hours since the first event; empty = never any
		letters string // hours ago (middle of the hour) and how many, as rows of SQL
		usual   int64  // -1 = not known
		rising  bool
	}{
		"nothing at all":                           {"", "SELECT 0, 0 WHERE false", -1, false},
		"a day of history in the first minutes":    {"1", "SELECT 0, 1741", -1, false},
		"nearly two days":                          {"47", "SELECT 0, 500 UNION ALL SELECT 40, 1741", -1, false},
		"two days, the start is no whole day":      {"50", "SELECT 0, 12 UNION ALL SELECT 30, 3 UNION ALL SELECT 49, 1741", 3, true},
		"three days, one of them with a burst":     {"73", "SELECT 0, 12 UNION ALL SELECT 60, 1741", 0, true},
		"nothing was ever stored":                  {"", "SELECT number, if(number = 0, 40, 5) FROM numbers(100)", 5, true},
		"as usual":                                 {"700", "SELECT number, 20 FROM numbers(672)", 20, false},
		"twice as many as usual":                   {"700", "SELECT number, if(number = 0, 40, 20) FROM numbers(672)", 20, false},
		"more than twice":                          {"700", "SELECT number, if(number = 0, 41, 20) FROM numbers(672)", 20, true},
		"by day only, and busiest at nine":         {"700", "SELECT number, multiIf(number % 24 = 9, 30, number % 24 < 12, 4, 0) AS n FROM numbers(1, 671) WHERE n > 0 UNION ALL SELECT 0, 60", 30, false},
		"a burst days ago hides nothing":           {"700", "SELECT number, multiIf(number = 0, 60, number = 200, 5000, 2) FROM numbers(672)", 2, true},
		"a fault that has lasted a day":            {"700", "SELECT number, if(number < 24, 100, 5) FROM numbers(672)", 5, true},
		"a fault that has lasted ten days":         {"700", "SELECT number, if(number < 240, 100, 5) FROM numbers(672)", 5, true},
		"after two weeks that is how it is":        {"700", "SELECT number, if(number < 400, 100, 5) FROM numbers(672)", 100, false},
		"none on most days, few now":               {"700", "SELECT 0, 9 UNION ALL SELECT 100, 50", 0, false},
		"none on most days, many now":              {"700", "SELECT 0, 10 UNION ALL SELECT 100, 50", 0, true},
		"longer ago than four weeks is of no days": {"2000", "SELECT number, 100 FROM numbers(700, 300) UNION ALL SELECT 0, 10", 0, true},
	} {
		t.Run(name, func(t *testing.T) {
			for _, query := range []string{"TRUNCATE TABLE prevention.arrivals", "TRUNCATE TABLE prevention.dead_letters",
				"INSERT INTO prevention.arrivals SELECT 'SYN01', toStartOfHour(at), at, at FROM (SELECT now64(3) - toIntervalHour(toUInt32OrZero('" + c.since + "')) AS at WHERE '" + c.since + "' != '')",
				"INSERT INTO prevention.dead_letters (stream, sequence, reason, at) SELECT 1, row_number() OVER (), 'not JSON', now64(3) - toIntervalMinute(hour * 60 + 30) FROM (SELECT rows.1 AS hour, arrayJoin(range(toUInt32(rows.2))) FROM (SELECT arrayJoin(groupArray((*, ))) AS rows FROM (" + c.letters + ")))",
			} {
				if err := conn.Exec(t.Context(), query); err != nil {
					t.Fatalf("%s: %v", query, err)
				}
			}
			var rows uint64
			var usual int64
			var rising bool
			if err := conn.QueryRow(t.Context(), "SELECT count(), any(ifNull(toInt64(usual_per_hour), -1)), any(rising) FROM reporting.dead_letters_now WHERE reason = 'all'").Scan(&rows, &usual, &rising); err != nil {
				t.Fatal(err)
			}
			if rows != 1 || usual != c.usual || rising != c.rising {
				t.Errorf("%d rows, usual %d, rising %v; want usual %d, rising %v", rows, usual, rising, c.usual, c.rising)
			}
		})
	}
}

// TestAChangeOfSeason: the season that has begun is the newest, also when the one before is written once more after it.
func TestAChangeOfSeason(t *testing.T) {
	conn := fresh(t)
	for _, c := range []struct {
		season string
		id     int
		want   string
	}{{"2025-26", 1, "2025-26 1"}, {"2025-26", 2, "2025-26 2"}, {"2026-27", 3, "2026-27 3"}, {"2025-26", 4, "2026-27 3"}, {"2026-27", 5, "2026-27 5"}, {"unknown", 6, "2026-27 5"}} {
		for _, query := range []string{
			"INSERT INTO prevention.programmes (programme, kind, seasons, starts, ends, written_at) SELECT 'flu', 'seasonal', ['2025-26', '2026-27'], ['2025-09-01', '2026-09-01'], ['2026-03-31', '2027-03-31'], now64(3)",
			fmt.Sprintf("INSERT INTO prevention.last_days (programme, season, level, code, day, id, all_uptake) SELECT 'flu', '%s', 'place', 'P1', today(), %d, %d", c.season, c.id, c.id),
		} {
			if err := conn.Exec(t.Context(), query); err != nil {
				t.Fatalf("%s: %v", query, err)
			}
		}
		var got string
		if err := conn.QueryRow(t.Context(), "SELECT arrayStringConcat(groupArray(concat(season, ' ', toString(assumeNotNull(uptake)))), ', ') FROM reporting.gap_now").Scan(&got); err != nil {
			t.Fatal(err)
		}
		if got != c.want {
			t.Errorf("with %s of snapshot %d: %q, want %q", c.season, c.id, got, c.want)
		}
	}
}
