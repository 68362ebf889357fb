package subscription

import (
	"encoding/json"
	"reflect"
	"testing"
)

// TestDifferences pins the order and the form of the differences of each kind of
// value. Some values must not be shown.
func TestDifferences(t *testing.T) {
	api := everyField()
	want := Subscription{
		Name: "a", URL: "https://hooks.example.com/", Events: []string{"b"}, Inbox: "4", Token: "c",
		Headers: []Header{{"X-A", "d"}}, BasicAuth: BasicAuth{"e", "f"},
	}
	read := func(answer string) Subscription {
		t.Helper()
		s, err := api.read(json.RawMessage(answer))
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	for _, test := range []struct {
		name, answer string
		want         []Difference
	}{
		{"nothing reported", `{"its_id":7}`, nil},
		{"all as wanted", `{"its_id":7,"its_name":"a","its_url":"https://hooks.example.com/","its_events":["b"],"its_inbox":4,"its_token":"c","its_header":[{"name":"x-a","value":"d"}],"its_basic_auth":{"username":"e","password":"f"},"its_active":false,"its_error":"g"}`, nil},
		{"nothing there", `{"its_id":7,"its_name":null,"its_url":"","its_events":null,"its_inbox":null,"its_token":null,"its_header":null,"its_basic_auth":null}`, []Difference{
			{Add, "name", "a"}, {Add, "url", "https://hooks.example.com/"}, {Add, "events", "b"}, {Add, "inbox", "4"},
			{Add, "token", ""}, {Add, "header", "X-A"}, {Add, "basic_auth", ""},
		}},
		{"all else", `{"its_id":7,"its_name":"z","its_url":"https://else.example.com/?y=x","its_events":["w"],"its_inbox":5,"its_token":"v","its_header":[{"name":"X-A","value":"u"},{"name":"X-B","value":"t"}],"its_basic_auth":{"username":"s"}}`, []Difference{
			{Add, "name", "a"}, {Remove, "name", "z"},
			{Add, "url", "https://hooks.example.com/"}, {Remove, "url", "https://else.example.com/?y=…"},
			{Add, "events", "b"}, {Remove, "events", "w"},
			{Add, "inbox", "4"}, {Remove, "inbox", "5"},
			{Replace, "token", ""},
			{Remove, "header", "X-B"}, {Replace, "header", "X-A"},
			{Replace, "basic_auth", ""},
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := read(test.answer)
			if got := s.differences(api, &want); !reflect.DeepEqual(got, test.want) {
				t.Errorf("got %v, want %v", got, test.want)
			}
		})
	}

	// The other way round, what is not wanted is removed.
	s := read(`{"its_id":7,"its_name":"a","its_url":"https://hooks.example.com/?k=v","its_token":"c","its_header":[{"name":"X-A","value":"d"}],"its_basic_auth":{"password":"f"}}`)
	got := s.differences(api, &Subscription{Name: "a", URL: "https://hooks.example.com/"})
	if want := []Difference{{Replace, "url", "https://hooks.example.com/"}, {Remove, "token", ""}, {Remove, "header", "X-A"}, {Remove, "basic_auth", ""}}; !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
