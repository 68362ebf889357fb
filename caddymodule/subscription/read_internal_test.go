package subscription

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
)

// everyField is an API that knows every field, by a name of its own.
func everyField() *API {
	api := &API{API: "https://api.example.com", Path: "/webhooks", Key: Key{Bearer: true}, List: "data", Update: Put, Fields: map[string]string{}}
	for _, f := range fields {
		api.Fields[f.word] = "its_" + f.word
	}
	return api
}

// reportedOf lists the fields that an answer reports.
func reportedOf(s Subscription) string {
	var words []string
	for _, f := range fields {
		if s.reported[f.word] {
			words = append(words, f.word)
		}
	}
	return strings.Join(words, " ")
}

// TestRead shows how answers are read, odd ones included: a malformed field is
// not reported, unless it is required.
func TestRead(t *testing.T) {
	const rest = `,"its_name":"a","its_url":"https://hooks.example.com/"}`
	plain := Subscription{ID: "7", Name: "a", URL: "https://hooks.example.com/"}
	with := func(change func(*Subscription)) Subscription {
		s := plain
		change(&s)
		return s
	}
	for _, test := range []struct {
		name, answer  string
		want          Subscription
		reported, err string
	}{
		{"a number as its id", `{"its_id":7` + rest, plain, "id name url", ""},
		{"a text as its id", `{"its_id":"7"` + rest, plain, "id name url", ""},
		{"a long number", `{"its_id":12345678901234567890123` + rest, with(func(s *Subscription) { s.ID = "12345678901234567890123" }), "id name url", ""},
		{"a UUID", `{"its_id":"123e4567-e89b-12d3-a456-426614174000"` + rest, with(func(s *Subscription) { s.ID = "123e4567-e89b-12d3-a456-426614174000" }), "id name url", ""},
		{"signs in its id", `{"its_id":"a.b:c~d_e-f"` + rest, with(func(s *Subscription) { s.ID = "a.b:c~d_e-f" }), "id name url", ""},
		{"unknown members", `{"its_id":7,"id":8,"name":"b","":"c"` + rest, plain, "id name url", ""},
		{"null members", `{"its_id":"7","its_name":null,"its_url":null,"its_events":null,"its_inbox":null,"its_token":null,"its_header":null,"its_basic_auth":null,"its_active":null,"its_error":null}`, Subscription{ID: "7"}, "id name url events inbox token header basic_auth error", ""},
		{"all members", `{"its_id":"7","its_name":"a","its_url":"b","its_events":["c","d"],"its_inbox":4,"its_token":"e","its_header":[{"name":"f","value":"g","more":1}],"its_basic_auth":{"username":"h","password":"i"},"its_active":true,"its_error":"j"}`,
			Subscription{ID: "7", Name: "a", URL: "b", Events: []string{"c", "d"}, Inbox: "4", Token: "e", Headers: []Header{{"f", "g"}}, BasicAuth: BasicAuth{"h", "i"}, Active: true, Error: "j"},
			"id name url events inbox token header basic_auth active error", ""},
		{"empty members", `{"its_events":[],"its_inbox":"","its_token":"","its_header":[],"its_basic_auth":{},"its_active":false,"its_error":"","its_id":7` + rest,
			with(func(s *Subscription) { s.Events, s.Headers = []string{}, []Header{} }), "id name url events inbox token header basic_auth active error", ""},
		{"an inbox as text", `{"its_id":7,"its_inbox":"4"` + rest, with(func(s *Subscription) { s.Inbox = "4" }), "id name url inbox", ""},
		{"a number as its name", `{"its_id":7,"its_name":1.50,"its_url":""}`, Subscription{ID: "7", Name: "1.50"}, "id name url", ""},
		{"an error with date and message", `{"its_id":7,"its_error":{"date":"2017-12-04","message":"timeout"}` + rest, with(func(s *Subscription) { s.Error = "timeout (2017-12-04)" }), "id name url error", ""},
		{"an error with a message", `{"its_id":7,"its_error":{"message":"timeout"}` + rest, with(func(s *Subscription) { s.Error = "timeout" }), "id name url error", ""},
		{"an error with a date", `{"its_id":7,"its_error":{"date":"2017-12-04"}` + rest, plain, "id name url error", ""},
		{"an empty error", `{"its_id":7,"its_error":{}` + rest, plain, "id name url error", ""},

		{"odd events", `{"its_id":7,"its_events":"message_created"` + rest, plain, "id name url", ""},
		{"an odd inbox", `{"its_id":7,"its_inbox":{"id":4}` + rest, plain, "id name url", ""},
		{"an odd token", `{"its_id":7,"its_token":["a"]` + rest, plain, "id name url", ""},
		{"odd headers", `{"its_id":7,"its_header":{"X-A":"b"}` + rest, plain, "id name url", ""},
		{"an odd state", `{"its_id":7,"its_active":"yes"` + rest, plain, "id name url", ""},
		{"an odd error", `{"its_id":7,"its_error":[1]` + rest, plain, "id name url", ""},

		{"no id", `{"a":7` + rest, plain, "", "a subscription without an id"},
		{"null as its id", `{"its_id":null` + rest, plain, "", "a subscription without an id"},
		{"an empty id", `{"its_id":""` + rest, plain, "", "a subscription without an id"},
		{"an odd id", `{"its_id":{"a":7}` + rest, plain, "", "a subscription with a malformed id"},
		{"an odd name", `{"its_id":7,"its_name":{},"its_url":""}`, plain, "", "a subscription with a malformed name"},
		{"an odd URL", `{"its_id":7,"its_name":"a","its_url":false}`, plain, "", "a subscription with a malformed url"},
		{"a path as its id", `{"its_id":"7/../8"` + rest, plain, "", "a subscription without an id"},
		{"a slash", `{"its_id":"/"` + rest, plain, "", "a subscription without an id"},
		{"a dot", `{"its_id":"."` + rest, plain, "", "a subscription without an id"},
		{"two dots", `{"its_id":".."` + rest, plain, "", "a subscription without an id"},
		{"a query", `{"its_id":"7?a"` + rest, plain, "", "a subscription without an id"},
		{"an escape", `{"its_id":"%2e%2e"` + rest, plain, "", "a subscription without an id"},
		{"a line", `{"its_id":"7\n"` + rest, plain, "", "a subscription without an id"},
		{"a control character", `{"its_id":"\u001b[2J"` + rest, plain, "", "a subscription without an id"},
		{"a space", `{"its_id":"7 8"` + rest, plain, "", "a subscription without an id"},
		{"other letters", `{"its_id":"é"` + rest, plain, "", "a subscription without an id"},
		{"a very long id", `{"its_id":"` + strings.Repeat("7", 201) + `"` + rest, plain, "", "a subscription without an id"},
		{"null", `null`, plain, "", "a subscription that is not an object"},
		{"a text", `"7"`, plain, "", "a subscription that is not an object"},
		{"an array", `[7]`, plain, "", "a subscription that is not an object"},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := everyField().read(json.RawMessage(test.answer))
			if test.err != "" {
				if err == nil || err.Error() != test.err {
					t.Errorf("got %v, want %s", err, test.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if reported := reportedOf(got); reported != test.reported {
				t.Errorf("reported: %s, want %s", reported, test.reported)
			}
			got.reported = nil
			if !reflect.DeepEqual(got, test.want) {
				t.Errorf("got %+v, want %+v", got, test.want)
			}
		})
	}
}

// TestReadUnknown shows that fields that an API does not have are not read.
func TestReadUnknown(t *testing.T) {
	api := &API{Fields: map[string]string{"id": "id", "name": "name", "url": "url"}}
	s, err := api.read(json.RawMessage(`{"id":7,"":"a","token":"b"}`))
	if err != nil || reportedOf(s) != "id" || s.Token != "" {
		t.Errorf("got %+v, %v", s, err)
	}
}

// TestReadList shows how a list is read, and pins the errors for anything else.
func TestReadList(t *testing.T) {
	member, answer := &API{List: "data", Fields: everyField().Fields}, &API{List: ListIsAnswer, Fields: everyField().Fields}
	for _, test := range []struct {
		api     *API
		answer  string
		n       int
		wantErr string
	}{
		{member, `{"data":[]}`, 0, ""},
		{member, ` {"data":[{"its_id":7},{"its_id":8}],"next":null} `, 2, ""},
		{member, `{}`, 0, "something other than a list"},
		{member, `{"data":null}`, 0, "something other than a list"},
		{member, `{"data":{}}`, 0, "something other than a list"},
		{member, `null`, 0, "something other than a list"},
		{member, `[]`, 0, "something other than an object with data"},
		{member, `"data"`, 0, "something other than an object with data"},
		{member, `{"data":[{"its_id":7},{}]}`, 0, "a subscription without an id"},
		{answer, `[]`, 0, ""},
		{answer, "[{\"its_id\":\"a\"}]\n", 1, ""},
		{answer, `{"data":[]}`, 0, "something other than a list"},
		{answer, `null`, 0, "something other than a list"},
		{answer, `[[]]`, 0, "a subscription that is not an object"},
	} {
		list, err := test.api.readList([]byte(test.answer))
		got := ""
		if err != nil {
			got = err.Error()
		}
		if len(list) != test.n || got != test.wantErr {
			t.Errorf("%s: %d and %q, want %d and %q", test.answer, len(list), got, test.n, test.wantErr)
		}
	}
}

// TestFillReported shows that a field that only some of a list have counts as
// reported, and empty, in the others, unless it is malformed there; and that a
// field that none has is not reported.
func TestFillReported(t *testing.T) {
	list, err := everyField().readList([]byte(`{"data":[{"its_id":7,"its_inbox":4},{"its_id":8,"its_name":"a","its_active":true}]}`))
	if err != nil {
		t.Fatal(err)
	}
	if got, want := reportedOf(list[0]), "id name inbox"; got != want {
		t.Errorf("the first reports %s, want %s", got, want)
	}
	if got, want := reportedOf(list[1]), "id name inbox active"; got != want {
		t.Errorf("the second reports %s, want %s", got, want)
	}

	list, err = everyField().readList([]byte(`{"data":[{"its_id":7,"its_inbox":{"id":4},"its_token":null},{"its_id":8,"its_inbox":4,"its_token":"a"},{"its_id":9}]}`))
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{"id token", "id inbox token", "id inbox token"} {
		if got := reportedOf(list[i]); got != want {
			t.Errorf("%s reports %s, want %s", list[i].ID, got, want)
		}
	}
}
