package stream_test

import (
	"strings"
	"testing"

	"gapwatch/services/internal/event"
	"gapwatch/services/internal/stream"
)

func TestRequestIDs(t *testing.T) {
	seen := map[string]bool{}
	before := ""
	for range 1000 {
		id := stream.NewRequest()
		if !stream.IsRequest(id) || seen[id] || event.HoldsNHSNumber([]byte(id)) || id[:12] < before {
			t.Fatalf("%q after %q", id, before)
		}
		seen[id], before = true, id[:12]
	}
	if at := before; at > stream.NewRequest()[:12] || len(at) != 12 {
		t.Error(at)
	}
	for _, wrong := range []string{"", strings.Repeat("a", 23), strings.Repeat("a", 25), strings.Repeat("A", 24), strings.Repeat("g", 24), "9434765919", strings.Repeat("a", 23) + "\n", strings.Repeat("a", 32)} {
		if stream.IsRequest(wrong) {
			t.Errorf("%q was taken", wrong)
		}
	}
}

func TestSenderIDs(t *testing.T) {
	for _, right := range []string{"a", "7", "gp-north", strings.Repeat("a", 32)} {
		if !stream.IsSender(right) {
			t.Errorf("%q was refused", right)
		}
	}
	for _, wrong := range []string{"", "-a", "A", "a.b", "a*", ">", "a b", "a\n", "é", strings.Repeat("a", 33), "direct"} {
		if stream.IsSender(wrong) {
			t.Errorf("%q was taken", wrong)
		}
	}
}
