package provider

import (
	"slices"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/internal/blocks"
)

// UnmarshalCaddyfile fills in s from a `provider` block. Syntax:
//
//	provider <name> {
//		docs   <url>
//		group  <text>
//		note   <text>
//		tested vector|library|page                      # what the tests check the proof with
//
//		verify hmac sha1|sha256|sha512 {
//			signature header <name> [item <n>]          # several lines: any may match
//			signature query <name> | body <path>
//			separator <text>                            # splits the header into items
//			prefix    <text>                            # before the signature in its item
//			encoding  hex|hex_upper|base64|base64url
//			content   <template>                        # see package template
//			timestamp header <name> [as unix|unix_ms|rfc3339]
//			timestamp item <n>|<prefix> [as <format>]
//			timestamp query <name> | body <path> [as <format>]
//			key       raw|hex|base64|base64url [<prefix>]
//			body_hash query <name>                      # for a signature that does not cover the body
//			each      <path>                            # elements that are signed one by one
//		}
//		verify ed25519 | ecdsa | rsa { ... }            # the same words; a block has its public_key
//		verify jwt hs256|hs384|hs512... {
//			from  bearer | header <name>
//			claim <name> <template>
//		}
//		verify token {
//			from bearer | header <name> | query <name> | body <path>
//		}
//		verify basic
//
//		tolerance <duration>                            # defaults of its blocks
//		dedup     <duration>
//
//		form [<field>]                                  # bodies may be forms, with JSON in a field
//		handshake empty                                 # a POST without events
//		handshake [GET|HEAD|POST] [unproved] {          # a request by which it tries the URL
//			when   <path> is [not] <word...>
//			when   header|query <name> is [not] <word...>
//			token  query <name>                         # proves a GET
//			status <code>
//			header <name> <template>
//			answer <template> [as <content-type>]
//		}
//		reply token|answer
//		reply status <code>
//		reply text <text> [as <content-type>]
//
//		events <path...> [as request]                   # # goes through an array; . is the body
//		id     <source...>                              # paths and templates, or header <name>
//		key    <id|type|hash|template...>
//		type   [<source...>] [has <path...>] | always <type> [{
//			<own type> [<canonical type>]
//		}]
//		time   <source...> [as rfc3339|unix|unix_ms|<layout>]
//		redact <path...>
//
//		subscriptions {                                 # its own API for its webhooks
//			api    <url>
//			path   <path>                               # $account is the account of the block
//			key    bearer | header <name>
//			list   <member> | .                         # the array in the answer, or the answer
//			get                                         # the list leaves out what a GET of one shows
//			update patch|put
//			field  id|name|url|events|inbox|token|header|basic_auth|active|error <member>
//		}
//
//		field   <name> <source...> [as text|string|lower|value|rfc3339|unix|unix_ms|<layout>] [{
//			<own word> [<canonical word>]
//		}]
//		field   <name> always <text>
//		list    <name> <path> {
//			field   ...
//			require <name...>
//		}
//		members <name> <path> { ... }                   # as list, of an object's members
//		when <type...> { field, list, members, when }
//		when <path> is [not] <word...> { field, list, members, when }
//	}
func (s *Spec) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	head := blocks.Read(d)
	if err := head.CheckArgs("<name>"); err != nil {
		return err
	}
	s.Name = head.Args[0]
	if err := words.Parse(head, "provider "+s.Name, s); err != nil {
		return err
	}
	return s.checkPerEvent(head)
}

// words are the words of a provider.
var words = append(blocks.Words[*Spec]{
	blocks.Text("docs", "<url>", func(s *Spec) *string { return &s.Docs }),
	blocks.Text("group", "<text>", func(s *Spec) *string { return &s.Group }),
	blocks.Text("note", "<text>", func(s *Spec) *string { return &s.Note }),
	{Name: "tested", Usage: "vector|library|page", Parse: (*Spec).parseTested},
	{Name: "verify", Usage: "hmac sha1|sha256|sha512 | ed25519 | ecdsa | rsa | jwt hs256|hs384|hs512 [<another> <another>] | token | basic", Block: true, Parse: (*Spec).parseVerify},
	{Name: "form", Usage: "[<field>]", Parse: (*Spec).parseForm},
	{Name: "handshake", Usage: "empty | [GET|HEAD|POST] [unproved]", Repeats: true, Block: true, Parse: (*Spec).parseHandshake},
	{Name: "reply", Usage: "token|answer | status <code> | text <text> [as <content-type>]", Parse: (*Spec).parseReply},
	{Name: "events", Usage: "<path...> [as request]", Parse: (*Spec).parseEvents},
	{Name: "id", Usage: sourceUsage, Parse: (*Spec).parseID},
	{Name: "key", Usage: "<id|type|hash|template...>", Parse: (*Spec).parseKey},
	{Name: "type", Usage: "<path|template...> [has <path...>] | has <path...> | header <name> | always <type>", Block: true, Parse: (*Spec).parseType},
	{Name: "time", Usage: "<path|template...> [as <format>] | header <name> [as <format>]", Parse: (*Spec).parseTime},
	{Name: "redact", Usage: "<path...>", Repeats: true, Parse: (*Spec).parseRedact},
	{Name: "subscriptions", Block: true, Parse: (*Spec).parseSubscriptions},
}, slices.Concat(defaultWords, specWords(ruleWords()))...)

// specWords makes words of rules words of a provider.
func specWords(rules blocks.Words[*Rules]) blocks.Words[*Spec] {
	var words blocks.Words[*Spec]
	for _, word := range rules {
		words = append(words, blocks.Word[*Spec]{
			Name: word.Name, Usage: word.Usage, Repeats: word.Repeats, Block: word.Block,
			Parse: func(s *Spec, line blocks.Line) error { return word.Parse(&s.Rules, line) },
		})
	}
	return words
}

func (s *Spec) parseEvents(line blocks.Line) error {
	args, as, err := cutAs(line, line.Args)
	if err != nil {
		return err
	}
	if len(args) == 0 {
		return line.Misused()
	}
	s.Events = Events{Paths: args, As: as}
	check := Provider{spec: &Spec{Events: s.Events}}
	if err := check.compileEvents(); err != nil {
		return line.Errf("%v", err)
	}
	return nil
}

func (s *Spec) parseKey(line blocks.Line) error {
	s.Keys = line.Args
	if err := checkKeys(s.Keys); err != nil {
		return line.Errf("%v", err)
	}
	return nil
}

func (s *Spec) parseRedact(line blocks.Line) error {
	for _, path := range line.Args {
		if err := checkRedaction(path); err != nil {
			return line.Errf("%v", err)
		}
	}
	s.Redactions = append(s.Redactions, line.Args...)
	return nil
}

func (s *Spec) parseTested(line blocks.Line) error {
	s.Tested = line.Args[0]
	if err := checkTested(s.Tested); err != nil {
		return line.Errf("%v", err)
	}
	return nil
}

func (s *Spec) parseID(line blocks.Line) (err error) {
	s.ID, err = parseOne(line, line.Args)
	return err
}

func (s *Spec) parseType(line blocks.Line) (err error) {
	args := line.Args
	if i := slices.Index(args, "has"); i >= 0 {
		s.Type.Has = args[i+1:]
		if args = args[:i]; len(s.Type.Has) == 0 {
			return line.Errf(`"type has" takes paths; for a member that is called has, write \has`)
		}
		if err = checkPaths(line, s.Type.Has); err != nil {
			return err
		}
	}
	switch {
	case len(args) == 0:
	case args[0] == "always" && len(line.Args) != 2:
		return line.Errf(`"type always" takes one type; for a member that is called always, write \always`)
	case args[0] == "always":
		s.Type.Always = args[1]
		if err = checkType(s.Type.Always); err != nil {
			return line.Errf("%v", err)
		}
	default:
		if s.Type.Source, err = parseOne(line, args); err != nil {
			return err
		}
	}
	return parseMappings(line, &s.Type.Mappings, checkTypeMapping)
}

func (s *Spec) parseTime(line blocks.Line) error {
	args, as, err := cutAs(line, line.Args)
	if err != nil {
		return err
	}
	s.Time = &Time{As: as}
	if as != "" {
		if _, err = newTimeFormat(as); err != nil {
			return line.Errf("time: %v", err)
		}
	}
	s.Time.Source, err = parseOne(line, args)
	return err
}

// parseMappings parses a block of lines `<own word> [<canonical word>]`, if there
// is one, and checks each.
func parseMappings(head blocks.Line, to *[]Mapping, check func(Mapping) error) error {
	return head.Each(func(line blocks.Line) error {
		if err := line.CheckNoBlock(); err != nil {
			return err
		}
		mapping := Mapping{From: line.Word, To: line.Word}
		switch len(line.Args) {
		case 0:
		case 1:
			mapping.To = line.Args[0]
		default:
			return line.Errf("too many words in a line of the map; use: <own word> [<canonical word>]")
		}
		if err := check(mapping); err != nil {
			return line.Errf("%v", err)
		}
		*to = append(*to, mapping)
		if err := checkMappings(*to); err != nil {
			return line.Errf("%v", err)
		}
		return nil
	})
}
