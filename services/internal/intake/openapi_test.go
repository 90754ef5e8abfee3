package intake_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"

	"gapwatch/schemas"
)

// document is the description of the interface, to which every answer of the tests is held, and every request that was taken.
type document struct{ spec *openapi3.T }

func openapi(t testing.TB) *document {
	t.Helper()
	spec, err := openapi3.NewLoader().LoadFromData(schemas.OpenAPI)
	if err != nil {
		t.Fatal(err)
	}
	if err := spec.Validate(context.Background()); err != nil {
		t.Fatal(err)
	}
	for _, media := range []string{"application/x-ndjson", "application/ndjson", "application/fhir+ndjson", "application/yaml"} {
		openapi3filter.RegisterBodyDecoder(media, openapi3filter.FileBodyDecoder)
	}
	openapi3filter.RegisterBodyDecoder("text/csv", openapi3filter.FileBodyDecoder)
	for _, media := range []string{"application/cloudevents+json", "application/cloudevents-batch+json", "application/fhir+json"} {
		openapi3filter.RegisterBodyDecoder(media, openapi3filter.JSONBodyDecoder)
	}
	return &document{spec: spec}
}

func (d *document) check(t testing.TB, q request, r *http.Request, response *http.Response, text []byte, inOrder bool) {
	t.Helper()
	item := d.spec.Paths.Find(r.URL.Path)
	if item == nil || item.GetOperation(r.Method) == nil {
		if response.StatusCode != http.StatusNotFound && response.StatusCode != http.StatusMethodNotAllowed {
			t.Errorf("%s %s is not described and was answered with %d", r.Method, r.URL.Path, response.StatusCode)
		}
		return
	}
	route := &routers.Route{Spec: d.spec, Path: r.URL.Path, PathItem: item, Method: r.Method, Operation: item.GetOperation(r.Method)}
	options := &openapi3filter.Options{AuthenticationFunc: openapi3filter.NoopAuthenticationFunc, IncludeResponseStatus: true, ExcludeRequestBody: q.from != nil || r.Header.Get("Content-Encoding") != ""}
	again := r.Clone(t.Context())
	again.Body = io.NopCloser(strings.NewReader(q.body))
	input := &openapi3filter.RequestValidationInput{Request: again, Route: route, Options: options}
	if response.StatusCode < 300 && inOrder {
		if err := openapi3filter.ValidateRequest(t.Context(), input); err != nil {
			t.Errorf("%s %s was taken and is not as described: %v", r.Method, q.path, err)
		}
	}
	if err := openapi3filter.ValidateResponse(t.Context(), &openapi3filter.ResponseValidationInput{RequestValidationInput: input, Status: response.StatusCode,
		Header: response.Header, Body: io.NopCloser(bytes.NewReader(text)), Options: options}); err != nil {
		t.Errorf("%s %s: the answer %d is not as described: %v\n%.2000s", r.Method, q.path, response.StatusCode, err, text)
	}
}

// Every path that is described has a handler, and the reverse.
func TestDescribedPathsHaveHandlersAndTheReverse(t *testing.T) {
	d := open(t, nil)
	described := map[string][]string{}
	for path, item := range d.doc.spec.Paths.Map() {
		for method := range item.Operations() {
			described[path] = append(described[path], method)
		}
		slices.Sort(described[path])
	}
	routes := d.server.Routes()
	for path, methods := range described {
		if !slices.Equal(routes[path], methods) {
			t.Errorf("%s: described %v, handled %v", path, methods, routes[path])
		}
	}
	for path := range routes {
		if described[path] == nil {
			t.Errorf("%s is handled and not described", path)
		}
	}
	if a := d.send(http.StatusOK, request{method: http.MethodGet, path: "/v1/openapi.yaml", as: "-"}); a.text != string(schemas.OpenAPI) {
		t.Error("another document is served")
	}
	d.send(http.StatusNotFound, request{path: "/v1/event"})
	if a := d.send(http.StatusMethodNotAllowed, request{method: http.MethodDelete, path: "/v1/events"}); a.header.Get("Allow") != "POST" {
		t.Errorf("allowed: %q", a.header.Get("Allow"))
	}
}

func hash(token string) string {
	sum := sha256.Sum256([]byte(token))
	return hex.EncodeToString(sum[:])
}
