package intake_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"gapwatch/services/internal/intake"
)

func TestWhoMaySend(t *testing.T) {
	d := open(t, nil)
	for name, header := range map[string]string{
		"nobody": "", "another scheme": "Basic " + tokens["gp"], "no scheme": tokens["gp"], "wrong": "Bearer token", "empty": "Bearer ", "a hash": "Bearer " + hash(tokens["gp"]),
		"more": "Bearer " + tokens["gp"] + "x",
	} {
		for _, q := range []request{{path: "/v1/events", media: one, body: jab("w", anna, "")}, {path: "/v1/csv", media: "text/csv", body: "x"},
			{path: "/v1/fhir", media: "application/fhir+json", body: "{}"}, {method: http.MethodGet, path: "/v1/rejections"}} {
			q.as = "-"
			if header != "" {
				q.header = map[string]string{"Authorization": header}
			}
			if a := d.send(http.StatusUnauthorized, q); !strings.HasPrefix(a.header.Get("WWW-Authenticate"), "Bearer") || strings.Contains(a.text, tokens["gp"]) {
				t.Errorf("%s: %s", name, a.text)
			}
		}
	}
	// Both tokens of a sender are live.
	for _, as := range []string{"gp", "gp-next"} {
		d.send(http.StatusAccepted, request{path: "/v1/events", as: as, media: one, body: jab("w", anna, "")})
	}
	// pharmacy has one source and one programme.
	pharmacy := strings.Replace(jab("w", anna, ""), "urn:example:gp", "urn:example:pharmacy", 1)
	d.send(http.StatusAccepted, request{path: "/v1/events", as: "pharmacy", media: one, body: pharmacy})
	for name, body := range map[string]string{"source": jab("w", anna, ""), "programme": strings.Replace(pharmacy, "flu-65", "covid-autumn", 1)} {
		if a := d.send(http.StatusForbidden, request{path: "/v1/events", as: "pharmacy", media: one, body: body}); a.Reason != "not allowed" || a.Field == "" {
			t.Errorf("%s: %s", name, a.text)
		}
	}
	if a := d.send(http.StatusAccepted, request{path: "/v1/events", as: "pharmacy", media: lines, body: pharmacy + "\n" + jab("w", anna, "")}); a.Duplicates != 1 || a.Rejected != 1 {
		t.Errorf("%s", a.text)
	}
	if text := d.log.String() + d.metrics(); strings.Contains(text, "token of") {
		t.Error("a token is in logs or metrics")
	}
}

// A token is changed without a stop: the new one is added, then the old one taken out. What is wrong with the file changes nothing.
func TestTokensAreChanged(t *testing.T) {
	path := filepath.Join(t.TempDir(), "senders.yaml")
	write := func(text string) {
		t.Helper()
		next := path + ".next"
		if err := os.WriteFile(next, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(next, path); err != nil {
			t.Fatal(err)
		}
	}
	file := func(names ...string) string {
		var hashes []string
		for _, name := range names {
			hashes = append(hashes, hash(tokens[name]))
		}
		return "senders:\n  - {id: gp, tokens: [" + strings.Join(hashes, ", ") + "], sources: [\"urn:example:gp\"], programmes: [\"*\"], limits: {requests: 100000}}\n"
	}
	write(file("gp"))
	load := func(path string) (intake.Senders, error) { return intake.LoadSenders(path, programmes(t)) }
	d := open(t, func(c *intake.Config) {
		c.Reload, c.Times.Reload = intake.Watch(path, load), 5*time.Millisecond
		var err error
		if c.Senders, err = load(path); err != nil {
			t.Fatal(err)
		}
	})
	status := func(as string) int {
		a, err := d.try(request{path: "/v1/events", as: as, media: one, body: jab("w", anna, "")})
		if err != nil {
			t.Fatal(err)
		}
		return a.status
	}
	if status("gp") != http.StatusAccepted || status("gp-next") != http.StatusUnauthorized {
		t.Fatal("the first file does not hold")
	}
	write(file("gp", "gp-next"))
	until(t, "both tokens are live", func() bool { return status("gp-next") == http.StatusAccepted && status("gp") == http.StatusAccepted })
	write("senders: [{id: gp, tokens: [" + tokens["gp"] + "]}]")
	until(t, "the wrong file is noticed", func() bool { return strings.Contains(d.log.String(), "stay as they were") })
	if status("gp") != http.StatusAccepted || status("gp-next") != http.StatusAccepted {
		t.Error("a wrong file took effect")
	}
	if err := os.Rename(path, path+".away"); err != nil {
		t.Fatal(err)
	}
	until(t, "it is noticed that the file has gone", func() bool { return strings.Contains(d.log.String(), "no such file") })
	write(file("gp-next"))
	until(t, "the old token is not", func() bool {
		return status("gp") == http.StatusUnauthorized && status("gp-next") == http.StatusAccepted
	})
	if n := strings.Count(d.log.String(), "no such file"); n != 1 {
		t.Errorf("that the file has gone is said %d times", n)
	}
	if strings.Contains(d.log.String(), tokens["gp"]) {
		t.Error("a token is in the log")
	}
}

// Who may name any source is named in the log, at the start and when the senders change; nobody else is.
func TestAnySourceIsWarnedOf(t *testing.T) {
	next := make(chan intake.Senders, 1)
	d := open(t, func(c *intake.Config) {
		c.Times.Reload = 5 * time.Millisecond
		c.Reload = func() (intake.Senders, error) {
			select {
			case senders := <-next:
				return senders, nil
			default:
				return nil, nil
			}
		}
	})
	warned := func(sender string) int {
		return strings.Count(d.log.String(), "List its sources\" sender="+sender+"\n")
	}
	if warned("trusted") != 1 || warned("gp") != 0 || warned("pharmacy") != 0 {
		t.Error(d.log)
	}
	next <- parse(t, strings.Replace(sendersFile(""), `["urn:example:pharmacy"]`, `["urn:example:pharmacy", "*"]`, 1))
	until(t, "the senders are read again", func() bool { return strings.Contains(d.log.String(), "read again") })
	if warned("trusted") != 2 || warned("gp") != 0 || warned("pharmacy") != 1 {
		t.Error(d.log)
	}
}

func TestWrongSendersFiles(t *testing.T) {
	right := hash("x")
	sender := func(change ...string) string {
		text := "senders:\n  - {id: gp, tokens: [" + right + "], sources: [\"urn:example:gp\"], programmes: [flu-65]}\n"
		return strings.NewReplacer(change...).Replace(text)
	}
	if _, err := intake.ParseSenders([]byte(sender()), programmes(t)); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct{ text, want string }{
		"nothing":            {"", "is not as the senders' file must be"},
		"not YAML":           {"senders: [", "line"},
		"unknown key":        {sender("sources:", "source:"), "line"},
		"id":                 {sender("id: gp", "id: GP"), "id: must be"},
		"reserved id":        {sender("id: gp", "id: direct"), "id: must be"},
		"id of a person":     {sender("id: gp", `id: "`+anna+`"`), "id: must be"},
		"a token as it is":   {sender(right, "secret-token"), "tokens[0]: must be the SHA-256"},
		"no token":           {sender(right, ""), "tokens: must have"},
		"token twice":        {sender(right, right+", "+strings.ToUpper(right)), "tokens[1]: is given twice"},
		"no source":          {sender(`"urn:example:gp"`, ""), "sources: must have"},
		"source":             {sender("urn:example:gp", "gp"), "sources[0]: must be an absolute URI"},
		"unknown programme":  {sender("flu-65", "flu-66"), "programmes[0]: must be an id"},
		"no programme":       {sender("[flu-65]", "[]"), "programmes: must have"},
		"limits":             {sender("}", ", limits: {bytes: -1}}"), "limits: must not"},
		"id twice":           {sender() + strings.TrimPrefix(sender(right, hash("y")), "senders:\n"), "id: is given twice"},
		"an empty one":       {"senders: [null]", "is empty"},
		"a token for a list": {sender("["+right+"]", "{a: secret-token}"), "line"},
	} {
		_, err := intake.ParseSenders([]byte(c.text), programmes(t))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
		if err != nil && strings.Contains(err.Error(), "secret-token") {
			t.Errorf("%s: the error shows a value: %v", name, err)
		}
	}
	token, hashed := intake.NewToken()
	other, _ := intake.NewToken()
	senders, err := intake.ParseSenders([]byte(sender(right, hashed)), programmes(t))
	if err != nil || senders.Find(token) == nil || senders.Find(other) != nil || senders.Find(hashed) != nil {
		t.Errorf("a new token: %v", err)
	}
}

// A sender has so many requests a second and so many at once, and one sender's do not count for another.
func TestLimits(t *testing.T) {
	d := open(t, func(c *intake.Config) {
		c.Senders, c.Concurrent = parse(t, sendersFile("requests: 0.4, concurrent: 1")), 2
	})
	q := request{path: "/v1/events", media: one, body: jab("l", anna, "")}
	var held []*io.PipeWriter
	var answers []chan reply
	hold := func(as, source string) {
		reader, writer := io.Pipe()
		held = append(held, writer)
		answer := make(chan reply, 1)
		answers = append(answers, answer)
		go func() {
			a, err := d.try(request{path: "/v1/events", as: as, media: lines, from: reader})
			if err != nil {
				t.Error(err)
			}
			answer <- a
		}()
		if _, err := io.WriteString(writer, strings.Replace(jab("held", anna, ""), "urn:example:gp", source, 1)+"\n"); err != nil {
			t.Fatal(err)
		}
		before := len(held)
		until(t, "the request is in hand", func() bool { return strings.Contains(d.metrics(), "gauge:{value:"+strconv.Itoa(before)+"}") })
	}
	begun := time.Now()
	hold("gp", "urn:example:gp")
	if a := d.send(http.StatusTooManyRequests, q); !strings.HasSuffix(a.Type, "too-many-at-once") {
		t.Errorf("%s", a.text)
	}
	hold("pharmacy", "urn:example:pharmacy")
	trusted := q
	trusted.as = "trusted"
	if a := d.send(http.StatusServiceUnavailable, trusted); !strings.HasSuffix(a.Type, "busy") || a.header.Get("Retry-After") == "" {
		t.Errorf("%s", a.text)
	}
	for i, writer := range held {
		_ = writer.Close()
		if a := <-answers[i]; a.status != http.StatusAccepted || a.Accepted != 1 {
			t.Errorf("a request that was in hand: %s", a.text)
		}
	}
	d.send(http.StatusAccepted, trusted)
	var a reply
	taken := 1 // of two that may come at once, and one more every 2.5 s
	for ; taken < 100; taken++ {
		var err error
		if a, err = d.try(q); err != nil {
			t.Fatal(err)
		}
		if a.status != http.StatusAccepted {
			break
		}
	}
	if most := 2 + int(time.Since(begun)/(2500*time.Millisecond)); taken < 2 || taken > most || a.status != http.StatusTooManyRequests {
		t.Errorf("%d requests were taken, %d may be: %s", taken, most, a.text)
	}
	if seconds, err := strconv.Atoi(a.header.Get("Retry-After")); err != nil || seconds < 1 || seconds > 3 || !strings.HasSuffix(a.Type, "too-many-requests") {
		t.Errorf("%v %s", a.header, a.text)
	}
	d.send(http.StatusAccepted, trusted)
}

func TestTLS(t *testing.T) {
	certificate, pool := certify(t)
	d := open(t, func(c *intake.Config) {
		c.TLS = &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12}
	})
	secure := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}}
	response, err := secure.Get(strings.Replace(d.url, "http:", "https:", 1) + "/v1/openapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	if response.StatusCode != http.StatusOK {
		t.Error(response.Status)
	}
	if response, err := http.Get(d.url + "/v1/openapi.yaml"); err == nil && response.StatusCode < 400 {
		t.Error("it was answered without TLS")
	}
	old := &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}
	if conn, err := tls.Dial("tcp", d.address, old); err == nil {
		_ = conn.Close()
		t.Error("TLS 1.1 was taken")
	}
}

func certify(t *testing.T) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}, NotBefore: time.Now().Add(-time.Hour),
		NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(parsed)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, pool
}
