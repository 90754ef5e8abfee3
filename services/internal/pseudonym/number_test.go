package pseudonym_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"gapwatch/services/internal/event"
	"gapwatch/services/internal/pseudonym"
)

func TestParseNHSNumber(t *testing.T) {
	for text, want := range map[string]error{
		"9434765919": nil, "943 476 5919": nil, "943-476-5919": nil, "943-476 5919": nil, " 9434765919\r\n": nil, "9990548609": nil,
		"4010232137": nil, "": pseudonym.ErrMissing,
		"  ":                     pseudonym.ErrMissing,
		"9434765918":             pseudonym.ErrCheckDigit,
		"9344765919":             pseudonym.ErrCheckDigit, // two digits changed places
		"943476591":              pseudonym.ErrDigits,
		"94347659190":            pseudonym.ErrDigits,
		"943476 5919":            pseudonym.ErrDigits,
		"943  476 5919":          pseudonym.ErrDigits,
		"943.476.5919":           pseudonym.ErrDigits,
		"9434 765 919":           pseudonym.ErrDigits,
		"94 347 65919":           pseudonym.ErrDigits,
		"943476591X":             pseudonym.ErrDigits,
		"９４３４７６５９１９":             pseudonym.ErrDigits, // full width
		"0000000000":             pseudonym.ErrPlaceholder,
		"999 999 9999":           pseudonym.ErrPlaceholder,
		"5555555555":             pseudonym.ErrPlaceholder,
		"943\u00a0476\u00a05919": pseudonym.ErrDigits,
	} {
		if _, err := pseudonym.ParseNHSNumber(text); !errors.Is(err, want) {
			t.Errorf("%q: %v, want %v", text, err, want)
		}
	}
}

// Ten times nine digits make at most one number each, and none where the check would be ten.
func TestCheckDigit(t *testing.T) {
	random := rand.New(rand.NewPCG(7, 8))
	none := 0
	for range 20000 {
		nine := fmt.Sprintf("%09d", random.IntN(1e9))
		weighted := 0
		for i, c := range nine {
			weighted += int(c-'0') * (10 - i)
		}
		want := -1
		for check := range 10 {
			// The same rule in other words: with the check digit, the weighted sum is divided by 11.
			if (weighted+check)%11 == 0 {
				want = check
			}
		}
		if want < 0 {
			none++
		}
		for check := range 10 {
			_, err := pseudonym.ParseNHSNumber(fmt.Sprintf("%s%d", nine, check))
			if (err == nil) != (check == want) && !errors.Is(err, pseudonym.ErrPlaceholder) {
				t.Fatalf("%s%d: %v, want check digit %d", nine, check, err, want)
			}
		}
	}
	if none < 1500 || none > 2200 {
		t.Errorf("%d of 20,000 have no check digit, want about one in eleven", none)
	}
}

// Whatever is read as an NHS number is one that the event contract keeps out of every field.
func FuzzParseNHSNumber(f *testing.F) {
	for _, seed := range []string{"9434765919", "943 476 5919", "943-476-5919", "", "0000000000", "943476591", "943476591X", "９４３４７６５９１９", " 999 054 8609 "} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		n, err := pseudonym.ParseNHSNumber(text)
		if err != nil {
			if n != (pseudonym.NHSNumber{}) {
				t.Fatal("a number beside an error")
			}
			if digits := strings.Trim(text, " \t\r\n"); len(digits) > 4 && strings.Contains(err.Error(), digits) {
				t.Fatalf("the error holds the text: %v", err)
			}
			return
		}
		if !event.HoldsNHSNumber([]byte(text)) {
			t.Fatalf("read as an NHS number, but the event contract would let it pass: %q", text)
		}
		digits := strings.Map(func(r rune) rune {
			if r < '0' || r > '9' {
				return -1
			}
			return r
		}, text)
		if digits != string(n[:]) {
			t.Fatalf("%q became other digits", text)
		}
	})
}
