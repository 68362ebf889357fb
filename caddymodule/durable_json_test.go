package caddymodule_test

import (
	"fmt"
	"strings"
	"testing"
)

// destinationJSON is a handler with destinations.
func destinationJSON(source string, blocks ...string) string {
	return fmt.Sprintf(`{"handler":"webhooks","provider":"wotnot","tokens":["{env.SECRET}"],"source":%q,"destinations":[%s]}`,
		source, strings.Join(blocks, ","))
}

// TestDestinationJSON shows that destinations in JSON are checked as those in a
// Caddyfile are.
func TestDestinationJSON(t *testing.T) {
	t.Setenv("SECRET", "x")
	const to = `"to":[{"handle":[{"handler":"static_response"}]}]`
	for destination, want := range map[string]string{
		`{"name":"crm",` + to + `}`: "",
		`{"name":"crm","rate":{"n":1,"per":"1s"},"backoff":{"max":"1h"},` + to + `}`: "",
		`null`:                         "webhooks wotnot: a destination is null",
		`{` + to + `}`:                 `destination "": a name has`,
		`{"name":"../crm",` + to + `}`: `destination "../crm": a name has`,
		`{"name":"crm\n",` + to + `}`:  `destination "crm\n": a name has`,
		`{"name":"crm"}`:               "destination crm: a `to` block",
		`{"name":"crm","to":[{}]}`:     "destination crm: a `to` block",
		`{"name":"crm",` + to + `},{"name":"crm",` + to + `}`: "destination crm: duplicate name",
		`{"name":"crm","attempts":-1,` + to + `}`:             "`attempts` must be at least 1",
		`{"name":"crm","timeout":-1,` + to + `}`:              "`timeout` must be at least 1ms",
		`{"name":"crm","timeout":30,` + to + `}`:              "`timeout` must be at least 1ms",
		`{"name":"crm","to":[{"handle":[{"handler":"webhooks","provider":"wotnot","unverified":true,"source":"/other"}]}]}`:                              "webhooks is inside a `to`",
		`{"name":"crm","to":[{"handle":[{"handler":"subroute","routes":[{"handle":[{"handler":"webhooks","provider":"wotnot","unverified":true}]}]}]}]}`: "webhooks is inside a `to`",
		`{"name":"crm","concurrency":-1,` + to + `}`:                  "`concurrency` must be from 1 to 1000",
		`{"name":"crm","concurrency":1001,` + to + `}`:                "`concurrency` must be from 1 to 1000",
		`{"name":"crm","backoff":{"first":-1},` + to + `}`:            "the durations of `backoff` must be positive",
		`{"name":"crm","backoff":{"max":-1},` + to + `}`:              "the durations of `backoff` must be positive",
		`{"name":"crm","backoff":{"first":"7h"},` + to + `}`:          "the first wait of `backoff`, 7h0m0s, is longer",
		`{"name":"crm","rate":{},` + to + `}`:                         "`rate` must be at least 1 per unit",
		`{"name":"crm","rate":{"n":1},` + to + `}`:                    "`rate` must be at least 1 per unit",
		`{"name":"crm","types":[""],` + to + `}`:                      "`types`: \"\" is not a pattern",
		`{"name":"crm","types":["*"],"format":"original",` + to + `}`: "`types` selects events",
		`{"name":"crm","format":"xml",` + to + `}`:                    "unknown `format` \"xml\"",
		`{"name":"crm","signing_keys":[""],` + to + `}`:               "destination crm: `sign`: the value, or a placeholder in it, is empty",
		`{"name":"crm","surprise":1,` + to + `}`:                      `unknown field "surprise"`,
	} {
		wantLoad(t, routesJSON(destinationJSON("/in", destination)), want)
	}
}

// TestDestinationConflictJSON shows when two handlers may have a destination of one
// name.
func TestDestinationConflictJSON(t *testing.T) {
	t.Setenv("SECRET", "x")
	crm := func(route string) string { return `{"name":"crm","to":[` + route + `]}` }
	const plain = `{"handle":[{"handler":"static_response","body":"ok"}]}`
	for _, c := range []struct{ first, second, want string }{
		{destinationJSON("/a", crm(plain)), destinationJSON("/a", crm(plain)), ""},
		{
			destinationJSON("/a", crm(plain)), destinationJSON("/b", crm(plain)),
			"destination crm: duplicate name, in webhooks wotnot, number 1 in the configuration and in webhooks wotnot, number 2 in the configuration; names are unique",
		},
		{
			destinationJSON("/a", crm(plain)), destinationJSON("/a", crm(strings.Replace(plain, "ok", "no", 1))),
			`have the source "/a" and differ in destinations:`,
		},
		// What says the same is equal: in another order, with its default, and
		// with the groups as the Caddyfile adapter counts them.
		{
			destinationJSON("/a", crm(plain)),
			destinationJSON("/a", strings.Replace(crm(`{"handle":[{"body":"ok","handler":"static_response"}]}`), "{", `{"attempts":24,`, 1)), "",
		},
		{
			destinationJSON("/a", crm(`{"group":"group4","handle":[{"handler":"vars"}]},{"group":"group7","handle":[{"handler":"vars"}]}`)),
			destinationJSON("/a", crm(`{"group":"group5","handle":[{"handler":"vars"}]},{"group":"group6","handle":[{"handler":"vars"}]}`)), "",
		},
		{
			destinationJSON("/a", crm(`{"group":"group4","handle":[{"handler":"vars"}]},{"group":"group7","handle":[{"handler":"vars"}]}`)),
			destinationJSON("/a", crm(`{"group":"group4","handle":[{"handler":"vars"}]},{"group":"group4","handle":[{"handler":"vars"}]}`)),
			"differ in destinations:",
		},
	} {
		wantLoad(t, routesJSON(c.first, c.second), c.want)
	}
}

// TestQueueJSON shows that the queue in JSON is checked as that in a Caddyfile
// is, and that no error repeats what may hold a password.
func TestQueueJSON(t *testing.T) {
	password := secretIn(t, "PASSWORD")
	for settings, want := range map[string]string{
		`{}`:                            "",
		`{"queue":{}}`:                  "",
		`{"queue":{"file":"queue.db"}}`: "",
		`{"queue":{"engine":"postgres","dsn":"postgres://user:{env.PASSWORD}@localhost/db"}}`: "",
		`{"retention":{}}`:                          "",
		`{"retention":{"age":"1s","size":1048576}}`: "",
		`{"retention":{"age":-1}}`:                  "the age of `retention` must be at least 1s",
		`{"retention":{"age":999999999}}`:           "the age of `retention` must be at least 1s",
		`{"retention":{"size":1048575}}`:            "the size of `retention` must be at least 1MiB",
		`{"retention":{"size":-1}}`:                 "the size of `retention` must be at least 1MiB",
		`{"queue":{"engine":"postgres"}}`:           "`queue postgres` requires a DSN",
		`{"queue":{"engine":"postgres","dsn":"postgres://{env.PASSWORD}@a/","servers":["postgres://{env.PASSWORD}@b/"],"logs":8,"strict_dedup":true}}`: "",
		`{"queue":{"engine":"postgres","servers":["postgres://` + password + `@b/"]}}`:                                                                 "`queue postgres` requires a DSN",
		`{"queue":{"engine":"postgres","dsn":"host=a","servers":["` + password + `"]}}`:                                                                "DSN 2 of `queue postgres`: not a DSN",
		`{"queue":{"engine":"postgres","dsn":"host=a","servers":[""]}}`:                                                                                "DSN 2 of `queue postgres`: the value, or a placeholder in it, is empty",
		`{"queue":{"engine":"postgres","dsn":"user={env.PASSWORD}","servers":["host=a","user=` + password + `"]}}`:                                     "DSN 3 of `queue postgres` is the same as DSN 1",
		`{"queue":{"engine":"postgres","dsn":"host=a","servers":["1","2","3","4","5","6","7","8"]}}`:                                                   "`queue postgres` has 9 DSNs; use at most 8",
		`{"queue":{"engine":"postgres","dsn":"host=a","logs":9}}`:                                                                                      "`logs` must be a whole number from 1 to 8",
		`{"queue":{"engine":"postgres","dsn":"host=a","logs":-1}}`:                                                                                     "`logs` must be a whole number from 1 to 8",
		`{"queue":{"logs":4}}`:                                                                                        "`queue sqlite` is always one log",
		`{"queue":{"strict_dedup":true}}`:                                                                             "`queue sqlite` is always one log",
		`{"queue":{"servers":["host=a"]}}`:                                                                            "`queue sqlite` takes a file and no DSN",
		`{"queue":{"engine":"` + password + `"}}`:                                                                     "unknown engine of `queue`",
		`{"queue":{"dsn":"` + password + `"}}`:                                                                        "`queue sqlite` takes a file and no DSN",
		`{"queue":{"engine":"postgres","file":"` + password + `"}}`:                                                   "`queue postgres` takes a DSN and no file",
		`{"queue":{"engine":"postgres","dsn":"` + password + `"}}`:                                                    "`queue postgres`: not a DSN",
		`{"queue":{"engine":"postgres","dsn":"postgres://u:{env.PASSWORD}@localhost:x/"}}`:                            "`queue postgres`: not a DSN",
		`{"queue":{"engine":"postgres","dsn":"password={env.PASSWORD}' sslrootcert='/no"}}`:                           "`queue postgres`: not a DSN",
		`{"queue":{"engine":"postgres","dsn":"postgres://localhost/?sslmode=require&sslrootcert=/no{env.PASSWORD}"}}`: "a file that the DSN names, such as that of sslrootcert, is not readable",
	} {
		wantLoad(t, `{"apps":{"webhooks":`+settings+`}}`, want)
	}
}
