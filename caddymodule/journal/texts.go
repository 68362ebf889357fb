package journal

import (
	"encoding/binary"
	"net/http"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/envelope"
)

// maxRequest is the maximum number of bytes that are kept of a request. Headers that do
// not fit are left out.
const maxRequest = 16 << 10

// texts holds the attributes of an event, and the request that brought it, in one piece
// of memory: that is one allocation for an event, and keeps no body that they came from.
type texts struct {
	all string

	// Where the attributes end that are at the beginning; the request follows.
	id, eventType, subject, partitionKey int
}

// NewDirectEvent returns an event that the next handler is about to get. The request is
// the one that brought it, without credentials; uri is its target.
func NewDirectEvent(key envelope.Key, e *envelope.Event, received time.Time, r *http.Request, uri string) DirectEvent {
	var room [2048]byte
	all := room[:0]
	var t texts
	all = append(all, e.ID...)
	t.id = len(all)
	all = append(all, e.Type...)
	t.eventType = len(all)
	all = append(all, e.Subject...)
	t.subject = len(all)
	all = append(all, e.PartitionKey...)
	t.partitionKey = len(all)
	for _, text := range [...]string{r.Method, uri, r.Host, r.RemoteAddr} {
		all = appendText(all, text[:min(len(text), maxRequest/4)])
	}
	for name, values := range r.Header {
		if isPrivate(name) {
			continue
		}
		for _, value := range values {
			if len(all)-t.partitionKey+len(name)+len(value) <= maxRequest {
				all = appendText(appendText(all, name), value)
			}
		}
	}
	t.all = string(all)
	return DirectEvent{Key: key, Received: received, texts: t}
}

func appendText(to []byte, text string) []byte {
	return append(binary.AppendUvarint(to, uint64(len(text))), text...)
}

// cutText returns the text at the beginning of what appendText has written.
func cutText(from string) (text, rest string) {
	length, n := binary.Uvarint([]byte(from[:min(len(from), binary.MaxVarintLen64)]))
	end := n + int(length)
	return from[n:end], from[end:]
}

func (t *texts) attributes() attributes {
	return attributes{
		id:           t.all[:t.id],
		eventType:    t.all[t.id:t.eventType],
		subject:      t.all[t.eventType:t.subject],
		partitionKey: t.all[t.subject:t.partitionKey],
	}
}

// request returns the request.
func (t *texts) request() *Request {
	r := &Request{Header: make(http.Header)}
	rest := t.all[t.partitionKey:]
	for _, to := range []*string{&r.Method, &r.URI, &r.Host, &r.RemoteAddr} {
		*to, rest = cutText(rest)
	}
	for rest != "" {
		var name, value string
		name, rest = cutText(rest)
		value, rest = cutText(rest)
		r.Header[name] = append(r.Header[name], value)
	}
	return r
}
