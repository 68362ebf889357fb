// Package snapshot keeps the request that brought an event, for the handlers that
// deliver it.
package snapshot

import (
	"encoding/json"
	"net"
	"net/http"
)

// Request is what is kept of a request: neither its credentials nor its body.
type Request struct {
	Method     string      `json:"method"`
	URI        string      `json:"uri"`
	Host       string      `json:"host"`
	Proto      string      `json:"proto"`
	RemoteAddr string      `json:"remote"`
	LocalAddr  string      `json:"local,omitempty"`
	TLS        bool        `json:"tls,omitempty"`
	Header     http.Header `json:"header"`
}

// Of returns the snapshot of a request, with a header of its own.
func Of(r *http.Request) *Request {
	s := &Request{
		Method:     r.Method,
		URI:        r.URL.RequestURI(),
		Host:       r.Host,
		Proto:      r.Proto,
		RemoteAddr: r.RemoteAddr,
		TLS:        r.TLS != nil,
		Header:     r.Header.Clone(),
	}
	if local, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr); ok {
		s.LocalAddr = local.String()
	}
	return s
}

// JSON returns it in JSON.
func (s *Request) JSON() []byte {
	text, _ := json.Marshal(s) // strings only
	return text
}
