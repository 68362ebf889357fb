package delivery

import (
	"errors"
	"net/http"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

const (
	// excerptSize is the number of bytes of an answer that are kept for people to read.
	excerptSize = 1 << 10

	// maxAnswer is the number of bytes of an answer that are read. Its status alone
	// decides about the event.
	maxAnswer = 1 << 20
)

// errAnswerTooLong ends an answer that is longer than maxAnswer.
var errAnswerTooLong = errors.New("the answer is too long; the rest is not read")

// excerpt is the response writer of a destination: it keeps the status and the
// beginning of the body.
type excerpt struct {
	header http.Header
	status int
	body   []byte
	size   int
}

func newExcerpt() *excerpt { return &excerpt{header: make(http.Header)} }

func (e *excerpt) Header() http.Header { return e.header }

func (e *excerpt) WriteHeader(status int) {
	if e.status == 0 && status >= 200 {
		e.status = status
	}
}

func (e *excerpt) Write(p []byte) (int, error) {
	e.WriteHeader(http.StatusOK)
	if e.size += len(p); e.size > maxAnswer {
		return 0, errAnswerTooLong
	}
	e.body = append(e.body, p[:min(len(p), excerptSize-len(e.body))]...)
	return len(p), nil
}

// serve calls a handler. An answer that breaks off is an error, unless it was longer
// than maxAnswer.
func (e *excerpt) serve(h caddyhttp.Handler, r *http.Request) (err error) {
	defer func() {
		p := recover()
		aborted, ok := p.(error)
		switch {
		case ok && errors.Is(aborted, http.ErrAbortHandler):
			err = errors.New("the answer broke off")
		case p != nil:
			panic(p)
		}
		if e.size > maxAnswer {
			err = nil
		}
	}()
	return h.ServeHTTP(e, r)
}
