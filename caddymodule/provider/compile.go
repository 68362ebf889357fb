package provider

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/verify"
)

// program writes the fields of events of one type.
type program struct {
	data         *object
	conversation *member
	contact      *member
}

var (
	namePattern = regexp.MustCompile(`^[a-z][a-z0-9-]*$`)
	typePattern = regexp.MustCompile(`^[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)+$`)
)

// Compile checks the spec and prepares it for requests. The spec must not change
// afterwards. Errors name the provider and the word, but have no line: call it
// where a configuration still has one.
func (s *Spec) Compile() (*Provider, error) {
	p := &Provider{spec: s, scope: newScope(), programs: make(map[string]*program)}
	for _, step := range []func() error{
		p.checkName, func() error { return checkTested(s.Tested) }, p.checkVerify, p.checkDefaults, p.compileHandshakes, p.checkReply, p.checkSubscriptions,
		p.compileEvents, p.checkEach, p.compileType, p.compileID, p.compileTime,
		p.compilePrograms, p.checkPerEvent, p.compileRedactions, p.scope.check,
	} {
		if err := step(); err != nil {
			return nil, fmt.Errorf("provider %s: %w", s.Name, err)
		}
	}
	slots := p.scope.slots
	p.found.New = func() any {
		v := make(values, slots)
		return &v
	}
	return p, nil
}

func (p *Provider) compileType() error {
	t := p.spec.Type
	if t.Always != "" {
		if !t.isZero() || t.Has != nil || t.Mappings != nil {
			return errors.New(`"type always" takes no path and no map`)
		}
		return checkType(t.Always)
	}
	if t.isZero() && t.Has == nil {
		return errors.New(`"type" is required: paths and templates, "header" and a name, "has" and paths, or "always" and a type`)
	}
	if err := checkMappings(t.Mappings); err != nil {
		return fmt.Errorf("type: %w", err)
	}
	for _, pair := range t.Mappings {
		if err := checkTypeMapping(pair); err != nil {
			return err
		}
	}
	p.words = newWordMap(t.Mappings)
	for _, path := range t.Has {
		slot, err := p.scope.slot(path)
		if err != nil {
			return fmt.Errorf("type: %w", err)
		}
		p.has = append(p.has, slot)
	}
	return p.compileSource("type", t.Source, &p.ownType)
}

// compileSource sets slots to those of a source of one text.
func (p *Provider) compileSource(word string, s Source, slots *[]int) (err error) {
	if err = s.checkOne(); err != nil {
		return fmt.Errorf("%s: %w", word, err)
	}
	if *slots, err = p.scope.source(s); err != nil {
		return fmt.Errorf("%s: %w", word, err)
	}
	return nil
}

func (p *Provider) compileTime() error {
	t := p.spec.Time
	if t == nil {
		return nil
	}
	if t.isZero() {
		return errors.New("time: a path is required")
	}
	p.timeAs = verify.RFC3339
	if t.As != "" {
		var err error
		if p.timeAs, err = newTimeFormat(t.As); err != nil {
			return fmt.Errorf("time: %w", err)
		}
	}
	return p.compileSource("time", t.Source, &p.time)
}

func (p *Provider) compilePrograms() error {
	if err := p.checkTypes(p.spec.Rules); err != nil {
		return err
	}
	for _, t := range p.CanonicalTypes() {
		program, err := p.compileProgram(t)
		if err != nil {
			return err
		}
		p.programs[t] = program
	}
	var err error
	p.unknown, err = p.compileProgram("")
	return err
}

func (p *Provider) compileProgram(eventType string) (*program, error) {
	b := builder{eventType: eventType, scope: p.scope, canBeUnknown: p.canBeUnknown}
	if err := b.add(p.spec.Rules, nil, 0); err != nil {
		return nil, err
	}
	b.data.sort()
	return &program{
		data:         &b.data,
		conversation: b.data.lookup("conversation", "id"),
		contact:      b.data.lookup("contact", "id"),
	}, nil
}

func (p *Provider) compileRedactions() error {
	p.redactEvent, p.redactBody = make(redaction), make(redaction)
	prefixes := []string{""}
	if p.events != nil {
		prefixes = p.spec.Events.prefixes()
	}
	for _, path := range p.spec.Redactions {
		if outer, ok := strings.CutPrefix(path, outerPath); ok {
			if err := p.redactAround(path, outer); err != nil {
				return err
			}
			continue
		}
		if err := p.redactEvent.add(path); err != nil {
			return err
		}
		for _, prefix := range prefixes {
			if err := p.redactBody.add(prefix + path); err != nil {
				return err
			}
		}
	}
	if err := p.redactProof(p.events == nil); err != nil || p.events == nil {
		return err
	}
	p.events.setRedaction(p.redactBody)
	return nil
}

// redactAround makes a path in the objects around the events redacted. path is the same
// as it is written, for the error.
func (p *Provider) redactAround(path, outer string) error {
	if p.events == nil {
		return fmt.Errorf(`redact %q: ".." is what is around an event, which works only with "events"`, path)
	}
	for _, prefix := range p.spec.Events.around() {
		if err := p.redactBody.add(prefix + outer); err != nil {
			return err
		}
	}
	for _, events := range p.spec.Events.Paths {
		if steps, err := eventSteps(events); err != nil || p.redactBody.removes(steps) {
			return fmt.Errorf("redact %q: the events are in it; name a member that holds none of them", path)
		}
	}
	return nil
}

// redactProof makes the credentials in the body redacted. isWhole reports whether the
// event is the body.
func (p *Provider) redactProof(isWhole bool) error {
	v := p.spec.Verify
	each := ""
	if v.Signature != nil {
		each = v.Signature.Each
	}
	for _, place := range v.Places() {
		if place.Body == "" {
			continue
		}
		inBody := []string{place.Body}
		if each != "" {
			// The elements are in an array at the end, or there is one.
			inBody = []string{each + "." + place.Body, each + "." + eachElement + "." + place.Body}
		}
		for _, path := range inBody {
			if err := p.redactBody.add(path); err != nil {
				return err
			}
		}
		if !isWhole && each == "" {
			continue // it is outside of the events
		}
		if err := p.redactEvent.add(place.Body); err != nil {
			return err
		}
	}
	return nil
}
