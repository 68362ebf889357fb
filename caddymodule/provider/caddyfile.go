package provider

import (
	"slices"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/verify"
)

// UnmarshalCaddyfile fills in s from a `provider` block. Syntax:
//
//	provider <name> {
//		docs <url>
//		note <text>
//
//		verify hmac sha1|sha256|sha512 {
//			signature header <name> [item <n>]
//			separator <text>                            # splits the header into items
//			prefix    <text>                            # before the signature in its item
//			encoding  hex|base64|base64url
//			content   <template>                        # $body $timestamp $method $uri $header(<name>)
//			timestamp header <name> [unix|unix_ms|rfc3339]
//			timestamp item <n>|<prefix> [unix|unix_ms|rfc3339]
//			key       raw|hex|base64|base64url [<prefix>]
//		}
//		verify ed25519 { ... }                          # the same words; the secret is the public key
//		verify token {
//			from bearer | header <name> | query <name> | body <name>
//		}
//		verify basic
//
//		handshake query <parameter> token <parameter>   # a GET with a challenge
//		handshake body <path> [when <path> <value>]     # a POST with a challenge
//		handshake reply <text> [as <content-type>] when <path> <value>
//		handshake empty                                 # a POST without events
//		reply token|answer
//
//		events <path>                                   # . when the body is the array
//		id     <path...> | header <name>
//		key    id|type|hash...
//		type   <path...> | header <name> | always <type> [{
//			<own type> [<canonical type>]
//		}]
//		time   <path...> [as rfc3339|unix|unix_ms|<layout>]
//		redact <path...>
//
//		subscriptions {                                 # its own API for its webhooks
//			api    <url>
//			path   <path>                               # $account stands for the account
//			key    bearer | header <name>
//			list   <member> | .                         # the array in the answer, or the answer
//			get                                         # the list leaves out what a GET of one shows
//			update patch|put
//			field  id|name|url|events|inbox|token|header|basic_auth|active|error <member>
//		}
//
//		field   <name> <path...> [as text|string|lower|value|rfc3339|unix|unix_ms|<layout>] [{
//			<own word> [<canonical word>]
//		}]
//		field   <name> always <text>
//		list    <name> <path> {
//			field   ...
//			require <name...>
//		}
//		members <name> <path> { ... }                   # as list, of an object's members
//		when <type...> { field, list, members, when }
//		when <path> is <word...> { field, list, members, when }
//	}
func (s *Spec) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next() // the word provider
	if !d.NextArg() {
		return d.Err("a provider needs a name: provider <name> { ... }")
	}
	s.Name = d.Val()
	if d.NextArg() {
		return d.Errf("unexpected %q after the name of the provider", d.Val())
	}
	seen := make(map[string]bool)
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		word := d.Val()
		if parse, ok := words[word]; ok {
			if seen[word] && word != "handshake" && word != "redact" {
				return d.Errf("`%s` stands in provider %s twice; remove one", word, s.Name)
			}
			seen[word] = true
			if err := parse(s, d); err != nil {
				return err
			}
			continue
		}
		ok, err := s.Rules.parse(d)
		if err != nil {
			return err
		}
		if !ok {
			return d.Errf("unknown word %q in provider %s: use docs, note, verify, handshake, reply, events, id, key, type, time, redact, subscriptions, field, list, members or when", word, s.Name)
		}
	}
	return nil
}

// words parses each word of a provider that is not a rule.
var words = map[string]func(*Spec, *caddyfile.Dispenser) error{
	"docs":      func(s *Spec, d *caddyfile.Dispenser) error { return parseOne(d, &s.Docs) },
	"note":      func(s *Spec, d *caddyfile.Dispenser) error { return parseOne(d, &s.Note) },
	"reply":     func(s *Spec, d *caddyfile.Dispenser) error { return parseOne(d, &s.Reply) },
	"events":    (*Spec).parseEvents,
	"id":        func(s *Spec, d *caddyfile.Dispenser) error { return parseSource(d, &s.ID) },
	"key":       (*Spec).parseKey,
	"redact":    (*Spec).parseRedact,
	"verify":    (*Spec).parseVerify,
	"handshake": (*Spec).parseHandshake,
	"type":      (*Spec).parseType,
	"time":      (*Spec).parseTime,

	"subscriptions": (*Spec).parseSubscriptions,
}

// parseOne parses exactly one argument.
func parseOne(d *caddyfile.Dispenser, to *string) error {
	word := d.Val()
	args := d.RemainingArgs()
	if len(args) != 1 {
		return d.Errf("`%s` takes one argument, not %d", word, len(args))
	}
	if args[0] == "" {
		return d.Errf("`%s` takes one argument that is not empty", word)
	}
	*to = args[0]
	return nil
}

// parseSome parses one or more arguments.
func parseSome(d *caddyfile.Dispenser, to *[]string) error {
	word := d.Val()
	args := d.RemainingArgs()
	if len(args) == 0 {
		return d.Errf("`%s` takes at least one argument", word)
	}
	*to = append(*to, args...)
	return nil
}

func parseSource(d *caddyfile.Dispenser, to *Source) error {
	word := d.Val()
	args := d.RemainingArgs()
	switch {
	case len(args) == 0:
		return d.Errf("`%s` takes paths, or header and a name", word)
	case args[0] == "header":
		return parseHeaderSource(d, word, args, &to.Header)
	}
	to.Paths = args
	return checkPaths(d, word, args)
}

// parseHeaderSource parses the name in `header <name>`.
func parseHeaderSource(d *caddyfile.Dispenser, word string, args []string, to *string) error {
	if len(args) != 2 {
		return d.Errf("`%s header` takes the name of one header; a member that is called header is written \\header", word)
	}
	if err := verify.CheckHeaderName(args[1]); err != nil {
		return d.Errf("%s: %v", word, err)
	}
	*to = args[1]
	return nil
}

// checkPaths checks paths where they stand, so that an error has its line.
func checkPaths(d *caddyfile.Dispenser, word string, paths []string) error {
	for _, path := range paths {
		if _, err := newScope().slot(path); err != nil {
			return d.Errf("%s: %v", word, err)
		}
	}
	return nil
}

func (s *Spec) parseEvents(d *caddyfile.Dispenser) error {
	if err := parseOne(d, &s.Events); err != nil {
		return err
	}
	return checkPaths(d, "events", []string{s.Events})
}

func (s *Spec) parseKey(d *caddyfile.Dispenser) error {
	if err := parseSome(d, &s.Keys); err != nil {
		return err
	}
	if err := checkKey(s.Keys); err != nil {
		return d.Errf("%v", err)
	}
	return nil
}

func (s *Spec) parseRedact(d *caddyfile.Dispenser) error {
	if err := parseSome(d, &s.Redactions); err != nil {
		return err
	}
	for _, path := range s.Redactions {
		if err := make(redaction).add(path); err != nil {
			return d.Errf("%v", err)
		}
	}
	return nil
}

func (s *Spec) parseVerify(d *caddyfile.Dispenser) error {
	args := d.RemainingArgs()
	switch {
	case len(args) == 2 && args[0] == "hmac":
		s.Verify.Signature = &verify.Signature{Algorithm: "hmac-" + args[1]}
		return s.parseSignature(d)
	case len(args) == 1 && args[0] == "ed25519":
		s.Verify.Signature = &verify.Signature{Algorithm: verify.Ed25519}
		return s.parseSignature(d)
	case len(args) == 1 && args[0] == "token":
		s.Verify.Token = new(verify.Token)
		return s.parseToken(d)
	case len(args) == 1 && args[0] == "basic":
		s.Verify.Basic = true
		return noBlock(d, "verify basic")
	}
	return d.Errf("`verify` takes hmac sha1|sha256|sha512, ed25519, token or basic, not %q", args)
}

func noBlock(d *caddyfile.Dispenser, word string) error {
	if d.NextBlock(d.Nesting()) {
		return d.Errf("`%s` takes no block", word)
	}
	return nil
}

func (s *Spec) parseSignature(d *caddyfile.Dispenser) error {
	sig := s.Verify.Signature
	seen := make(map[string]bool)
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		if seen[d.Val()] {
			return d.Errf("`%s` stands in verify twice; remove one", d.Val())
		}
		seen[d.Val()] = true
		var err error
		switch d.Val() {
		case "signature":
			err = parseSignaturePlace(d, sig)
		case "separator":
			err = parseOne(d, &sig.Separator)
		case "prefix":
			err = parseOne(d, &sig.Prefix)
		case "encoding":
			err = parseOne(d, &sig.Encoding)
		case "content":
			err = parseOne(d, &sig.Content)
		case "timestamp":
			err = parseTimestamp(d, sig)
		case "key":
			args := d.RemainingArgs()
			if len(args) != 1 && len(args) != 2 {
				return d.Errf("`key` takes raw, hex, base64 or base64url, and a prefix if secrets have one")
			}
			sig.Key = args[0]
			if len(args) == 2 {
				sig.KeyPrefix = args[1]
			}
		default:
			return d.Errf("unknown word %q in verify: use signature, separator, prefix, encoding, content, timestamp or key", d.Val())
		}
		if err != nil {
			return err
		}
	}
	if err := sig.Validate(); err != nil {
		return d.Errf("verify: %v", err)
	}
	return nil
}

func parseSignaturePlace(d *caddyfile.Dispenser, sig *verify.Signature) error {
	args := d.RemainingArgs()
	if (len(args) != 2 && len(args) != 4) || args[0] != "header" || (len(args) == 4 && args[2] != "item") {
		return d.Errf("`signature` takes: header <name> [item <n>]")
	}
	sig.Header = args[1]
	if len(args) == 4 {
		n, ok := itemNumber(args[3])
		if !ok {
			return d.Errf("`signature … item` takes a position from 1, not %q", args[3])
		}
		sig.Item = n
	}
	return nil
}

func parseTimestamp(d *caddyfile.Dispenser, sig *verify.Signature) error {
	args := d.RemainingArgs()
	if len(args) != 2 && len(args) != 3 {
		return d.Errf("`timestamp` takes: header <name>, or item <n>|<prefix>, and then unix, unix_ms or rfc3339")
	}
	sig.Timestamp = new(verify.Timestamp)
	switch args[0] {
	case "header":
		sig.Timestamp.Header = args[1]
	case "item":
		if n, ok := itemNumber(args[1]); ok {
			sig.Timestamp.Item = n
		} else {
			sig.Timestamp.Prefix = args[1]
		}
	default:
		return d.Errf("`timestamp` stands in a header or an item, not in %q", args[0])
	}
	if len(args) == 3 {
		sig.Timestamp.Format = args[2]
	}
	return nil
}

// itemNumber parses a position of one digit: no header has more items that
// mean something by position.
func itemNumber(s string) (int, bool) {
	if len(s) != 1 || s[0] < '1' || s[0] > '9' {
		return 0, false
	}
	return int(s[0] - '0'), true
}

func (s *Spec) parseToken(d *caddyfile.Dispenser) error {
	token := s.Verify.Token
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		if d.Val() != "from" {
			return d.Errf("unknown word %q in verify token: use from", d.Val())
		}
		args := d.RemainingArgs()
		var place verify.Place
		switch {
		case len(args) == 1 && args[0] == "bearer":
			place.Bearer = true
		case len(args) == 2 && args[0] == "header":
			place.Header = args[1]
		case len(args) == 2 && args[0] == "query":
			place.Query = args[1]
		case len(args) == 2 && args[0] == "body":
			place.Body = args[1]
		default:
			return d.Errf("`from` takes bearer, header <name>, query <name> or body <name>, not %q", args)
		}
		token.Places = append(token.Places, place)
	}
	if err := checkPlaces(token.Places); err != nil {
		return d.Errf("%v", err)
	}
	return nil
}

func (s *Spec) parseHandshake(d *caddyfile.Dispenser) error {
	args := d.RemainingArgs()
	var h verify.Handshake
	if n := len(args); n >= 3 && args[n-3] == "when" {
		h.When = &verify.Condition{Path: args[n-2], Is: args[n-1]}
		args = args[:n-3]
	}
	switch {
	case len(args) == 4 && args[0] == "query" && args[2] == "token":
		h.Query, h.Token = args[1], args[3]
	case len(args) == 2 && args[0] == "body":
		h.Body = args[1]
	case len(args) == 2 && args[0] == "reply":
		h.Reply = args[1]
	case len(args) == 4 && args[0] == "reply" && args[2] == "as":
		h.Reply, h.ContentType = args[1], args[3]
	case len(args) == 1 && args[0] == "empty":
		h.Empty = true
	default:
		return d.Errf("`handshake` takes: query <parameter> token <parameter>, body <path> [when <path> <value>], reply <text> [as <content-type>] when <path> <value>, or empty")
	}
	s.Handshakes = append(s.Handshakes, h)
	return checkPaths(d, "handshake", h.Paths())
}

func (s *Spec) parseType(d *caddyfile.Dispenser) error {
	args := d.RemainingArgs()
	switch {
	case len(args) == 0:
		return d.Errf("`type` takes paths, header <name>, or always <type>")
	case args[0] == "always" && len(args) != 2:
		return d.Errf("`type always` takes one type; a member that is called always is written \\always")
	case args[0] == "always":
		s.Type.Always = args[1]
	case args[0] == "header":
		if err := parseHeaderSource(d, "type", args, &s.Type.Header); err != nil {
			return err
		}
	default:
		s.Type.Paths = args
		if err := checkPaths(d, "type", args); err != nil {
			return err
		}
	}
	return parseMap(d, &s.Type.Mappings)
}

// parseMap parses a block of `<from> [<to>]`, if there is one.
func parseMap(d *caddyfile.Dispenser, to *[]Mapping) error {
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		if d.Val() == "{" {
			return d.Errf("a line of a map takes no block")
		}
		pair := Mapping{From: d.Val(), To: d.Val()}
		if d.NextArg() {
			pair.To = d.Val()
		}
		if d.NextArg() {
			return d.Errf("a line of a map is `<own word> [<canonical word>]`, not more")
		}
		*to = append(*to, pair)
		if err := checkMap(*to); err != nil {
			return d.Errf("%v", err)
		}
	}
	return nil
}

// cutAs cuts `as <word>` off the end of args.
func cutAs(d *caddyfile.Dispenser, args []string) (rest []string, as string, err error) {
	n := len(args)
	if n >= 2 && args[n-2] == "as" {
		return args[:n-2], args[n-1], nil
	}
	if n > 0 && args[n-1] == "as" {
		return nil, "", d.Errf("`as` takes a word after it; a member that is called as is written \\as")
	}
	return args, "", nil
}

func (s *Spec) parseTime(d *caddyfile.Dispenser) error {
	s.Time = new(Time)
	var err error
	if s.Time.Paths, s.Time.As, err = cutAs(d, d.RemainingArgs()); err != nil {
		return err
	}
	if len(s.Time.Paths) == 0 {
		return d.Errf("`time` takes paths, and then as rfc3339, unix, unix_ms or a layout")
	}
	if s.Time.As != "" {
		if _, err := newTimeFormat(s.Time.As); err != nil {
			return d.Errf("time: unknown `as %s`: %v", s.Time.As, err)
		}
	}
	return checkPaths(d, "time", s.Time.Paths)
}

// parse parses one rule; false if the word at hand is none.
func (r *Rules) parse(d *caddyfile.Dispenser) (bool, error) {
	switch d.Val() {
	case "field":
		f, err := parseField(d, newScope())
		r.Fields = append(r.Fields, f)
		return true, err
	case "list", "members":
		l, err := parseList(d)
		r.Lists = append(r.Lists, l)
		return true, err
	case "when":
		w, err := parseWhen(d)
		r.Conditions = append(r.Conditions, w)
		return true, err
	}
	return false, nil
}

// parseField parses a field whose paths are in a scope such as s.
func parseField(d *caddyfile.Dispenser, s *scope) (Field, error) {
	args := d.RemainingArgs()
	var f Field
	if len(args) < 2 {
		return f, d.Errf("`field` takes a name and paths, or a name, always and a text")
	}
	f.Name = args[0]
	var err error
	switch {
	case args[1] != "always":
		if f.Paths, f.As, err = cutAs(d, args[1:]); err != nil {
			return f, err
		}
	case len(args) == 3:
		f.Always = args[2]
	default:
		return f, d.Errf("`field %s always` takes one text; a member that is called always is written \\always", f.Name)
	}
	if err := parseMap(d, &f.Mappings); err != nil {
		return f, err
	}
	if _, err := compileField(f, s); err != nil {
		return f, d.Errf("%v", err)
	}
	if _, err := new(object).member(f.Name); err != nil {
		return f, d.Errf("%v", err)
	}
	return f, nil
}

func parseList(d *caddyfile.Dispenser) (List, error) {
	word := d.Val()
	args := d.RemainingArgs()
	l := List{Members: word == "members"}
	if len(args) != 2 {
		return l, d.Errf("`%s` takes a name and one path", word)
	}
	l.Name, l.Path = args[0], args[1]
	if _, err := new(object).member(l.Name); err != nil {
		return l, d.Errf("%v", err)
	}
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		switch d.Val() {
		case "field":
			f, err := parseField(d, &scope{index: make(map[string]int), named: l.Members})
			if err != nil {
				return l, err
			}
			l.Fields = append(l.Fields, f)
		case "require":
			names := d.RemainingArgs()
			if len(names) == 0 {
				return l, d.Errf("`require` takes the names of fields above it")
			}
			for _, name := range names {
				if !l.require(name) {
					return l, d.Errf("require: %s %s has no field %s above this line", word, l.Name, name)
				}
			}
		default:
			return l, d.Errf("unknown word %q in %s: use field or require", d.Val(), word)
		}
	}
	if _, err := compileList(l, newScope()); err != nil {
		return l, d.Errf("%v", err)
	}
	return l, nil
}

// require marks a field as required; false if there is none of that name.
func (l *List) require(name string) bool {
	i := slices.IndexFunc(l.Fields, func(f Field) bool { return f.Name == name })
	if i >= 0 {
		l.Fields[i].Required = true
	}
	return i >= 0
}

func parseWhen(d *caddyfile.Dispenser) (Condition, error) {
	args := d.RemainingArgs()
	var w Condition
	switch {
	case len(args) >= 3 && args[1] == "is":
		w.Path, w.Values = args[0], args[2:]
	case len(args) >= 1 && !slices.Contains(args, "is"):
		w.Types = args
	default:
		return w, d.Errf("`when` takes types of events, or a path, is and words")
	}
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		ok, err := w.Rules.parse(d)
		if err != nil {
			return w, err
		}
		if !ok {
			return w, d.Errf("unknown word %q in when: use field, list, members or when", d.Val())
		}
	}
	// Those inside have been checked, each for itself.
	shallow := w
	shallow.Conditions = nil
	check := builder{scope: newScope()}
	if err := check.addWhen(shallow, nil, 0); err != nil {
		return w, d.Errf("%v", err)
	}
	return w, nil
}
