package privacy_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"

	"gapwatch/services/internal/privacy"
)

// TestSearch has each kind of value found in each of its forms, whatever stands around it, and nothing found that is not there.
func TestSearch(t *testing.T) {
	for value, forms := range map[string][]string{
		"9990000018": {"9990000018", "999 000 0018", "999-000-0018", "999%20000%200018", "999+000+0018", "999\u00a0000\u00a00018"},
		"1931-02-13": {"1931-02-13", "19310213", "13/02/1931", "13 February 1931"},
		"ZX47 8QJ":   {"ZX47 8QJ", "ZX478QJ", "zx47 8qj", "ZX47%208QJ"},
		"Zorvaqab":   {"Zorvaqab", "ZORVAQAB", "zorvaqab"},
	} {
		search := privacy.NewSearch(privacy.Secret{Name: "it", Value: value})
		for _, form := range forms {
			for _, text := range []string{form, hex.EncodeToString([]byte(form)), strings.ToUpper(hex.EncodeToString([]byte(form))), string(utf16(form))} {
				if form != strings.ToLower(form) && form != value && form != "ZX478QJ" && len(text) == 2*len(form) {
					continue // other cases are looked for as text alone
				}
				if form == strings.ToLower(form) && form != value && strings.ContainsAny(form, "zq") && text != form {
					continue
				}
				if len(search.Find([]byte("x."+text+";"))) == 0 {
					t.Errorf("%s is not found in %q", value, text)
				}
			}
		}
		for before := range 7 {
			text := strings.Repeat("\xff", before) + value + "?>"
			for _, encoding := range []*base64.Encoding{base64.StdEncoding, base64.RawURLEncoding} {
				if coded := encoding.EncodeToString([]byte(text)); len(search.Find([]byte(coded))) == 0 {
					t.Errorf("%s is not found in %s", value, coded)
				}
			}
		}
		hash := sha256.Sum256([]byte(value))
		for _, text := range []string{string(hash[:]), hex.EncodeToString(hash[:])} {
			if len(search.Find([]byte("x"+text))) == 0 {
				t.Errorf("%s is not found as a hash", value)
			}
		}
		other := value[:2] + string(value[2]+1) + value[3:]
		for _, text := range []string{"", "abc", other, value[:len(value)-1], base64.StdEncoding.EncodeToString([]byte(other))} {
			if found := search.Find([]byte(text)); len(found) > 0 {
				t.Errorf("%s is found in %q: %v", value, text, found)
			}
		}
	}
	search := privacy.NewSearch(privacy.Secret{Name: "it", Value: "9990000018"}, privacy.Secret{Name: "born", Value: "1931-02-13"})
	for _, number := range [][]byte{binary.LittleEndian.AppendUint64(nil, 9990000018), binary.BigEndian.AppendUint64(nil, 9990000018)} {
		if len(search.Find(bytes.Join([][]byte{{1, 2, 3}, number, {4}}, nil))) == 0 {
			t.Errorf("not found as % x", number)
		}
	}
	for _, text := range []string{"1193102139", "0.19310213", "a19310213bcde", "1234599900000182"} {
		if found := search.Find([]byte(text)); len(found) > 0 {
			t.Errorf("a part of a longer number is found in %s: %v", text, found)
		}
	}
	for _, text := range []string{"DOB19310213", "x99900000180", "fe9990000018ab"} {
		if len(search.Find([]byte(text))) == 0 {
			t.Errorf("nothing is found in %s", text)
		}
	}
	if found := search.Find([]byte("19310213 9990000018")); fmt.Sprint(found) != `[{born as "19310213"} {it as "9990000018"}]` {
		t.Errorf("found %v", found)
	}
}

func utf16(text string) (wide []byte) {
	for _, c := range []byte(text) {
		wide = append(wide, c, 0)
	}
	return wide
}
