// Package template is the language of the texts that a provider's file makes from a
// request: the signed content, an id, a type, the answer to a handshake. A text is
// literal, with parts of the request in it: `v0:$timestamp:$body`,
// `$header(X-GitHub-Event).$body(action)`, `$base64($sha256($body))`.
package template

import "iter"

// Kind is the kind of a part.
type Kind int

// The kinds of parts.
const (
	// Literal is text that stands for itself.
	Literal Kind = iota

	// Body is `$body`, the bytes of the body.
	Body

	// BodyPath is `$body(<path>)`, a value in the body or the event.
	BodyPath

	// Timestamp is `$timestamp`, the signed timestamp as it was sent.
	Timestamp

	// Method is `$method`, the HTTP method.
	Method

	// URI is `$uri`, the path and the query as they were sent.
	URI

	// URL is `$url`, the public URL.
	URL

	// Header is `$header(<name>)`, the value of a header.
	Header

	// Query is `$query(<name>)`, the value of a query parameter.
	Query

	// Form is `$form`, the names and values of the parameters of a form.
	Form

	// SHA256 is `$sha256(<template>)`, the 32 bytes of a hash.
	SHA256

	// HMAC is `$hmac(<template>)`, the bytes of a MAC.
	HMAC

	// Hex is `$hex(<template>)`, the bytes in hexadecimal, in lower case.
	Hex

	// Base64 is `$base64(<template>)`, the bytes in base64, with padding.
	Base64

	// JSON is `$json(<template>)`, the text as a JSON string, with its quotes.
	JSON
)

// Part is literal text, a part of the request, or a function of a template.
type Part struct {
	// Kind is the kind of the part.
	Kind Kind

	// Text is the text of a Literal, the path of a BodyPath, the name of a Query, or the
	// name of a Header in its canonical form.
	Text string

	// Inside is the argument of a function.
	Inside Template
}

// Template is a text in pieces. The zero value is the empty text.
type Template []Part

// Is reports whether s is a template where a path may be written too: whether it has
// a `$`. A backslash alone is part of a path.
func Is(s string) bool {
	for i := range len(s) {
		if s[i] == '$' {
			return true
		}
	}
	return false
}

// Has reports whether a part of t, or of a function in it, is of one of the kinds.
func (t Template) Has(kinds ...Kind) bool {
	for part := range t.Parts() {
		for _, kind := range kinds {
			if part.Kind == kind {
				return true
			}
		}
	}
	return false
}

// Parts returns the parts of t. A function is followed by the parts inside it.
func (t Template) Parts() iter.Seq[Part] {
	return func(yield func(Part) bool) { t.walk(yield) }
}

// walk yields the parts, and reports whether to go on.
func (t Template) walk(yield func(Part) bool) bool {
	for _, part := range t {
		if !yield(part) || !part.Inside.walk(yield) {
			return false
		}
	}
	return true
}
