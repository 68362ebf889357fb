package verify

import (
	"errors"
	"fmt"

	"github.com/tidwall/gjson"
)

// ErrNoChallenge is the error of a proved GET without a challenge.
var ErrNoChallenge = errors.New("no challenge")

// Handshake is a request that a provider sends to a URL before events, or between
// them. Exactly one of Query, Body, Reply and Empty is set.
type Handshake struct {
	// The query parameter of a GET that holds the challenge. The answer is 200,
	// text/plain, and the challenge.
	Query string `json:"query,omitempty"`

	// The query parameter that holds the token, which alone proves that GET. Required
	// with Query.
	Token string `json:"token,omitempty"`

	// The gjson path of a challenge in the body of a proved POST. The answer is 200,
	// text/plain, and the challenge.
	Body string `json:"body,omitempty"`

	// The text that answers a proved POST that meets When.
	Reply string `json:"reply,omitempty"`

	// The content type of Reply. Default: `text/plain; charset=utf-8`.
	ContentType string `json:"content_type,omitempty"`

	// The condition of Body and Reply. Required with Reply. Default: every POST.
	When *Condition `json:"when,omitempty"`

	// Whether a proved POST without an event is acknowledged.
	Empty bool `json:"empty,omitempty"`
}

// Condition holds if the value at Path equals Is.
type Condition struct {
	// The gjson path of the value in the body.
	Path string `json:"path"`

	// The text of a string, number or boolean.
	Is string `json:"is"`
}

// TextPlain is the content type of answers that are a challenge or a token.
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
		return "", fmt.Errorf("%w: the query parameter %s is not there, or more than once", ErrNoChallenge, h.Query)
	}
	return challenge, nil
}

// Answer returns the answer to a proved POST whose body is valid JSON. ok is false if
// the POST is not this handshake.
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
