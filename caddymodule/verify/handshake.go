package verify

import (
	"errors"

	"github.com/tidwall/gjson"
)

// ErrNoChallenge says that a proved GET holds no challenge to answer.
var ErrNoChallenge = errors.New("no challenge")

// Handshake is what a provider asks of a URL before, or instead of, sending it
// events. Exactly one of Query, Body, Reply and Empty is set.
type Handshake struct {
	// Query is the query parameter of a GET that holds the challenge. The answer
	// is 200, text/plain, and the challenge.
	Query string `json:"query,omitempty"`

	// Token is the query parameter by which alone that GET proves itself. It is
	// required with Query.
	Token string `json:"token,omitempty"`

	// Body is the path of a challenge in the JSON body of a proved POST. The
	// answer is 200, text/plain, and the challenge.
	Body string `json:"body,omitempty"`

	// Reply is the text that answers a proved POST that meets When.
	Reply string `json:"reply,omitempty"`

	// ContentType is that of Reply. Default: text/plain; charset=utf-8.
	ContentType string `json:"content_type,omitempty"`

	// When says which POSTs Body and Reply are about. It is required with Reply.
	When *Condition `json:"when,omitempty"`

	// Empty acknowledges a proved POST that holds no event.
	Empty bool `json:"empty,omitempty"`
}

// Condition holds when the value at Path is Is.
type Condition struct {
	// Path is a gjson path in the body.
	Path string `json:"path"`

	// Is is the text of a string, number or boolean.
	Is string `json:"is"`
}

// TextPlain is the content type of challenges and tokens that are sent back.
const TextPlain = "text/plain; charset=utf-8"

// Paths returns the paths that the handshake reads from a body.
func (h *Handshake) Paths() []string {
	var paths []string
	if h.Body != "" {
		paths = append(paths, h.Body)
	}
	if h.When != nil {
		paths = append(paths, h.When.Path)
	}
	return paths
}

// Challenge returns the challenge of a proved GET.
func (h *Handshake) Challenge(r *Request) (string, error) {
	challenge, err := queryValue(r.Query, h.Query)
	if err != nil {
		return "", ErrNoChallenge
	}
	return challenge, nil
}

// Answer returns what answers a proved POST whose body is valid JSON, and
// whether it is a handshake at all.
func (h *Handshake) Answer(body []byte) (text, contentType string, ok bool) {
	if h.When != nil && gjson.GetBytes(body, h.When.Path).String() != h.When.Is {
		return "", "", false
	}
	switch {
	case h.Reply != "":
		contentType = h.ContentType
		if contentType == "" {
			contentType = TextPlain
		}
		return h.Reply, contentType, true
	case h.Body != "":
		challenge := gjson.GetBytes(body, h.Body)
		return challenge.Str, TextPlain, challenge.Type == gjson.String && challenge.Str != ""
	}
	return "", "", false
}
