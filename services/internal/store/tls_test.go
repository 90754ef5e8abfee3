package store_test

import (
	"crypto/tls"
	"encoding/pem"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gapwatch/services/internal/engine/enginetest"
	"gapwatch/services/internal/store"
)

// TestTLS talks to the engine through a listener that speaks TLS, with a certificate that only the given authority vouches for.
func TestTLS(t *testing.T) {
	engine, err := url.Parse(enginetest.URL(t))
	if err != nil {
		t.Fatal(err)
	}
	proxy := httptest.NewUnstartedServer(httputil.NewSingleHostReverseProxy(engine))
	proxy.TLS = &tls.Config{MinVersion: tls.VersionTLS12}
	proxy.StartTLS()
	defer proxy.Close()
	dir := t.TempDir()
	file := func(name string, text []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	ca := file("a folder's ca & more.pem", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: proxy.Certificate().Raw}))
	address := strings.Replace(proxy.URL, "https://", "https://default:@", 1)
	if err := store.Migrate(t.Context(), store.WithCA(address, ca)); err != nil {
		t.Fatal(err)
	}
	conn, err := store.Open(store.WithCA(address+"/?max_execution_time=60", ca))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close() //nolint:errcheck // only read
	var limit string
	if err := conn.QueryRow(t.Context(), "SELECT toString(getSetting('max_execution_time')) FROM prevention.loads_now LIMIT 0 UNION ALL SELECT toString(getSetting('max_execution_time'))").Scan(&limit); err != nil || limit != "60" {
		t.Errorf("%q, %v", limit, err)
	}

	secret := strings.Replace(proxy.URL, "https://", "https://someone:s3cret@", 1)
	for name, test := range map[string]struct{ address, want string }{
		"an authority that nobody named": {secret, "certificate signed by unknown authority"},
		"no such file":                   {store.WithCA(secret, filepath.Join(dir, "none.pem")), "GAPWATCH_CLICKHOUSE_CA: open"},
		"no certificate":                 {store.WithCA(secret, file("empty.pem", nil)), "holds no certificate"},
		"no TLS":                         {store.WithCA("http://someone:s3cret@127.0.0.1:1", ca), "is not https"},
		"nobody there":                   {"http://someone:s3cret@127.0.0.1:1", "connection refused"},
	} {
		conn, err := store.Open(test.address)
		if err == nil {
			err = conn.Ping(t.Context())
			_ = conn.Close()
		}
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want %s", name, err, test.want)
		} else if strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%s: the error tells the password: %v", name, err)
		}
	}
	for in, want := range map[string]string{
		"http://u:s3cret@host:8123/?x=1": "http://host:8123", store.WithCA("https://u:s3cret@host", "/ca"): "https://host", "http://u:s3cret@ho st": "(not an address)",
	} {
		if got := store.Redacted(in); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	if got := store.WithoutCA(store.WithCA("https://u:p@host?a=1", "/ca")); got != "https://u:p@host?a=1" {
		t.Error(got)
	}
}
