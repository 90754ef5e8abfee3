package engine

import (
	"errors"
	"fmt"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"unsafe"

	"github.com/ebitengine/purego"
)

// library is the loaded engine: the C functions that this package needs, and nothing else. Handles and results are
// C memory, so Go's collector never moves or frees them.
type library struct {
	connectFn func(argc int32, argv unsafe.Pointer) unsafe.Pointer
	closeFn   func(conn unsafe.Pointer)
	query     func(conn, text unsafe.Pointer, textLen uintptr, format unsafe.Pointer, formatLen uintptr) unsafe.Pointer
	stream    func(conn, text unsafe.Pointer, textLen uintptr, format unsafe.Pointer, formatLen uintptr) unsafe.Pointer
	fetch     func(conn, stream unsafe.Pointer) unsafe.Pointer
	cancel    func(conn, stream unsafe.Pointer)
	destroy   func(result unsafe.Pointer)
	buffer    func(result unsafe.Pointer) unsafe.Pointer
	length    func(result unsafe.Pointer) uintptr
	rowsRead  func(result unsafe.Pointer) uint64
	errorText func(result unsafe.Pointer) string
	sigaction func(signal int32, act, old unsafe.Pointer) int32
}

var loaded struct {
	sync.Mutex
	path string
	lib  *library
}

// loadLibrary opens libchdb once in the process. The library can neither be unloaded nor opened a second time from
// another path. An error means stop: trying again gives the same.
func loadLibrary(path string) (*library, error) {
	loaded.Lock()
	defer loaded.Unlock()
	if loaded.lib != nil {
		if loaded.path != path {
			return nil, fmt.Errorf("engine: %s is loaded already, %s cannot be", loaded.path, path)
		}
		return loaded.lib, nil
	}
	handle, err := purego.Dlopen(path, purego.RTLD_NOW|purego.RTLD_GLOBAL)
	if err != nil {
		return nil, fmt.Errorf("engine: load %s: %w", path, err)
	}
	libc, err := purego.Dlopen(libcName(), purego.RTLD_NOW)
	if err != nil {
		return nil, fmt.Errorf("engine: find libc: %w", err)
	}
	lib := new(library)
	for _, symbol := range []struct {
		fn     any
		handle uintptr
		name   string
	}{
		{&lib.connectFn, handle, "chdb_connect"},
		{&lib.closeFn, handle, "chdb_close_conn"},
		{&lib.query, handle, "chdb_query_n"},
		{&lib.stream, handle, "chdb_stream_query_n"},
		{&lib.fetch, handle, "chdb_stream_fetch_result"},
		{&lib.cancel, handle, "chdb_stream_cancel_query"},
		{&lib.destroy, handle, "chdb_destroy_query_result"},
		{&lib.buffer, handle, "chdb_result_buffer"},
		{&lib.length, handle, "chdb_result_length"},
		{&lib.rowsRead, handle, "chdb_result_rows_read"},
		{&lib.errorText, handle, "chdb_result_error"},
		{&lib.sigaction, libc, "sigaction"},
	} {
		address, err := purego.Dlsym(symbol.handle, symbol.name)
		if err != nil {
			return nil, fmt.Errorf("engine: %s has no %s: %w", path, symbol.name, err)
		}
		purego.RegisterFunc(symbol.fn, address)
	}
	loaded.path, loaded.lib = path, lib
	return lib, nil
}

func libcName() string {
	if runtime.GOOS == "darwin" {
		return "/usr/lib/libSystem.B.dylib"
	}
	return "" // the running process, which has libc loaded already
}

// connection is one session of the engine. It runs one query at a time; several connections run side by side.
type connection struct {
	lib    *library
	handle unsafe.Pointer // chdb_connection *
}

// connect opens a session on the data folder. All sessions of a process share one folder. The first one starts the
// engine, which replaces signal handlers: see keepSignalHandlers.
func (l *library) connect(args ...string) (*connection, error) {
	args = append([]string{"clickhouse"}, args...)
	texts := make([][]byte, len(args))
	argv := make([]unsafe.Pointer, len(args)+1) // C expects a null pointer at the end
	var pins runtime.Pinner
	defer pins.Unpin()
	for i, arg := range args {
		texts[i] = append([]byte(arg), 0)
		pins.Pin(&texts[i][0])
		argv[i] = unsafe.Pointer(&texts[i][0])
	}
	pins.Pin(&argv[0])
	handle := l.connectFn(int32(len(args)), unsafe.Pointer(&argv[0]))
	if handle == nil {
		return nil, fmt.Errorf("engine: cannot open %s (another process may have it open)", strings.Join(args[1:], " "))
	}
	return &connection{lib: l, handle: handle}, nil
}

func (c *connection) close() {
	c.lib.closeFn(c.handle)
}

// raw is the value that query functions take: what the connection pointer points to.
func (c *connection) raw() unsafe.Pointer { return *(*unsafe.Pointer)(c.handle) }

func text(s string) (unsafe.Pointer, uintptr) {
	return unsafe.Pointer(unsafe.StringData(s)), uintptr(len(s))
}

// exec runs a statement whose output, if any, is small, and returns that output.
func (c *connection) exec(query, format string) ([]byte, error) {
	q, qn := text(query)
	f, fn := text(format)
	result := c.lib.query(c.raw(), q, qn, f, fn)
	runtime.KeepAlive(query)
	runtime.KeepAlive(format)
	if result == nil {
		return nil, nil
	}
	defer c.lib.destroy(result)
	if message := c.lib.errorText(result); message != "" {
		return nil, parseException(message)
	}
	return append([]byte(nil), c.lib.bytes(result)...), nil
}

// openStream starts a query whose result is fetched chunk by chunk.
func (c *connection) openStream(query, format string) unsafe.Pointer {
	q, qn := text(query)
	f, fn := text(format)
	handle := c.lib.stream(c.raw(), q, qn, f, fn)
	runtime.KeepAlive(query)
	runtime.KeepAlive(format)
	return handle
}

// bytes is the result's buffer, valid until the result is destroyed.
func (l *library) bytes(result unsafe.Pointer) []byte {
	data := l.buffer(result)
	if data == nil {
		return nil
	}
	return unsafe.Slice((*byte)(data), l.length(result))
}

// Exception is an error of a query, with ClickHouse's code for it.
type Exception struct {
	Code    int // e.g. 60 for an unknown table
	Message string
}

func (e *Exception) Error() string { return e.Message }

// Codes of errors that are found here and not by the engine.
const (
	codeNotImplemented = 48
	codeAborted        = 236
	codeTooLarge       = 307
	codeOther          = 1001
)

// newException writes an error the way the engine does; clients read code and name out of the text.
func newException(code int, name, message string) *Exception {
	return &Exception{Code: code, Message: fmt.Sprintf("Code: %d. DB::Exception: %s. (%s)", code, message, name)}
}

// parseException reads "Code: 60. DB::Exception: ...".
func parseException(message string) *Exception {
	const prefix = "Code: "
	if at := strings.Index(message, prefix); at >= 0 {
		digits, _, found := strings.Cut(message[at+len(prefix):], ".")
		if code, err := strconv.Atoi(digits); err == nil && found {
			return &Exception{Code: code, Message: message[at:]}
		}
	}
	return newException(codeOther, "STD_EXCEPTION", message)
}

var errClosed = errors.New("engine: closed")
