package grafana

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"time"
)

// transport adds who we are, and turns everything that is not a well-formed success into an [Error]: another status, a
// body that is not JSON, an empty one where something must be, a redirect, no answer.
type transport struct {
	next          http.RoundTripper
	authorization string
	secrets       []string // never shown
}

// An answer larger than this is not Grafana's.
const largest = 64 << 20

func (t *transport) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	if t.authorization != "" {
		r.Header.Set("Authorization", t.authorization)
	}
	r.Header.Set("User-Agent", "gapwatch-provisioner")
	response, err := t.next.RoundTrip(r)
	if err != nil {
		return nil, t.clean(away(r.Context(), r.URL.Host, err))
	}
	body, err := io.ReadAll(io.LimitReader(response.Body, largest+1))
	_ = response.Body.Close()
	switch {
	case err != nil:
		return nil, t.clean(away(r.Context(), r.URL.Host, err))
	case len(body) > largest:
		return nil, &Error{Status: response.StatusCode, Do: Stop, Message: "the answer is larger than 64 MB"}
	case response.StatusCode/100 != 2:
		return nil, t.clean(judge(response.StatusCode, body, response.Header.Get("Location")))
	case len(body) == 0 && r.Method != http.MethodGet:
		// Deleting answers nothing.
	case !json.Valid(body):
		return nil, t.clean(judge(response.StatusCode, body, ""))
	}
	response.Body, response.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	return response, nil
}

func (t *transport) clean(e *Error) *Error {
	for _, secret := range t.secrets {
		if len(secret) >= 6 { // a shorter one would black out words
			e.Message = strings.ReplaceAll(e.Message, secret, "…")
		}
	}
	return e
}

// away makes an error of a call that no answer came to.
func away(ctx context.Context, host string, err error) *Error {
	e := &Error{Do: Retry, cause: err, Message: fmt.Sprintf("Grafana at %s does not answer: %v", host, err)}
	var unknown x509.UnknownAuthorityError
	var wrongName x509.HostnameError
	var plain tls.RecordHeaderError
	var dns *net.DNSError
	switch {
	case ctx.Err() != nil:
		e.Message, e.cause = "gave up waiting for Grafana at "+host, ctx.Err()
	case errors.As(err, &unknown):
		e.Do, e.Advice = Stop, "set GAPWATCH_GRAFANA_CA to the file of the authority that signed Grafana's certificate"
	case errors.As(err, &wrongName):
		e.Do, e.Advice = Stop, "GAPWATCH_GRAFANA_URL must have the name that Grafana's certificate is for"
	case errors.As(err, &plain):
		e.Do, e.Advice = Stop, "Grafana does not speak TLS there: http:// in GAPWATCH_GRAFANA_URL?"
	case errors.As(err, &dns):
		e.Advice = "is the name in GAPWATCH_GRAFANA_URL right?"
	default:
		e.Advice = "is it running, and is GAPWATCH_GRAFANA_URL right?"
	}
	return e
}

// newTransport trusts the system's authorities, and those in the file ca besides.
func newTransport(ca string) (*http.Transport, error) {
	t := &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		DialContext:           (&net.Dialer{Timeout: 10 * time.Second}).DialContext,
		TLSHandshakeTimeout:   10 * time.Second,
		ResponseHeaderTimeout: 60 * time.Second,
		MaxIdleConnsPerHost:   4,
		IdleConnTimeout:       30 * time.Second,
	}
	if ca == "" {
		return t, nil
	}
	text, err := os.ReadFile(ca)
	if err != nil {
		return nil, fmt.Errorf("GAPWATCH_GRAFANA_CA: %w", err)
	}
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool()
	}
	if !pool.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("GAPWATCH_GRAFANA_CA: %s has no certificate in PEM form", ca)
	}
	t.TLSClientConfig = &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
	return t, nil
}
