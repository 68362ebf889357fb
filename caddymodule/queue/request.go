package queue

import (
	"encoding/json"
	"fmt"
	"net/http"
)

// Request is a snapshot of the HTTP request that brought an event, for the handlers
// that deliver it: without its body, and without what must not be stored. It is
// encoded once, by Store, and must not be changed after that: several deliveries
// read it at the same time.
type Request struct {
	Method     string      `json:"method"`          // such as POST
	URI        string      `json:"uri"`             // as in the request line, which may hold a query
	Host       string      `json:"host"`            // as in the header Host
	Proto      string      `json:"proto"`           // such as HTTP/1.1
	RemoteAddr string      `json:"remote"`          // host:port of the sender
	LocalAddr  string      `json:"local,omitempty"` // host:port of the listener
	TLS        bool        `json:"tls,omitempty"`   // it came over TLS
	Header     http.Header `json:"header"`          // without credentials

	// The trace that the request is in, as W3C Trace Context; empty for none. A trace in
	// Header may be the sender's own claim.
	TraceParent string `json:"traceparent,omitempty"`
	TraceState  string `json:"tracestate,omitempty"`

	stored []byte // in JSON, as the database holds it
	err    error  // why stored cannot be decoded
}

// encoded returns the request in JSON. The first call is Store's; those that follow
// may come from several goroutines.
func (r *Request) encoded() []byte {
	if r.stored == nil {
		r.stored, _ = json.Marshal(r) // strings only, so it never fails
	}
	return r.stored
}

// decode fills in the request from what the database holds. A request that cannot be
// decoded fails each attempt to deliver its events, which so become dead letters.
func (r *Request) decode(stored []byte) {
	r.stored = stored
	if err := json.Unmarshal(stored, r); err != nil {
		r.err = fmt.Errorf("cannot read the stored request: %w", err)
	}
}

// size is about the number of bytes that the request takes on disk, without its events.
func (r *Request) size() int64 { return overhead + int64(len(r.encoded())) }
