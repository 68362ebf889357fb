package provider_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/provider"
)

// Errors that are long and stand below more than once.
const (
	wantsVerify    = "`verify` takes hmac sha1|sha256|sha512, ed25519, token or basic, not "
	wantsKey       = "`key` takes raw, hex, base64 or base64url, and a prefix if secrets have one"
	wantsSignature = "`signature` takes: header <name> [item <n>]"
	wantsTimestamp = "`timestamp` takes: header <name>, or item <n>|<prefix>, and then unix, unix_ms or rfc3339"
	wantsFrom      = "`from` takes bearer, header <name>, query <name> or body <name>, not "
	wantsHandshake = "`handshake` takes: query <parameter> token <parameter>, body <path> [when <path> <value>], reply <text> [as <content-type>] when <path> <value>, or empty"
	wantsType      = "`type` takes paths, header <name>, or always <type>"
	wantsTime      = "`time` takes paths, and then as rfc3339, unix, unix_ms or a layout"
	wantsField     = "`field` takes a name and paths, or a name, always and a text"
	wantsWhen      = "`when` takes types of events, or a path, is and words"
	wantsNames     = "names are lower-case letters, digits and underscores, with dots between"
	wantsOriginal  = "`original` holds the provider's own event"
	noModifiers    = "modifiers and literals are not for paths that read: they re-encode; name the member with a backslash before its first character"
	noMultipaths   = "several paths in one are not for paths that read: they re-encode; name each in a word of its own"
	onlyMembers    = "only names of members, and # for each element of an array"
	onlyInMembers  = ".key is for the fields of `members`, whose items have names"
	noElements     = "only members can be removed, not the elements of an array"
	noName         = "a name is missing beside a dot"
	noBlock        = "a line of a map takes no block"
	oneHeader      = " header` takes the name of one header; a member that is called header is written \\header"
	timeWords      = "use rfc3339, unix, unix_ms, or a layout such as \"2006-01-02 15:04:05\", with -0700 for a zone"
	wantsAPIField  = "`field` takes a word and what the provider calls it: field events <member>"
	wantsAPIKey    = "`key` takes bearer, or header <name>"
	apiFields      = "use id, name, url, events, inbox, token, header, basic_auth, active or error"
	noURL          = "it is not a URL: one begins with https:// or http://, and names a host"
	noToken        = "subscriptions: its API cannot be told the token: it needs a `field token`, or in verify token a `from query`, for the URL"
	fieldWords     = "use text, string, lower or value; for a time " + timeWords
)

// TestCaddyfileErrors pins what a user reads who made a mistake in a provider
// block, with its line: the lines below begin at line 2.
func TestCaddyfileErrors(t *testing.T) {
	for _, test := range []struct{ lines, want string }{
		// The block.
		{"colour red", `unknown word "colour" in provider acme: use docs, note, verify, handshake, reply, events, id, key, type, time, redact, subscriptions, field, list, members or when, at acme.caddyfile:2`},
		{"id id {\nid\n}", `unknown word "{" in provider acme: use docs, note, verify, handshake, reply, events, id, key, type, time, redact, subscriptions, field, list, members or when, at acme.caddyfile:2`},
		{"docs a\ndocs b", "`docs` stands in provider acme twice; remove one, at acme.caddyfile:3"},
		{"note a\nnote b", "`note` stands in provider acme twice; remove one, at acme.caddyfile:3"},
		{"verify basic\nverify basic", "`verify` stands in provider acme twice; remove one, at acme.caddyfile:3"},
		{"reply token\nreply token", "`reply` stands in provider acme twice; remove one, at acme.caddyfile:3"},
		{"events a\nevents b", "`events` stands in provider acme twice; remove one, at acme.caddyfile:3"},
		{"id a\nid b", "`id` stands in provider acme twice; remove one, at acme.caddyfile:3"},
		{"key id\nkey hash", "`key` stands in provider acme twice; remove one, at acme.caddyfile:3"},
		{"type a\ntype b", "`type` stands in provider acme twice; remove one, at acme.caddyfile:3"},
		{"time a\ntime b", "`time` stands in provider acme twice; remove one, at acme.caddyfile:3"},

		// Words with one argument.
		{"docs", "`docs` takes one argument, not 0, at acme.caddyfile:2"},
		{"note a b c", "`note` takes one argument, not 3, at acme.caddyfile:2"},
		{"\nreply", "`reply` takes one argument, not 0, at acme.caddyfile:3"},
		{"events a b", "`events` takes one argument, not 2, at acme.caddyfile:2"},
		{`note ""`, "`note` takes one argument that is not empty, at acme.caddyfile:2"},
		{`events ""`, "`events` takes one argument that is not empty, at acme.caddyfile:2"},

		// Words with any number of arguments.
		{"key", "`key` takes at least one argument, at acme.caddyfile:2"},
		{"redact", "`redact` takes at least one argument, at acme.caddyfile:2"},
		{"id", "`id` takes paths, or header and a name, at acme.caddyfile:2"},

		// events and id.
		{"events a.", `events: path "a.": ` + noName + ", at acme.caddyfile:2"},
		{"events .key", "events: " + onlyInMembers + ", at acme.caddyfile:2"},
		{"id a b.", `id: path "b.": ` + noName + ", at acme.caddyfile:2"},
		{"id .key", "id: " + onlyInMembers + ", at acme.caddyfile:2"},
		{"id header", "`id" + oneHeader + ", at acme.caddyfile:2"},
		{"id header X-A X-B", "`id" + oneHeader + ", at acme.caddyfile:2"},
		{`id header ""`, "id: the name of a header is missing, at acme.caddyfile:2"},
		{"id header X.Id", "id: header \"X.Id\" does not arrive: by default Caddy drops headers with `_` or `.` in their name, at acme.caddyfile:2"},

		// redact.
		{`redact ""`, `redact "": empty, at acme.caddyfile:2`},
		{"redact a.", `redact "a.": ` + noName + ", at acme.caddyfile:2"},
		{"redact a*", `redact "a*": ` + onlyMembers + ", at acme.caddyfile:2"},
		{"redact a.0.b", `redact "a.0.b": ` + onlyMembers + ", at acme.caddyfile:2"},
		{"redact a.#(b==c).d", `redact "a.#(b==c).d": ` + onlyMembers + ", at acme.caddyfile:2"},
		{"redact a.#", `redact "a.#": ` + noElements + ", at acme.caddyfile:2"},
		{"redact .", `redact ".": ` + noName + ", at acme.caddyfile:2"},
		{"redact .key", `redact ".key": ` + noName + ", at acme.caddyfile:2"},
		{"redact a b\nredact c d.", `redact "d.": ` + noName + ", at acme.caddyfile:3"},

		// verify.
		{"verify", wantsVerify + "[], at acme.caddyfile:2"},
		{"verify hmac", wantsVerify + `["hmac"], at acme.caddyfile:2`},
		{"verify hmac sha256 hex", wantsVerify + `["hmac" "sha256" "hex"], at acme.caddyfile:2`},
		{"verify magic", wantsVerify + `["magic"], at acme.caddyfile:2`},
		{"verify basic {\nuser me\n}", "`verify basic` takes no block, at acme.caddyfile:3"},
		{"verify hmac md5 {\nsignature header X-Sig\n}", `verify: unknown algorithm "hmac-md5": use hmac-sha1, hmac-sha256, hmac-sha512 or ed25519, at acme.caddyfile:4`},
		{"verify hmac sha256", "verify: signature: the name of a header is missing, at acme.caddyfile:2"},
		{"verify hmac sha256 {\nsignature header X-Sig\ncolour red\n}", `unknown word "colour" in verify: use signature, separator, prefix, encoding, content, timestamp or key, at acme.caddyfile:4`},
		{"verify ed25519 {\nsecret x\n}", `unknown word "secret" in verify: use signature, separator, prefix, encoding, content, timestamp or key, at acme.caddyfile:3`},
		{"verify hmac sha256 {\nsignature header X-A\nprefix a\nsignature header X-B\n}", "`signature` stands in verify twice; remove one, at acme.caddyfile:5"},
		{"verify hmac sha256 {\nseparator ,\nseparator ;\n}", "`separator` stands in verify twice; remove one, at acme.caddyfile:4"},
		{"verify hmac sha256 {\nprefix a\nprefix b\n}", "`prefix` stands in verify twice; remove one, at acme.caddyfile:4"},
		{"verify hmac sha256 {\nencoding hex\nencoding hex\n}", "`encoding` stands in verify twice; remove one, at acme.caddyfile:4"},
		{"verify hmac sha256 {\ncontent $body\ncontent $body\n}", "`content` stands in verify twice; remove one, at acme.caddyfile:4"},
		{"verify hmac sha256 {\ntimestamp header X-A\ntimestamp item 1\n}", "`timestamp` stands in verify twice; remove one, at acme.caddyfile:4"},
		{"verify ed25519 {\nkey raw\nkey hex\n}", "`key` stands in verify twice; remove one, at acme.caddyfile:4"},
		{"verify hmac sha256 {\nseparator\n}", "`separator` takes one argument, not 0, at acme.caddyfile:3"},
		{"verify hmac sha256 {\nprefix a b\n}", "`prefix` takes one argument, not 2, at acme.caddyfile:3"},
		{"verify hmac sha256 {\nencoding\n}", "`encoding` takes one argument, not 0, at acme.caddyfile:3"},
		{"verify hmac sha256 {\ncontent $timestamp $body\n}", "`content` takes one argument, not 2, at acme.caddyfile:3"},
		{"verify hmac sha256 {\nkey\n}", wantsKey + ", at acme.caddyfile:3"},
		{"verify hmac sha256 {\nkey hex a b\n}", wantsKey + ", at acme.caddyfile:3"},
		{"verify hmac sha256 {\nsignature\n}", wantsSignature + ", at acme.caddyfile:3"},
		{"verify hmac sha256 {\nsignature query sig\n}", wantsSignature + ", at acme.caddyfile:3"},
		{"verify hmac sha256 {\nsignature header X-Sig position 1\n}", wantsSignature + ", at acme.caddyfile:3"},
		{"verify hmac sha256 {\nsignature header X-Sig item\n}", wantsSignature + ", at acme.caddyfile:3"},
		{"verify hmac sha256 {\nsignature header X-Sig item 0\n}", "`signature … item` takes a position from 1, not \"0\", at acme.caddyfile:3"},
		{"verify hmac sha256 {\nsignature header X-Sig item first\n}", "`signature … item` takes a position from 1, not \"first\", at acme.caddyfile:3"},
		{"verify hmac sha256 {\ntimestamp\n}", wantsTimestamp + ", at acme.caddyfile:3"},
		{"verify hmac sha256 {\ntimestamp header X-Time as unix\n}", wantsTimestamp + ", at acme.caddyfile:3"},
		{"verify hmac sha256 {\ntimestamp query t\n}", "`timestamp` stands in a header or an item, not in \"query\", at acme.caddyfile:3"},
		// A word of verify.Signature.Validate, for the line; the others are tested there.
		{"verify hmac sha256 {\nsignature header X_Sig\n\n}", "verify: signature: header \"X_Sig\" does not arrive: by default Caddy drops headers with `_` or `.` in their name, at acme.caddyfile:5"},

		// verify token.
		{"verify token", "verify token: it needs a `from`: bearer, header, query or body, at acme.caddyfile:2"},
		{"verify token {\n}", "verify token: it needs a `from`: bearer, header, query or body, at acme.caddyfile:3"},
		{"verify token {\nbearer\n}", `unknown word "bearer" in verify token: use from, at acme.caddyfile:3`},
		{"verify token {\nfrom\n}", wantsFrom + "[], at acme.caddyfile:3"},
		{"verify token {\nfrom bearer x\n}", wantsFrom + `["bearer" "x"], at acme.caddyfile:3`},
		{"verify token {\nfrom bearer\nfrom cookie t\n}", wantsFrom + `["cookie" "t"], at acme.caddyfile:4`},
		{"verify token {\nfrom header X_Token\n}", "verify token: header \"X_Token\" does not arrive: by default Caddy drops headers with `_` or `.` in their name, at acme.caddyfile:4"},
		{"verify token {\nfrom query \"\"\n}", "verify token: from: exactly one of bearer, header, query and body, at acme.caddyfile:4"},
		{"verify token {\nfrom header X:Token\n}", `verify token: "X:Token" is not the name of a header, at acme.caddyfile:4`},

		// handshake.
		{"handshake", wantsHandshake + ", at acme.caddyfile:2"},
		{"handshake empty body", wantsHandshake + ", at acme.caddyfile:2"},
		{"handshake query challenge", wantsHandshake + ", at acme.caddyfile:2"},
		{"handshake query challenge secret t", wantsHandshake + ", at acme.caddyfile:2"},
		{"handshake body a b", wantsHandshake + ", at acme.caddyfile:2"},
		{"handshake reply ok with text/plain when a b", wantsHandshake + ", at acme.caddyfile:2"},
		{"handshake when a b", wantsHandshake + ", at acme.caddyfile:2"},
		{"handshake body @this", `handshake: path "@this": ` + noModifiers + ", at acme.caddyfile:2"},
		{"handshake body .key", "handshake: " + onlyInMembers + ", at acme.caddyfile:2"},
		{"handshake body a when b| c", `handshake: path "b|": use . between members, not |, at acme.caddyfile:2`},
		{`handshake reply pong when "" x`, `handshake: path "": empty, at acme.caddyfile:2`},
		{"handshake empty\nhandshake reply pong when a. b", `handshake: path "a.": ` + noName + ", at acme.caddyfile:3"},

		// type and its map.
		{"type", wantsType + ", at acme.caddyfile:2"},
		{"type {\na b\n}", wantsType + ", at acme.caddyfile:2"},
		{"type a|b", `type: path "a|b": use . between members, not |, at acme.caddyfile:2`},
		{"type .key {\na b.c\n}", "type: " + onlyInMembers + ", at acme.caddyfile:2"},
		{"type header", "`type" + oneHeader + ", at acme.caddyfile:2"},
		{"type header X-A X-B {\na b.c\n}", "`type" + oneHeader + ", at acme.caddyfile:2"},
		{`type header ""`, "type: the name of a header is missing, at acme.caddyfile:2"},
		{"type header X_Event", "type: header \"X_Event\" does not arrive: by default Caddy drops headers with `_` or `.` in their name, at acme.caddyfile:2"},
		{"type event {\na message.created surplus\n}", "a line of a map is `<own word> [<canonical word>]`, not more, at acme.caddyfile:3"},
		{"type event {\na message.created\nb message.created\na contact.created\n}", `"a" stands in the map twice; remove one, at acme.caddyfile:5`},
		{"type event {\na* message.created\na* message.created\n}", `"a*" stands in the map twice; remove one, at acme.caddyfile:4`},
		{"type event {\na message.created {\nb\n}\n}", noBlock + ", at acme.caddyfile:3"},

		// time.
		{"time", wantsTime + ", at acme.caddyfile:2"},
		{"time as unix", wantsTime + ", at acme.caddyfile:2"},
		{"time a b. as unix", `time: path "b.": ` + noName + ", at acme.caddyfile:2"},
		{"time .key", "time: " + onlyInMembers + ", at acme.caddyfile:2"},

		// field.
		{"field", wantsField + ", at acme.caddyfile:2"},
		{"field a", wantsField + ", at acme.caddyfile:2"},
		{"field a as text", "field a: either paths, or always and a text, at acme.caddyfile:2"},
		{`field a always ""`, "field a: either paths, or always and a text, at acme.caddyfile:2"},
		{"field a always x {\nx y\n}", "field a: a constant needs no as and no map, at acme.caddyfile:4"},
		{"field a b as number", "field a: unknown `as number`: " + fieldWords + ", at acme.caddyfile:2"},
		{`field a b as "2006-01-02 15:04:05 MST"`, "field a: unknown `as 2006-01-02 15:04:05 MST`: " + fieldWords + ", at acme.caddyfile:2"}, // Go reads every such zone as UTC
		{"field a b as value {\nx y\n}", "field a: a map is for texts, not with `as value`, at acme.caddyfile:4"},
		{"field a b as unix {\nx y\n}", "field a: a map is for texts, not with `as unix`, at acme.caddyfile:4"},
		{`field a b as "2006-01-02" {` + "\nx y\n}", "field a: a map is for texts, not with `as 2006-01-02`, at acme.caddyfile:4"},
		{"field a b {\nx y z\n}", "a line of a map is `<own word> [<canonical word>]`, not more, at acme.caddyfile:3"},
		{"field a b {\nx y\nx z\n}", `"x" stands in the map twice; remove one, at acme.caddyfile:4`},
		{"field a b {\nx y {\nz\n}\n}", noBlock + ", at acme.caddyfile:3"},
		{"field a b {\nx {\nz\n}\n}", noBlock + ", at acme.caddyfile:3"},
		{"field a b @this", `field a: path "@this": ` + noModifiers + ", at acme.caddyfile:2"},
		{"field a .key", "field a: " + onlyInMembers + ", at acme.caddyfile:2"},
		{"field Contact.id a", `field "Contact.id": ` + wantsNames + ", at acme.caddyfile:2"},
		{"field 1st a", `field "1st": ` + wantsNames + ", at acme.caddyfile:2"},
		{"field contact-id a", `field "contact-id": ` + wantsNames + ", at acme.caddyfile:2"},
		{`field "" a`, `field "": ` + wantsNames + ", at acme.caddyfile:2"},
		{"field contact. a", `field "contact.": ` + wantsNames + ", at acme.caddyfile:2"},
		{"field original a", "field original: " + wantsOriginal + ", at acme.caddyfile:2"},

		{"key id subject", `unknown key "subject": use id, type or hash, at acme.caddyfile:2`},
		{"key type type", "key type stands there twice; remove one, at acme.caddyfile:2"},
		{"key id hash id", "key id stands there twice; remove one, at acme.caddyfile:2"},
		{"time a as soon", "time: unknown `as soon`: " + timeWords + ", at acme.caddyfile:2"},
		{`time a as "Mon, 02 Jan 2006 15:04:05 MST"`, "time: unknown `as Mon, 02 Jan 2006 15:04:05 MST`: " + timeWords + ", at acme.caddyfile:2"},

		{"field a always", "`field a always` takes one text; a member that is called always is written \\always, at acme.caddyfile:2"},
		{"field a always b c", "`field a always` takes one text; a member that is called always is written \\always, at acme.caddyfile:2"},
		{"field a b as", "`as` takes a word after it; a member that is called as is written \\as, at acme.caddyfile:2"},
		{"time a as", "`as` takes a word after it; a member that is called as is written \\as, at acme.caddyfile:2"},
		{"type always", "`type always` takes one type; a member that is called always is written \\always, at acme.caddyfile:2"},
		{"type always a.b c.d", "`type always` takes one type; a member that is called always is written \\always, at acme.caddyfile:2"},

		// list and members.
		{"list original.copy a {\nfield b b\n}", "field original.copy: " + wantsOriginal + ", at acme.caddyfile:2"},
		{"list a", "`list` takes a name and one path, at acme.caddyfile:2"},
		{"list a b c", "`list` takes a name and one path, at acme.caddyfile:2"},
		{"members a", "`members` takes a name and one path, at acme.caddyfile:2"},
		{"list a b", "list a: no field, at acme.caddyfile:2"},
		{"list a b {\nwhen x is y {\n}\n}", `unknown word "when" in list: use field or require, at acme.caddyfile:3`},
		{"members a b {\nlist c d\n}", `unknown word "list" in members: use field or require, at acme.caddyfile:3`},
		{"list a b {\nfield c\n}", wantsField + ", at acme.caddyfile:3"},
		{"list a b {\nrequire c\nfield c c\n}", "require: list a has no field c above this line, at acme.caddyfile:3"},
		{"list a b {\nfield c c\nrequire\n}", "`require` takes the names of fields above it, at acme.caddyfile:4"},
		{"members a b {\nfield c c\nrequire c d\n}", "require: members a has no field d above this line, at acme.caddyfile:4"},
		{"list a @b {\nfield c c\n}", `list a: path "@b": ` + noModifiers + ", at acme.caddyfile:4"},
		{"list a b {\nfield c .key\n}", "field c: " + onlyInMembers + ", at acme.caddyfile:3"},
		{"list a .key {\nfield c c\n}", "list a: " + onlyInMembers + ", at acme.caddyfile:4"},
		{"members a .key {\nfield c .key\n}", "list a: " + onlyInMembers + ", at acme.caddyfile:4"},
		{"list a b {\nfield original c\n}", "field original: " + wantsOriginal + ", at acme.caddyfile:3"},
		{"list a b {\nfield C c\n}", `field "C": ` + wantsNames + ", at acme.caddyfile:3"},
		{"list a b {\nfield c.d d\nfield c c\n}", "list a: field c is an object already, at acme.caddyfile:5"},
		{"list a b {\nfield c c\nfield c.d d\n}", "list a: field c.d: c is a field or a list already, at acme.caddyfile:5"},
		{"list a b {\nfield c.d d\nrequire c.d\n}", "list a: field c.d: only a field at the top of an item can be required, at acme.caddyfile:5"},
		{"list a b {\n" + manyFields + "}", "more than 63 members of one object are read, at acme.caddyfile:67"},

		// when.
		{"when", wantsWhen + ", at acme.caddyfile:2"},
		{"when a is", wantsWhen + ", at acme.caddyfile:2"},
		{"when a b is c", wantsWhen + ", at acme.caddyfile:2"},
		{"when is b c", wantsWhen + ", at acme.caddyfile:2"},
		{"when a.* {\nid id\n}", `unknown word "id" in when: use field, list, members or when, at acme.caddyfile:3`},
		{"when a.* {\nfield b\n}", wantsField + ", at acme.caddyfile:3"},
		{`when "" is x`, "when: either types of events, or a path and what it is, at acme.caddyfile:2"},
		{"when a. {\n}", "when: \"a.\" is not a pattern of event types: segments separated by dots, `*` as a whole segment, such as message.* or *.created, at acme.caddyfile:3"},
		{"when message* {\n}", "when: \"message*\" is not a pattern of event types: segments separated by dots, `*` as a whole segment, such as message.* or *.created, at acme.caddyfile:3"},
		{"when a| is x {\n}", `when: path "a|": use . between members, not |, at acme.caddyfile:3`},
		{"when .key is x {\nfield a b\n}", "when: " + onlyInMembers + ", at acme.caddyfile:4"},
		{"when a.b {\nfield c .key\n}", "field c: " + onlyInMembers + ", at acme.caddyfile:3"},
		{"when a.b {\nfield original.x c\n}", "field original.x: " + wantsOriginal + ", at acme.caddyfile:3"},
		{"when a.b {\nfield c..d e\n}", `field "c..d": ` + wantsNames + ", at acme.caddyfile:3"},
		{"when a.b {\nfield c.d e\nfield c e\n}", "field c: it is an object or a list already, at acme.caddyfile:5"},
		{"when a.b {\nfield c e\nfield c.d e\n}", "field c.d: c is a field or a list already, at acme.caddyfile:5"},
		{"when a.b {\nlist c e {\nfield f f\n}\nfield c.d e\n}", "list c: it is an object or a field already, at acme.caddyfile:7"},
		{"when a is b {\nwhen c {\nfield d e\nlist d e {\nfield f f\n}\n}\n}", "list d: it is an object or a field already, at acme.caddyfile:8"},

		// subscriptions.
		{"subscriptions x", "`subscriptions` takes a block only, not \"x\", at acme.caddyfile:2"},
		{"subscriptions x {\n}", "`subscriptions` takes a block only, not \"x\", at acme.caddyfile:2"},
		{subscriptions() + subscriptions(), "`subscriptions` stands in provider acme twice; remove one, at acme.caddyfile:12"},
		{"subscriptions {\ndelete x\n}", `unknown word "delete" in subscriptions: use api, path, key, list, get, update or field, at acme.caddyfile:3`},
		{"subscriptions {\nget {\n}\n}", `unknown word "{" in subscriptions: use api, path, key, list, get, update or field, at acme.caddyfile:3`},
		{"subscriptions {\napi https://api.example.com\napi https://api.example.org\n}", "`api` stands in subscriptions twice; remove one, at acme.caddyfile:4"},
		{"subscriptions {\npath /a\npath /b\n}", "`path` stands in subscriptions twice; remove one, at acme.caddyfile:4"},
		{"subscriptions {\nkey bearer\nkey header X-Key\n}", "`key` stands in subscriptions twice; remove one, at acme.caddyfile:4"},
		{"subscriptions {\nlist .\nlist data\n}", "`list` stands in subscriptions twice; remove one, at acme.caddyfile:4"},
		{"subscriptions {\nget\nget\n}", "`get` stands in subscriptions twice; remove one, at acme.caddyfile:4"},
		{"subscriptions {\nupdate put\nupdate put\n}", "`update` stands in subscriptions twice; remove one, at acme.caddyfile:4"},
		{"subscriptions {\nfield id id\nfield url url\nfield id key\n}", "`field id` stands in subscriptions twice; remove one, at acme.caddyfile:5"},
		{"subscriptions {\napi\n}", "`api` takes one argument, not 0, at acme.caddyfile:3"},
		{"subscriptions {\npath /a /b\n}", "`path` takes one argument, not 2, at acme.caddyfile:3"},
		{"subscriptions {\nlist \"\"\n}", "`list` takes one argument that is not empty, at acme.caddyfile:3"},
		{"subscriptions {\nupdate\n}", "`update` takes one argument, not 0, at acme.caddyfile:3"},
		{"subscriptions {\nget one\n}", "`get` takes no argument, at acme.caddyfile:3"},
		{"subscriptions {\nkey\n}", wantsAPIKey + ", at acme.caddyfile:3"},
		{"subscriptions {\nkey bearer x\n}", wantsAPIKey + ", at acme.caddyfile:3"},
		{"subscriptions {\nkey header\n}", wantsAPIKey + ", at acme.caddyfile:3"},
		{"subscriptions {\nkey header X-A X-B\n}", wantsAPIKey + ", at acme.caddyfile:3"},
		{"subscriptions {\nkey query key\n}", wantsAPIKey + ", at acme.caddyfile:3"},
		{"subscriptions {\nfield\n}", wantsAPIField + ", at acme.caddyfile:3"},
		{"subscriptions {\nfield id\n}", wantsAPIField + ", at acme.caddyfile:3"},
		{"subscriptions {\nfield id a b\n}", wantsAPIField + ", at acme.caddyfile:3"},
		{"subscriptions {\nfield colour c\n}", `unknown field "colour": ` + apiFields + ", at acme.caddyfile:3"},
		{"subscriptions {\nfield \"\" c\n}", `unknown field "": ` + apiFields + ", at acme.caddyfile:3"},
		// What subscription.API.Validate says has the line of the block's end.
		{"subscriptions", "subscriptions: api: " + noURL + ", at acme.caddyfile:2"},
		{subscriptions("api ftp://api.example.com"), "subscriptions: api: " + noURL + ", at acme.caddyfile:11"},
		{subscriptions("api https://api.exämple.com"), "subscriptions: api: its host is not spelled in ASCII; write the form that begins with xn--, at acme.caddyfile:11"},
		{subscriptions("api https://api.example.com."), "subscriptions: api: its host ends with a dot; remove that, at acme.caddyfile:11"},
		{subscriptions("api https://api.example.com/a/.."), "subscriptions: api: its path has a segment of dots; write the path that it leads to, at acme.caddyfile:11"},
		{subscriptions("path webhooks"), `subscriptions: path "webhooks": it begins with a slash, and $account is all that may vary, at acme.caddyfile:11`},
		{subscriptions("path /$tenant/webhooks"), `subscriptions: path "/$tenant/webhooks": it begins with a slash, and $account is all that may vary, at acme.caddyfile:11`},
		{subscriptions("key"), "subscriptions: it needs a `key`: bearer, or header <name>, at acme.caddyfile:10"},
		{subscriptions("key header \"\""), "subscriptions: it needs a `key`: bearer, or header <name>, at acme.caddyfile:11"},
		{subscriptions("key header X:Key"), `subscriptions: key: header "X:Key" is not the name of one, at acme.caddyfile:11`},
		{subscriptions("list"), "subscriptions: it needs a `list`: the member that holds the array, or . for the answer itself, at acme.caddyfile:10"},
		{subscriptions("update"), "subscriptions: it needs an `update`: patch or put, at acme.caddyfile:10"},
		{subscriptions("update post"), "subscriptions: it needs an `update`: patch or put, at acme.caddyfile:11"},
		{subscriptions("field id"), "subscriptions: it needs a `field id`: what the provider calls it, at acme.caddyfile:10"},
		{subscriptions("field name"), "subscriptions: it needs a `field name`: what the provider calls it, at acme.caddyfile:10"},
		{subscriptions("field url"), "subscriptions: it needs a `field url`: what the provider calls it, at acme.caddyfile:10"},
		{subscriptions("field events \"\""), "subscriptions: field events: what does the provider call it?, at acme.caddyfile:12"},

		// Paths.
		{`field a ""`, `field a: path "": empty, at acme.caddyfile:2`},
		{"field a `b\\`", `field a: path "b\\": ends with a backslash, at acme.caddyfile:2`},
		{"field a `b.#(c==\"d)`", `field a: path "b.#(c==\"d)": a quote in a query is not closed, at acme.caddyfile:2`},
		{"field a `b.#(c==\"\\\")`", `field a: path "b.#(c==\"\\\")": a quote in a query is not closed, at acme.caddyfile:2`},
		{"field a b)", `field a: path "b)": a parenthesis is closed that was not opened, at acme.caddyfile:2`},
		{"field a b.#(c==d))", `field a: path "b.#(c==d))": a parenthesis is closed that was not opened, at acme.caddyfile:2`},
		{"field a b.#(c==d", `field a: path "b.#(c==d": a parenthesis is not closed, at acme.caddyfile:2`},
		{"field a @pretty", `field a: path "@pretty": ` + noModifiers + ", at acme.caddyfile:2"},
		{"field a b.@values", `field a: path "b.@values": ` + noModifiers + ", at acme.caddyfile:2"},
		{"field a b.#(c==d).@values", `field a: path "b.#(c==d).@values": ` + noModifiers + ", at acme.caddyfile:2"},
		{"field a !true", `field a: path "!true": ` + noModifiers + ", at acme.caddyfile:2"},
		{"field a `{b,c}`", `field a: path "{b,c}": ` + noMultipaths + ", at acme.caddyfile:2"},
		{"field a b.[c,d]", `field a: path "b.[c,d]": ` + noMultipaths + ", at acme.caddyfile:2"},
		{"field a b|c", `field a: path "b|c": use . between members, not |, at acme.caddyfile:2`},
		{"field a ..", `field a: path "..": ` + noName + ", at acme.caddyfile:2"},
		{"field a b.", `field a: path "b.": ` + noName + ", at acme.caddyfile:2"},
		{"field a .b", `field a: path ".b": ` + noName + ", at acme.caddyfile:2"},
		{"field a b..c", `field a: path "b..c": ` + noName + ", at acme.caddyfile:2"},
	} {
		t.Run(oneLine(test.lines), func(t *testing.T) {
			spec, err := provider.Parse("acme.caddyfile", []byte(acme(test.lines)))
			if err == nil {
				t.Fatalf("no error, want %s; spec %+v", test.want, spec)
			}
			if err.Error() != test.want {
				t.Errorf("got:\n%s\nwant:\n%s", err, test.want)
			}
		})
	}
}

// subscriptions returns a `subscriptions` block that is right, apart from one
// line: `<word> ...` stands for the line that begins like it, or is one more, and
// `<word>` alone leaves that out.
func subscriptions(other ...string) string {
	lines := []string{
		"api https://api.example.com", "path /webhooks", "key bearer", "list .", "update put",
		"field id id", "field name name", "field url url",
	}
	if len(other) > 0 {
		words := strings.Fields(other[0])
		begin, rest := words[0], words[1:]
		if begin == "field" {
			begin, rest = begin+" "+words[1], words[2:]
		}
		i := slices.IndexFunc(lines, func(line string) bool { return strings.HasPrefix(line, begin+" ") })
		switch {
		case i < 0:
			lines = append(lines, other[0])
		case len(rest) == 0:
			lines = slices.Delete(lines, i, i+1)
		default:
			lines[i] = other[0]
		}
	}
	return "subscriptions {\n" + strings.Join(lines, "\n") + "\n}\n"
}

// manyFields are more fields than an object may have.
var manyFields = func() string {
	var b strings.Builder
	for i := range 64 {
		fmt.Fprintf(&b, "field f%d m%d\n", i, i)
	}
	return b.String()
}()

// TestFileErrors is about what is not one provider block.
func TestFileErrors(t *testing.T) {
	for _, test := range []struct{ text, want string }{
		{"# nothing\n", "acme.caddyfile: expected: provider <name> { ... }"},
		{"webhooks acme {\n}\n", "acme.caddyfile: expected: provider <name> { ... }"},
		{"provider", "a provider needs a name: provider <name> { ... }, at acme.caddyfile:1"},
		{"provider {\n}", "a provider needs a name: provider <name> { ... }, at acme.caddyfile:1"},
		{"provider acme corp {\n}", `unexpected "corp" after the name of the provider, at acme.caddyfile:1`},
		{"provider acme {\n}\nprovider other {\n}", `unexpected "provider" after the provider, at acme.caddyfile:3`},
		{"provider acme {\n}\n}", `unexpected "}" after the provider, at acme.caddyfile:3`},
		{"provider acme {\nnote <<TEXT\nno end\n}", "incomplete heredoc <<TEXT on line #4, expected ending marker TEXT"},
	} {
		t.Run(oneLine(test.text), func(t *testing.T) {
			_, err := provider.Parse("acme.caddyfile", []byte(test.text))
			if err == nil || err.Error() != test.want {
				t.Errorf("got:\n%v\nwant:\n%s", err, test.want)
			}
		})
	}
}

// TestCompileErrors pins what is found only when the whole block is known. It
// has no line.
func TestCompileErrors(t *testing.T) {
	const (
		stamp  = "verify basic\n"
		typeIs = "type type\n"
		token  = "verify token {\nfrom query token\n}\n"
	)
	for _, test := range []struct{ lines, want string }{
		{typeIs, "it needs one `verify`: hmac, ed25519, token or basic"},
		{stamp, "it needs a `type`: the path or the header that says which event it is, or always and a type"},

		// handshake.
		{"verify basic\ntype t {\n1 message.created\n}\nwhen mesage.* {\nfield a b\n}", "when mesage.*: no event has this type; the types are those of `type`, and acme.<its own> for others"},
		{basics + `handshake query "" token t`, "handshake: one of query, body, reply and empty"},
		{basics + `handshake query q token ""`, "handshake query: it needs `token <parameter>`, by which the GET proves itself"},
		{basics + "handshake reply pong", "handshake reply: it needs `when <path> <value>`, or it would answer every event"},
		{basics + "handshake empty when a b", "handshake: when is for body and reply"},
		{basics + "handshake query q token t when a b", "handshake: when is for body and reply"},
		{basics + `handshake body a when type ""`, "handshake: when needs a path and a value"},
		{basics + "handshake body .", `handshake: path ".": ` + noName},

		// reply.
		{basics + "reply maybe", `unknown reply "maybe": use token or answer`},
		{basics + "reply token", "reply token: only a provider proved by a token can get it back"},
		{basics + "reply answer\nevents events", "reply answer: one request with several events cannot have one answer; remove events"},
		{basics + "reply answer\nevents .", "reply answer: one request with several events cannot have one answer; remove events"},

		// type, key and time.
		{stamp + "type always message.created {\na b.c\n}", "type always: a constant has no path and no map"},
		{stamp + "type always message", `type "message": a canonical type is lower-case words with dots between, such as message.created`},
		{stamp + "type type {\nMessage.Created\n}", `type "Message.Created": a canonical type is lower-case words with dots between, such as message.created`},
		{stamp + "type type {\nmessage.*\n}", `type "message.*": a canonical type is lower-case words with dots between, such as message.created`},
		{stamp + "type type {\na message..created\n}", `type "message..created": a canonical type is lower-case words with dots between, such as message.created`},
		{basics + "key id", "key id: it needs an `id` that says where the id stands"},
		{basics + "key type", "key type: the type alone would make all events of one type the same"},
		{stamp + "type always message.created\nid id\nkey id type", "key type: all events have the same type"},

		// subscriptions: how is the provider to be told the token?
		{"verify token {\nfrom bearer\nfrom header X-Token\nfrom body token\n}\n" + typeIs + subscriptions(), noToken},
		{"verify token {\nfrom bearer\n}\n" + typeIs + subscriptions("field basic_auth auth"), noToken},

		// Fields, which know only here what else is in `data`.
		{basics + "field a.b c\nfield a c", "field a: it is an object or a list already"},
		{basics + "list a b {\nfield c c\n}\nwhen x is y {\nfield a c\n}", "field a: it is an object or a list already"},
		{basics + "field a b\nlist a b {\nfield c c\n}", "list a: it is an object or a field already"},
		{basics + "field a b\nfield a.b b", "field a.b: a is a field or a list already"},
		{basics + "list a b {\nfield c c\n}\nlist a.b b {\nfield c c\n}", "field a.b: a is a field or a list already"},
		{stamp + "type type {\na message.created\n}\nfield a b\nwhen message.* {\nfield a.b b\n}", "field a.b: a is a field or a list already"},

		// redact, as far as it depends on other words.
		{basics + "events a.0\nredact b", `redact "a.0.#.b": ` + onlyMembers},
		{"verify token {\nfrom body 1\n}\ntype type", `redact "1": ` + onlyMembers},
	} {
		t.Run(oneLine(test.lines), func(t *testing.T) {
			spec, err := provider.Parse("acme.caddyfile", []byte(acme(test.lines)))
			if err != nil {
				t.Fatalf("not parsed: %v", err)
			}
			if _, err = spec.Compile(); err == nil || err.Error() != "provider acme: "+test.want {
				t.Errorf("got:\n%v\nwant:\nprovider acme: %s", err, test.want)
			}
		})
	}

	for name, lines := range map[string]string{
		"too many members":       manyFields,
		"too many members below": strings.ReplaceAll(manyFields, " m", " a.b.m"),
	} {
		t.Run(name, func(t *testing.T) {
			spec, err := provider.Parse("acme.caddyfile", []byte(acme(basics+lines)))
			if err != nil {
				t.Fatal(err)
			}
			const want = "provider acme: more than 63 members of one object are read"
			if _, err := spec.Compile(); err == nil || err.Error() != want {
				t.Errorf("got %v, want %s", err, want)
			}
		})
	}
}

// TestNameErrors shows which names a `webhooks` block can use.
func TestNameErrors(t *testing.T) {
	for name, ok := range map[string]bool{
		"acme": true, "acme-2": true, "a": true, "a-": true,
		"": false, "Acme": false, "2acme": false, "-acme": false, "ac_me": false, "ac.me": false, "acmé": false, "acme\n": false,
	} {
		t.Run(name, func(t *testing.T) {
			spec := provider.Spec{Name: name, Verify: provider.Verify{Basic: true}, Type: provider.Type{Always: "a.b"}}
			_, err := spec.Compile()
			want := "provider " + name + ": a name is lower-case letters, digits and dashes, a letter first"
			if ok && err != nil || !ok && (err == nil || err.Error() != want) {
				t.Errorf("got %v, want ok %v", err, ok)
			}
		})
	}
}

// TestJSONErrors pins what only JSON can get wrong.
func TestJSONErrors(t *testing.T) {
	const needed = `"verify":{"basic":true},"type":{"paths":["t"]},`
	for _, test := range []struct{ json, want string }{
		{`"verify":{"basic":true,"token":{"places":[{"bearer":true}]}},"type":{"paths":["t"]}`, "it needs one `verify`: hmac, ed25519, token or basic"},
		{`"verify":{"token":{"places":[]}},"type":{"paths":["t"]}`, "verify token: it needs a `from`: bearer, header, query or body"},
		{`"verify":{"token":{"places":[{"bearer":true,"query":"t"}]}},"type":{"paths":["t"]}`, "verify token: from: exactly one of bearer, header, query and body"},
		{`"verify":{"token":{"places":[{"header":"X_T"}]}},"type":{"paths":["t"]}`, "verify token: header \"X_T\" does not arrive: by default Caddy drops headers with `_` or `.` in their name"},
		{`"verify":{"signature":{"algorithm":"hmac-sha256","header":""}},"type":{"paths":["t"]}`, "verify: signature: the name of a header is missing"},

		{needed + `"handshakes":[{}]`, "handshake: one of query, body, reply and empty"},
		{needed + `"handshakes":[{"body":"a","empty":true}]`, "handshake: one of query, body, reply and empty"},
		{needed + `"handshakes":[{"empty":true},{"body":"a","token":"t"}]`, "handshake: token is for query"},
		{needed + `"handshakes":[{"body":"a","content_type":"text/html"}]`, "handshake: a content type is for reply"},
		{needed + `"handshakes":[{"reply":"pong","when":{"path":"","is":"x"}}]`, "handshake: when needs a path and a value"},
		{needed + `"handshakes":[{"empty":true},{"body":"@this"}]`, `handshake: path "@this": ` + noModifiers},
		{needed + `"handshakes":[{"body":"a","when":{"path":"b.","is":"x"}}]`, `handshake: path "b.": ` + noName},
		{needed + `"handshakes":[{"body":".key"}]`, `handshake: path ".key": ` + noName},

		{`"verify":{"basic":true},"type":{"paths":["t"],"header":"X-T"}`, "type: either a header or paths"},
		{`"verify":{"basic":true},"type":{"always":"a.b","header":"X-T"}`, "type always: a constant has no path and no map"},
		{`"verify":{"basic":true},"type":{"always":"a.b","paths":["t"]}`, "type always: a constant has no path and no map"},
		{needed + `"id":{"paths":["t"],"header":"X-T"}`, "id: either a header or paths"},
		{needed + `"time":{}`, "time: no path"},
		{needed + `"time":{"paths":["a","b."]}`, `time: path "b.": ` + noName},
		{needed + `"events":"a."`, `events: path "a.": ` + noName},
		{needed + `"events":".key"`, `events: path ".key": ` + noName},
		{needed + `"id":{"paths":["a","b."]}`, `id: path "b.": ` + noName},
		{needed + `"id":{"paths":[".key"]}`, "id: " + onlyInMembers},
		{needed + `"id":{"header":"X.Id"}`, "id: header \"X.Id\" does not arrive: by default Caddy drops headers with `_` or `.` in their name"},
		{`"verify":{"basic":true},"type":{"paths":["a|b"]}`, `type: path "a|b": use . between members, not |`},
		{`"verify":{"basic":true},"type":{"header":"X_Event"}`, "type: header \"X_Event\" does not arrive: by default Caddy drops headers with `_` or `.` in their name"},
		{`"verify":{"basic":true},"type":{"paths":["t"],"mappings":[{"from":"a","to":"a.b"},{"from":"b","to":"a.b"},{"from":"a","to":"a.c"}]}`, `type: "a" stands in the map twice; remove one`},
		{needed + `"keys":["hash","type","hash"]`, "key hash stands there twice; remove one"},

		{needed + `"subscriptions":{}`, "subscriptions: api: " + noURL},
		{needed + `"subscriptions":{"api":"https://api.example.com?a=b"}`, "subscriptions: api: it has a query, behind a ?; it is only where the API is, such as https://api.example.com"},
		{needed + `"subscriptions":{"api":"https://api.example.com","path":"/a?b"}`, `subscriptions: path "/a?b": it begins with a slash, and $account is all that may vary`},
		{needed + `"subscriptions":{"api":"https://api.example.com","path":"/a","key":{"bearer":true,"header":"X-Key"}}`, "subscriptions: it needs a `key`: bearer, or header <name>"},
		{needed + `"subscriptions":{"api":"https://api.example.com","path":"/a","key":{"bearer":true},"list":".","update":"PUT"}`, "subscriptions: it needs an `update`: patch or put"},
		{needed + `"subscriptions":{"api":"https://api.example.com","path":"/a","key":{"bearer":true},"list":".","update":"put"}`, "subscriptions: it needs a `field id`: what the provider calls it"},
		{needed + `"subscriptions":{"api":"https://api.example.com","path":"/a","key":{"bearer":true},"list":".","update":"put","fields":{"id":"id","name":"name","url":"url","zeal":"z","colour":"c"}}`, `subscriptions: unknown field "colour": ` + apiFields},
		{needed + `"subscriptions":{"api":"https://api.example.com","path":"/a","key":{"bearer":true},"list":".","update":"put","fields":{"id":"id","name":"name","url":"url","inbox":"","token":""}}`, "subscriptions: field inbox: what does the provider call it?"},
		{`"verify":{"token":{"places":[{"body":"t"}]}},"type":{"paths":["t"]},"subscriptions":{"api":"https://api.example.com","path":"/a","key":{"bearer":true},"list":".","update":"put","fields":{"id":"id","name":"name","url":"url"}}`, noToken},

		{needed + `"redactions":["a","b."]`, `redact "b.": ` + noName},
		{needed + `"redactions":[""]`, `redact "": empty`},
		{needed + `"redactions":["a*"]`, `redact "a*": ` + onlyMembers},
		{needed + `"redactions":["a.#"]`, `redact "a.#": ` + noElements},
		{needed + `"events":".","redactions":["a.0.b"]`, `redact "a.0.b": ` + onlyMembers},

		{needed + `"fields":[{"name":"a"}]`, "field a: either paths, or always and a text"},
		{needed + `"fields":[{"name":"a","paths":["b"],"always":"c"}]`, "field a: either paths, or always and a text"},
		{needed + `"fields":[{"name":"a","always":"c","as":"text"}]`, "field a: a constant needs no as and no map"},
		{needed + `"fields":[{"name":"a","paths":["b"],"required":true}]`, "field a: required is for the fields of a list"},
		{needed + `"lists":[{"name":"a","path":""}]`, `list a: path "": empty`},
		{needed + `"lists":[{"name":"a","path":"b"}]`, "list a: no field"},
		{needed + `"lists":[{"name":"a","path":"b","fields":[{"name":"c"}]}]`, "list a: field c: either paths, or always and a text"},
		{needed + `"lists":[{"name":"a","path":"b","fields":[{"name":"c","paths":[".key"]}]}]`, "list a: field c: " + onlyInMembers},
		{needed + `"lists":[{"name":"a","path":"b","fields":[{"name":"original","paths":["c"]}]}]`, "list a: field original: " + wantsOriginal},
		{needed + `"lists":[{"name":"a","path":"b","fields":[{"name":"C","paths":["c"]}]}]`, `list a: field "C": ` + wantsNames},
		{needed + `"lists":[{"name":"a","path":"b","fields":[{"name":"c","paths":["c"],"mappings":[{"from":"x","to":"y"},{"from":"x","to":"y"}]}]}]`, `list a: field c: "x" stands in the map twice; remove one`},
		{needed + `"fields":[{"name":"a","paths":["b"],"mappings":[{"from":"x","to":"y"},{"from":"x","to":"z"}]}]`, `field a: "x" stands in the map twice; remove one`},
		{needed + `"handshakes":[{"query":"a","token":"b"},{"query":"c","token":"d"}]`, "handshake query: there is one already; remove one"},
		{needed + `"keys":["subject"]`, `unknown key "subject": use id, type or hash`},
		{needed + `"keys":["type","type"]`, "key type stands there twice; remove one"},
		{needed + `"time":{"paths":["a"],"as":"soon"}`, "time: unknown `as soon`: " + timeWords},
		{needed + `"lists":[{"name":"original.copy","path":"a","fields":[{"name":"b","paths":["b"]}]}]`, "field original.copy: " + wantsOriginal},
		{needed + `"fields":[{"name":"a","paths":["b"],"as":"02 Jan 06 15:04 MST"}]`, "field a: unknown `as 02 Jan 06 15:04 MST`: " + fieldWords},
		{needed + `"fields":[{"name":"a","paths":[".key"]}]`, "field a: " + onlyInMembers},
		{needed + `"fields":[{"name":"Contact.id","paths":["a"]}]`, `field "Contact.id": ` + wantsNames},
		{needed + `"fields":[{"name":"","paths":["a"]}]`, `field "": ` + wantsNames},
		{needed + `"fields":[{"name":"original","paths":["a"]}]`, "field original: " + wantsOriginal},

		{needed + `"conditions":[{}]`, "when: either types of events, or a path and what it is"},
		{needed + `"conditions":[{"types":["a.b"],"path":"c","values":["d"]}]`, "when: either types of events, or a path and what it is"},
		{needed + `"conditions":[{"path":"c"}]`, "when c is: no word"},
		{needed + `"conditions":[{"types":["a.b","c.*"],"values":["d"]}]`, "when a.b c.*: `is` is for a path"},
		{needed + `"conditions":[{"path":".key","values":["d"]}]`, "when: " + onlyInMembers},
		{needed + `"conditions":[{"types":["never.sent"],"fields":[{"name":"a"}]}]`, "field a: either paths, or always and a text"},
		{`"verify":{"basic":true},"type":{"always":"a.b"},"conditions":[{"types":["a.b"],"conditions":[{"path":"@a","values":["b"]}]}]`, `when: path "@a": ` + noModifiers},
	} {
		t.Run(test.json, func(t *testing.T) {
			var spec provider.Spec
			if err := json.Unmarshal([]byte(`{"name":"acme",`+test.json+`}`), &spec); err != nil {
				t.Fatal(err)
			}
			if _, err := spec.Compile(); err == nil || err.Error() != "provider acme: "+test.want {
				t.Errorf("got:\n%v\nwant:\nprovider acme: %s", err, test.want)
			}
		})
	}
}
