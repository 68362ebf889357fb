package subscription

import (
	"encoding/json"
	"testing"
)

// TestWrite pins which members are sent: all that have a value, or those of some
// fields, with null or an empty value for one without.
func TestWrite(t *testing.T) {
	full := &Subscription{
		ID: "7", Name: "a", URL: "b", Events: []string{"c"}, Inbox: "4", Token: "d", Headers: []Header{{"e", "f"}},
		BasicAuth: BasicAuth{"g", "h"}, Active: true, Error: "i",
	}
	empty := &Subscription{Name: "a", URL: "b"}
	all := make([]string, len(fields))
	for i, f := range fields {
		all[i] = f.word
	}
	some := everyField()
	some.Fields = map[string]string{"id": "id", "name": "name", "url": "url"}
	for _, test := range []struct {
		name    string
		members map[string]any
		want    string
	}{
		{"all", everyField().writeAll(full), `{"its_basic_auth":{"username":"g","password":"h"},"its_events":["c"],"its_header":[{"name":"e","value":"f"}],"its_inbox":4,"its_name":"a","its_token":"d","its_url":"b"}`},
		{"all by their words", everyField().write(full, all), `{"its_basic_auth":{"username":"g","password":"h"},"its_events":["c"],"its_header":[{"name":"e","value":"f"}],"its_inbox":4,"its_name":"a","its_token":"d","its_url":"b"}`},
		{"all of nothing", everyField().writeAll(empty), `{"its_basic_auth":{},"its_events":null,"its_header":[],"its_name":"a","its_token":"","its_url":"b"}`},
		{"nothing by its words", everyField().write(empty, []string{"inbox", "header", "basic_auth", "token"}), `{"its_basic_auth":{},"its_header":[],"its_inbox":null,"its_token":""}`},
		{"one", everyField().write(full, []string{"events"}), `{"its_events":["c"]}`},
		{"none", everyField().write(full, nil), `{}`},
		{"what only the provider sets", everyField().write(full, []string{"id", "active", "error"}), `{}`},
		{"what the API knows", some.writeAll(full), `{"name":"a","url":"b"}`},
		{"of these what the API knows", some.write(full, []string{"name", "token"}), `{"name":"a"}`},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := json.Marshal(test.members)
			if err != nil || string(got) != test.want {
				t.Errorf("got %s, %v, want %s", got, err, test.want)
			}
		})
	}
}
