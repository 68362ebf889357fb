package envelope

import (
	"bytes"
	"io"
	"net/http"
	"strconv"
	"strings"
)

// Formats in which an event is handed over.
const (
	// FormatCloudEvents is one envelope per event.
	FormatCloudEvents = "cloudevents"

	// FormatOriginal is the provider's own bytes, one request per request.
	FormatOriginal = "original"
)

// SetBody replaces the body of a request, and everything in it that says how long
// the body is and how it travels.
func SetBody(r *http.Request, body []byte) {
	r.Body = io.NopCloser(bytes.NewReader(body))
	r.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil }
	r.ContentLength = int64(len(body))
	r.Header["Content-Length"] = []string{strconv.Itoa(len(body))}
	r.TransferEncoding = nil
	r.Trailer = nil
}

// SetEnvelope makes the body of a request an envelope in CloudEvents' structured
// mode. The headers of its binary mode (`Ce-*`) go: a receiver that prefers that
// mode would believe the sender's headers instead of the envelope.
func SetEnvelope(r *http.Request, body []byte) {
	for name := range r.Header {
		if strings.HasPrefix(name, "Ce-") {
			delete(r.Header, name)
		}
	}
	r.Header["Content-Type"] = []string{ContentType}
	SetBody(r, body)
}
