// Package form reads bodies that are HTML forms, in both encodings that browsers have:
// application/x-www-form-urlencoded and multipart/form-data (RFC 7578). Its result is the
// same for the same parameters, in whichever of the two they came.
package form

import (
	"errors"
	"fmt"
	"mime"
	"slices"
	"strings"
	"unicode/utf8"
)

// Media types of forms.
const (
	URLEncoded = "application/x-www-form-urlencoded"
	Multipart  = "multipart/form-data"
)

// MaxParameters is the maximum number of parameters and files of a form. Each of them costs
// memory beside its bytes.
const MaxParameters = 1000

var (
	// ErrBroken is the error of a body that is not the form that its type announces.
	ErrBroken = errors.New("not a form")

	// ErrTooMany is the error of a form with more than MaxParameters parameters.
	ErrTooMany = fmt.Errorf("%w: more than %d parameters", ErrBroken, MaxParameters)
)

// Parameter is a name and a value, both UTF-8.
type Parameter struct{ Name, Value string }

// Form is the parameters of a form, in the order of the body. Files of a multipart form
// are not part of it.
type Form []Parameter

// MediaType returns the media type of a form, without parameters and in lower case; "" for
// a Content-Type of anything else.
func MediaType(contentType string) string {
	mediaType, _, _ := strings.Cut(contentType, ";")
	mediaType = strings.ToLower(strings.TrimSpace(mediaType))
	if mediaType == URLEncoded || mediaType == Multipart {
		return mediaType
	}
	return ""
}

// Parse reads a body of a Content-Type that MediaType knows. The form is not nil. The error
// wraps ErrBroken, and holds nothing of the body.
func Parse(contentType string, body []byte) (f Form, err error) {
	switch MediaType(contentType) {
	case URLEncoded:
		f, err = parseURLEncoded(string(body))
	case Multipart:
		f, err = parseMultipart(contentType, body)
	default:
		return nil, ErrBroken
	}
	if err != nil {
		return nil, err
	}
	for _, p := range f {
		if !utf8.ValidString(p.Name) || !utf8.ValidString(p.Value) {
			return nil, fmt.Errorf("%w: a parameter is not UTF-8", ErrBroken)
		}
	}
	if f == nil {
		f = Form{}
	}
	return f, nil
}

// Get returns the value of a parameter. ok is false if it is not there; if it is there more
// than once, the error wraps ErrBroken.
func (f Form) Get(name string) (value string, ok bool, err error) {
	for _, p := range f {
		if p.Name != name {
			continue
		}
		if ok {
			return "", true, fmt.Errorf("%w: the parameter %s is there more than once", ErrBroken, name)
		}
		value, ok = p.Value, true
	}
	return value, ok, nil
}

// Signed returns the text of a form that signatures are made over: name and value of each
// parameter, sorted by name. A name that is there several times has its different values,
// sorted; Twilio's own libraries do so.
func (f Form) Signed() string {
	sorted := slices.Clone(f)
	slices.SortFunc(sorted, func(a, b Parameter) int {
		if c := strings.Compare(a.Name, b.Name); c != 0 {
			return c
		}
		return strings.Compare(a.Value, b.Value)
	})
	sorted = slices.Compact(sorted)
	var b strings.Builder
	for _, p := range sorted {
		b.WriteString(p.Name)
		b.WriteString(p.Value)
	}
	return b.String()
}

// boundary returns the boundary of a multipart form.
func boundary(contentType string) (string, error) {
	_, parameters, err := mime.ParseMediaType(contentType)
	if err != nil || parameters["boundary"] == "" {
		return "", fmt.Errorf("%w: the Content-Type has no boundary", ErrBroken)
	}
	return parameters["boundary"], nil
}
