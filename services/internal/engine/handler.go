package engine

import (
	"compress/gzip"
	"compress/zlib"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"sort"
	"strconv"
	"strings"
	"time"

	"github.com/ClickHouse/ch-go/compress"
	"github.com/andybalholm/brotli"
)

// handler answers ClickHouse's HTTP interface.
type handler struct {
	store   *store
	log     *slog.Logger
	maxBody int64
	zone    *time.Location
	name    string
}

func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !local(r) {
		http.Error(w, "This server has no password, so it answers neither web pages nor requests for a host name other than "+
			"localhost: use its IP address.", http.StatusForbidden)
		return
	}
	header := w.Header()
	header.Set("X-ClickHouse-Server-Display-Name", h.name)
	switch {
	case r.URL.Path == "/ping", r.URL.Path == "/replicas_status",
		r.URL.Path == "/" && !r.URL.Query().Has("query") && (r.Method == http.MethodGet || r.Method == http.MethodHead):
		header.Set("Content-Type", "text/html; charset=UTF-8")
		_, _ = io.WriteString(w, "Ok.\n")
	case r.URL.Path != "/":
		http.Error(w, "There is no handle "+r.URL.Path, http.StatusNotFound)
	case r.Method == http.MethodGet, r.Method == http.MethodHead, r.Method == http.MethodPost:
		h.serveQuery(w, r)
	default:
		header.Set("Allow", "GET, HEAD, POST")
		http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
	}
}

// local refuses what a web page in the user's browser could send here: there is no password.
func local(r *http.Request) bool {
	if r.Header.Get("Origin") != "" {
		return false
	}
	// A page can give its own name the address 127.0.0.1, but not the names that count as local here.
	host := r.Host
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	return host == "" || host == "localhost" || net.ParseIP(strings.Trim(host, "[]")) != nil
}

// notSettings are URL parameters that are not settings of the query.
var notSettings = map[string]bool{
	"query": true, "database": true, "default_format": true, "query_id": true, "user": true, "password": true,
	"quota_key": true, "role": true, "session_id": true, "session_timeout": true, "session_check": true,
	"close_session": true, "stacktrace": true, "buffer_size": true,
	"wait_end_of_query": true, "compress": true, "decompress": true, "client_protocol_version": true,
	"log_comment": true,
	"database_atomic_wait_for_drop_and_detach_synchronously": true, // see withoutSync
}

// streamable formats can be cut between rows and joined again: no header, no footer, no separator between rows.
var streamable = map[string]bool{
	"Native": true, "RowBinary": true, "TabSeparated": true, "TSV": true, "TabSeparatedRaw": true, "TSVRaw": true,
	"CSV": true, "JSONEachRow": true, "JSONLines": true, "NDJSON": true, "JSONCompactEachRow": true, "TSKV": true,
	"Null": true, "LineAsString": true,
}

func (h *handler) serveQuery(w http.ResponseWriter, r *http.Request) {
	params := r.URL.Query()
	out := &response{w: w, params: params, acceptEncoding: r.Header.Get("Accept-Encoding")}
	if err := h.query(r, params, out); err != nil {
		if r.Context().Err() == nil {
			h.log.Debug("query failed", "error", err)
		}
		out.fail(err)
		return
	}
	if err := out.finish(); err != nil && r.Context().Err() == nil {
		h.log.Warn("result not sent", "error", err)
	}
}

func (h *handler) query(r *http.Request, params url.Values, out *response) error {
	ctx := r.Context()
	if strings.HasPrefix(r.Header.Get("Content-Type"), "multipart/") {
		return newException(codeNotImplemented, "NOT_IMPLEMENTED", "External tables are not supported by the embedded engine")
	}
	body, err := requestBody(out.w, r, params, h.maxBody)
	if err != nil {
		return err
	}
	// Text in the URL goes before that in the body; the two are one query, unless the body is an insert's data.
	sql := params.Get("query")
	parsed := parseStatement(sql)
	inBody := parsed.external && (parsed.format != "Values" || parsed.data == "")
	if !inBody {
		text, err := io.ReadAll(body)
		if err != nil {
			return bodyError(err)
		}
		if sql != "" && len(text) > 0 {
			sql += "\n"
		}
		sql += string(text)
		parsed = parseStatement(sql)
	}
	if parsed.input {
		return newException(codeNotImplemented, "NOT_IMPLEMENTED", "INSERT ... SELECT FROM input() is not supported by the embedded engine")
	}
	if strings.TrimSpace(sql) == "" {
		return newException(62, "SYNTAX_ERROR", "Empty query")
	}
	if inBody || parsed.external && parsed.format != "Values" {
		file, path, err := newSpool()
		if err != nil {
			return err
		}
		defer file.Close()
		if _, err := io.WriteString(file, parsed.data); err != nil {
			return err
		}
		if inBody {
			if _, err := io.Copy(file, body); err != nil {
				return bodyError(err)
			}
		}
		if _, err := file.Seek(0, io.SeekStart); err != nil {
			return err
		}
		sql = fmt.Sprintf("%s FROM INFILE %s %s FORMAT %s", parsed.head, quote(path), parsed.settings, parsed.format)
	}

	sql = withoutSync(sql)
	format := params.Get("default_format")
	if format == "" {
		format = r.Header.Get("X-ClickHouse-Format")
	}
	if format == "" {
		format = "TabSeparated"
	}
	output := format
	if parsed.format != "" && !parsed.insert {
		output = parsed.format
	}

	session, err := h.store.session(ctx)
	if err != nil {
		return err
	}
	defer session.close()
	for _, statement := range prepare(r, params, session.tag) {
		if _, err := session.conn.exec(statement, "Null"); err != nil {
			return err
		}
	}
	queryID := params.Get("query_id")
	if queryID == "" {
		queryID = session.tag
	}
	out.w.Header().Set("X-ClickHouse-Query-Id", queryID)
	out.format, out.zone = output, h.zone
	return session.run(ctx, sql, format, streamable[output], out.begin, out)
}

// prepare lists the statements that make a session what the request asks for.
func prepare(r *http.Request, params url.Values, tag string) []string {
	var statements []string
	database := params.Get("database")
	if database == "" {
		database = r.Header.Get("X-ClickHouse-Database")
	}
	if database != "" && database != "default" {
		statements = append(statements, "USE "+quoteName(database))
	}
	if comment := params.Get("log_comment"); comment != "" {
		tag += " " + comment
	}
	// The engine takes bare expressions as queries unless told not to, which makes most syntax errors something else.
	set := []string{"implicit_select = 0", "log_comment = " + quote(tag)}
	names := make([]string, 0, len(params))
	for name := range params {
		if !notSettings[name] {
			names = append(names, name)
		}
	}
	sort.Strings(names)
	for _, name := range names {
		set = append(set, settingName(name)+" = "+quote(params.Get(name)))
	}
	if r.Method != http.MethodPost && !params.Has("readonly") {
		set = append(set, "readonly = 2") // a link must change nothing
	}
	return append(statements, "SET "+strings.Join(set, ", "))
}

// settingName quotes what is not a plain word: it cannot be a setting, and the engine says so.
func settingName(name string) string {
	for i := range len(name) {
		if !isWord(name[i]) {
			return quoteName(name)
		}
	}
	return name
}

var errTooLarge = errors.New("request body too large")

// requestBody undoes the compression of the request.
func requestBody(w http.ResponseWriter, r *http.Request, params url.Values, limit int64) (io.Reader, error) {
	if r.ContentLength > limit {
		return nil, bodyError(errTooLarge)
	}
	var body io.Reader = http.MaxBytesReader(w, r.Body, limit)
	var err error
	switch encoding := r.Header.Get("Content-Encoding"); encoding {
	case "", "identity":
	case "gzip":
		body, err = gzip.NewReader(body)
	case "deflate":
		body, err = zlib.NewReader(body)
	case "br":
		body = brotli.NewReader(body)
	default:
		return nil, newException(codeNotImplemented, "NOT_IMPLEMENTED", "Unknown Content-Encoding "+encoding)
	}
	if err != nil {
		return nil, bodyError(err)
	}
	if params.Get("decompress") == "1" {
		body = &frameReader{in: compress.NewReader(body)}
	}
	return &limitReader{in: body, left: limit}, nil
}

// frameReader reads ClickHouse's own compressed frames (decompress=1), up to the end of the input.
type frameReader struct{ in *compress.Reader }

func (r *frameReader) Read(p []byte) (int, error) {
	n, err := r.in.Read(p)
	if errors.Is(err, io.EOF) {
		err = io.EOF
	}
	return n, err
}

// limitReader fails beyond a number of bytes, so that a small compressed body cannot become a huge one.
type limitReader struct {
	in   io.Reader
	left int64
}

func (r *limitReader) Read(p []byte) (int, error) {
	n, err := r.in.Read(p)
	if r.left -= int64(n); r.left < 0 {
		return 0, errTooLarge
	}
	return n, err
}

func bodyError(err error) error {
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) || errors.Is(err, errTooLarge) {
		return newException(codeTooLarge, "TOO_MANY_BYTES", "The request body is larger than this server takes")
	}
	return newException(33, "CANNOT_READ_ALL_DATA", "Cannot read the request body: "+err.Error())
}

// response carries a query's output to the client: Native blocks are brought to the client's revision, then
// compressed as asked.
type response struct {
	w              http.ResponseWriter
	params         url.Values
	acceptEncoding string
	format         string
	zone           *time.Location

	out     io.Writer
	encoder io.WriteCloser // of the body as a whole; nil for none
	wrote   bool           // there is output
	sent    bool           // some of it has left, so that the status can no longer change
	tag     string         // marks this response's exception block
}

// network is the end of the chain of writers.
type network struct{ o *response }

func (n network) Write(data []byte) (int, error) {
	n.o.sent = true
	return n.o.w.Write(data)
}

// begin sends the header fields. It is called when the query has not failed up to its first result.
func (o *response) begin() {
	header := o.w.Header()
	o.tag = strings.ToLower(rand.Text()[:16])
	header.Set("X-ClickHouse-Exception-Tag", o.tag)
	header.Set("X-ClickHouse-Format", o.format)
	header.Set("X-ClickHouse-Timezone", o.zone.String())
	header.Set("Content-Type", contentType(o.format))
	o.out = network{o}
	if o.params.Get("compress") == "1" {
		method := compress.LZ4
		switch strings.ToUpper(o.params.Get("network_compression_method")) {
		case "ZSTD":
			method = compress.ZSTD
		case "NONE":
			method = compress.None
		}
		o.out = &frameWriter{out: o.out, enc: compress.NewWriter(compress.LevelZero, method)}
	} else if o.params.Get("enable_http_compression") == "1" {
		o.encodeContent()
	}
	revision, _ := strconv.ParseUint(o.params.Get("client_protocol_version"), 10, 32)
	if o.format == "Native" && revision > 0 {
		o.out = newNativeWriter(o.out, revision, o.zone)
	}
}

// encodeContent compresses the body as a whole, in the first way the client names that is known here.
func (o *response) encodeContent() {
	for name := range strings.SplitSeq(o.acceptEncoding, ",") {
		name, _, _ = strings.Cut(strings.TrimSpace(name), ";")
		var encoder io.WriteCloser
		switch name {
		case "gzip":
			encoder, _ = gzip.NewWriterLevel(o.out, gzip.BestSpeed)
		case "deflate":
			encoder, _ = zlib.NewWriterLevel(o.out, zlib.BestSpeed)
		case "br":
			encoder = brotli.NewWriterLevel(o.out, brotli.BestSpeed)
		default:
			continue
		}
		o.w.Header().Set("Content-Encoding", name)
		o.out, o.encoder = encoder, encoder
		return
	}
}

func (o *response) Write(data []byte) (int, error) {
	if len(data) == 0 {
		return 0, nil
	}
	o.wrote = true
	return o.out.Write(data)
}

// finish ends the body. Without output there is none: the driver would take an encoder's trailer for a result.
func (o *response) finish() error {
	if !o.wrote {
		o.w.Header().Del("Content-Encoding")
		return nil
	}
	if o.encoder != nil {
		return o.encoder.Close()
	}
	return nil
}

// fail tells the client what went wrong: by the status if nothing has been sent, else in a marked block at the end.
func (o *response) fail(err error) {
	exception := asException(err)
	if !o.sent {
		header := o.w.Header()
		header.Del("Content-Encoding")
		header.Del("X-ClickHouse-Exception-Tag")
		header.Set("Content-Type", "text/plain; charset=UTF-8")
		header.Set("X-ClickHouse-Exception-Code", strconv.Itoa(exception.Code))
		o.w.WriteHeader(httpStatus(exception.Code))
		_, _ = io.WriteString(o.w, exception.Message+"\n")
		return
	}
	message := exception.Message
	if len(message) > 8<<10 {
		message = message[:8<<10] // a client looks at the last 16 KiB
	}
	block := fmt.Sprintf("\r\n__exception__\r\n%s\r\n%s\n%d %s\r\n__exception__\r\n", o.tag, message, len(message)+1, o.tag)
	// In an encoded body the block must be encoded too; after ClickHouse's own frames it stands bare.
	var out io.Writer = o.w
	if o.encoder != nil {
		out = o.encoder
	}
	_, _ = io.WriteString(out, block)
	_ = o.finish()
}

func asException(err error) *Exception {
	var exception *Exception
	switch {
	case errors.As(err, &exception):
		return exception
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return newException(394, "QUERY_WAS_CANCELLED", "Query was cancelled")
	case errors.Is(err, errClosed):
		return newException(codeAborted, "ABORTED", "The server is shutting down")
	}
	return newException(codeOther, "STD_EXCEPTION", err.Error())
}

func contentType(format string) string {
	switch {
	case format == "JSONEachRow" || format == "JSONLines" || format == "NDJSON":
		return "application/x-ndjson; charset=UTF-8"
	case strings.HasPrefix(format, "JSON"):
		return "application/json; charset=UTF-8"
	case strings.HasPrefix(format, "CSV"):
		return "text/csv; charset=UTF-8"
	case strings.HasPrefix(format, "TabSeparated"), strings.HasPrefix(format, "TSV"):
		return "text/tab-separated-values; charset=UTF-8"
	case format == "Native", strings.HasPrefix(format, "RowBinary"), format == "Parquet", strings.HasPrefix(format, "Arrow"):
		return "application/octet-stream"
	}
	return "text/plain; charset=UTF-8"
}

// httpStatus is the status that goes with an error code, as on a ClickHouse server.
func httpStatus(code int) int {
	switch code {
	case 62, // SYNTAX_ERROR
		6, 26, 27, 38, 41, 72, // text that is no value of its type
		33, 117, // data that cannot be read
		42, 43, 44, 53, 70, 349, // arguments and types
		36, 69, 456, 457: // arguments and parameters
		return http.StatusBadRequest
	case 60, 81, // UNKNOWN_TABLE, UNKNOWN_DATABASE
		16, 46, 47, 50, 73, 115: // unknown column, function, identifier, type, format, setting
		return http.StatusNotFound
	case 159: // TIMEOUT_EXCEEDED
		return http.StatusRequestTimeout
	case codeTooLarge:
		return http.StatusRequestEntityTooLarge
	case codeNotImplemented:
		return http.StatusNotImplemented
	case 202, codeAborted: // TOO_MANY_SIMULTANEOUS_QUERIES, ABORTED
		return http.StatusServiceUnavailable
	}
	return http.StatusInternalServerError
}
