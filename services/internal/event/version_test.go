package event_test

import (
	"encoding/hex"
	"math/rand/v2"
	"slices"
	"testing"

	"gapwatch/services/internal/event"
)

// What is stored is compared with what comes in after the next release: ids and hashes must never change.
func TestIDsAndVersionsStayTheSame(t *testing.T) {
	e := mustDecode(t, newDecoder(t), []byte(typical))
	if got := hex.EncodeToString(e.RecordID[:]); got != "c4b1adda3c23717fd0d186b08ab3112b" {
		t.Errorf("record id %s", got)
	}
	if got := e.Version.Precedence; got != 0xf89bf98ff82b0f {
		t.Errorf("precedence %#x", got)
	}
}

func TestRecordIDKeepsSourceAndRecordApart(t *testing.T) {
	if event.NewRecordID("urn:a", "b1") == event.NewRecordID("urn:ab", "1") {
		t.Error("source and record run into each other")
	}
}

// A version is its content: sent again under another id, or with other extra fields, it is the same one.
func TestVersionIsOfTheContent(t *testing.T) {
	d := newDecoder(t)
	first := mustDecode(t, d, []byte(typical))
	for _, same := range [][]byte{
		with(t, object{"id": "sent-again"}, nil),
		with(t, object{"traceparent": "00-x"}, object{"vaccine": "x"}),
		with(t, nil, object{"occurredAt": "2026-11-20"}),
		with(t, nil, object{"cohort": "2024-25"}), // not a cohort programme
		with(t, nil, object{"correction": false}),
	} {
		if e := mustDecode(t, d, same); e.Version != first.Version || e.RecordID != first.RecordID {
			t.Errorf("another version: %s", same)
		}
	}
	seen := map[event.Version]int{first.Version: -1}
	for i, other := range [][]byte{
		with(t, object{"time": "2026-11-20T09:31:22.123457Z"}, nil),
		with(t, nil, object{"status": "not-done"}),
		with(t, nil, object{"status": "entered-in-error"}),
		with(t, nil, object{"correction": true}),
		with(t, nil, object{"person": "3c59dc048e8850243be8079a5c74d079"}),
		with(t, nil, object{"personPrevious": "3c59dc048e8850243be8079a5c74d079"}),
		with(t, nil, object{"personKey": "2026-2"}),
		with(t, nil, object{"programme": "covid-autumn"}),
		with(t, nil, object{"programme": "mmr-2", "cohort": "2024-25"}),
		with(t, nil, object{"programme": "mmr-2", "cohort": "2025-26"}),
		with(t, nil, object{"occurredAt": "2026-11-19"}),
		with(t, nil, object{"lsoa": "E01000002"}),
		with(t, nil, object{"lsoa": ""}),
		with(t, nil, object{"dose": 1}),
		with(t, nil, object{"ethnicity": "B"}),
		with(t, nil, object{"practice": "A81002"}),
		with(t, nil, object{"provider": "A81001", "practice": "FA123"}),
		with(t, nil, object{"plus": []any{"smi", "ld"}}),
		with(t, nil, object{"plus": nil}),
	} {
		v := mustDecode(t, d, other).Version
		if j, ok := seen[v]; ok {
			t.Errorf("change %d makes the version of %d: %s", i, j, other)
		}
		seen[v] = i
	}
}

func TestVersionOrder(t *testing.T) {
	d := newDecoder(t)
	version := func(time, status string, correction bool) event.Version {
		return mustDecode(t, d, with(t, object{"time": time}, object{"status": status, "correction": correction})).Version
	}
	const early, late = "2026-11-20T09:00:00Z", "2026-11-20T09:00:00.000001Z"
	rising := []event.Version{
		version(early, "completed", false),
		version(early, "completed", true),
		version(early, "entered-in-error", false),
		version(late, "not-done", false),
		version(late, "completed", true),
		version(late, "entered-in-error", true),
	}
	for i, v := range rising {
		for j, w := range rising {
			if v.Less(w) != (i < j) {
				t.Errorf("version %d < version %d is %v", i, j, v.Less(w))
			}
		}
	}
	for i, rank := range []uint64{0, 1, 2, 0, 1, 2} {
		if rising[i].Precedence>>56 != rank {
			t.Errorf("version %d has rank %d", i, rising[i].Precedence>>56)
		}
	}
}

// Whatever order the versions of a record come in, and however often, the same one is the newest.
func TestNewestVersionDoesNotDependOnOrder(t *testing.T) {
	d := newDecoder(t)
	random := rand.New(rand.NewPCG(5, 6))
	pick := func(of ...any) any { return of[random.IntN(len(of))] }
	for range 300 {
		var arrivals []event.Event
		for range 2 + random.IntN(6) {
			e := mustDecode(t, d, with(t,
				object{"time": pick("2026-11-20T09:00:00Z", "2026-11-20T10:00:00+01:00", "2026-11-20T09:00:01Z")},
				object{
					"status": pick("completed", "not-done", "entered-in-error"), "correction": pick(true, false),
					"lsoa": pick("", "E01000001", "E01000002"), "occurredAt": pick("2026-11-19", "2026-11-20"),
				}))
			arrivals = append(arrivals, e, e)
		}
		newest := func() event.Event {
			return slices.MaxFunc(arrivals, func(a, b event.Event) int {
				switch {
				case a.Version.Less(b.Version):
					return -1
				case b.Version.Less(a.Version):
					return 1
				}
				return 0
			})
		}
		want := newest()
		for range 10 {
			random.Shuffle(len(arrivals), func(i, j int) { arrivals[i], arrivals[j] = arrivals[j], arrivals[i] })
			if got := newest(); !same(got, want) {
				t.Fatalf("%+v\n%+v", got, want)
			}
		}
	}
}
