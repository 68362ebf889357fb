// Package provider describes webhook providers as data: how a provider proves
// its requests, where the events are in them, what identifies an event, which
// type it has, and which of its values become canonical fields. A Spec holds that
// description, in the same words in the Caddyfile and in JSON. Compile checks it,
// and does all the work that does not depend on a request.
//
// The built-in providers are files in providers/. README.md describes the
// language.
package provider

import (
	"github.com/caddyserver/caddy/v2"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/subscription"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/verify"
)

// Spec describes a provider.
type Spec struct {
	// The name by which a `webhooks` block uses the provider: lower-case letters,
	// digits and dashes, beginning with a letter.
	Name string `json:"name"`

	// The URL of the provider's own page about its webhooks. It is shown by
	// `caddy webhooks providers`.
	Docs string `json:"docs,omitempty"`

	// What to enter at the provider. It is shown by `caddy webhooks providers`.
	Note string `json:"note,omitempty"`

	// The heading under which `caddy webhooks providers` lists the provider.
	Group string `json:"group,omitempty"`

	// What the tests check the proof with: `vector` is an example that the vendor
	// publishes, `library` the vendor's own library, `page` a second implementation
	// made from the vendor's page. Default: nothing.
	Tested string `json:"tested,omitempty"`

	// How the provider proves its requests.
	Verify Verify `json:"verify"`

	// The requests other than events that the provider sends to a URL. The gateway
	// answers them itself.
	Handshakes []Handshake `json:"handshakes,omitempty"`

	// The answer to a delivery. Default: the application's answer, and 200 for a
	// duplicate.
	Reply Reply `json:"reply,omitzero"`

	// Whether bodies may be forms, by their Content-Type. Default: bodies are JSON.
	Form *Form `json:"form,omitempty"`

	// Where the events are. Default: the body is one event.
	Events Events `json:"events,omitzero"`

	// Where the event's own id is.
	ID Source `json:"id,omitzero"`

	// What identifies an event when it comes again: `id`, `type` (the provider's
	// own), `hash` (of the event's bytes) and templates. An event that lacks one of
	// them is identified by its hash. Default: `id`, or `hash` for a provider without
	// ids.
	Keys []string `json:"keys,omitempty"`

	// Where the event's type is, and which canonical type it becomes.
	Type Type `json:"type"`

	// Where the time of the event is. Default: events have no time.
	Time *Time `json:"time,omitempty"`

	// The default of a block's `tolerance`. Default: five minutes.
	Tolerance caddy.Duration `json:"tolerance,omitempty"`

	// The default of the window of a block's `dedup`, for a provider that sends an event
	// again after a longer time. Default: a day, or five minutes where nothing but the
	// hash of its bytes identifies an event.
	Dedup caddy.Duration `json:"dedup,omitempty"`

	// The provider's own API for its webhooks. Default: the provider has none.
	Subscriptions *subscription.API `json:"subscriptions,omitempty"`

	// The paths in an event, or with `..` around it, that must not leave the gateway.
	Redactions []string `json:"redactions,omitempty"`

	Rules
}

// Verify describes how a provider proves its requests. Exactly one of its fields
// is set.
type Verify struct {
	// The signature, for a provider that signs its requests.
	Signature *verify.Signature `json:"signature,omitempty"`

	// The places of the token, for a provider that presents a shared token.
	Token *verify.Token `json:"token,omitempty"`

	// The JSON Web Token, for a provider that presents one.
	JWT *verify.JWT `json:"jwt,omitempty"`

	// Whether the provider uses basic auth.
	Basic bool `json:"basic,omitempty"`
}

// Source is where a value comes from: a header, or the first of the paths and
// templates that yields one.
type Source struct {
	// The name of a header.
	Header string `json:"header,omitempty"`

	// The gjson paths in the event, and templates, which are the ones with a `$`. The
	// first path that exists and is not null counts, or the first template of which no
	// part is absent. A path that begins with `..` is looked up in the nearest object
	// around the event that has it.
	Paths []string `json:"paths,omitempty"`
}

// Events is where the events are in a body.
type Events struct {
	// The paths of the events: names of members, and `#` for each element of an array.
	// What is there is an array of events, or one event that is an object; `.` is the
	// body. Several paths add up. An object that holds events of an earlier path is not
	// an event of a later one.
	Paths []string `json:"paths,omitempty"`

	// What the original of an event is: `request` is the body without the other events.
	// Default: the event alone.
	As string `json:"as,omitempty"`
}

func (s Source) isZero() bool { return s.Header == "" && len(s.Paths) == 0 }

// Type is the place of an event's type, and what becomes of it.
type Type struct {
	Source

	// The gjson paths in the event, of which the first one that exists and is not null
	// is the provider's type, as it is written here. They count after Source.
	Has []string `json:"has,omitempty"`

	// The canonical type of every event, for a provider that has only one.
	Always string `json:"always,omitempty"`

	// The canonical types of the provider's types. A type without a mapping becomes
	// `<provider>.<its own type>`.
	Mappings []Mapping `json:"mappings,omitempty"`
}

// Mapping maps a word of the provider to a canonical one.
type Mapping struct {
	// The provider's word. `*` matches any characters.
	From string `json:"from"`

	// The canonical word.
	To string `json:"to"`
}

// Time is where a time comes from.
type Time struct {
	Source

	// The format of the time: `rfc3339`, `unix` (seconds, or milliseconds from 12 digits
	// on), `unix_ms`, or a layout of Go's time package, read as UTC unless it has a
	// zone. Default: `rfc3339`.
	As string `json:"as,omitempty"`
}

// Rules fill in the canonical fields of an event.
type Rules struct {
	// The rules for single values.
	Fields []Field `json:"fields,omitempty"`

	// The rules for arrays.
	Lists []List `json:"lists,omitempty"`

	// The rules for some events only. They go before those outside.
	Conditions []Condition `json:"conditions,omitempty"`
}

// Field fills in one canonical field. Of several for the same field, the first
// that yields a value counts. A value that is absent, null or empty at the
// provider is absent from the envelope.
type Field struct {
	// The canonical field, such as `contact.name`.
	Name string `json:"name"`

	// In a list, paths are inside of the item: `.` is the item itself, and `.key` its
	// name in an object.
	Source

	// A constant text, instead of a source.
	Always string `json:"always,omitempty"`

	// The form of the value: `text` (strings, and numbers as they are written),
	// `string` (strings only), `lower` (strings in lower case), `value` (any JSON, as
	// it is), or a time as in Time.As. Default: `text`.
	As string `json:"as,omitempty"`

	// The canonical words of the provider's words. A word without a mapping is left
	// out. Default: words stay as they are.
	Mappings []Mapping `json:"mappings,omitempty"`

	// Whether an item of a list is left out when it lacks this field.
	Required bool `json:"required,omitempty"`
}

// List fills in a canonical array. Several lists for the same array add to it.
type List struct {
	// The canonical array, such as `message.attachments`.
	Name string `json:"name"`

	// The gjson path of the items: the elements of an array, or one item that is
	// any other value.
	Path string `json:"path"`

	// Whether the items are the members of an object: `.key` is the name of a member,
	// `.` its value.
	Members bool `json:"members,omitempty"`

	// The fields of each item, with paths inside of the item.
	Fields []Field `json:"fields"`
}

// Condition holds rules for some events. Exactly one of Types and Path is set.
type Condition struct {
	// The patterns of canonical types. `*` is a whole segment, or at the end all
	// segments that follow.
	Types []string `json:"types,omitempty"`

	// The gjson path in the event of a value that must be one of Values.
	Path string `json:"path,omitempty"`

	// Whether the value must be none of Values. A value that is absent is none of them.
	Not bool `json:"not,omitempty"`

	// The values at Path. `*` stands for any characters, so that it alone is any value.
	Values []string `json:"values,omitempty"`

	Rules
}
