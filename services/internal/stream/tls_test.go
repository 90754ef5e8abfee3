package stream_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"gapwatch/services/internal/stream"
)

// authority makes certificates.
type authority struct {
	t    *testing.T
	dir  string
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{t: t, dir: t.TempDir()}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	a.key = key
	a.cert = &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "authority"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), KeyUsage: x509.KeyUsageCertSign}
	a.write("ca", a.cert, key)
	return a
}

// write makes name.pem and name.key in the authority's folder.
func (a *authority) write(name string, cert *x509.Certificate, key *ecdsa.PrivateKey) (certFile, keyFile string) {
	a.t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, cert, a.cert, &key.PublicKey, a.key)
	if err != nil {
		a.t.Fatal(err)
	}
	if cert.IsCA {
		if a.cert, err = x509.ParseCertificate(der); err != nil {
			a.t.Fatal(err)
		}
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		a.t.Fatal(err)
	}
	certFile, keyFile = filepath.Join(a.dir, name+".pem"), filepath.Join(a.dir, name+".key")
	for file, block := range map[string]*pem.Block{certFile: {Type: "CERTIFICATE", Bytes: der}, keyFile: {Type: "PRIVATE KEY", Bytes: secret}} {
		if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
			a.t.Fatal(err)
		}
	}
	return certFile, keyFile
}

func (a *authority) issue(name string) (certFile, keyFile string) {
	a.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.t.Fatal(err)
	}
	return a.write(name, &x509.Certificate{SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: name}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}}, key)
}

// TestTLS connects to a NATS that asks both sides for a certificate.
func TestTLS(t *testing.T) {
	ours, others := newAuthority(t), newAuthority(t)
	certFile, keyFile := ours.issue("server")
	pair, err := tls.LoadX509KeyPair(certFile, keyFile)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(ours.cert)
	s, err := server.NewServer(&server.Options{Host: "127.0.0.1", Port: server.RANDOM_PORT, JetStream: true, StoreDir: t.TempDir(), NoSigs: true, NoLog: true,
		Username: "collector", Password: "s3cret", TLSTimeout: 60,
		TLSConfig: &tls.Config{Certificates: []tls.Certificate{pair}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: pool, MinVersion: tls.VersionTLS12}})
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	t.Cleanup(func() {
		s.Shutdown()
		s.WaitForShutdown()
	})
	if !s.ReadyForConnections(2 * time.Minute) {
		t.Fatal("NATS does not start")
	}
	url := "tls://collector:s3cret@" + s.Addr().String()
	clientCert, clientKey := ours.issue("client")
	otherCert, otherKey := others.issue("client")
	right := stream.ConnectOptions{URL: url, CA: filepath.Join(ours.dir, "ca.pem"), Certificate: clientCert, Key: clientKey}
	nc, js, err := stream.Connect(right)
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	if err := stream.Ensure(within(t, 2*time.Minute), js, stream.Options{}); err != nil {
		t.Fatal(err)
	}
	if err := nc.FlushTimeout(2 * time.Minute); err != nil || !nc.IsConnected() {
		t.Fatal(err)
	}
	if state, err := nc.TLSConnectionState(); err != nil || !state.HandshakeComplete {
		t.Errorf("no TLS: %v", err)
	}

	for name, change := range map[string]func(*stream.ConnectOptions){
		"the server's authority is another one": func(o *stream.ConnectOptions) { o.CA = filepath.Join(others.dir, "ca.pem") },
		"the client's authority is another one": func(o *stream.ConnectOptions) { o.Certificate, o.Key = otherCert, otherKey },
		"the client has no certificate":         func(o *stream.ConnectOptions) { o.Certificate, o.Key = "", "" },
		"no authority is named":                 func(o *stream.ConnectOptions) { o.CA = "" },
		"no TLS is asked for": func(o *stream.ConnectOptions) {
			o.URL, o.CA, o.Certificate, o.Key = strings.Replace(url, "tls://", "nats://", 1), "", "", ""
		},
	} {
		o := right
		change(&o)
		nc, js, err := stream.Connect(o)
		if err != nil {
			t.Errorf("%s: %v: a server that cannot be reached is no error", name, err)
			continue
		}
		if _, err := js.AccountInfo(within(t, time.Second)); err == nil || nc.IsConnected() {
			t.Errorf("%s: it is connected", name)
		} else if strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%s: the error tells the password: %v", name, err)
		}
		nc.Close()
	}

	for name, o := range map[string]stream.ConnectOptions{
		"no such authority":   {URL: url, CA: "/nowhere.pem"},
		"no such certificate": {URL: url, Certificate: "/nowhere.pem", Key: "/nowhere.key"},
		"a wrong port":        {URL: "nats://collector:s3cret@host:port"},
		"a space":             {URL: "nats://collector:s3cret@ho st:4222"},
		"a wrong escape":      {URL: "nats://collector:s3cret%@host:4222"},
		"a wrong scheme":      {URL: "ftp://collector:s3cret@host:4222"},
	} {
		nc, _, err := stream.Connect(o)
		if err == nil {
			nc.Close()
			if name != "a wrong scheme" {
				t.Errorf("%s: no error", name)
			}
			continue
		}
		if strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%s: the error tells the password: %v", name, err)
		}
	}
}
