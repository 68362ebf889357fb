package provider

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"mime"
	"net/http"
	"slices"
	"strings"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/internal/jsonpath"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/template"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/verify"
)

// TextPlain is the default content type of the gateway's own answers.
const TextPlain = "text/plain; charset=utf-8"

// handshakeMethods are the methods that a handshake may have.
var handshakeMethods = []string{http.MethodGet, http.MethodHead, http.MethodPost}

// ownHeaders are headers of an answer that the gateway or the server sets itself, or
// that a request must not get to choose.
var ownHeaders = []string{
	"Connection", "Content-Encoding", "Content-Length", "Date", "Set-Cookie", "Trailer",
	"Transfer-Encoding", "Upgrade", "X-Content-Type-Options",
}

// check checks what does not depend on the rest of the provider. The error names no
// word of the line before it.
func (h *Handshake) check() error {
	if h.Empty {
		return h.checkEmpty()
	}
	method := cmp.Or(h.Method, http.MethodPost)
	if !slices.Contains(handshakeMethods, method) {
		return fmt.Errorf("unknown method %q; use GET, HEAD or POST", h.Method)
	}
	if h.Token != "" {
		switch {
		case method != http.MethodGet:
			return errors.New(`"token" works only with GET; a POST is proved as events are`)
		case h.Unproved:
			return errors.New(`"token" proves the request; remove "unproved"`)
		}
	}
	for _, c := range h.Conditions {
		if err := c.check(); err != nil {
			return err
		}
		if c.Path != "" && method != http.MethodPost {
			return fmt.Errorf("when %s: a %s has no body; write: when query <name>, or when header <name>", c.Path, method)
		}
	}
	if err := h.checkAnswer(method); err != nil {
		return err
	}
	return h.checkReach(method)
}

func (h *Handshake) checkEmpty() error {
	if h.Method != "" || h.Unproved || h.Token != "" || h.Conditions != nil || h.Status != 0 || h.Headers != nil || h.Answer != "" || h.ContentType != "" {
		return errors.New(`"empty" takes nothing else; write the rest as another handshake`)
	}
	return nil
}

// checkReach refuses a POST handshake that would answer events.
func (h *Handshake) checkReach(method string) error {
	if method != http.MethodPost || len(h.Conditions) > 0 {
		return nil
	}
	if h.Unproved {
		return errors.New(`an unproved POST needs "when"; without it, the answer would be to every POST without a credential`)
	}
	for _, text := range h.templates() {
		t, err := template.Parse(text)
		if err != nil {
			return err
		}
		if t.Has(template.BodyPath, template.Header, template.Query) {
			return nil // a request that lacks it is an event
		}
	}
	return errors.New(`"when" is required; without it, the handshake would answer every event`)
}

// checkAnswer checks status, headers and text of the answer.
func (h *Handshake) checkAnswer(method string) error {
	if h.Status != 0 {
		if err := checkAnswerStatus(h.Status); err != nil {
			return err
		}
	}
	for _, name := range slices.Sorted(maps.Keys(h.Headers)) {
		if err := checkAnswerHeader(name); err != nil {
			return err
		}
		if h.Headers[name] == "" {
			return fmt.Errorf("header %s: the value is missing", name)
		}
		if _, err := h.parseTemplate("header "+name, h.Headers[name]); err != nil {
			return err
		}
	}
	switch {
	case h.Answer == "" && h.ContentType != "":
		return errors.New(`a content type works only with "answer"`)
	case h.Answer == "":
		return nil
	case method == http.MethodHead:
		return errors.New(`a HEAD is answered without a body; remove "answer"`)
	case isBodiless(h.Status):
		return fmt.Errorf(`status %d has no body; remove "answer"`, h.Status)
	}
	t, err := h.parseTemplate("answer", h.Answer)
	if err != nil {
		return err
	}
	if h.ContentType == "" {
		return nil
	}
	return checkAnswerType(h.ContentType, holdsRequest(t))
}

// parseTemplate parses a template of the answer, and checks its parts. The word is for
// the error.
func (h *Handshake) parseTemplate(word, text string) (template.Template, error) {
	t, err := template.Parse(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", word, err)
	}
	for _, part := range t {
		if part.Kind == template.SHA256 || part.Kind == template.HMAC {
			return nil, fmt.Errorf("%s: %s makes bytes, not text; write $hex(%s) or $base64(%s)", word, part, part, part)
		}
	}
	constant := 0
	for part := range t.Parts() {
		if err := h.checkPart(part); err != nil {
			return nil, fmt.Errorf("%s: %w", word, err)
		}
		if part.Kind == template.Literal {
			constant += len(part.Text)
		}
	}
	if h.Unproved && constant > maxUnprovedAnswer {
		return nil, fmt.Errorf("%s: the answer to an unproved request has at most %d bytes; write a shorter one", word, maxUnprovedAnswer)
	}
	return t, nil
}

// checkPart checks a part of a template of the answer.
func (h *Handshake) checkPart(part template.Part) error {
	switch part.Kind {
	case template.Body, template.Form:
		return fmt.Errorf("%s is the whole body; answer with a part of it, such as $body(challenge)", part)
	case template.Timestamp:
		return errors.New("$timestamp works only in the content of a signature; write $header(<name>) or $body(<path>)")
	case template.BodyPath:
		if method := cmp.Or(h.Method, http.MethodPost); method != http.MethodPost {
			return fmt.Errorf("%s: a %s has no body; write $query(<name>) or $header(<name>)", part, method)
		}
		if err := jsonpath.Check(part.Text); err != nil {
			return fmt.Errorf("path %q: %w", part.Text, err)
		}
	case template.Header:
		return verify.CheckHeaderName(part.Text)
	case template.HMAC:
		switch {
		case h.Unproved:
			return errors.New(`$hmac works only for proved requests; remove "unproved", or anyone could get any text signed`)
		case h.Token != "":
			return errors.New(`$hmac needs the secret that the request was proved with; remove "token"`)
		}
	}
	return nil
}

// holdsRequest reports whether a template has parts of the request.
func holdsRequest(t template.Template) bool {
	return slices.ContainsFunc(t, func(part template.Part) bool { return part.Kind != template.Literal })
}

// templates returns the templates of the answer.
func (h *Handshake) templates() []string {
	var texts []string
	for _, name := range slices.Sorted(maps.Keys(h.Headers)) {
		texts = append(texts, h.Headers[name])
	}
	if h.Answer != "" {
		texts = append(texts, h.Answer)
	}
	return texts
}

// check checks one condition.
func (c HandshakeCondition) check() error {
	n := 0
	for _, place := range []string{c.Path, c.Header, c.Query} {
		if place != "" {
			n++
		}
	}
	switch {
	case n != 1:
		return errors.New(`"when" needs exactly one of a path, a header and a query parameter`)
	case (len(c.Is) > 0) == (len(c.IsNot) > 0):
		return errors.New(`"when" needs "is" or "is not", and a word to compare with; for any value, use "is *"`)
	case c.Header != "":
		if err := verify.CheckHeaderName(c.Header); err != nil {
			return fmt.Errorf("when: %w", err)
		}
	case c.Path != "":
		if err := jsonpath.Check(c.Path); err != nil {
			return fmt.Errorf("when: path %q: %w", c.Path, err)
		}
	}
	return nil
}

// checkAnswerStatus refuses a status that is not a success.
func checkAnswerStatus(status int) error {
	if status < 200 || status > 299 {
		return fmt.Errorf("status %d is not a success, and the provider would try again; use 200 to 299", status)
	}
	return nil
}

// isBodiless reports whether an answer of the status has no body.
func isBodiless(status int) bool {
	return status == http.StatusNoContent || status == http.StatusResetContent
}

func checkAnswerHeader(name string) error {
	if err := verify.CheckHeaderName(name); err != nil {
		return err
	}
	canonical := http.CanonicalHeaderKey(name)
	switch {
	case canonical == "Content-Type":
		return errors.New(`header Content-Type: write "as <content-type>" after the answer`)
	case slices.Contains(ownHeaders, canonical):
		return fmt.Errorf("header %s is the server's own; remove it", name)
	}
	return nil
}

// checkAnswerType checks the content type of an answer. One that holds parts of a
// request must not be a page: a browser would run what the sender wrote.
func checkAnswerType(contentType string, holdsRequest bool) error {
	mediaType, _, err := mime.ParseMediaType(contentType)
	if err != nil || !strings.Contains(mediaType, "/") {
		return fmt.Errorf("%q is not a content type; use one such as application/json", contentType)
	}
	if holdsRequest && mediaType != "text/plain" && mediaType != "application/json" {
		return fmt.Errorf("content type %s: an answer with parts of the request is text/plain or application/json, so that no browser runs it", mediaType)
	}
	return nil
}
