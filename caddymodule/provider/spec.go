// Package provider knows providers as data: how one proves its requests, where
// the events are in them, what identifies an event, which type it is, and what
// becomes of its fields. A Spec says so in words that the Caddyfile and JSON
// share; Compile decides everything that can be decided before a request comes.
//
// The built-in providers are files in providers/, in the same words.
package provider

import (
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/subscription"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/verify"
)

// Spec describes a provider.
type Spec struct {
	// Name is the name by which a `webhooks` block uses the provider: lower-case
	// letters, digits and dashes.
	Name string `json:"name"`

	// Docs is the URL of the provider's own page about its webhooks.
	Docs string `json:"docs,omitempty"`

	// Note says what to enter at the provider.
	Note string `json:"note,omitempty"`

	// Verify says how the provider proves its requests.
	Verify Verify `json:"verify"`

	// Handshakes are what the provider asks of a URL besides taking events.
	Handshakes []verify.Handshake `json:"handshakes,omitempty"`

	// Reply says what answers a delivery: `token` is 200 and the token that the
	// request presented; `answer` is the application's own answer, which the
	// provider reads, and a repeat gets the first one again. Default: what the
	// application answers, and 200 for a repeat.
	Reply string `json:"reply,omitempty"`

	// Events is the path of the array that holds the events; `.` when the body is
	// that array. Default: the body is one event.
	Events string `json:"events,omitempty"`

	// ID is where the event's own id stands.
	ID Source `json:"id,omitzero"`

	// Keys lists what identifies an event when it comes again: `id`, `type` (the
	// provider's own) and `hash` (of the event's bytes). An event that lacks one
	// of them is identified by its hash. Default: id, or hash for a provider
	// without one.
	Keys []string `json:"keys,omitempty"`

	// Type is where the event's type stands, and what it is called here.
	Type Type `json:"type"`

	// Time is where the time of the event stands.
	Time *Time `json:"time,omitempty"`

	// Subscriptions describes the provider's own API for its webhooks, if it has
	// one.
	Subscriptions *subscription.API `json:"subscriptions,omitempty"`

	// Redactions lists paths in an event that must not leave the gateway.
	Redactions []string `json:"redactions,omitempty"`

	Rules
}

// Verify says how a provider proves its requests: exactly one of its fields is
// set.
type Verify struct {
	// Signature is for providers that sign what they send.
	Signature *verify.Signature `json:"signature,omitempty"`

	// Token is for providers that present a shared token.
	Token *verify.Token `json:"token,omitempty"`

	// Basic is for providers that use basic auth.
	Basic bool `json:"basic,omitempty"`
}

// Source is where a text stands: in a header, or at the first of the paths that
// exists.
type Source struct {
	// Header is the name of a header.
	Header string `json:"header,omitempty"`

	// Paths lists gjson paths in the event; the first that exists and is not null
	// wins.
	Paths []string `json:"paths,omitempty"`
}

func (s Source) isZero() bool { return s.Header == "" && len(s.Paths) == 0 }

// Type is where the type of an event stands and what it is called.
type Type struct {
	Source

	// Always is the canonical type of every event, for providers that have one.
	Always string `json:"always,omitempty"`

	// Mappings turns the provider's types into canonical ones. A type that is not in
	// it becomes `<provider>.<its own type>`. Without a map, the provider's own
	// words are the canonical ones.
	Mappings []Mapping `json:"mappings,omitempty"`
}

// Mapping is one line of a map.
type Mapping struct {
	// From is the provider's word; `*` in it stands for any characters.
	From string `json:"from"`

	// To is the canonical word.
	To string `json:"to"`
}

// Time is where a time stands.
type Time struct {
	// Paths lists gjson paths in the event; the first that exists and is not null
	// wins.
	Paths []string `json:"paths"`

	// As is how it is written: rfc3339, unix, unix_ms, or a layout of Go's time
	// package, read as UTC unless it has a zone. Default: rfc3339.
	As string `json:"as,omitempty"`
}

// Rules fill in the canonical fields of an event.
type Rules struct {
	// Fields are single values.
	Fields []Field `json:"fields,omitempty"`

	// Lists are arrays.
	Lists []List `json:"lists,omitempty"`

	// Conditions holds rules for some events only. They go before those outside.
	Conditions []Condition `json:"conditions,omitempty"`
}

// Field fills one canonical field. Of several for the same field, the first
// that yields something wins. What is absent, null or empty at the provider is
// absent in the envelope.
type Field struct {
	// Name is the canonical field, such as `contact.name`.
	Name string `json:"name"`

	// Paths lists gjson paths in the event; the first that exists and is not null
	// wins. In a list, `.` is the item itself, and `.key` its name in an object.
	Paths []string `json:"paths,omitempty"`

	// Always is a constant text, instead of a path.
	Always string `json:"always,omitempty"`

	// As says what to make of the value: `text` (strings, and numbers as they
	// are written), `string` (strings only), `lower` (in lower case), `value`
	// (any JSON, as it is), or a time as in Time.As. Default: text.
	As string `json:"as,omitempty"`

	// Mappings turns the provider's words into canonical ones; a word that is not in
	// it is left out.
	Mappings []Mapping `json:"mappings,omitempty"`

	// Required leaves out the whole item of a list that lacks this field.
	Required bool `json:"required,omitempty"`
}

// List fills a canonical array. Several for the same array add to it.
type List struct {
	// Name is the canonical array, such as `message.attachments`.
	Name string `json:"name"`

	// Path is where the items stand: the elements of an array, or one item that
	// is anything else.
	Path string `json:"path"`

	// Members makes each member of an object an item: `.key` is its name, `.`
	// its value.
	Members bool `json:"members,omitempty"`

	// Fields are the fields of each item, with paths inside the item.
	Fields []Field `json:"fields"`
}

// Condition holds rules for some events. Exactly one of Types and Path is set.
type Condition struct {
	// Types are patterns of canonical types: `*` is a whole segment, or at the
	// end all that follow.
	Types []string `json:"types,omitempty"`

	// Path is a gjson path in the event, whose value must be one of Is.
	Path string `json:"path,omitempty"`

	// Values lists words; `*` in them stands for any characters.
	Values []string `json:"values,omitempty"`

	Rules
}
