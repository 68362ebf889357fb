package provider

import (
	"slices"
	"strings"
	"sync"
)

// Provider is a compiled Spec. It is safe for concurrent use.
type Provider struct {
	spec *Spec

	events    *eventNode // nil if the body is the event
	asRequest bool       // whether the original of an event is its request

	scope    *scope
	programs map[string]*program // by canonical type
	unknown  *program            // for all other types
	words    *wordMap            // nil without a map of types
	id       []int               // slots
	ownType  []int               // slots
	has      []int               // slots of Spec.Type.Has
	time     []int               // slots
	timeAs   timeFormat
	key      []keyPart

	handshakes map[string][]*Responder // by method

	redactEvent redaction
	redactBody  redaction

	found sync.Pool // of *values
}

// Spec returns the description that the provider was compiled from.
func (p *Provider) Spec() *Spec { return p.spec }

// Name returns the provider's name.
func (p *Provider) Name() string { return p.spec.Name }

// IsBatch reports whether a request can hold several events.
func (p *Provider) IsBatch() bool { return p.events != nil }

// KeyIsHash reports whether nothing but its content, and perhaps its type, identifies an
// event, so that two events can have one key.
func (p *Provider) KeyIsHash() bool {
	return !slices.ContainsFunc(p.key, func(part keyPart) bool { return part.word != keyHash && part.word != keyType })
}

// CanonicalTypes returns the canonical types that the provider is known to
// send, in the order of its file.
func (p *Provider) CanonicalTypes() []string {
	if p.spec.Type.Always != "" {
		return []string{p.spec.Type.Always}
	}
	var types []string
	for _, pair := range p.spec.Type.Mappings {
		if !slices.Contains(types, pair.To) {
			types = append(types, pair.To)
		}
	}
	return types
}

// KnowsType reports whether t is one of CanonicalTypes.
func (p *Provider) KnowsType(t string) bool { return p.programs[t] != nil }

func (p *Provider) unknownType() string { return p.spec.Name + ".unknown" }

// canonicalType returns the canonical type of the provider's own type.
func (p *Provider) canonicalType(own string) string {
	switch {
	case p.spec.Type.Always != "":
		return p.spec.Type.Always
	case own == "":
		return p.unknownType()
	case p.words != nil:
		if to, ok := p.words.lookup(own); ok {
			return to
		}
	}
	return strings.Join([]string{p.spec.Name, own}, ".")
}
