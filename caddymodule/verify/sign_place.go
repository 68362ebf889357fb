package verify

import (
	"encoding/json"
	"errors"
	"net/url"
	"slices"
	"strings"

	"github.com/tidwall/gjson"
)

// setQuery sets a parameter of the query, in all the forms of the URL.
func (r *Request) setQuery(name, value string) {
	pairs := strings.Split(r.Query, "&")
	pairs = slices.DeleteFunc(pairs, func(pair string) bool {
		before, _, _ := strings.Cut(pair, "=")
		unescaped, err := url.QueryUnescape(before)
		return pair == "" || err == nil && unescaped == name
	})
	r.Query = strings.Join(append(pairs, url.QueryEscape(name)+"="+url.QueryEscape(value)), "&")
	for _, with := range []*string{&r.URI, &r.URL} {
		before, _, _ := strings.Cut(*with, "?")
		*with = before + "?" + r.Query
	}
}

// setBody replaces a JSON body.
func (r *Request) setBody(body string) {
	r.Body, r.JSON = []byte(body), nil
}

// root returns a JSON value whose members have their Index in the text.
func root(text string) gjson.Result {
	start := len(text) - len(strings.TrimLeft(text, " \t\r\n"))
	return gjson.Result{Type: gjson.JSON, Raw: text[start:], Index: start}
}

// setMember returns a JSON object with a text in the member at a path: as a number if a
// number is there.
func setMember(document, path, text string) (string, error) {
	names, err := parseMemberPath(path)
	if err != nil {
		return "", err
	}
	object := root(document)
	for i, name := range names {
		if !object.IsObject() {
			return "", errors.New("the payload is not an object, or has another value than an object on the path " + path)
		}
		member, err := memberPath{name}.find(object)
		switch {
		case errors.Is(err, ErrMissing):
			return insertMember(document, object, names[i:], text), nil
		case err != nil:
			return "", explain(err, "member "+path)
		}
		object = member
	}
	if object.Type != gjson.Number {
		text = quote(text)
	}
	return document[:object.Index] + text + document[object.Index+len(object.Raw):], nil
}

// insertMember inserts a text at a path that is not in the object, which is part of the
// document.
func insertMember(document string, object gjson.Result, names memberPath, text string) string {
	value := quote(text)
	for _, name := range slices.Backward(names[1:]) {
		value = "{" + quote(name) + ":" + value + "}"
	}
	member := quote(names[0]) + ":" + value
	inside := object.Index + 1
	if !strings.HasPrefix(strings.TrimLeft(document[inside:], " \t\r\n"), "}") {
		member += ","
	}
	return document[:inside] + member + document[inside:]
}

func quote(text string) string {
	quoted, _ := json.Marshal(text) // a string does not fail
	return string(quoted)
}
