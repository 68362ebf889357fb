package caddymodule_test

import (
	"regexp"
	"strings"
	"testing"
)

// goType finds the words with which Go's JSON decoder names a type.
var goType = regexp.MustCompile(`Go (struct field|value)|of type |caddymodule|selectionBody`)

// TestStrictSelection shows that a selection that is not understood to its last
// member discards and replays nothing.
func TestStrictSelection(t *testing.T) {
	secret := secretIn(t, "SECRET")
	app, _ := startWithoutCRM(t)
	twoDestinations(t, app)
	sendNotifly(t, secret, "1", "2")
	waitFor(t, func() bool { return gauge(t, "dead_letters", "crm") == 2 })
	waitDelivered(t, "archive")
	before := len(app.requests())

	id := `["` + keyOf("1") + `"]`
	for _, endpoint := range []struct{ method, path string }{{"DELETE", "/webhooks/dead"}, {"POST", "/webhooks/replay"}} {
		for _, c := range []struct{ name, query, body string }{
			{"a null", "", `{"dead":true,"destination":null}`},
			{"a null beside ids", "", `{"ids":` + id + `,"destination":null}`},
			{"null for the way", "", `{"dead":true,"ids":null}`},
			{"a null alone", "", `{"dead":null}`},
			{"a member twice", "", `{"dead":true,"destination":"archive","destination":"crm"}`},
			{"a member twice, then null", "", `{"dead":true,"destination":"archive","destination":null}`},
			{"a member twice, in other letters", "", `{"dead":true,"destination":"archive","Destination":"crm"}`},
			{"a member twice, escaped", "", `{"dead":true,"destination":"archive","destin\u0061tion":"crm"}`},
			{"the way twice", "", `{"dead":true,"dead":true}`},
			{"ids twice", "", `{"ids":` + id + `,"ids":` + id + `}`},
			{"a member in other letters", "", `{"Dead":true}`},
			{"an unknown member", "", `{"dead":true,"destinatoin":"crm"}`},
			{"another type", "", `{"dead":"yes"}`},
			{"another type for ids", "", `{"ids":` + id[1:len(id)-1] + `}`},
			{"another type in ids", "", `{"ids":[1]}`},
			{"a null in ids", "", `{"ids":[null]}`},
			{"another type for a destination", "", `{"dead":true,"destination":["crm"]}`},
			{"a list", "", `[{"dead":true}]`},
			{"a string", "", `"dead"`},
			{"null", "", `null`},
			{"cut off", "", `{"dead":true`},
			{"two", "", `{"dead":true}{"dead":true}`},
			{"an unknown parameter", "?destinatoin=crm", `{"dead":true}`},
			{"a parameter of another endpoint", "?limit=1", `{"dead":true}`},
			{"a member as a parameter", "?destination=crm", `{"dead":true}`},
		} {
			t.Run(endpoint.method+" "+c.name, func(t *testing.T) {
				status, answer := admin(t, endpoint.method, endpoint.path+c.query, c.body)
				if status != 400 {
					t.Errorf("%s is answered %d %s, want 400", c.body, status, strings.TrimSpace(answer))
				}
				if found := goType.FindString(answer); found != "" {
					t.Errorf("the error shows a Go type, %q: %s", found, answer)
				}
			})
		}
	}
	if n := gauge(t, "dead_letters", "crm"); n != 2 {
		t.Errorf("%d dead letters are left, want 2", n)
	}
	if n := len(app.requests()); n != before {
		t.Errorf("%d deliveries were made again", n-before)
	}
	// One that is understood does what it says.
	wantAdmin(t, "DELETE", "/webhooks/dead", `{"dead":true,"destination":"archive"}`, 200, `{"discarded":0}`)
	wantAdmin(t, "DELETE", "/webhooks/dead", `{"dead":true,"destination":"crm"}`, 200, `{"discarded":2}`)
}
