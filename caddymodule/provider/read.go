package provider

import (
	"strings"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/envelope"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/verify"
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

	// DedupKey identifies the event within its source. It is not for people to read.
	DedupKey string

	// MissingID reports that the provider has ids, but this event has none, so its
	// hash is used instead.
	MissingID bool
}

// Read reads an event that Split returned, from a request without which templates and
// headers have no value.
func (p *Provider) Read(raw Raw, request *verify.Request) Event {
	found := p.found.Get().(*values)
	defer func() {
		clear(*found) // or it would keep the body in memory
		p.found.Put(found)
	}()
	var e Event
	// Redacted members are not read either.
	e.Original = p.redactEvent.apply(strings.Trim(raw.Text, jsonSpace))
	p.scope.root.read(value(e.Original), *found)
	p.scope.fill(*found, request, raw.around)
	e.Provider, e.OriginalType = p.spec.Name, p.originalType(request)
	if own := p.ownTypeOf(*found); envelope.ValidAttribute(own) {
		e.ProviderType = own
	}
	e.Type = p.canonicalType(e.ProviderType)
	p.identify(&e, raw.Text, *found)
	var buf [48]byte // room for any time
	e.Time = string(p.timeAs.append(buf[:0], found.first(p.time)))

	program := p.programs[e.Type]
	if program == nil {
		program = p.unknown
		if p.scope.typ > 0 {
			(*found)[p.scope.typ-1] = value(envelope.AppendString(nil, e.Type))
		}
	}
	e.Subject, e.PartitionKey = program.subject(*found)
	e.Fields, _ = program.data.appendMembers(make([]byte, 0, fieldsSize+len(e.Original)), *found)
	if p.asRequest {
		e.Original = p.redactBody.apply(raw.request())
	}
	return e
}

// ReadWhole returns the event for a request that is forwarded as it came. That is its
// only event, or, for a provider that sends batches, the batch, identified by the
// hash of the body. Its Original is the body without the redacted members.
func (p *Provider) ReadWhole(body string, events []Raw, request *verify.Request) Event {
	var e Event
	if len(events) == 1 {
		e = p.Read(events[0], request)
	} else {
		e = Event{Event: envelope.Event{Provider: p.spec.Name}}
	}
	if p.IsBatch() {
		e.DedupKey = hashKey(body)
		e.ID = e.DedupKey[len(keySeparator):]
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

// textOf returns the text of the first value of the slots, if it is a string or a
// number.
func (v values) textOf(slots []int) string {
	first := v.first(slots)
	if first.isBool() {
		return ""
	}
	return first.text()
}

// ownTypeOf returns the provider's own type of an event.
func (p *Provider) ownTypeOf(found values) string {
	if own := found.textOf(p.ownType); own != "" {
		return own
	}
	for i, slot := range p.has {
		if !found.get(slot).isNull() {
			return p.spec.Type.Has[i]
		}
	}
	return ""
}
