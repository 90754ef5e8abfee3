package intake

import (
	"compress/gzip"
	"errors"
	"io"
	"net/http"
	"os"
	"strings"
	"time"
)

// What can become of a body while it is read. Each ends the request.
var (
	errSlow      = errors.New("the body comes too slowly")
	errCut       = errors.New("the body ended before its end")
	errTooLarge  = errors.New("the body is too large")
	errNotGzip   = errors.New("the body is not the gzip that its header says")
	errItemSize  = errors.New("an item is too large")
	errNotSyntax = errors.New("the body is not as its media type says")
)

// pace is how fast a body must come: floor bytes in each window of reading. Time in which nobody reads does not count.
type pace struct {
	window time.Duration
	floor  int64
}

// body is a request's body as it came over the network.
type body struct {
	from io.Reader
	ctl  *http.ResponseController
	pace pace

	total int64         // bytes so far
	spent time.Duration // reading in this window
	got   int64         // bytes in this window
	whole bool          // read to its end
}

// Read reads under the deadline of the pace.
func (b *body) Read(p []byte) (int, error) {
	if err := b.ctl.SetReadDeadline(time.Now().Add(b.pace.window - b.spent)); err != nil {
		return 0, err
	}
	begun := time.Now()
	n, err := b.from.Read(p)
	b.spent += time.Since(begun)
	b.got += int64(n)
	b.total += int64(n)
	if b.got >= b.pace.floor {
		b.got, b.spent = 0, 0
	}
	switch {
	case err == nil:
		return n, nil
	case err == io.EOF:
		b.whole = true
		// Otherwise the server's watch for a client that goes away would end with the deadline, and the request with it.
		_ = b.ctl.SetReadDeadline(time.Time{})
		return n, io.EOF
	case errors.Is(err, os.ErrDeadlineExceeded):
		return n, errSlow
	}
	return n, errCut
}

// capped ends with an error of its own after so many bytes.
type capped struct {
	from io.Reader
	left int64
}

func (c *capped) Read(p []byte) (int, error) {
	if c.left < 0 {
		return 0, errTooLarge
	}
	if int64(len(p))-1 > c.left {
		p = p[:c.left+1]
	}
	n, err := c.from.Read(p)
	if c.left -= int64(n); c.left < 0 {
		return n + int(c.left), errTooLarge
	}
	return n, err
}

// unpacked undoes a content encoding and caps what goes in and what comes out.
func unpacked(b *body, encoding string, most int64) (io.Reader, *Problem) {
	switch strings.ToLower(strings.TrimSpace(encoding)) {
	case "", "identity":
		return &capped{from: b, left: most}, nil
	case "gzip", "x-gzip":
		// Both ends: there is gzip without end that unpacks to nothing.
		return &capped{from: &zipped{from: &capped{from: b, left: most}}, left: most}, nil
	}
	return nil, problemEncoding
}

// zipped reads gzip. It starts when it is read, so that nothing is waited for before the request is judged.
type zipped struct {
	from io.Reader
	gzip *gzip.Reader
}

func (z *zipped) Read(p []byte) (n int, err error) {
	if z.gzip == nil {
		if z.gzip, err = gzip.NewReader(z.from); err != nil {
			z.gzip = nil
			return 0, zipError(err)
		}
	}
	n, err = z.gzip.Read(p)
	return n, zipError(err)
}

// zipError keeps the body's own errors and makes the rest one.
func zipError(err error) error {
	switch {
	case err == nil, err == io.EOF, errors.Is(err, errSlow), errors.Is(err, errCut), errors.Is(err, errTooLarge): //nolint:errorlint // as above
		return err
	}
	return errNotGzip
}
