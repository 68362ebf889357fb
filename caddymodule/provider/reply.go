package provider

import (
	"cmp"
	"errors"
	"net/http"
)

// Reply is the answer to a delivery. At most one of Token, Answer, Status and Text is
// set. Default: the application's answer, and 200 for a duplicate.
type Reply struct {
	// Whether the answer is 200 and the token that the request presented.
	Token bool `json:"token,omitempty"`

	// Whether the answer is the application's own, which the provider reads. A duplicate
	// gets the first one again.
	Answer bool `json:"answer,omitempty"`

	// The status of an empty answer, from 200 to 299.
	Status int `json:"status,omitempty"`

	// The text of an answer with the status 200.
	Text string `json:"text,omitempty"`

	// The content type of Text. Default: `text/plain; charset=utf-8`.
	ContentType string `json:"content_type,omitempty"`
}

// Constant returns the answer that is the same for every delivery. ok is false if there
// is none.
func (r Reply) Constant() (answer Answer, ok bool) {
	switch {
	case r.Status != 0:
		return Answer{Status: r.Status}, true
	case r.Text != "":
		return Answer{Status: http.StatusOK, Text: r.Text, ContentType: cmp.Or(r.ContentType, TextPlain)}, true
	}
	return Answer{}, false
}

// check checks what does not depend on the rest of the provider.
func (r Reply) check() error {
	n := 0
	for _, set := range []bool{r.Token, r.Answer, r.Status != 0, r.Text != ""} {
		if set {
			n++
		}
	}
	switch {
	case n > 1:
		return errors.New("reply: use only one of token, answer, status and text")
	case r.Status != 0:
		return checkAnswerStatus(r.Status)
	case r.ContentType != "" && r.Text == "":
		return errors.New("reply: a content type works only with text")
	case r.ContentType != "":
		return checkAnswerType(r.ContentType, false)
	}
	return nil
}

func (p *Provider) checkReply() error {
	reply := p.spec.Reply
	if err := reply.check(); err != nil {
		return err
	}
	if reply.Token && p.spec.Verify.Token == nil {
		return errors.New(`"reply token" works only with "verify token"`)
	}
	if reply.Answer && len(p.spec.Events.Paths) > 0 {
		return errors.New(`"reply answer" does not work with "events": several events cannot share one answer; remove one of them`)
	}
	return nil
}
