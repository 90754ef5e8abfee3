package reporting_test

import (
	"strings"
	"testing"

	"gapwatch/services/internal/engine/enginetest"
	"gapwatch/services/internal/store"
)

// TestWhatIsSaidOfTheFeed writes one heartbeat after the other: the view always has one row, which says what is wrong.
func TestWhatIsSaidOfTheFeed(t *testing.T) {
	url := enginetest.New(t).URL()
	if err := store.Migrate(t.Context(), url); err != nil {
		t.Fatal(err)
	}
	conn, err := store.Open(url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close() //nolint:errcheck // the engine stops
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
