package provider

import (
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/tidwall/gjson"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/envelope"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/subscription"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/verify"
)

// What may identify an event.
const (
	keyID   = "id"
	keyType = "type"
	keyHash = "hash"
)

// Kinds of Spec.Reply.
const (
	// ReplyToken answers with the token that the request presented.
	ReplyToken = "token"

	// ReplyAnswer answers with what the application answers.
	ReplyAnswer = "answer"
)

// MaxEvents is how many events one request may hold.
const MaxEvents = 1000

// Why a body holds no events that can be taken.
var (
	// ErrNoEvent says that there is none.
	ErrNoEvent = errors.New("no event")

	// ErrNotArray says that something else stands where the events should be.
	ErrNotArray = errors.New("the events are not an array")

	// ErrTooMany says that there are more than MaxEvents.
	ErrTooMany = fmt.Errorf("more than %d events", MaxEvents)
)

// Provider is a compiled Spec. It is safe for concurrent use.
type Provider struct {
	spec *Spec

	scope    *scope
	programs map[string]*program // by canonical type
	unknown  *program            // for all other types
	words    *wordMap            // nil when the provider's types are canonical
	id       source
	eventTyp source
	time     source
	timeAs   timeFormat
	key      []string

	redactEvent redaction
	redactBody  redaction

	found sync.Pool // of *values
}

// program writes the fields of events of one type.
type program struct {
	data         *object
	conversation *member
	contact      *member
}

// source is a compiled Source.
type source struct {
	header string
	slots  []int
}

var (
	namePattern = regexp.MustCompile(`^[a-z][a-z0-9-]*$`)
	typePattern = regexp.MustCompile(`^[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)+$`)
)

// Compile checks a spec and prepares it for use. The spec must not change
// afterwards.
func (s *Spec) Compile() (*Provider, error) {
	p := &Provider{spec: s, scope: newScope(), programs: make(map[string]*program)}
	for _, step := range []func() error{
		p.checkName, p.checkVerify, p.checkHandshakes, p.checkReply, p.checkSubscriptions,
		p.compileEvents, p.compileType, p.compileID, p.compileTime,
		p.compilePrograms, p.compileRedactions, p.scope.root.check,
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

func (p *Provider) checkName() error {
	if !namePattern.MatchString(p.spec.Name) {
		return errors.New("a name is lower-case letters, digits and dashes, a letter first")
	}
	return nil
}

func (p *Provider) checkVerify() error {
	v := p.spec.Verify
	n := 0
	for _, set := range []bool{v.Signature != nil, v.Token != nil, v.Basic} {
		if set {
			n++
		}
	}
	if n != 1 {
		return errors.New("it needs one `verify`: hmac, ed25519, token or basic")
	}
	if v.Signature != nil {
		if err := v.Signature.Validate(); err != nil {
			return fmt.Errorf("verify: %w", err)
		}
	}
	if v.Token != nil {
		return checkPlaces(v.Token.Places)
	}
	return nil
}

func checkPlaces(places []verify.Place) error {
	if len(places) == 0 {
		return errors.New("verify token: it needs a `from`: bearer, header, query or body")
	}
	for _, place := range places {
		if err := place.Validate(); err != nil {
			return fmt.Errorf("verify token: %w", err)
		}
	}
	return nil
}

func (p *Provider) checkHandshakes() error {
	for i := range p.spec.Handshakes {
		h := &p.spec.Handshakes[i]
		n := 0
		for _, set := range []bool{h.Query != "", h.Body != "", h.Reply != "", h.Empty} {
			if set {
				n++
			}
		}
		switch {
		case n != 1:
			return errors.New("handshake: one of query, body, reply and empty")
		case h.Query != "" && slices.ContainsFunc(p.spec.Handshakes[:i], func(h verify.Handshake) bool { return h.Query != "" }):
			return errors.New("handshake query: there is one already; remove one")
		case h.Query != "" && h.Token == "":
			return errors.New("handshake query: it needs `token <parameter>`, by which the GET proves itself")
		case h.Query == "" && h.Token != "":
			return errors.New("handshake: token is for query")
		case h.Reply != "" && h.When == nil:
			return errors.New("handshake reply: it needs `when <path> <value>`, or it would answer every event")
		case h.When != nil && (h.When.Path == "" || h.When.Is == ""):
			return errors.New("handshake: when needs a path and a value")
		case h.When != nil && h.Body == "" && h.Reply == "":
			return errors.New("handshake: when is for body and reply")
		case h.ContentType != "" && h.Reply == "":
			return errors.New("handshake: a content type is for reply")
		}
		for _, path := range h.Paths() {
			if err := checkPath(path); err != nil {
				return fmt.Errorf("handshake: path %q: %w", path, err)
			}
		}
	}
	return nil
}

func (p *Provider) checkReply() error {
	switch p.spec.Reply {
	case "":
	case ReplyToken:
		if p.spec.Verify.Token == nil {
			return errors.New("reply token: only a provider proved by a token can get it back")
		}
	case ReplyAnswer:
		if p.spec.Events != "" {
			return errors.New("reply answer: one request with several events cannot have one answer; remove events")
		}
	default:
		return fmt.Errorf("unknown reply %q: use token or answer", p.spec.Reply)
	}
	return nil
}

func (p *Provider) checkSubscriptions() error {
	api := p.spec.Subscriptions
	if api == nil {
		return nil
	}
	if err := api.Validate(); err != nil {
		return fmt.Errorf("subscriptions: %w", err)
	}
	token := p.spec.Verify.Token
	isInURL := func(place verify.Place) bool { return place.Query != "" }
	if token != nil && !api.Has(subscription.FieldToken) && !slices.ContainsFunc(token.Places, isInURL) {
		return errors.New("subscriptions: its API cannot be told the token: it needs a `field token`, or in verify token a `from query`, for the URL")
	}
	return nil
}

func (p *Provider) compileEvents() error {
	if p.spec.Events == "" || p.spec.Events == itemPath {
		return nil
	}
	if err := checkPath(p.spec.Events); err != nil {
		return fmt.Errorf("events: path %q: %w", p.spec.Events, err)
	}
	return nil
}

func (p *Provider) compileType() error {
	t := p.spec.Type
	if t.Always != "" {
		if !t.isZero() || t.Mappings != nil {
			return errors.New("type always: a constant has no path and no map")
		}
		return checkType(t.Always)
	}
	if t.isZero() {
		return errors.New("it needs a `type`: the path or the header that says which event it is, or always and a type")
	}
	if err := checkMap(t.Mappings); err != nil {
		return fmt.Errorf("type: %w", err)
	}
	for _, pair := range t.Mappings {
		if err := checkType(pair.To); err != nil {
			return err
		}
	}
	p.words = newWordMap(t.Mappings)
	var err error
	p.eventTyp, err = p.compileSource("type", t.Source)
	return err
}

// checkType checks a canonical type.
func checkType(t string) error {
	if !typePattern.MatchString(t) {
		return fmt.Errorf("type %q: a canonical type is lower-case words with dots between, such as message.created", t)
	}
	return nil
}

func (p *Provider) compileSource(word string, s Source) (source, error) {
	if s.Header != "" {
		if len(s.Paths) > 0 {
			return source{}, fmt.Errorf("%s: either a header or paths", word)
		}
		if err := verify.CheckHeaderName(s.Header); err != nil {
			return source{}, fmt.Errorf("%s: %w", word, err)
		}
		return source{header: http.CanonicalHeaderKey(s.Header)}, nil
	}
	var compiled source
	for _, path := range s.Paths {
		slot, err := p.scope.slot(path)
		if err != nil {
			return source{}, fmt.Errorf("%s: %w", word, err)
		}
		compiled.slots = append(compiled.slots, slot)
	}
	return compiled, nil
}

func (p *Provider) compileID() error {
	id := p.spec.ID
	p.key = p.spec.Keys
	if len(p.key) == 0 {
		p.key = []string{keyID}
		if id.isZero() {
			p.key = []string{keyHash}
		}
	}
	if err := checkKey(p.key); err != nil {
		return err
	}
	for _, part := range p.key {
		switch part {
		case keyID:
			if id.isZero() {
				return errors.New("key id: it needs an `id` that says where the id stands")
			}
		case keyType:
			if p.spec.Type.Always != "" {
				return errors.New("key type: all events have the same type")
			}
		}
	}
	if slices.Equal(p.key, []string{keyType}) {
		return errors.New("key type: the type alone would make all events of one type the same")
	}
	var err error
	p.id, err = p.compileSource("id", id)
	return err
}

// checkKey checks the words that say what identifies an event.
func checkKey(parts []string) error {
	for i, part := range parts {
		if part != keyID && part != keyType && part != keyHash {
			return fmt.Errorf("unknown key %q: use id, type or hash", part)
		}
		if slices.Contains(parts[:i], part) {
			return fmt.Errorf("key %s stands there twice; remove one", part)
		}
	}
	return nil
}

func (p *Provider) compileTime() error {
	t := p.spec.Time
	if t == nil {
		return nil
	}
	if len(t.Paths) == 0 {
		return errors.New("time: no path")
	}
	p.timeAs = verify.RFC3339
	if t.As != "" {
		var err error
		if p.timeAs, err = newTimeFormat(t.As); err != nil {
			return fmt.Errorf("time: unknown `as %s`: %w", t.As, err)
		}
	}
	var err error
	p.time, err = p.compileSource("time", Source{Paths: t.Paths})
	return err
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

// checkTypes refuses a `when` whose types no event can have.
func (p *Provider) checkTypes(rules Rules) error {
	for _, when := range rules.Conditions {
		for _, pattern := range when.Types {
			t, err := envelope.ParseTypePattern(pattern)
			if err != nil {
				return fmt.Errorf("when: %w", err)
			}
			if !p.canBeUnknown(t) && !slices.ContainsFunc(p.CanonicalTypes(), t.Match) {
				return fmt.Errorf("when %s: no event has this type; the types are those of `type`, and %s.<its own> for others", pattern, p.spec.Name)
			}
		}
		if err := p.checkTypes(when.Rules); err != nil {
			return err
		}
	}
	return nil
}

// canBeUnknown reports whether a pattern can select a type that is not known
// before an event comes.
func (p *Provider) canBeUnknown(t envelope.TypePattern) bool {
	typesAreKnown := p.spec.Type.Mappings != nil || p.spec.Type.Always != ""
	return !typesAreKnown || t[0] == "*" || t[0] == p.spec.Name
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

// lookup returns the member at a path of names, nil if there is none.
func (o *object) lookup(names ...string) *member {
	for _, m := range o.members {
		if m.name != names[0] {
			continue
		}
		if len(names) == 1 {
			return m
		}
		if m.object != nil {
			return m.object.lookup(names[1:]...)
		}
	}
	return nil
}

func (p *Provider) compileRedactions() error {
	p.redactEvent, p.redactBody = make(redaction), make(redaction)
	prefix := ""
	switch p.spec.Events {
	case "":
	case itemPath:
		prefix = eachElement + "."
	default:
		prefix = p.spec.Events + "." + eachElement + "."
	}
	for _, path := range p.spec.Redactions {
		if err := p.redactEvent.add(path); err != nil {
			return err
		}
		if err := p.redactBody.add(prefix + path); err != nil {
			return err
		}
	}
	if p.spec.Verify.Token == nil {
		return nil
	}
	for _, place := range p.spec.Verify.Token.Places {
		if place.Body == "" {
			continue
		}
		path := gjson.Escape(place.Body)
		if err := p.redactBody.add(path); err != nil {
			return err
		}
		if prefix == "" {
			if err := p.redactEvent.add(path); err != nil {
				return err
			}
		}
	}
	return nil
}

// Spec returns the description that the provider was compiled from.
func (p *Provider) Spec() *Spec { return p.spec }

// Name returns the provider's name.
func (p *Provider) Name() string { return p.spec.Name }

// IsBatch reports whether a request can hold several events.
func (p *Provider) IsBatch() bool { return p.spec.Events != "" }

// KeyIsHash reports whether nothing but its content identifies an event.
func (p *Provider) KeyIsHash() bool { return slices.Equal(p.key, []string{keyHash}) }

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

// canonicalType returns what the provider's own type is called here.
func (p *Provider) canonicalType(own string) string {
	switch {
	case p.spec.Type.Always != "":
		return p.spec.Type.Always
	case own == "":
		return p.unknownType()
	case p.words == nil:
		if typePattern.MatchString(own) {
			return own
		}
	default:
		if to, ok := p.words.lookup(own); ok {
			return to
		}
	}
	return strings.Join([]string{p.spec.Name, own}, ".")
}

// Needs is what a block must know to prove a provider's requests.
type Needs struct {
	// Secret, Token and BasicAuth say which credentials are required.
	Secret, Token, BasicAuth bool

	// Timestamp says that a signed timestamp is checked.
	Timestamp bool
}

// String lists the words of the required credentials.
func (n Needs) String() string {
	var words []string
	for _, need := range []struct {
		needed bool
		word   string
	}{{n.Secret, "`secret`"}, {n.Token, "`token`"}, {n.BasicAuth, "`basic_auth`"}} {
		if need.needed {
			words = append(words, need.word)
		}
	}
	return strings.Join(words, " and ")
}

// Needs returns the credentials that the provider's proof and challenge need.
func (p *Provider) Needs() Needs {
	v := p.spec.Verify
	needs := Needs{
		Secret:    v.Signature != nil,
		Token:     v.Token != nil,
		BasicAuth: v.Basic,
		Timestamp: v.Signature != nil && v.Signature.Timestamp != nil,
	}
	for _, h := range p.spec.Handshakes {
		needs.Token = needs.Token || h.Query != ""
	}
	return needs
}
