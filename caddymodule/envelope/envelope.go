// Package envelope writes the one form in which every event leaves the gateway:
// a CloudEvents 1.0 event in structured JSON, wrapped around the provider's own
// bytes, and signed as Standard Webhooks.
//
// See https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/formats/json-format.md
// and https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md.
package envelope

import (
	"strings"
	"time"

	"github.com/tidwall/gjson"
)

// ContentType is the media type of an envelope.
const ContentType = "application/cloudevents+json; charset=utf-8"

// Event holds the parts of an envelope. Empty attributes are left out; ID, Source,
// Type and Provider must not be empty.
type Event struct {
	// ID is the provider's own id of the event, or the Hash of its bytes.
	ID string

	// Source is the URI-reference of the block that received the event.
	Source string

	// Type is the canonical type, or `<provider>.<its own type>`.
	Type string

	// Subject is `conversations/<id>` or `contacts/<id>`.
	Subject string

	// Time is when the event happened, in RFC 3339 and UTC, in the years 1 to 9999.
	Time string

	// Recorded is when the gateway received the event.
	Recorded time.Time

	// PartitionKey groups the events whose order matters.
	PartitionKey string

	// Provider is the name of the provider.
	Provider string

	// ProviderType is the provider's own type.
	ProviderType string

	// OriginalType is the media type of the request's body if Original was made from it,
	// such as that of a form; empty if the body was JSON.
	OriginalType string

	// TraceParent and TraceState are the trace of the request that brought the event, as
	// in https://github.com/cloudevents/spec/blob/main/cloudevents/extensions/distributed-tracing.md.
	TraceParent, TraceState string

	// Fields are the canonical members of `data`: JSON members separated by
	// commas, without the braces around them.
	Fields []byte

	// Original is the provider's event: valid JSON, copied as it is.
	Original string
}

// Append appends the envelope to dst.
func (e *Event) Append(dst []byte) []byte {
	dst = append(dst, `{"specversion":"1.0"`...)
	dst = appendAttribute(dst, `,"id":`, e.ID)
	dst = appendAttribute(dst, `,"source":`, e.Source)
	dst = appendAttribute(dst, `,"type":`, e.Type)
	dst = appendAttribute(dst, `,"subject":`, e.Subject)
	dst = appendAttribute(dst, `,"time":`, e.Time)
	dst = append(dst, `,"recordedtime":"`...)
	dst = appendMicroseconds(dst, e.Recorded)
	dst = append(dst, '"')
	dst = appendAttribute(dst, `,"partitionkey":`, e.PartitionKey)
	dst = appendAttribute(dst, `,"provider":`, e.Provider)
	dst = appendAttribute(dst, `,"providertype":`, e.ProviderType)
	dst = appendAttribute(dst, `,"originaltype":`, e.OriginalType)
	dst = appendAttribute(dst, `,"traceparent":`, e.TraceParent)
	dst = appendAttribute(dst, `,"tracestate":`, e.TraceState)
	dst = append(dst, `,"datacontenttype":"application/json","data":{`...)
	if len(e.Fields) > 0 {
		dst = append(dst, e.Fields...)
		dst = append(dst, ',')
	}
	dst = append(dst, `"original":`...)
	dst = append(dst, e.Original...)
	return append(dst, "}}"...)
}

// appendMicroseconds appends t in RFC 3339 and UTC, to the microsecond.
func appendMicroseconds(dst []byte, t time.Time) []byte {
	t = t.UTC()
	dst = t.AppendFormat(dst, time.RFC3339) // which has a fast path that longer layouts lack
	dst = append(dst[:len(dst)-len("Z")], '.')
	for unit := 100_000_000; unit >= 1000; unit /= 10 {
		dst = append(dst, '0'+byte(t.Nanosecond()/unit%10))
	}
	return append(dst, 'Z')
}

// Size is an upper estimate of the envelope's length in bytes, with which Append
// needs one allocation.
func (e *Event) Size() int {
	return 384 + len(e.Fields) + len(e.Original) +
		len(e.ID) + len(e.Source) + len(e.Type) + len(e.Subject) + len(e.Time) +
		len(e.PartitionKey) + len(e.Provider) + len(e.ProviderType) + len(e.OriginalType) + len(e.TraceParent) + len(e.TraceState)
}

func appendAttribute(dst []byte, name, value string) []byte {
	if value == "" {
		return dst
	}
	dst = append(dst, name...)
	return AppendString(dst, value)
}

// AppendString appends s as a JSON string. A text without escapes, as nearly all are,
// is copied.
func AppendString(dst []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c >= 0x7f || c == '"' || c == '\\' {
			return gjson.AppendJSONString(dst, s)
		}
	}
	dst = append(dst, '"')
	dst = append(dst, s...)
	return append(dst, '"')
}

// MaxAttribute is the maximum length in bytes of an attribute from a payload.
// Consumers of CloudEvents need not accept events of more than 64 KiB, and an
// attribute also becomes a placeholder.
const MaxAttribute = 1024

// ValidAttribute reports whether s is a valid value of a CloudEvents attribute: not
// blank, without control characters, surrogates and noncharacters, and not longer
// than MaxAttribute. See "Type System" in
// https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/spec.md.
func ValidAttribute(s string) bool {
	if len(s) > MaxAttribute || strings.TrimSpace(s) == "" {
		return false
	}
	for _, r := range s {
		if 0x20 <= r && r < 0x7f {
			continue
		}
		switch {
		case r < 0x20, 0x7f <= r && r <= 0x9f: // control characters
			return false
		case r == '\uFFFD': // a lone surrogate or invalid UTF-8, decoded
			return false
		case 0xfdd0 <= r && r <= 0xfdef, r&0xfffe == 0xfffe: // noncharacters
			return false
		}
	}
	return true
}
