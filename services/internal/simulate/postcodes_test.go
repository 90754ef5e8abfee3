package simulate

import (
	"path/filepath"
	"testing"

	"gapwatch/services/internal/postcode"
)

// Every LSOA of the synthetic geography has one postcode, in the place that its number says.
func TestPostcodes(t *testing.T) {
	dir := t.TempDir()
	if err := WritePostcodes(dir); err != nil {
		t.Fatal(err)
	}
	known, err := postcode.Load(filepath.Join(dir, PostcodeFile))
	if err != nil {
		t.Fatal(err)
	}
	l := newLand(7, 2025)
	if known.Len() != len(l.lsoas) {
		t.Errorf("%d postcodes for %d LSOAs", known.Len(), len(l.lsoas))
	}
	for text, at := range map[string]int{"QX1 0AA": 0, "qx10aa": 0, "QX10 0AA": len(l.lsoas) - l.lsoasOf(10)} {
		if code, ok := known.Find(text); !ok || code != l.lsoas[at].code {
			t.Errorf("%s lies in %q, not in %s", text, code, l.lsoas[at].code)
		}
	}
	if place := l.lsoas[len(l.lsoas)-l.lsoasOf(10)].place; place != 10 {
		t.Errorf("QX10 is in place %d", place)
	}
}

func (l *land) lsoasOf(place uint16) (n int) {
	for _, a := range l.lsoas {
		if a.place == place {
			n++
		}
	}
	return n
}
