// Package streamtest runs a real NATS server with JetStream for a test.
package streamtest

import (
	"context"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"gapwatch/services/internal/stream"
)

// Server is a NATS server on loopback that lives as long as its test. It can be stopped and started again on the same
// port and folder.
type Server struct {
	t       testing.TB
	options stream.EmbedOptions
	server  *stream.Server
	url     string
}

// New starts a server on a free port with its files in a folder of the test.
func New(t testing.TB) *Server {
	t.Helper()
	s := &Server{t: t, options: stream.EmbedOptions{Dir: t.TempDir()}}
	s.Start()
	t.Cleanup(s.Stop)
	return s
}

// URL is where the server listens, also while it is stopped.
func (s *Server) URL() string { return s.url }

// Dir is the folder of the server's files.
func (s *Server) Dir() string { return s.options.Dir }

// Stop ends the server, as a restart of NATS does. Stopping a stopped server is fine.
func (s *Server) Stop() {
	if s.server != nil {
		s.server.Stop()
		s.server = nil
	}
}

// Start starts the server again where it was.
func (s *Server) Start() {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	server, err := stream.Embed(ctx, s.options)
	if err != nil {
		s.t.Fatal(err)
	}
	s.server, s.url = server, server.URL()
	s.options.Port = server.Port()
}

// Connect is a connection of its own that ends with the test.
func (s *Server) Connect() (*nats.Conn, jetstream.JetStream) {
	s.t.Helper()
	nc, js, err := stream.Connect(stream.ConnectOptions{URL: s.url, Name: s.t.Name()})
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(nc.Close)
	return nc, js
}

// Ensure is Connect with the streams set up.
func (s *Server) Ensure(o stream.Options) (*nats.Conn, jetstream.JetStream) {
	s.t.Helper()
	nc, js := s.Connect()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	if err := stream.Ensure(ctx, js, o); err != nil {
		s.t.Fatal(err)
	}
	return nc, js
}
