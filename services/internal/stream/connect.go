package stream

import (
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// ConnectOptions says where NATS is and who is asking.
type ConnectOptions struct {
	URL         string // nats://host:4222 or tls://host:4222, several separated by commas; a user and password may be in it
	Name        string // shown in the server's list of connections
	Inbox       string // prefix of the subjects that answers come to, or empty for _INBOX
	Credentials string // path of a .creds file, or empty
	CA          string // path of a PEM file with the authorities to trust, or empty for the system's
	Certificate string // path of the client's certificate (PEM), or empty
	Key         string // path of the client's key (PEM), or empty
	Logger      *slog.Logger
}

// Connect connects to NATS and stays connected: it reconnects for as long as the process lives, and a server that is
// not there yet is no error. Errors are of the options (a file that cannot be read, a wrong address): stop.
func Connect(o ConnectOptions) (*nats.Conn, jetstream.JetStream, error) {
	log := o.Logger
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	options := []nats.Option{
		nats.Name(o.Name),
		nats.MaxReconnects(-1),
		nats.RetryOnFailedConnect(true),
		nats.ReconnectWait(250 * time.Millisecond),
		nats.ReconnectJitter(250*time.Millisecond, time.Second),
		nats.Timeout(5 * time.Second),
		nats.PingInterval(20 * time.Second),
		nats.MaxPingsOutstanding(3),
		nats.DisconnectErrHandler(func(nc *nats.Conn, err error) {
			if !nc.IsClosed() { // otherwise it was closed on purpose
				log.Warn("NATS is away", "error", err)
			}
		}),
		nats.ReconnectHandler(func(*nats.Conn) { log.Info("NATS is back") }),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) { log.Warn("NATS connection", "error", err) }),
	}
	if o.Inbox != "" {
		options = append(options, nats.CustomInboxPrefix(o.Inbox))
	}
	if o.Credentials != "" {
		options = append(options, nats.UserCredentials(o.Credentials))
	}
	if o.CA != "" {
		options = append(options, nats.RootCAs(o.CA))
	}
	if o.Certificate != "" || o.Key != "" {
		options = append(options, nats.ClientCert(o.Certificate, o.Key))
	}
	nc, err := nats.Connect(o.URL, options...)
	if wrong := (*url.Error)(nil); errors.As(err, &wrong) { // it repeats the address with the password
		return nil, nil, errors.New("connect to NATS: the address must be nats://user:password@host:4222 or tls://..., with what is special in user and password percent-encoded")
	}
	if err != nil {
		return nil, nil, fmt.Errorf("connect to NATS: %w", err)
	}
	js, err := jetstream.New(nc)
	if err != nil {
		nc.Close()
		return nil, nil, fmt.Errorf("connect to NATS: %w", err)
	}
	return nc, js, nil
}
