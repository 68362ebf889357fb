package ingress

import (
	"bytes"
	"io"
	"net/http"
	"strconv"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/dedup"
)

// recorder is the response writer of the next handler.
type recorder interface {
	http.ResponseWriter

	// Status returns the status of the answer, 0 for none.
	Status() int

	// Answer returns the answer to be kept for a repeat, nil for none.
	Answer() *dedup.Answer

	// Discards reports whether the answer is held back, for another one to be sent
	// instead.
	Discards() bool
}

// recorder returns the writer for the only event of a request.
func (x *exchange) recorder() recorder {
	switch {
	case x.rc.answersItself():
		return newDiscarding(x.w)
	case x.rc.passesAnswers() && x.rc.Memory != nil:
		return &capturing{ResponseWriterWrapper: &caddyhttp.ResponseWriterWrapper{ResponseWriter: x.w}}
	default:
		return passThrough{caddyhttp.NewResponseRecorder(x.w, nil, nil)}
	}
}

// passThrough passes an answer on and notes its status.
type passThrough struct{ caddyhttp.ResponseRecorder }

func (passThrough) Answer() *dedup.Answer { return nil }
func (passThrough) Discards() bool        { return false }

// Unwrap lets http.ResponseController reach the connection.
func (p passThrough) Unwrap() http.ResponseWriter { return p.ResponseRecorder }

// capturing passes an answer on and keeps a copy for repeats.
type capturing struct {
	*caddyhttp.ResponseWriterWrapper
	status  int
	header  http.Header // as the application set it: handlers around may change it
	body    bytes.Buffer
	tooLong bool
}

func (k *capturing) WriteHeader(status int) {
	if k.status == 0 && status >= 200 {
		k.status = status
		k.header = k.Header().Clone()
	}
	k.ResponseWriterWrapper.WriteHeader(status)
}

func (k *capturing) Write(p []byte) (int, error) {
	if k.status == 0 {
		k.WriteHeader(http.StatusOK)
	}
	if k.tooLong = k.tooLong || k.body.Len()+len(p) > dedup.MaxAnswer; !k.tooLong {
		k.body.Write(p)
	}
	return k.ResponseWriterWrapper.Write(p)
}

// ReadFrom keeps what is copied to the writer, which the wrapper's would not.
func (k *capturing) ReadFrom(r io.Reader) (int64, error) {
	return io.Copy(struct{ io.Writer }{k}, r)
}

func (k *capturing) Status() int    { return k.status }
func (k *capturing) Discards() bool { return false }

// Answer returns nil for an answer that is too long, incomplete, or encoded for
// one client.
func (k *capturing) Answer() *dedup.Answer {
	if k.tooLong || k.header.Get("Content-Encoding") != "" || !isWhole(k.header, k.body.Len()) {
		return nil
	}
	return &dedup.Answer{
		Status:      k.status,
		ContentType: k.header.Get("Content-Type"),
		Body:        bytes.Clone(k.body.Bytes()),
	}
}

// isWhole reports whether a body is as long as its header says, if it does.
func isWhole(header http.Header, length int) bool {
	declared := header.Get("Content-Length")
	return declared == "" || declared == strconv.Itoa(length)
}

// discarding holds a 2xx answer back and passes any other on to w. With a nil w it
// holds back everything.
type discarding struct {
	w       http.ResponseWriter
	header  http.Header
	status  int
	passing bool
}

func newDiscarding(w http.ResponseWriter) *discarding {
	return &discarding{w: w, header: make(http.Header)}
}

func (a *discarding) Header() http.Header {
	if a.passing {
		return a.w.Header()
	}
	return a.header
}

func (a *discarding) WriteHeader(status int) {
	if a.status != 0 || status < 200 {
		return
	}
	a.status = status
	if a.w == nil || isSuccess(status) {
		return
	}
	a.passing = true
	for name, values := range a.header {
		a.w.Header()[name] = append(a.w.Header()[name], values...)
	}
	a.w.WriteHeader(status)
}

func (a *discarding) Write(p []byte) (int, error) {
	a.WriteHeader(http.StatusOK)
	if a.passing {
		return a.w.Write(p)
	}
	return len(p), nil
}

// FlushError flushes an answer that is passed on; one that is held back needs no flushing.
func (a *discarding) FlushError() error {
	if a.passing {
		return http.NewResponseController(a.w).Flush()
	}
	return nil
}

func (a *discarding) Status() int           { return a.status }
func (a *discarding) Answer() *dedup.Answer { return nil }
func (a *discarding) Discards() bool        { return !a.passing }
