package crash_test

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
	"time"
)

// build makes the services' programs and returns the folder that they are in.
func build(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	command := exec.CommandContext(t.Context(), "go", "build", "-o", dir, "gapwatch/services/collector", "gapwatch/services/aggregator")
	if out, err := command.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return dir
}

// process is a service as an operator runs it: a program of its own, told what it needs in its environment. It is
// started again and again.
type process struct {
	t           testing.TB
	name        string
	program     string          // its path
	environment func() []string // asked at each start
	log         string          // path of the file that all runs write to
	metrics     string          // address, another one for each run

	*run
	starts, kills int
}

// run is one run of a process.
type run struct {
	os     *os.Process
	exited chan struct{}
	err    error // how it ended; read it after exited
}

func newProcess(t testing.TB, name, program string, environment func() []string) *process {
	t.Helper()
	p := &process{t: t, name: name, program: program, environment: environment, log: filepath.Join(t.TempDir(), name+".log")}
	t.Cleanup(func() {
		if p.run != nil {
			_ = p.os.Kill()
			<-p.exited
		}
		if t.Failed() {
			t.Logf("the last of what %s wrote:\n%s", p.name, p.tail())
		}
	})
	return p
}

func (p *process) start() {
	p.t.Helper()
	log, err := os.OpenFile(p.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		p.t.Fatal(err)
	}
	defer log.Close()
	p.metrics = freeAddress(p.t)
	cmd := exec.CommandContext(context.Background(), p.program) // killed on purpose, or told to stop
	cmd.Env = append(os.Environ(), append(p.environment(), "GAPWATCH_METRICS_LISTEN="+p.metrics)...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = attributes()
	r := &run{exited: make(chan struct{})}
	started := make(chan error)
	go func() {
		// The signal that comes with the parent's death comes when the thread that started the child ends.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		r.os = cmd.Process
		started <- err
		if err == nil {
			r.err = cmd.Wait()
			close(r.exited)
		}
	}()
	if err := <-started; err != nil {
		p.t.Fatal(err)
	}
	p.run = r
	p.starts++
}

// kill ends the process at once, wherever it is.
func (p *process) kill() {
	p.t.Helper()
	p.alive()
	if err := p.os.Kill(); err != nil {
		p.t.Fatal(err)
	}
	<-p.exited
	p.run = nil
	p.kills++
}

// stop tells the process to stop, which it must do cleanly.
func (p *process) stop() {
	p.t.Helper()
	p.alive()
	if err := p.os.Signal(syscall.SIGTERM); err != nil {
		p.t.Fatal(err)
	}
	select {
	case <-p.exited:
		if p.err != nil {
			p.t.Errorf("%s, told to stop, ended with %v", p.name, p.err)
		}
	case <-time.After(2 * time.Minute):
		p.t.Fatalf("%s does not stop when told to", p.name)
	}
	p.run = nil
}

// alive fails the test if the process has ended by itself: whatever else is cut off, a service must sit it out.
func (p *process) alive() {
	p.t.Helper()
	if p.run == nil {
		return
	}
	select {
	case <-p.exited:
		p.t.Fatalf("%s ended by itself: %v", p.name, p.err)
	default:
	}
}

func (p *process) tail() []byte {
	data, err := os.ReadFile(p.log)
	if err != nil {
		return []byte(err.Error())
	}
	if excess := len(data) - 6000; excess > 0 {
		data = data[excess:]
		data = data[bytes.IndexByte(data, '\n')+1:]
	}
	return data
}

// freeAddress is a loopback address that nobody listens on. Where all of 127.0.0.0/8 is loopback it is one on which nobody else
// will, before it is used.
func freeAddress(t testing.TB) string {
	t.Helper()
	listen := new(net.ListenConfig)
	listener, err := listen.Listen(t.Context(), "tcp", fmt.Sprintf("127.%d.%d.%d:0", 1+rand.IntN(254), rand.IntN(256), 1+rand.IntN(254)))
	if err != nil {
		listener, err = listen.Listen(t.Context(), "tcp", "127.0.0.1:0")
	}
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().String()
}
