package postcode_test

import (
	"bytes"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"gapwatch/services/internal/postcode"
)

func read(t testing.TB, text string) *postcode.Index {
	t.Helper()
	ix, err := postcode.Read("p.csv", strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return ix
}

const small = "\ufeffpcd7,PCDS,doterm,lsoa11,LSOA21CD\r\n" +
	"\"EC1A1BB\",\"EC1A 1BB\",\"\",\"E01000001\",\"E01000002\"\r\n" +
	"M1  1AE,M1 1AE,201506,E01033654,E01033677\r\n" +
	"\r\n" +
	"JE2 3AB,JE2 3AB,,L99999999,L99999999\r\n" +
	"BT1 1AA,BT1 1AA,,95GG40S1,N21000001\r\n" +
	"W1A 0AX,W1A 0AX,,,\r\n" +
	"GIR 0AA,GIR 0AA,198901,,E01000002"

func TestFind(t *testing.T) {
	ix := read(t, small)
	if ix.Len() != 6 {
		t.Errorf("%d postcodes", ix.Len())
	}
	for text, want := range map[string]string{
		"EC1A 1BB": "E01000002", "ec1a1bb": "E01000002", " E C1a\t1bB ": "E01000002", "EC1A\u00a01BB": "E01000002",
		"M1 1AE": "E01033677", "m11ae": "E01033677", "BT1 1AA": "N21000001", "GIR0AA": "E01000002",
		"JE2 3AB": "", "W1A 0AX": "", // known, in no LSOA
	} {
		if lsoa, known := ix.Find(text); lsoa != want || !known {
			t.Errorf("%q: %q, %v", text, lsoa, known)
		}
	}
	for _, text := range []string{"EC1A 1BC", "M1 1AF", "M11 1AE", "EC1A", "", "ZZ99 3VZ", "EC1A-1BB", "EC1A 1BB1", "É1 1AA", "E11AA\x00"} {
		if lsoa, known := ix.Find(text); lsoa != "" || known {
			t.Errorf("%q: %q, %v", text, lsoa, known)
		}
	}
	var none *postcode.Index
	if _, known := none.Find("EC1A 1BB"); known || none.Len() != 0 {
		t.Error("no look-up knows a postcode")
	}
}

func TestParseForm(t *testing.T) {
	for text, want := range map[string]bool{
		"M1 1AE": true, "B33 8TH": true, "CR2 6XH": true, "DN55 1PT": true, "W1A 0AX": true, "EC1A 1BB": true, "QQ1 1AA": true, "GIR 0AA": true, "ZZ993VZ": true,
		"": false, "1M1 1AE": false, "M1 AAE": false, "M1 1A1": false, "M 1AE": false, "SW1AA 1AA": false, "M1 1AEE": false, "M1.1AE": false, "M1\u20031AE": false,
	} {
		if _, ok := postcode.Parse(text); ok != want {
			t.Errorf("%q: %v", text, ok)
		}
	}
}

// Which column is taken does not depend on where it stands, and one of 2021 goes before one of 2011.
func TestColumns(t *testing.T) {
	for text, want := range map[string]string{
		"postcode,lsoa\nM1 1AE,E01000001\n":                             "E01000001",
		"lsoa11,x,pcd\nE01000001,,M1 1AE\n":                             "E01000001",
		"lsoa11cd,lsoa21cd,pcd8\nE01000001,E01000002,M1   1AE\n":        "E01000002",
		"lsoa21,lsoa,pcds\nE01000003,E01000002,M1 1AE\n":                "E01000003",
		"Postcode,LSOA\n\"M1 1AE\",X01000001\n":                         "X01000001",
		"note,postcode,lsoa\n\"a \"\"b\"\", c\",\"M1 1AE\",E01000001\n": "E01000001",
	} {
		if got, _ := read(t, text).Find("M1 1AE"); got != want {
			t.Errorf("%q: %s, want %s", text, got, want)
		}
	}
}

// A file is whole or not used: every error names file, row, column and rule.
func TestReadRefuses(t *testing.T) {
	for text, want := range map[string]string{
		"":                       "p.csv: row 1: must be the header, with one of the columns pcds, pcd7, pcd8, pcd2, pcd, postcode\np.csv: row 1: must be the header, with one of the columns lsoa21cd, lsoa21, lsoa11cd, lsoa11, lsoa",
		"postcode,area\n":        "p.csv: row 1: must be the header, with one of the columns lsoa21cd, lsoa21, lsoa11cd, lsoa11, lsoa",
		"postcode;lsoa\nx;y\n":   "p.csv: row 1: must be the header, with one of the columns pcds, pcd7, pcd8, pcd2, pcd, postcode\np.csv: row 1: must be the header, with one of the columns lsoa21cd, lsoa21, lsoa11cd, lsoa11, lsoa",
		"postcode,lsoa\n":        "p.csv: row 2: must hold a postcode: there is none in the file",
		"pcds,lsoa21\nM1 1AE\n":  "p.csv: row 2: must have 2 cells, as the header has",
		"pcds,lsoa21\n,\nM1,x\n": "p.csv: row 2, column pcds: must be a postcode: two to four letters and digits, then a digit and two letters\np.csv: row 3, column pcds: must be a postcode: two to four letters and digits, then a digit and two letters",
		"pcds,lsoa21\nM1 1AE,E01000001\nM1 1AF,E0100001\n":                 "p.csv: row 3, column lsoa21: must be an LSOA code: E, W, S, N or X and eight digits, or empty",
		"pcds,lsoa21\nM1 1AE,E01000001\nM1 1AF,E01000001\nM11AE,E01000002": "p.csv: row 4, column pcds: is in the file before, with another LSOA",
		"pcds,lsoa21\nM1 1AE,\"E01000001\n":                                "p.csv: row 2: must be CSV (RFC 4180) on one line",
		"pcds,lsoa21\nM1 1AE,E01\"000001\n":                                "p.csv: row 2: must be CSV (RFC 4180) on one line",
		"pcds,lsoa21\n\"M1 1AE\"x,E01000001\n":                             "p.csv: row 2: must be CSV (RFC 4180) on one line",
		"pcds,lsoa21\nM1 1AE,E01000001\n" + strings.Repeat("x", 2<<20):     "p.csv: row 3: must be shorter than a megabyte",
	} {
		_, err := postcode.Read("p.csv", strings.NewReader(text))
		if err == nil || err.Error() != want {
			t.Errorf("%.80q:\n got %v\nwant %s", text, err, want)
		}
	}
	// The same postcode twice with one LSOA is no harm; a file of nothing but errors does not tell them all.
	read(t, "pcds,lsoa21\nM1 1AE,E01000001\nM1 1AF,\nM1 1AE,E01000001\n")
	_, err := postcode.Read("p.csv", strings.NewReader("pcds,lsoa21\n"+strings.Repeat("x,y\n", 1000)))
	if n := strings.Count(err.Error(), "\n"); n != 9 {
		t.Errorf("%d lines of errors", n+1)
	}
	if _, err := postcode.Load(filepath.Join(t.TempDir(), "none.csv")); err == nil || !strings.Contains(err.Error(), "none.csv") {
		t.Error(err)
	}
}

// everyPostcode writes n postcodes as the ONSPD does, in order or not, with columns before and after.
func everyPostcode(n int, shuffled bool) []byte {
	var b bytes.Buffer
	b.WriteString("pcd7,pcd8,pcds,dointr,doterm,cty25cd,ced25cd,lad25cd,lsoa11cd,lsoa21cd,msoa21cd,lat,long\n")
	at := make([]int, n)
	for i := range at {
		at[i] = i
	}
	if shuffled {
		rand.New(rand.NewPCG(1, 2)).Shuffle(n, func(i, j int) { at[i], at[j] = at[j], at[i] })
	}
	for _, i := range at {
		p := numbered(i)
		b.WriteString(`"` + p + `","` + p + `","` + p + `",198001,,E99999999,E99999999,E09000001,E01000001,` + lsoaOf(i) + ",E02000001,51.508,-0.1\n")
	}
	return b.Bytes()
}

// numbered is a postcode for a number: 1,000 to each of the outward codes.
func numbered(i int) string {
	out, in := i/1000, i%1000
	return string([]byte{'A' + byte(out/260%26), 'A' + byte(out/10%26), '0' + byte(out%10), ' ', '0' + byte(in/100), 'A' + byte(in/10%10), 'A' + byte(in%10)})
}

func lsoaOf(i int) string { return "E0" + strconv.Itoa(1000000+i/64) }

// The whole ONSPD has 2.7 million postcodes, in 44,000 LSOAs and data zones.
func TestWholeCountry(t *testing.T) {
	const n = 2_700_000
	path := filepath.Join(t.TempDir(), "onspd.csv")
	if err := os.WriteFile(path, everyPostcode(n, false), 0o600); err != nil {
		t.Fatal(err)
	}
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	begun := time.Now()
	ix, err := postcode.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	took := time.Since(begun)
	runtime.GC()
	runtime.ReadMemStats(&after)
	held := int64(after.HeapAlloc) - int64(before.HeapAlloc)
	t.Logf("%d postcodes read in %v; %.1f MB held, %.1f MB allocated in all", ix.Len(), took, float64(held)/1e6, float64(after.TotalAlloc-before.TotalAlloc)/1e6)
	if ix.Len() != n || held > 60<<20 {
		t.Errorf("%d postcodes in %d bytes", ix.Len(), held)
	}
	// What is allocated in all is more than there ever is at a time.
	if all := after.TotalAlloc - before.TotalAlloc; all > 90<<20 {
		t.Errorf("reading allocated %d bytes", all)
	}
	for i := 0; i < n; i += 777 {
		if lsoa, known := ix.Find(strings.ToLower(numbered(i))); !known || lsoa != lsoaOf(i) {
			t.Fatalf("%s: %s, %v", numbered(i), lsoa, known)
		}
	}
	if _, known := ix.Find("AA0 9ZZ"); known {
		t.Error("found a postcode that is not there")
	}
}

// The order of the rows does not matter.
func TestShuffled(t *testing.T) {
	const n = 30_000
	ix, err := postcode.Read("p.csv", bytes.NewReader(everyPostcode(n, true)))
	if err != nil || ix.Len() != n {
		t.Fatal(ix.Len(), err)
	}
	for i := range n {
		if lsoa, known := ix.Find(numbered(i)); !known || lsoa != lsoaOf(i) {
			t.Fatalf("%s: %s, %v", numbered(i), lsoa, known)
		}
	}
}

// A postcode is the same however it is spaced and written, and two postcodes are never one.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{"M1 1AE", "ec1a1bb", "", "GIR 0AA", "EC1A\u00a01BB", "ZZ99 3VZ", "1", "SW1A 1AA ", "QQ1 1AA\r\n", "W1A-0AX"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		code, ok := postcode.Parse(text)
		if !ok {
			if code != (postcode.Code{}) {
				t.Fatal("a postcode beside a refusal")
			}
			return
		}
		bare := strings.ToUpper(strings.Map(func(r rune) rune {
			if strings.ContainsRune(" \t\r\n\u00a0", r) {
				return -1
			}
			return r
		}, text))
		if len(bare) < 5 || len(bare) > 7 {
			t.Fatalf("%q is taken for a postcode", text)
		}
		for _, again := range []string{bare, strings.ToLower(bare), bare[:len(bare)-3] + " " + bare[len(bare)-3:], strings.Join(strings.Split(bare, ""), " ")} {
			if other, ok := postcode.Parse(again); !ok || other != code {
				t.Fatalf("%q and %q differ", text, again)
			}
		}
		for i := range len(bare) {
			changed := []byte(bare)
			if changed[i]++; changed[i] > 'Z' || changed[i] == ':' {
				continue
			}
			if other, ok := postcode.Parse(string(changed)); ok && other == code {
				t.Fatalf("%q and %q are one", bare, changed)
			}
		}
	})
}

func FuzzRead(f *testing.F) {
	f.Add([]byte(small))
	f.Add([]byte("postcode,lsoa\nM1 1AE,E01000001\n\"M1 1AF\",\n"))
	f.Add([]byte("pcds,lsoa21,\"\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		ix, err := postcode.Read("p.csv", bytes.NewReader(data))
		if err != nil && ix != nil || err == nil && ix.Len() == 0 {
			t.Fatal("neither an error nor a look-up")
		}
	})
}

func BenchmarkFind(b *testing.B) {
	ix, err := postcode.Read("p.csv", bytes.NewReader(everyPostcode(200_000, false)))
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		ix.Find("aa5 0bc")
	}
}
