package verify

import (
	"crypto/hmac"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// ErrCannotSign is the error of a scheme that is signed with a private key, which
// only the provider has.
var ErrCannotSign = errors.New("only the provider can sign: the secret is its public key")

// Sign signs r as the provider does, with one secret, at r.Time: it sets the headers
// of the signature and the timestamp. It is for samples and tests.
func (s Signature) Sign(r *Request, secret string) error {
	s = s.withDefaults()
	if err := s.Validate(); err != nil {
		return err
	}
	newHash := hashes[s.Algorithm]
	if newHash == nil {
		return ErrCannotSign
	}
	key, err := s.decodeKey(secret)
	if err != nil {
		return err
	}
	content, err := parseTemplate(s.Content)
	if err != nil {
		return err
	}
	timestamp := s.Timestamp.format(r.Time)
	if s.Timestamp != nil && s.Timestamp.Header != "" {
		r.Header.Set(s.Timestamp.Header, timestamp)
	}
	signed, twice := content.parts(r, timestamp)
	if twice != "" {
		return explain(ErrBad, "header "+twice)
	}
	mac := hmac.New(newHash, key)
	for _, part := range signed {
		mac.Write(part)
	}
	signature := s.Prefix + string(encodings[s.Encoding].AppendEncode(nil, mac.Sum(nil)))
	r.Header.Set(s.Header, s.layOut(signature, timestamp))
	return nil
}

// layOut returns the signature's header, with the timestamp if that is an item of it.
func (s Signature) layOut(signature, timestamp string) string {
	t := s.Timestamp
	if t == nil || t.Header != "" {
		t = &Timestamp{}
	}
	if s.Item == 0 && t.Item == 0 {
		if t.Prefix == "" {
			return signature
		}
		return t.Prefix + timestamp + s.Separator + signature
	}
	items := make([]string, max(s.Item, t.Item, 1))
	switch {
	case s.Item > 0 && t.Item > 0:
		items[s.Item-1], items[t.Item-1] = signature, timestamp
	case s.Item > 0:
		items[s.Item-1] = signature
		if t.Prefix != "" {
			items = append(items, t.Prefix+timestamp)
		}
	default:
		items[t.Item-1] = timestamp
		items = append(items, signature)
	}
	return strings.Join(items, s.Separator)
}

func (t *Timestamp) format(at time.Time) string {
	switch {
	case t == nil:
		return ""
	case t.Format == UnixMilli:
		return strconv.FormatInt(at.UnixMilli(), 10)
	case t.Format == RFC3339:
		return at.UTC().Format(time.RFC3339)
	default:
		return strconv.FormatInt(at.Unix(), 10)
	}
}

// Present presents a token in this place of r.
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
