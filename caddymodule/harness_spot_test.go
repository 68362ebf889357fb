package caddymodule_test

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/tidwall/gjson"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/verify"
	"github.com/caddy-webhooks/caddy-webhooks/fixtures"
)

// spot is a text in a request, and how to have others there.
type spot struct {
	text string // "" if there is none
	with func(texts ...string) fixtures.Request
}

// spots returns the spots of a place in the proved request: one, or one in each element of
// the body.
func (f *forger) spots(place verify.Place) []spot {
	switch {
	case place.Bearer:
		return []spot{f.headerSpot("Authorization")}
	case place.Header != "":
		return []spot{f.headerSpot(place.Header)}
	case place.Query != "":
		return []spot{f.querySpot(place.Query)}
	}
	return f.bodySpots(place.Body)
}

// headerSpot is a header. A `*` at the end of its name stands for any characters.
func (f *forger) headerSpot(name string) spot {
	name = http.CanonicalHeaderKey(name)
	if beginning, ok := strings.CutSuffix(name, "*"); ok {
		for there := range f.proved.Header {
			if strings.HasPrefix(there, beginning) {
				name = there
			}
		}
	}
	return spot{f.proved.Header.Get(name), func(texts ...string) fixtures.Request {
		r := f.proved
		r.Header = r.Header.Clone()
		r.Header.Del(name)
		for _, text := range texts {
			r.Header.Add(name, text)
		}
		return r
	}}
}

// querySpot is a parameter of the query.
func (f *forger) querySpot(name string) spot {
	query, err := url.ParseQuery(f.proved.Query())
	if err != nil {
		f.t.Fatal(err)
	}
	return spot{query.Get(name), func(texts ...string) fixtures.Request {
		pairs := strings.Split(f.proved.Query(), "&")
		pairs = slices.DeleteFunc(pairs, func(pair string) bool { return strings.HasPrefix(pair, url.QueryEscape(name)+"=") })
		for _, text := range texts {
			pairs = append(pairs, url.QueryEscape(name)+"="+url.QueryEscape(text))
		}
		return withQuery(f.proved, strings.Join(pairs, "&"))
	}}
}

// bodySpots are the members at a path of the body, or of its elements.
func (f *forger) bodySpots(path string) []spot {
	body := f.document(f.t, f.proved)
	elements := []gjson.Result{{Raw: body}}
	if s := f.Spec().Verify.Signature; s != nil && s.Each != "" {
		found := gjson.Get(body, s.Each)
		elements = found.Array()
		for i := range elements {
			elements[i].Index = found.Indexes[i]
		}
	}
	var spots []spot
	for _, element := range elements {
		spots = append(spots, spot{gjson.Get(element.Raw, path).String(), func(texts ...string) fixtures.Request {
			edited := f.edited(element.Raw, path, texts)
			return f.withDocument(f.t, f.proved, body[:element.Index]+edited+body[element.Index+len(element.Raw):])
		}})
	}
	return spots
}

// edited returns a JSON object with texts in members of one path. What is removed gets
// another name.
func (f *forger) edited(object, path string, texts []string) string {
	there := gjson.Get(object, path)
	if !there.Exists() {
		with, err := verify.Place{Body: path}.PresentInBody([]byte(object), texts[0])
		if err != nil {
			f.t.Fatal(err)
		}
		return string(with)
	}
	name := strconv.Quote(path[strings.LastIndex(path, ".")+1:])
	begin, end := strings.LastIndex(object[:there.Index], name), there.Index+len(there.Raw)
	if begin < 0 {
		f.t.Fatalf("no member %s", path)
	}
	if len(texts) == 0 {
		return object[:begin] + `"removed":` + object[there.Index:]
	}
	var members []string
	for _, text := range texts {
		value := strconv.Quote(text)
		if there.Type == gjson.Number && text != "" {
			value = text
		}
		members = append(members, name+":"+value)
	}
	return object[:begin] + strings.Join(members, ",") + object[end:]
}
