// Package intake is the door: the HTTP service that senders use, and in production the only publisher of events. It takes
// CloudEvents, FHIR and CSV, has package admit decide what becomes of each item, and answers when JetStream has confirmed all
// that it published. What it answers, logs and counts holds nothing of what was sent but the place of an item and its record's
// HMAC.
//
// Sending again is always safe: the same input makes the same events with the same ids.
package intake

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"golang.org/x/sync/semaphore"
	"golang.org/x/time/rate"

	"gapwatch/schemas"
	"gapwatch/services/internal/admit"
	"gapwatch/services/internal/fhir"
	"gapwatch/services/internal/rejection"
	"gapwatch/services/internal/stream"
	"gapwatch/services/internal/telemetry"
)

// Config is what a door needs. Fields without a default must be set.
type Config struct {
	Door    *admit.Door
	Senders Senders
	// Reload gives the senders anew; it is asked every [Times.Reload]. nil keeps them as they are.
	Reload func() (Senders, error)

	NATS      *nats.Conn
	JetStream jetstream.JetStream
	Telemetry *telemetry.Telemetry // nil for none
	Logger    *slog.Logger         // nil for silence
	TLS       *tls.Config          // nil for none

	Concurrent int // requests in hand at once, of all senders; 0 means 64
	Times      Times
}

// Times are how long things may take. Nought means the default.
type Times struct {
	Header time.Duration // until the header of a request is there; 5 s
	Idle   time.Duration // of a connection between requests; 1 minute
	Body   time.Duration // in which at least Floor bytes of a body must come; 10 s
	Floor  int64         // bytes; 4 KiB
	Write  time.Duration // for each part of an answer; 30 s
	Stop   time.Duration // for the requests in hand when the door is told to stop; 20 s
	Reload time.Duration // between two looks at the senders; 10 s
	// Confirm is how long a message waits for its confirmation, and then as long again for that of the same message published
	// anew; 5 s.
	Confirm time.Duration
	Room    time.Duration // that a Bundle waits for others to be done with; 15 s
}

const (
	maxHeader      = 16 << 10 // bytes of a request's header
	maxConnections = 16       // times the requests in hand
	maxWhole       = 8        // bodies of over 1 MiB that are read whole, at once: Bundles
	// A Bundle takes memory by its entries, about 2 kB each, and one of so many bytes may have as many as any: "{},". Four of
	// those are in hand at once, or as many smaller ones as have no more bytes.
	heavyBundle = 3 * fhir.MaxEntries
	maxHeavy    = 4
)

// Server is the door.
type Server struct {
	door       *admit.Door
	nats       *nats.Conn
	js         jetstream.JetStream
	events     *stream.Async
	rejections *stream.Async
	log        *slog.Logger
	metrics    *metrics
	tls        *tls.Config
	times      Times
	concurrent int
	reload     func() (Senders, error)
	senders    atomic.Pointer[Senders]
	routes     map[string]map[string]http.HandlerFunc
	telemetry  *telemetry.Telemetry
	bundles    *semaphore.Weighted // room for those in hand, in bytes

	mu       sync.Mutex
	inHand   int
	whole    int              // Bundles in hand
	gates    map[string]*gate // by sender
	stopping bool

	listened struct { // see listens
		sync.Mutex
		at  time.Time
		err error
	}
}

// gate is what a sender has used up.
type gate struct {
	limiter *rate.Limiter
	inHand  int
}

// New makes a door. An error is for stopping at start.
func New(c Config) (*Server, error) {
	if c.Door == nil || c.NATS == nil || c.JetStream == nil || len(c.Senders) == 0 {
		return nil, errors.New("intake: Door, NATS, JetStream and Senders must be set")
	}
	s := &Server{door: c.Door, nats: c.NATS, js: c.JetStream, log: c.Logger, tls: c.TLS, concurrent: orElse(c.Concurrent, 64), reload: c.Reload,
		times: Times{Header: orElse(c.Times.Header, 5*time.Second), Idle: orElse(c.Times.Idle, time.Minute), Body: orElse(c.Times.Body, 10*time.Second),
			Floor: orElse(c.Times.Floor, 4<<10), Write: orElse(c.Times.Write, 30*time.Second), Stop: orElse(c.Times.Stop, 20*time.Second),
			Reload: orElse(c.Times.Reload, 10*time.Second), Confirm: orElse(c.Times.Confirm, 5*time.Second), Room: orElse(c.Times.Room, 15*time.Second)},
		bundles: semaphore.NewWeighted(maxHeavy * heavyBundle), telemetry: c.Telemetry, gates: make(map[string]*gate)}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	s.use(c.Senders)
	var err error
	// No request has more than its window on the way, so nothing is ever refused for that.
	if s.events, err = stream.NewAsync(c.NATS, stream.AsyncOptions{Pending: (window + 1) * s.concurrent, AckTimeout: s.times.Confirm, GiveUp: s.times.Confirm}); err != nil {
		return nil, err
	}
	if s.rejections, err = stream.NewAsync(c.NATS, stream.AsyncOptions{Pending: (window + 1) * s.concurrent, GiveUp: time.Second}); err != nil {
		return nil, err
	}
	if c.Telemetry == nil {
		s.metrics, err = newMetrics(nil)
	} else {
		s.metrics, err = newMetrics(c.Telemetry.Registry)
	}
	if err != nil {
		return nil, fmt.Errorf("intake: %w", err)
	}
	s.routes = map[string]map[string]http.HandlerFunc{
		"/v1/events":       {http.MethodPost: s.post(rejection.Events, mediaEvent+", "+mediaEventBatch+", "+mediaLines)},
		"/v1/fhir":         {http.MethodPost: s.post(rejection.FHIR, mediaFHIR+", "+mediaFHIRLines)},
		"/v1/csv":          {http.MethodPost: s.post(rejection.CSV, mediaCSV)},
		"/v1/rejections":   {http.MethodGet: s.list},
		"/v1/openapi.yaml": {http.MethodGet: s.document},
	}
	return s, nil
}

// Run listens on address (host:port) and answers until ctx ends: then it is not ready, takes no new connection, and lets the
// requests in hand finish. An error means that the address cannot be listened on, or that serving broke off: stop.
func (s *Server) Run(ctx context.Context, address string) error {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return fmt.Errorf("intake: %w", err)
	}
	return s.Serve(ctx, listener)
}

// Serve is [Server.Run] on a listener that is there already. It closes it.
func (s *Server) Serve(ctx context.Context, listener net.Listener) error {
	if s.telemetry != nil {
		defer s.telemetry.Ready("intake", s.Ready)()
	}
	listener = limit(listener, maxConnections*s.concurrent)
	if s.tls != nil {
		listener = tls.NewListener(listener, s.tls)
	}
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true) // time-outs of a body are of a connection, so each connection has one request at a time
	server := &http.Server{Handler: s, Protocols: protocols, ReadHeaderTimeout: s.times.Header, IdleTimeout: s.times.Idle,
		MaxHeaderBytes: maxHeader, ErrorLog: slog.NewLogLogger(s.log.Handler(), slog.LevelDebug)}
	s.log.Info("listening", "address", listener.Addr().String(), "tls", s.tls != nil, "senders", len(*s.senders.Load()))
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	ticks := time.NewTicker(s.times.Reload)
	defer ticks.Stop()
	for {
		select {
		case err := <-served:
			return fmt.Errorf("intake: %w", err)
		case <-ticks.C:
			s.look()
			continue
		case <-ctx.Done():
		}
		break
	}
	s.mu.Lock()
	s.stopping = true
	inHand := s.inHand
	s.mu.Unlock()
	s.log.Info("stopping", "inHand", inHand)
	finishing, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.times.Stop)
	defer cancel()
	if err := server.Shutdown(finishing); err != nil {
		_ = server.Close()
		s.log.Warn("requests in hand were broken off", "error", err) // whoever sent them sends them again
	}
	if err := <-served; !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("intake: %w", err)
	}
	return nil
}

// look takes over the senders if they have changed. Wrong ones are said, and the ones before stay.
func (s *Server) look() {
	if s.reload == nil {
		return
	}
	senders, err := s.reload()
	switch {
	case err != nil:
		s.log.Error("the senders stay as they were", "error", err)
	case senders != nil:
		s.use(senders)
		s.log.Info("the senders were read again", "senders", len(senders))
	}
}

// use takes over senders. Who may name any source may have anything stored as one.
func (s *Server) use(senders Senders) {
	for _, sender := range senders {
		if slices.Contains(sender.Sources, admit.Any) {
			s.log.Warn("a sender may name any source (sources: *): whatever text it sends as one, of FHIR the identifier.system, is stored as it is. List its sources",
				"sender", sender.ID)
		}
	}
	s.senders.Store(&senders)
}

// Watch gives the senders of a file anew whenever the file has changed, for [Config.Reload]. An error is told once, that the file
// has gone when it is still so at the second look.
func Watch(path string, load func(path string) (Senders, error)) func() (Senders, error) {
	var last os.FileInfo
	last, _ = os.Stat(path)
	gone := 0
	return func() (Senders, error) {
		now, err := os.Stat(path)
		if err != nil {
			if gone++; gone == 2 { // before that it may just be being replaced
				return nil, err
			}
			return nil, nil
		}
		gone = 0
		if last != nil && now.ModTime().Equal(last.ModTime()) && now.Size() == last.Size() && os.SameFile(now, last) {
			return nil, nil
		}
		last = now
		return load(path)
	}
}

// Ready says why the door cannot take anything now.
func (s *Server) Ready(ctx context.Context) error {
	s.mu.Lock()
	stopping := s.stopping
	s.mu.Unlock()
	switch {
	case stopping:
		return errors.New("stopping")
	case !s.nats.IsConnected():
		return errors.New("NATS is away")
	}
	return s.listens(ctx)
}

// listens says whether there is a stream of events, as of a second ago.
func (s *Server) listens(ctx context.Context) error {
	s.listened.Lock()
	defer s.listened.Unlock()
	if time.Since(s.listened.at) > time.Second {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second) // others will read what it finds
		defer cancel()
		s.listened.err = stream.Listens(ctx, s.nats, strings.TrimSuffix(stream.EventSubjects, ">")+"ready")
		s.listened.at = time.Now()
	}
	return s.listened.err
}

// Routes is every path and its methods.
func (s *Server) Routes() map[string][]string {
	routes := make(map[string][]string, len(s.routes))
	for path, methods := range s.routes {
		routes[path] = allowed(methods)
	}
	return routes
}

func allowed(methods map[string]http.HandlerFunc) []string {
	var names []string
	for name := range methods {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// visit is what is known of a request when its answer is logged.
type visit struct {
	request string
	sender  string
	door    string
	counts  counts
	bytes   int64
}

type visitKey struct{}

// ServeHTTP answers one request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	begun := time.Now()
	v := &visit{request: stream.NewRequest(), door: "other"}
	if _, door, _ := strings.Cut(r.URL.Path, "/v1/"); s.routes[r.URL.Path] != nil {
		v.door = door
	}
	answered := &patient{ResponseWriter: w, ctl: http.NewResponseController(w), time: s.times.Write}
	header := w.Header()
	header.Set("X-Request-ID", v.request)
	header.Set("Cache-Control", "no-store")
	header.Set("X-Content-Type-Options", "nosniff")
	s.metrics.inHand.Inc()
	defer func() {
		if fault := recover(); fault != nil {
			if fault != any(http.ErrAbortHandler) {
				s.log.Error("a fault", "request", v.request, "door", v.door, "kind", fmt.Sprintf("%T", fault), "stack", string(debug.Stack()))
			}
			if answered.status == 0 {
				s.refuse(answered, r, v, problemFault)
			} else {
				defer panic(http.ErrAbortHandler) // half an answer must not look like a whole one
			}
		}
		s.metrics.inHand.Dec()
		status := answered.status
		s.metrics.requests.WithLabelValues(v.door, strconv.Itoa(status)).Inc()
		s.metrics.seconds.WithLabelValues(v.door).Observe(time.Since(begun).Seconds())
		s.metrics.bytes.WithLabelValues(v.door).Add(float64(v.bytes))
		level := slog.LevelInfo
		if status >= 500 {
			level = slog.LevelWarn
		}
		c := &v.counts
		s.log.LogAttrs(context.Background(), level, "request", slog.String("request", v.request), slog.String("sender", v.sender), slog.String("door", v.door),
			slog.Int("status", status), slog.Uint64("items", c.Items), slog.Uint64("accepted", c.Accepted), slog.Uint64("duplicates", c.Duplicates),
			slog.Uint64("noProgramme", c.NoProgramme), slog.Uint64("rejected", c.Rejected), slog.Int64("bytes", v.bytes), slog.Duration("took", time.Since(begun)))
	}()
	methods, found := s.routes[r.URL.Path]
	if !found {
		s.refuse(answered, r, v, problemPath)
		return
	}
	handler, found := methods[r.Method]
	if !found {
		header.Set("Allow", strings.Join(allowed(methods), ", "))
		s.refuse(answered, r, v, problemMethod)
		return
	}
	handler(answered, r.WithContext(context.WithValue(r.Context(), visitKey{}, v)))
}

// refuse answers with a problem. The connection ends with it if a body was not read: nothing is waited for.
func (s *Server) refuse(w http.ResponseWriter, r *http.Request, v *visit, p *Problem) {
	if r.ContentLength != 0 {
		w.Header().Set("Connection", "close")
	}
	if err := p.write(w, v.request, r.URL.Path == "/v1/fhir"); err != nil {
		s.log.Debug("the answer was not taken", "request", v.request, "error", err)
	}
}

// sender is who sends, by the bearer token.
func (s *Server) sender(r *http.Request) (*Sender, *Problem) {
	scheme, token, found := strings.Cut(r.Header.Get("Authorization"), " ")
	if !found || !strings.EqualFold(scheme, "Bearer") {
		return nil, problemNoToken
	}
	sender := s.senders.Load().Find(strings.TrimSpace(token))
	if sender == nil {
		return nil, problemToken
	}
	return sender, nil
}

// enter lets a sender's request in, unless there are too many. leave must be called when it is done.
func (s *Server) enter(sender *Sender) (leave func(), _ *Problem) {
	s.mu.Lock()
	defer s.mu.Unlock()
	g := s.gates[sender.ID]
	limit, most := rate.Limit(sender.Limits.Requests), max(1, int(burst*sender.Limits.Requests))
	if g == nil {
		g = &gate{limiter: rate.NewLimiter(limit, most)}
		s.gates[sender.ID] = g
	}
	if g.limiter.Limit() != limit || g.limiter.Burst() != most {
		g.limiter.SetLimit(limit)
		g.limiter.SetBurst(most)
	}
	switch {
	case s.inHand >= s.concurrent:
		return nil, problemBusy
	case g.inHand >= sender.Limits.Concurrent:
		return nil, problemConcurrent
	}
	if reserved := g.limiter.Reserve(); reserved.Delay() > 0 {
		problem := *problemRate
		problem.retryAfter = int(reserved.Delay()/time.Second) + 1
		reserved.Cancel()
		return nil, &problem
	}
	s.inHand++
	g.inHand++
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.inHand--
		g.inHand--
	}, nil
}

// welcome lets a request of a sender in; otherwise it refuses it, and there is no sender. leave must be called when it is done.
func (s *Server) welcome(w http.ResponseWriter, r *http.Request) (v *visit, _ *Sender, leave func()) {
	v = r.Context().Value(visitKey{}).(*visit)
	sender, problem := s.sender(r)
	if problem == nil {
		v.sender = sender.ID
		leave, problem = s.enter(sender)
	}
	if problem != nil {
		s.refuse(w, r, v, problem)
		return v, nil, nil
	}
	return v, sender, leave
}

// enterWhole keeps the memory that large bodies take within bounds: only so many are in hand at once. For what is made of them see room.
func (s *Server) enterWhole(r *http.Request) (leave func(), ok bool) {
	if 0 <= r.ContentLength && r.ContentLength <= fhir.MaxBytes && r.Header.Get("Content-Encoding") == "" {
		return func() {}, true
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.whole == maxWhole {
		return nil, false
	}
	s.whole++
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.whole--
	}, true
}

// room keeps the memory that Bundles take within bounds, small ones as well. enter waits until there is room for one of so many
// bytes; leave must be called when the request is done, in any case.
func (s *Server) room(ctx context.Context) (enter func(bytes int) error, leave func()) {
	var taken int64
	return func(bytes int) error {
		ctx, cancel := context.WithTimeout(ctx, s.times.Room)
		defer cancel()
		n := min(int64(bytes), heavyBundle)
		if s.bundles.Acquire(ctx, n) != nil {
			return errBusy
		}
		taken = n
		return nil
	}, func() { s.bundles.Release(taken) }
}

// post is the handler of a door.
func (s *Server) post(door rejection.Door, accepts string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		v, sender, leave := s.welcome(w, r)
		if sender == nil {
			return
		}
		defer leave()
		if !s.nats.IsConnected() {
			s.refuse(w, r, v, problemAway)
			return
		}
		if r.ContentLength > sender.Limits.Bytes {
			s.refuse(w, r, v, problemLarge)
			return
		}
		raw := &body{from: r.Body, ctl: http.NewResponseController(w), pace: pace{window: s.times.Body, floor: s.times.Floor}}
		unpacked, problem := unpacked(raw, r.Header.Get("Content-Encoding"), sender.Limits.Bytes)
		media, parameters := mediaType(r.Header.Get("Content-Type"))
		x := &exchange{server: s, request: v.request, sender: sender, door: door, scope: admit.Scope{Sources: sender.Sources, Programmes: sender.Programmes}}
		var all items
		if problem == nil {
			brief := strings.EqualFold(strings.TrimSpace(r.Header.Get("Prefer")), "return=minimal")
			if brief {
				w.Header().Set("Preference-Applied", "return=minimal")
			}
			x.answer = &jsonAnswer{brief: brief}
			switch door {
			case rejection.Events:
				all, problem = events(r, media, unpacked)
			case rejection.CSV:
				all, problem = csv(r, media, parameters, unpacked, sender.Source())
			case rejection.FHIR:
				enter, leaveRoom := s.room(r.Context())
				defer leaveRoom()
				all, problem = resources(r, media, unpacked, sender.Source(), enter)
				if media == mediaFHIR || media == mediaJSON {
					x.answer = &outcomeAnswer{brief: brief}
					leaveWhole, ok := s.enterWhole(r)
					if !ok {
						s.refuse(w, r, v, problemBusy)
						return
					}
					defer leaveWhole()
				} else {
					x.answer = &linesAnswer{brief: brief}
				}
			}
		}
		if problem != nil {
			if problem.Status == http.StatusUnsupportedMediaType {
				w.Header().Set("Accept-Post", accepts)
			}
			s.refuse(w, r, v, problem)
			return
		}
		// A body that breaks off ends the request's context, and what came before it is waited for all the same.
		end := x.take(context.WithoutCancel(r.Context()), all)
		v.bytes = raw.total
		if !raw.whole {
			w.Header().Set("Connection", "close") // without it the server would wait for the rest before it answers
		}
		s.conclude(w, r, v, x, end)
	}
}

// conclude sends the answer of a request that was read.
func (s *Server) conclude(w http.ResponseWriter, r *http.Request, v *visit, x *exchange, end ended) {
	defer func() {
		if err := x.answer.close(); err != nil {
			s.log.Error("the answer could not be kept", "request", v.request, "error", err)
		}
	}()
	problem := x.problem(end)
	if end.fault != nil {
		s.log.Warn("not confirmed", "request", v.request, "error", end.fault)
		s.refuse(w, r, v, problem) // nothing is half told
		return
	}
	v.counts = x.counts
	for outcome, n := range map[outcome]uint64{accepted: x.counts.Accepted, duplicate: x.counts.Duplicates, noProgramme: x.counts.NoProgramme,
		skipped: x.counts.Skipped, rejected: x.counts.Rejected} {
		if n > 0 {
			s.metrics.items.WithLabelValues(x.sender.ID, string(x.door), string(outcome)).Add(float64(n))
		}
	}
	for reason, n := range x.reasons {
		s.metrics.rejected.WithLabelValues(string(x.door), reason).Add(float64(n))
	}
	for why, n := range x.whys {
		s.metrics.uncounted.WithLabelValues(string(x.door), why).Add(float64(n))
	}
	if problem != nil && x.counts.Items == 0 {
		s.refuse(w, r, v, problem)
		return
	}
	if problem != nil && x.counts.Items == 1 && x.only != nil {
		problem = problem.about(x.only)
	}
	if err := x.answer.finish(w, v.request, &x.counts, problem); err != nil {
		if w.(*patient).status == 0 {
			s.log.Error("the answer could not be kept", "request", v.request, "error", err)
			s.refuse(w, r, v, problemFault)
			return
		}
		panic(http.ErrAbortHandler) // half an answer must not look like a whole one
	}
}

// list answers with a sender's own rejections.
func (s *Server) list(w http.ResponseWriter, r *http.Request) {
	v, sender, leave := s.welcome(w, r)
	if sender == nil {
		return
	}
	defer leave()
	query := r.URL.Query()
	after, errAfter := strconv.ParseUint(orElse(query.Get("after"), "0"), 10, 64)
	most, errLimit := strconv.Atoi(orElse(query.Get("limit"), "100"))
	if errAfter != nil || errLimit != nil || most < 1 || most > rejection.MaxLimit {
		s.refuse(w, r, v, problemQuery.saying(fmt.Sprintf("The parameter after must be a whole number, limit one from 1 to %d.", rejection.MaxLimit)))
		return
	}
	if !s.nats.IsConnected() {
		s.refuse(w, r, v, problemAway)
		return
	}
	page, err := rejection.List(r.Context(), s.js, sender.ID, after, most)
	if err != nil {
		s.log.Warn("rejections could not be read", "request", v.request, "error", err)
		s.refuse(w, r, v, problemAway)
		return
	}
	if len(page.Unreadable) > 0 {
		s.log.Error("rejections that cannot be read are left out", "request", v.request, "sender", sender.ID, "stream", stream.Rejections, "sequences", page.Unreadable)
	}
	writeJSON(w, page)
}

// document answers with the description of this interface.
func (s *Server) document(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/yaml")
	w.Header().Set("Content-Length", strconv.Itoa(len(schemas.OpenAPI)))
	_, _ = io.Copy(w, bytes.NewReader(schemas.OpenAPI))
}
