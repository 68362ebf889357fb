package provider

import (
	"net/http"
	"slices"
	"strings"

	"github.com/tidwall/gjson"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/envelope"
)

// jsonSpace is the white space of JSON.
const jsonSpace = " \t\r\n"

// fieldsSize is the number of bytes by which an event's fields can be longer than
// its original before they need a second allocation.
const fieldsSize = 128

// Event is an event that was read from a request.
type Event struct {
	// Event has all attributes but Source and Recorded.
	envelope.Event

	// DedupKey identifies the event within its source.
	DedupKey string

	// MissingID reports that the provider has ids, but this event has none, so its
	// hash is used instead.
	MissingID bool
}

// Split returns the bytes of each event in a body, which must have passed
// envelope.Check. The error is ErrNoEvent, ErrNotArray or ErrTooMany.
func (p *Provider) Split(body string) ([]string, error) {
	if p.spec.Events == "" {
		if !strings.HasPrefix(strings.TrimLeft(body, jsonSpace), "{") {
			return nil, ErrNoEvent
		}
		return []string{body}, nil
	}
	array := gjson.Parse(body)
	if p.spec.Events != itemPath {
		array = array.Get(p.spec.Events)
	}
	switch {
	case array.Type == gjson.Null:
		return nil, ErrNoEvent
	case !array.IsArray():
		return nil, ErrNotArray
	}
	events := make([]string, 0, 1)
	array.ForEach(func(_, event gjson.Result) bool {
		events = append(events, event.Raw)
		return len(events) <= MaxEvents
	})
	switch {
	case len(events) > MaxEvents:
		return nil, ErrTooMany
	case len(events) == 0:
		return nil, ErrNoEvent
	}
	return events, nil
}

// Read reads an event that Split returned. The header is that of the request.
func (p *Provider) Read(raw string, header http.Header) Event {
	found := p.found.Get().(*values)
	defer func() {
		clear(*found) // or it would keep the body in memory
		p.found.Put(found)
	}()
	var e Event
	// Redacted members are not read either.
	e.Original = p.redactEvent.apply(strings.Trim(raw, jsonSpace))
	p.scope.root.read(value(e.Original), *found)
	e.Provider = p.spec.Name
	if own := p.ownType.text(*found, header); envelope.ValidAttribute(own) {
		e.ProviderType = own
	}
	e.Type = p.canonicalType(e.ProviderType)
	p.identify(&e, raw, *found, header)
	var buf [48]byte // room for any time
	e.Time = string(p.timeAs.append(buf[:0], found.first(p.time.slots)))

	program := p.programs[e.Type]
	if program == nil {
		program = p.unknown
		if p.scope.typ > 0 {
			(*found)[p.scope.typ-1] = value(envelope.AppendString(nil, e.Type))
		}
	}
	e.Subject, e.PartitionKey = program.subject(*found)
	e.Fields, _ = program.data.appendMembers(make([]byte, 0, fieldsSize+len(e.Original)), *found)
	return e
}

// identify sets the event's id and dedup key.
func (p *Provider) identify(e *Event, raw string, found values, header http.Header) {
	id := p.id.text(found, header)
	if !envelope.ValidAttribute(id) {
		id = ""
	}
	hash := ""
	if id == "" || slices.Contains(p.key, keyHash) {
		hash = envelope.Hash(raw)
	}
	e.ID = id
	if id == "" {
		e.ID = hash
		e.MissingID = !p.spec.ID.isZero()
	}
	parts := make([]string, 0, 3)
	for _, part := range p.key {
		text := hash
		switch part {
		case keyID:
			text = id
		case keyType:
			text = e.ProviderType
		}
		if text == "" && hash == "" {
			hash = envelope.Hash(raw)
		}
		if text == "" {
			e.DedupKey = hash
			return
		}
		parts = append(parts, text)
	}
	e.DedupKey = strings.Join(parts, "/")
}

// ReadWhole returns the event for a request that is forwarded as it came. That is its
// only event, or, for a provider that sends batches, the batch, identified by the
// hash of the body. Its Original is the body without the redacted members.
func (p *Provider) ReadWhole(body string, events []string, header http.Header) Event {
	var e Event
	if len(events) == 1 {
		e = p.Read(events[0], header)
	} else {
		e = Event{Event: envelope.Event{Provider: p.spec.Name}}
	}
	if p.IsBatch() {
		e.ID = envelope.Hash(body)
		e.DedupKey = e.ID
		e.MissingID = false
	}
	e.Original = p.redactBody.apply(body)
	return e
}

// subject returns the event's subject and partition key, from the id of the
// conversation, or else of the contact.
func (pr *program) subject(found values) (subject, partitionKey string) {
	if id := pr.conversation.text(found); envelope.ValidAttribute(id) {
		return "conversations/" + id, id
	}
	if id := pr.contact.text(found); envelope.ValidAttribute(id) {
		return "contacts/" + id, id
	}
	return "", ""
}

// text returns the text of a string or number.
func (s source) text(found values, header http.Header) string {
	if s.header != "" {
		return header.Get(s.header)
	}
	v := found.first(s.slots)
	if v.isBool() {
		return ""
	}
	return v.text()
}
