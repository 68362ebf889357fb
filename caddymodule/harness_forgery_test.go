package caddymodule_test

import (
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/provider"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/template"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/verify"
	"github.com/caddy-webhooks/caddy-webhooks/fixtures"
)

// forgery is a request that must be refused.
type forgery struct {
	name string
	fixtures.Request
}

// forger makes forgeries of one request.
type forger struct {
	vendor
	t      *testing.T
	proved fixtures.Request
	made   []forgery
}

// forgeries returns what a forger can make of a recorded request: it has seen one that is
// proved, and lacks the key.
func (v vendor) forgeries(t *testing.T, recorded fixtures.Request) []forgery {
	t.Helper()
	f := &forger{vendor: v, t: t, proved: v.proved(t, recorded)}
	for _, place := range v.Spec().Verify.Places() {
		for _, at := range f.spots(place) {
			noteSecret(at.text)
		}
	}
	another := v
	another.secret = v.other
	f.add("another key", another.proved(t, recorded))
	if v.Needs().Timestamp {
		margin := v.tolerance + time.Minute
		f.add("a stale signature", v.provedAt(t, recorded, time.Now().Add(-margin)))
		f.add("a signature of the future", v.provedAt(t, recorded, time.Now().Add(margin)))
	}
	for _, place := range f.places() {
		f.editPlace(place)
	}
	f.editTimestampItem()
	f.changeQuery()
	f.changeBody()
	return f.made
}

func (f *forger) add(name string, r fixtures.Request) {
	f.t.Helper()
	if reflect.DeepEqual(r, f.proved) {
		f.t.Fatalf("the forgery %s equals the proved request", name)
	}
	f.made = append(f.made, forgery{name, r})
}

// places returns the places of all that proves the request, and of what that covers by
// name.
func (f *forger) places() []verify.Place {
	scheme := f.Spec().Verify
	places := scheme.Places()
	if scheme.Basic {
		places = append(places, verify.Place{Header: "Authorization"})
	}
	if s := scheme.Signature; s != nil {
		if at := s.Timestamp; at != nil {
			places = append(places, verify.Place{Header: at.Header, Query: at.Query, Body: at.Body})
		}
		places = append(places, verify.Place{Query: s.BodyHash})
	}
	for _, content := range f.content(f.t) {
		for part := range content.Parts() {
			switch part.Kind {
			case template.Header:
				places = append(places, verify.Place{Header: part.Text})
			case template.Query:
				places = append(places, verify.Place{Query: part.Text})
			case template.BodyPath:
				places = append(places, verify.Place{Body: part.Text})
			}
		}
	}
	return slices.DeleteFunc(places, func(p verify.Place) bool { return p == verify.Place{} })
}

// edits are what a forger does to the text in a place: they return what is there then.
var edits = []struct {
	name string
	edit func(text string) []string
}{
	{"removed", func(string) []string { return nil }},
	{"emptied", func(string) []string { return []string{""} }},
	{"altered", func(text string) []string { return []string{altered(text)} }},
	{"doubled", func(text string) []string { return []string{text, text} }},
}

// altered returns the text with another character in its middle.
func altered(text string) string {
	middle, other := len(text)/2, "0"
	if text[middle] == '0' {
		other = "1"
	}
	return text[:middle] + other + text[middle+1:]
}

// editPlace edits what is in a place. Where nothing is, it adds something.
func (f *forger) editPlace(place verify.Place) {
	for _, at := range f.spots(place) {
		if at.text == "" {
			f.add(place.String()+" added", at.with("forged"))
			continue
		}
		for _, e := range edits {
			f.add(place.String()+" "+e.name, at.with(e.edit(at.text)...))
		}
	}
}

// editTimestampItem edits the timestamp beside the signature.
func (f *forger) editTimestampItem() {
	s := f.Spec().Verify.Signature
	if s == nil || s.Timestamp == nil || s.Timestamp.Item == 0 && s.Timestamp.Prefix == "" {
		return
	}
	at := f.spots(f.Spec().Verify.Places()[0])[0]
	items := strings.Split(at.text, s.Separator)
	n := s.Timestamp.Item - 1
	if prefix := s.Timestamp.Prefix; prefix != "" {
		n = slices.IndexFunc(items, func(item string) bool { return strings.HasPrefix(item, prefix) })
	}
	for _, e := range edits {
		if e.name == "doubled" && s.Timestamp.Prefix == "" {
			continue // the position says which of them counts
		}
		var edited []string
		for _, text := range e.edit(strings.TrimPrefix(items[n], s.Timestamp.Prefix)) {
			edited = append(edited, s.Timestamp.Prefix+text)
		}
		value := slices.Concat(items[:n], edited, items[n+1:])
		f.add("the timestamp "+e.name, at.with(strings.Join(value, s.Separator)))
	}
}

// changeQuery changes the query where the URL is signed.
func (f *forger) changeQuery() {
	if f.signs(f.t, template.URI, template.URL) {
		f.add("another query", withQuery(f.proved, f.proved.Query()+"&forged=1"))
	}
}

// changeBody changes the body where all of it is covered.
func (f *forger) changeBody() {
	s := f.Spec().Verify.Signature
	if !f.signs(f.t, template.Body) && (s == nil || s.BodyHash == "") {
		return
	}
	longer := f.proved
	longer.Body = append(slices.Clone(longer.Body), ' ')
	f.add("one more byte", longer)
	if s != nil { // the claims of a token are for requests with a body
		none := f.proved
		none.Body = nil
		f.add("no body", none)
	}
}

// ways returns a vendor for each place in which the provider may prove a request.
func (v vendor) ways(t *testing.T) []vendor {
	t.Helper()
	scheme := v.Spec().Verify
	var schemes []provider.Verify
	switch {
	case scheme.Signature != nil:
		for _, place := range scheme.Signature.Places {
			one := *scheme.Signature
			one.Places = []verify.SignaturePlace{place}
			schemes = append(schemes, provider.Verify{Signature: &one})
		}
	case scheme.JWT != nil:
		for _, place := range scheme.JWT.Places {
			one := *scheme.JWT
			one.Places = []verify.Place{place}
			schemes = append(schemes, provider.Verify{JWT: &one})
		}
	case scheme.Token != nil:
		for _, place := range scheme.Token.Places {
			schemes = append(schemes, provider.Verify{Token: &verify.Token{Places: []verify.Place{place}}})
		}
	default:
		schemes = append(schemes, scheme)
	}
	var ways []vendor
	for _, scheme := range schemes {
		spec := *v.Spec()
		spec.Verify = scheme
		p, err := spec.Compile()
		if err != nil {
			t.Fatal(err)
		}
		way := v
		way.Provider = p
		ways = append(ways, way)
	}
	return ways
}
