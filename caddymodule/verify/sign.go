package verify

import (
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/template"
)

// Sign signs r as the provider does, with a secret or a private key, at r.Time. It sets
// the signature, the timestamp and the hash of the body: in Header, in Query, URI and URL,
// or in Body. It is for samples and tests.
func (s Signature) Sign(r *Request, secret string) error {
	s = s.withDefaults()
	if err := s.Validate(); err != nil {
		return err
	}
	sign, err := s.newSigner(secret)
	if err != nil {
		return err
	}
	signed, err := newContent("content", s.Content)
	if err != nil {
		return err
	}
	if s.IsInBody() && r.isForm() {
		return errors.New("the signature belongs in the form; write it in the payload")
	}
	made := signing{Signature: s, content: signed, sign: sign, request: r}
	if s.Each != "" {
		return made.eachElement()
	}
	if s.BodyHash != "" && len(r.Body) > 0 && (!r.isForm() || !signed.has(template.Form)) {
		r.setQuery(s.BodyHash, hex.EncodeToString(sum256(r.Body)))
	}
	if !s.IsInBody() {
		_, err = made.put("")
		return err
	}
	body, err := made.put(string(r.Body))
	if err == nil {
		r.setBody(body)
	}
	return err
}

// IsInBody reports whether Sign changes the body.
func (s Signature) IsInBody() bool {
	return s.Places[0].Body != "" || s.Timestamp != nil && s.Timestamp.Body != ""
}

// signing is one signature of a request.
type signing struct {
	Signature
	content content
	sign    func(message []byte) ([]byte, error)
	request *Request
}

// eachElement signs every element of the body.
func (s *signing) eachElement() error {
	elements, err := newElements(s.Each)
	if err != nil {
		return err
	}
	body := string(s.request.Body)
	for i := 0; ; i++ {
		found, err := elements.find(root(body))
		if err != nil {
			return err
		}
		if i == len(found) {
			s.request.setBody(body)
			return nil
		}
		element := found[i]
		signed, err := s.put(element.Raw)
		if err != nil {
			return err
		}
		body = body[:element.Index] + signed + body[element.Index+len(element.Raw):]
	}
}

// put sets the timestamp and the signature. document is the body, or an element of it; put
// returns it with what belongs there, and leaves it alone otherwise.
func (s *signing) put(document string) (string, error) {
	r := s.request
	timestamp := s.Timestamp.format(r.Time)
	switch t := s.Timestamp; {
	case t == nil || t.isItem():
	case t.Header != "":
		r.Header.Set(t.Header, timestamp)
	case t.Query != "":
		r.setQuery(t.Query, timestamp)
	default:
		var err error
		if document, err = setMember(document, t.Body, timestamp); err != nil {
			return "", err
		}
		if s.Each == "" {
			r.setBody(document)
		}
	}
	about := subject{Request: r}
	if s.Each != "" {
		element := root(document)
		about.element = &element
	}
	content, err := s.content.parts(about, timestamp)
	if err != nil {
		return "", err
	}
	made, err := s.sign(content.join())
	if err != nil {
		return "", err
	}
	place := s.Places[0]
	value := s.layOut(place.Item, s.Prefix+string(encodings[s.Encoding].AppendEncode(nil, made)), timestamp)
	switch {
	case place.Header != "":
		if prefix, ok := strings.CutSuffix(place.Header, "*"); ok {
			place.Header = prefix + "1"
		}
		r.Header.Set(place.Header, value)
	case place.Query != "":
		r.setQuery(place.Query, value)
	default:
		return setMember(document, place.Body, value)
	}
	return document, nil
}

// layOut returns the value for the place of the signature, with the timestamp if that is
// an item beside it. position is that of the signature.
func (s Signature) layOut(position int, signature, timestamp string) string {
	t := s.Timestamp
	if t == nil || !t.isItem() {
		t = &Timestamp{}
	}
	if position == 0 && t.Item == 0 {
		if t.Prefix == "" {
			return signature
		}
		return t.Prefix + timestamp + s.Separator + signature
	}
	items := make([]string, max(position, t.Item, 1))
	switch {
	case position > 0 && t.Item > 0:
		items[position-1], items[t.Item-1] = signature, timestamp
	case position > 0:
		items[position-1] = signature
		if t.Prefix != "" {
			items = append(items, t.Prefix+timestamp)
		}
	default:
		items[t.Item-1] = timestamp
		items = append(items, signature)
	}
	return strings.Join(items, s.Separator)
}

// Present presents a token in this place of r. It does not write into a body.
func (p Place) Present(r *http.Request, token string) {
	switch {
	case p.Bearer:
		r.Header.Set("Authorization", "Bearer "+token)
	case p.Header != "":
		r.Header.Set(p.Header, token)
	case p.Query != "":
		query := r.URL.Query()
		query.Set(p.Query, token)
		r.URL.RawQuery = query.Encode()
	}
}

// PresentInBody returns a JSON body that presents a token in this place, which is in the
// body.
func (p Place) PresentInBody(body []byte, token string) ([]byte, error) {
	if p.Body == "" {
		return nil, fmt.Errorf("%s is not in the body", p)
	}
	with, err := setMember(string(body), p.Body, token)
	return []byte(with), err
}
