package engine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"
)

// What a parent tells its child in the environment.
const (
	envChild = "GAPWATCH_ENGINE_CHILD"
	envData  = "GAPWATCH_ENGINE_DATA"
	envLib   = "CHDB_LIB_PATH"
	// listenerFD is the descriptor of the listener: the first of exec.Cmd.ExtraFiles.
	listenerFD = 3
)

// MaybeChild must be the first call of a program (or TestMain) that Start runs as the engine's child. In the child it
// serves until told to stop and exits; otherwise it returns at once.
func MaybeChild() {
	if os.Getenv(envChild) != "1" {
		return
	}
	if err := runChild(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

func runChild() error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	// The parent holds the other end of standard input: its end is the parent's, however the parent died.
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		stop()
	}()
	file := os.NewFile(listenerFD, "listener")
	listener, err := net.FileListener(file)
	if err != nil {
		return fmt.Errorf("engine: the listener handed over: %w", err)
	}
	file.Close()
	return Run(ctx, Config{
		Listener: listener,
		DataDir:  os.Getenv(envData),
		LibPath:  os.Getenv(envLib),
		Logger:   slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn})),
	})
}

// Options says how Start runs an engine. The zero value of a field marked optional stands for its default.
type Options struct {
	// DataDir is the folder of the data, made if missing.
	DataDir string
	// LibPath is the path of libchdb; Locate finds it.
	LibPath string
	// Listen is the loopback address to serve on. Optional: a free port of 127.0.0.1.
	Listen string
	// Command is the program and its arguments; it must call MaybeChild first. Optional: this program.
	Command []string
	// Stderr gets what the child writes; optional: the parent's standard error.
	Stderr io.Writer
	// Logger is told of restarts; optional: none.
	Logger *slog.Logger
	// StopWait is how long Stop waits before it kills. Optional: 15 s.
	StopWait time.Duration
}

// Process is a supervised engine. It keeps its address when the engine is restarted: the listener belongs to the
// parent, so a client that comes in between waits instead of being refused.
type Process struct {
	opts     Options
	listener *net.TCPListener
	file     *os.File // the listener, as children inherit it
	tail     *tail
	client   *http.Client

	stop    chan struct{}
	stopped sync.Once
	done    chan struct{} // closed when the supervisor has ended

	mu      sync.Mutex
	child   *child
	started int
	changed chan struct{} // closed and replaced when a child starts
}

// child is one run of the engine's process.
type child struct {
	process *os.Process
	exited  chan struct{}
}

// Start runs an engine and returns when it answers queries. An error means stop: the engine cannot start here (no
// library, folder in use, address taken), or ctx ended; ctx counts until Start returns. After that the engine is restarted whenever it dies, until Stop.
func Start(ctx context.Context, opts Options) (*Process, error) {
	if os.Getenv(envChild) == "1" {
		return nil, errors.New("engine: this is the engine's child process: its main or TestMain must call MaybeChild first")
	}
	if opts.DataDir == "" || opts.LibPath == "" {
		return nil, errors.New("engine: Start needs DataDir and LibPath")
	}
	if opts.Listen == "" {
		opts.Listen = "127.0.0.1:0"
	}
	if len(opts.Command) == 0 {
		self, err := os.Executable()
		if err != nil {
			return nil, fmt.Errorf("engine: %w", err)
		}
		opts.Command = []string{self}
	}
	if opts.Stderr == nil {
		opts.Stderr = os.Stderr
	}
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	if opts.StopWait == 0 {
		opts.StopWait = 15 * time.Second
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", opts.Listen)
	if err != nil {
		return nil, fmt.Errorf("engine: %w", err)
	}
	tcp := listener.(*net.TCPListener)
	file, err := tcp.File()
	if err != nil {
		_ = tcp.Close()
		return nil, fmt.Errorf("engine: %w", err)
	}
	p := &Process{
		opts: opts, listener: tcp, file: file, tail: &tail{out: opts.Stderr},
		// Pings must not reuse a connection to a process that is gone.
		client:  &http.Client{Transport: &http.Transport{DisableKeepAlives: true}},
		stop:    make(chan struct{}),
		done:    make(chan struct{}),
		changed: make(chan struct{}),
	}
	first := make(chan error, 1)
	go p.supervise(first)
	if err := <-first; err != nil {
		<-p.done
		return nil, err
	}
	// An engine that dies before its first answer would die again: that is the caller's to know, not to be retried.
	p.mu.Lock()
	exited := p.child.exited
	p.mu.Unlock()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	go func() {
		select {
		case <-exited:
			cancel(errors.New("it ended before its first answer"))
		case <-ctx.Done():
		}
	}()
	if err := p.Ready(ctx); err != nil {
		p.Stop()
		return nil, fmt.Errorf("engine: start: %w: %s", context.Cause(ctx), p.tail.String())
	}
	return p, nil
}

// Addr is the address that the engine serves on, e.g. 127.0.0.1:40123; the same over restarts.
func (p *Process) Addr() string { return p.listener.Addr().String() }

// URL is the address as a URL, e.g. http://127.0.0.1:40123.
func (p *Process) URL() string { return "http://" + p.Addr() }

// Starts is how often the engine has been started.
func (p *Process) Starts() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.started
}

// Ready waits until the engine answers. It returns ctx's error, or that the engine was stopped or cannot start.
func (p *Process) Ready(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		select {
		case <-p.done:
			cancel()
		case <-ctx.Done():
		}
	}()
	for {
		p.mu.Lock()
		changed := p.changed
		p.mu.Unlock()
		err := p.ping(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-p.done:
			return fmt.Errorf("engine: not running: %s", p.tail.String())
		default:
		}
		if ctx.Err() != nil {
			return fmt.Errorf("engine: waiting for it to answer: %w", ctx.Err())
		}
		// A ping fails when the process that took the connection died; the next one starts soon.
		select {
		case <-changed:
		case <-time.After(100 * time.Millisecond):
		case <-ctx.Done():
		}
	}
}

func (p *Process) ping(ctx context.Context) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, p.URL()+"/ping", nil)
	if err != nil {
		return err
	}
	response, err := p.client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	_, err = io.Copy(io.Discard, response.Body)
	return err
}

// Kill ends the running engine at once (SIGKILL), as a crash would, and returns when its process is gone. The supervisor
// then starts the next one; Ready waits for it.
func (p *Process) Kill() {
	p.mu.Lock()
	c := p.child
	p.mu.Unlock()
	if c != nil {
		_ = c.process.Kill()
		<-c.exited
	}
}

// Stop ends the engine, first gently, and returns when it is gone. It can be called more than once.
func (p *Process) Stop() {
	p.stopped.Do(func() {
		close(p.stop)
		_ = p.listener.Close() // from here on clients are refused, also once the child has gone
	})
	<-p.done
}

// Restarts begin at once for an engine that ran a while, and come ever slower for one that dies right away.
const (
	minBackoff = 50 * time.Millisecond
	maxBackoff = 2 * time.Second
	longRun    = time.Second
)

// supervise runs one child after the other. It reports on first whether the first could be started at all.
func (p *Process) supervise(first chan<- error) {
	// Pdeathsig is sent when the thread that started the child ends, so this goroutine keeps its thread.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	defer close(p.done)
	defer func() { _ = errors.Join(p.file.Close(), p.listener.Close()) }()
	backoff := minBackoff
	for run := 0; ; run++ {
		began := time.Now()
		exit, err := p.runOnce(func() {
			if run == 0 {
				first <- nil
			}
		})
		if err != nil && run == 0 {
			first <- err
			return
		}
		select {
		case <-p.stop:
			return
		default:
		}
		if time.Since(began) > longRun {
			backoff = minBackoff
		}
		p.opts.Logger.Error("engine died, starting it again", "exit", exit, "error", err, "after", backoff)
		select {
		case <-p.stop:
			return
		case <-time.After(backoff):
		}
		backoff = min(2*backoff, maxBackoff)
	}
}

// runOnce starts a child, calls started, and waits for its end, stopping it if asked to. err is set if it did not start.
func (p *Process) runOnce(started func()) (exit string, err error) {
	// Not bound to a context: Stop ends it, gently first.
	cmd := exec.CommandContext(context.Background(), p.opts.Command[0], p.opts.Command[1:]...)
	cmd.Env = append(os.Environ(), envChild+"=1", envData+"="+p.opts.DataDir, envLib+"="+p.opts.LibPath)
	cmd.Stderr = p.tail
	cmd.ExtraFiles = []*os.File{p.file}
	cmd.SysProcAttr = childAttributes()
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return "", fmt.Errorf("engine: %w", err)
	}
	defer stdin.Close()
	if err := cmd.Start(); err != nil {
		return "", fmt.Errorf("engine: start: %w", err)
	}
	c := &child{process: cmd.Process, exited: make(chan struct{})}
	p.mu.Lock()
	p.child = c
	p.started++
	close(p.changed)
	p.changed = make(chan struct{})
	p.mu.Unlock()
	started()

	go func() {
		select {
		case <-c.exited:
			return
		case <-p.stop:
		}
		_ = c.process.Signal(syscall.SIGTERM)
		timer := time.NewTimer(p.opts.StopWait)
		defer timer.Stop()
		select {
		case <-c.exited:
		case <-timer.C:
			_ = c.process.Kill()
		}
	}()
	err = cmd.Wait()
	close(c.exited)
	if err != nil {
		return err.Error(), nil
	}
	return "exit status 0", nil
}

// tail passes on what a child writes and keeps the end of it for an error message.
type tail struct {
	out io.Writer
	mu  sync.Mutex
	end []byte
}

func (t *tail) Write(data []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.end = append(t.end, data...)
	if excess := len(t.end) - 4096; excess > 0 {
		t.end = t.end[excess:]
	}
	return t.out.Write(data)
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return strings.TrimSpace(string(t.end))
}
