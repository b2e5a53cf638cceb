package connector

import (
	"bytes"
	"errors"
	"io"
	"mime"
	"net/http"
	"os"
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/klauspost/compress/flate"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zlib"
	"github.com/klauspost/compress/zstd"
)

// room is what a request holds of the memory for bodies. It grows with what has arrived: who sends slowly holds little.
type room struct {
	in   *intake
	held int64
}

// grow takes n bytes more, or answers false: the sender is to come back later.
func (r *room) grow(n int64) bool {
	if !r.in.reserve(n) {
		return false
	}
	r.held += n
	return true
}

func (r *room) release() { r.in.release(r.held) }

// contentKind is what the headers say about a body.
type kind struct {
	lines    bool   // NDJSON
	encoding string // gzip, deflate, zstd, or nothing
}

func contentKind(r *http.Request) (k kind, p *problem) {
	if ct := r.Header.Get("Content-Type"); ct != "" {
		mt, params, err := mime.ParseMediaType(ct)
		switch {
		case err == nil && (mt == "application/x-ndjson" || mt == "application/ndjson" || mt == "application/jsonl" || mt == "application/x-jsonlines"):
			k.lines = true
		case err != nil || (mt != "application/json" && mt != "text/json" && !strings.HasSuffix(mt, "+json")):
			return k, &problem{
				Status: http.StatusUnsupportedMediaType, reason: "content_type",
				Detail: "send the event as JSON with Content-Type: application/json, or several as application/x-ndjson",
			}
		}
		if cs := params["charset"]; cs != "" && !strings.EqualFold(cs, "utf-8") && !strings.EqualFold(cs, "us-ascii") {
			return k, &problem{Status: http.StatusUnsupportedMediaType, reason: "content_type", Detail: "JSON is UTF-8; leave the charset out"}
		}
	}
	switch k.encoding = strings.ToLower(strings.TrimSpace(strings.Join(r.Header.Values("Content-Encoding"), ","))); k.encoding {
	case "", "identity":
		k.encoding = ""
	case "x-gzip":
		k.encoding = "gzip"
	case "gzip", "deflate", "zstd":
	default:
		return k, &problem{
			Status: http.StatusUnsupportedMediaType, reason: "content_encoding",
			Detail: "send the body with Content-Encoding gzip, deflate or zstd, once, or without Content-Encoding",
		}
	}
	return k, nil
}

// firstRead is how much of a body is made room for before any of it has arrived; after that, up to four times what has.
const firstRead = 4 << 10

var errNoRoom = errors.New("there is no room for the body now")

// readBody reads the body as it comes over the wire.
func (w *webhook) readBody(rw http.ResponseWriter, r *request) ([]byte, *problem) {
	limit := w.maxBody
	if r.src.MaxBody > 0 {
		limit = min(limit, r.src.MaxBody)
	}
	if r.ContentLength > limit {
		return nil, w.tooLarge(limit)
	}
	ctl := http.NewResponseController(rw)
	if w.bodyTimeout > 0 {
		_ = ctl.SetReadDeadline(time.Now().Add(w.bodyTimeout)) // a test's recorder has none
	}
	body, err := readGrowing(http.MaxBytesReader(rw, r.Body, limit), r.ContentLength, limit, &r.room)
	if err == nil {
		_ = ctl.SetReadDeadline(time.Time{}) // the next request has deadlines of its own
		return body, nil
	}
	_, tooLong := errors.AsType[*http.MaxBytesError](err)
	switch {
	case tooLong:
		return nil, w.tooLarge(limit)
	case errors.Is(err, errNoRoom):
		return nil, busy("too many deliveries at once")
	case errors.Is(err, os.ErrDeadlineExceeded):
		rw.Header().Set("Connection", "close")
		return nil, &problem{Status: http.StatusRequestTimeout, reason: "timeout", Detail: "the body did not come in time; send it again"}
	}
	return nil, &problem{Status: http.StatusBadRequest, reason: "body", Detail: "the body ended early or is not framed as HTTP says; send it again"}
}

// readGrowing reads to the end of r, at most limit bytes, in a buffer that grows with what has arrived. length is what
// is announced, negative where nothing is.
func readGrowing(r io.Reader, length, limit int64, room *room) ([]byte, error) {
	size := min(firstRead, limit+1)
	if length >= 0 {
		size = min(length, firstRead)
	}
	if !room.grow(size) {
		return nil, errNoRoom
	}
	b := make([]byte, 0, size)
	for {
		if int64(len(b)) == length {
			return b, nil
		}
		if len(b) == cap(b) {
			more := min(3*int64(cap(b)), limit+1-int64(cap(b)))
			if length >= 0 {
				more = min(3*int64(cap(b)), length-int64(cap(b)))
			}
			if !room.grow(max(more, 1)) {
				return nil, errNoRoom
			}
			grown := make([]byte, len(b), int64(cap(b))+max(more, 1))
			copy(grown, b)
			b = grown
		}
		n, err := r.Read(b[len(b):cap(b)])
		b = b[:len(b)+n]
		switch {
		case int64(len(b)) > limit:
			return nil, &http.MaxBytesError{Limit: limit}
		case errors.Is(err, io.EOF) && length >= 0 && int64(len(b)) < length:
			return nil, io.ErrUnexpectedEOF
		case errors.Is(err, io.EOF):
			return b, nil
		case err != nil:
			return nil, err
		}
	}
}

// maxInflating bounds the bodies that are being decompressed: each has a window besides its body.
var maxInflating = 4 * runtime.GOMAXPROCS(0)

// maxWindow is the largest window of zstd that is taken; encoders use more only when they are told to.
const maxWindow = 8 << 20

var (
	gzips = sync.Pool{New: func() any { return new(gzip.Reader) }}
	zstds = sync.Pool{New: func() any {
		d, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(maxWindow))
		if err != nil {
			panic(err) // wrong options only
		}
		return d
	}}
)

// inflate decompresses a body, bounded by what it becomes.
func (w *webhook) inflate(r *request, encoding string, raw []byte) ([]byte, *problem) {
	if encoding == "" {
		return raw, nil
	}
	limit := w.maxBody
	if r.src.MaxInflated > 0 {
		limit = min(limit, r.src.MaxInflated)
	}
	select {
	case w.inflating <- struct{}{}:
		defer func() { <-w.inflating }()
	case <-r.Context().Done():
		return nil, busy("too many deliveries at once")
	}
	src, done, err := decompressor(encoding, raw)
	if err == nil {
		defer done()
		var body []byte
		if body, err = readGrowing(src, -1, limit, &r.room); err == nil {
			return body, nil
		}
	}
	if _, tooLong := errors.AsType[*http.MaxBytesError](err); tooLong || errors.Is(err, zstd.ErrDecoderSizeExceeded) {
		return nil, w.tooLarge(limit)
	}
	if errors.Is(err, errNoRoom) {
		return nil, busy("too many deliveries at once")
	}
	return nil, &problem{Status: http.StatusBadRequest, reason: "body", Detail: "the body is not " + encoding + ", as Content-Encoding says"}
}

// decompressor reads compressed bytes. done gives back what it took from a pool.
func decompressor(encoding string, raw []byte) (r io.Reader, done func(), err error) {
	in := bytes.NewReader(raw)
	switch encoding {
	case "gzip":
		z := gzips.Get().(*gzip.Reader)
		if err := z.Reset(in); err != nil {
			return nil, nil, err
		}
		return z, func() { gzips.Put(z) }, nil
	case "zstd":
		z := zstds.Get().(*zstd.Decoder)
		if err := z.Reset(in); err != nil {
			return nil, nil, err
		}
		return z, func() { _ = z.Reset(nil); zstds.Put(z) }, nil
	}
	// deflate is zlib; many senders mean the bare stream.
	if z, err := zlib.NewReader(in); err == nil {
		return z, func() { _ = z.Close() }, nil
	}
	z := flate.NewReader(bytes.NewReader(raw))
	return z, func() { _ = z.Close() }, nil
}
