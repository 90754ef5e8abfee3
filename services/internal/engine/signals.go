package engine

import (
	"syscall"
	"unsafe"
)

// goSignals are the signals whose handlers the Go runtime cannot do without (a nil dereference becomes a panic, a
// goroutine is preempted).
var goSignals = []syscall.Signal{
	syscall.SIGSEGV, syscall.SIGABRT, syscall.SIGBUS, syscall.SIGILL, syscall.SIGFPE, syscall.SIGURG,
}

// keepSignalHandlers runs fn and puts back the handlers as they were before it. It goes around the connect that starts
// the engine; later ones leave handlers alone. The library's own chdb_set_signal_handlers_enabled(0) is no help: after
// it, every connect sets them to the system's default.
func (l *library) keepSignalHandlers(fn func()) {
	type action [256]byte // larger than struct sigaction on any system; never looked into
	saved := make([]action, len(goSignals))
	for i, signal := range goSignals {
		l.sigaction(int32(signal), nil, unsafe.Pointer(&saved[i]))
	}
	defer func() {
		for i, signal := range goSignals {
			l.sigaction(int32(signal), unsafe.Pointer(&saved[i]), nil)
		}
	}()
	fn()
}
