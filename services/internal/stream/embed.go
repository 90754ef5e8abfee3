package stream

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// MaxPayload is the largest message that Gapwatch's own servers take, in bytes. An event may have 1 MB; what is over
// that but under this gets a dead letter that says so instead of a closed connection.
const MaxPayload = 4 << 20

// EmbedOptions sets up a NATS server inside the process.
type EmbedOptions struct {
	Dir  string // where JetStream keeps its files
	Host string // address to listen on; empty means 127.0.0.1
	Port int    // 0 means any free one
	// SyncAlways makes the server fsync before it confirms a publish. Without it a power cut (not a killed process)
	// loses up to two minutes of confirmed events.
	SyncAlways bool
	MaxPayload int32 // bytes; 0 means MaxPayload
	Logger     *slog.Logger
}

// Server is a running embedded NATS server.
type Server struct {
	server *server.Server
}

// Embed starts a NATS server with JetStream on disk. ctx bounds the start only: the server runs until Stop. An error
// means that it is not running: the address is taken, the folder cannot be used, or ctx ended first.
func Embed(ctx context.Context, o EmbedOptions) (*Server, error) {
	if o.Dir == "" {
		return nil, errors.New("embedded NATS: no folder given")
	}
	options := &server.Options{
		ServerName: "gapwatch",
		Host:       o.Host,
		Port:       o.Port,
		JetStream:  true,
		StoreDir:   o.Dir,
		SyncAlways: o.SyncAlways,
		MaxPayload: o.MaxPayload,
		NoSigs:     true, // signals are the process's own business
	}
	if options.Host == "" {
		options.Host = "127.0.0.1"
	}
	if options.Port == 0 {
		options.Port = server.RANDOM_PORT
	}
	if options.MaxPayload == 0 {
		options.MaxPayload = MaxPayload
	}
	s, err := server.NewServer(options)
	if err != nil {
		return nil, fmt.Errorf("embedded NATS: %w", err)
	}
	log := &serverLog{log: o.Logger}
	s.SetLogger(log, false, false)
	s.Start()
	for !s.ReadyForConnections(50 * time.Millisecond) {
		if err := errors.Join(log.failure(), ctx.Err()); err != nil {
			s.Shutdown()
			s.WaitForShutdown()
			return nil, fmt.Errorf("embedded NATS on %s:%d: %w", options.Host, o.Port, err)
		}
	}
	return &Server{server: s}, nil
}

// URL is where the server listens, as nats://host:port.
func (s *Server) URL() string { return s.server.ClientURL() }

// Port is the port that the server listens on.
func (s *Server) Port() int {
	if address, ok := s.server.Addr().(*net.TCPAddr); ok {
		return address.Port
	}
	return 0 // it has been stopped
}

// Stop ends the server cleanly and waits until its files are closed. Stopping twice is fine.
func (s *Server) Stop() {
	s.server.Shutdown()
	s.server.WaitForShutdown()
}
