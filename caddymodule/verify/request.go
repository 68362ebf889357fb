package verify

import (
	"net/http"
	"time"

	"github.com/tidwall/gjson"
)

// Request is a request to verify, exactly as it was received.
type Request struct {
	// Method is the HTTP method.
	Method string

	// URI is the path and query as the client sent them, before any rewrite.
	URI string

	// URL is the public URL, with the query as the client sent it.
	URL string

	// Query is the query part of URI, without the question mark.
	Query string

	// Header is the header of the request.
	Header http.Header

	// Body is the whole body.
	Body []byte

	// JSON returns the body as JSON: itself, or the object of the parameters of a form;
	// ok is false if it is neither. Nil: the body is JSON.
	JSON func() (text string, ok bool)

	// Form returns the names and values of the parameters of a form, sorted by name; ok
	// is false if the body is not a form. Nil: it is not.
	Form func() (text string, ok bool)

	// Time is when the request was received.
	Time time.Time
}

// isForm reports whether the body is a form.
func (r *Request) isForm() bool {
	if r.Form == nil {
		return false
	}
	_, ok := r.Form()
	return ok
}

// subject is what a proof is about: a request, or one element of its body.
type subject struct {
	*Request
	element *gjson.Result // nil for the whole body
}

// root returns the JSON value that paths begin at. Without one, no path leads anywhere.
func (s subject) root() gjson.Result {
	switch {
	case s.element != nil:
		return *s.element
	case s.JSON == nil:
		return gjson.ParseBytes(s.Body)
	}
	text, ok := s.JSON()
	if !ok {
		return gjson.Result{}
	}
	return gjson.Parse(text)
}
