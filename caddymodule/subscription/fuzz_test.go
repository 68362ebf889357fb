package subscription

import (
	"encoding/json"
	"net/url"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

// FuzzHide shows that no text of a provider's makes Hide panic, or show a
// credential, eight letters and digits of one, or more than one short line.
func FuzzHide(f *testing.F) {
	for _, seed := range [][2]string{
		{"the token Zm9vYmFyYmF6 is wrong", "Zm9vYmFyYmF6"},
		{"Zm9v\x00YmFy\u200bYmF6", "Zm9vYmFyYmF6"},
		{"GET https://hooks.example.com/in?token=Zm9vYmF&a=b failed", "Zm9vYmFyYmF6"},
		{"a%2Fb%2fc+d&amp;e 100%", "a/b/c+d&e"},
		{"p4ss w0rd", "p4ss w0rd"},
		{"!?!=x", "!?"},
		{strings.Repeat("é\n", 400), "-----"},
		{`{\"error\":\"not Zk\\u00264wq\\u003c9x1vB\"}`, "Zk&4wq<9x1vB"},
		{`\u005a\u006B4wq9x1vB \ud800 \u`, "Zk4wq9x1vB"},
		{"a%252Fb%25252fc+d&amp;amp;e", "a/b/c+d&e"},
		{"Zk%254wq%259x1vB ?a=%2525", "Zk%4wq%9x1vB"},
		{"GET /in?token=Zk4wq9x1vB failed: Zk4w", "Zk4wq9x1vB"},
	} {
		f.Add(seed[0], seed[1])
	}
	f.Fuzz(func(t *testing.T, text, secret string) {
		// What JSON can hold, and what a header can.
		if !utf8.ValidString(text) || strings.ContainsFunc(secret, func(r rune) bool { return r < ' ' || r > '~' }) {
			return
		}
		client := &Client{Key: secret, Hidden: []string{""}}
		got := client.Hide(text)
		if got == notShown {
			return
		}
		if utf8.RuneCountInString(got) > 300 || strings.ContainsFunc(got, unicode.IsControl) {
			t.Errorf("%q is shown as %q", text, got)
		}
		isText := func(r rune) bool {
			return '0' <= r && r <= '9' || 'A' <= r && r <= 'Z' || 'a' <= r && r <= 'z'
		}
		if secret != "" && strings.Contains(got, secret) {
			t.Errorf("%q is shown as %q, with %q", text, got, secret)
		}
		for i := 0; i+8 <= len(secret); i++ {
			part := secret[i : i+8]
			isPart := strings.IndexFunc(part, func(r rune) bool { return !isText(r) }) < 0
			if isPart && strings.Contains(strings.ToLower(got), strings.ToLower(part)) {
				t.Errorf("%q is shown as %q, with a part of %q", text, got, secret)
			}
		}
	})
}

// FuzzReadList shows that no answer makes what reads, compares and shows it
// panic, and that no id leads to another path than that of one subscription.
func FuzzReadList(f *testing.F) {
	for _, seed := range []string{
		`{"data":[{"its_id":7,"its_name":"a","its_url":"https://hooks.example.com/?token=a","its_events":["b"],"its_inbox":4,"its_active":true}]}`,
		`[{"its_id":"5a21a9e21ec94a0007f9ac19","its_name":"Webhook","its_url":"https://example.com","its_error":""}]`,
		`[{"its_id":"a","its_header":[{"name":"X-A","value":"b"}],"its_basic_auth":{"username":"","password":""},"its_error":{"date":"2017-12-04T15:06:12.053Z","message":"timeout"}}]`,
		`[{"its_id":"..","its_url":"%zz"},null]`,
	} {
		f.Add([]byte(seed))
	}
	want := Subscription{Name: "a", URL: "https://hooks.example.com/", Events: []string{"b"}, Inbox: "4", Headers: []Header{{"X-A", "c"}}}
	f.Fuzz(func(t *testing.T, answer []byte) {
		for _, list := range []string{ListIsAnswer, "data"} {
			api := everyField()
			api.List = list
			target := Target{Client: &Client{API: api, URL: api.API}, Want: want}
			subscriptions, err := api.readList(answer)
			if err != nil && strings.ContainsFunc(err.Error(), unicode.IsControl) {
				t.Errorf("%q", err)
			}
			for _, s := range subscriptions {
				u, err := url.Parse(api.API + target.Client.path(s.ID))
				if err != nil || u.EscapedPath() != "/webhooks/"+s.ID || u.JoinPath().Path != u.Path || strings.Count(u.Path, "/") != 2 {
					t.Errorf("the id %q leads to %v, %v", s.ID, u, err)
				}
				update := target.update(s)
				if _, err := json.Marshal(api.write(&s, update.words)); err != nil && s.Inbox == "" {
					t.Errorf("%q cannot be written: %v", s.ID, err)
				}
				ShownURL(s.URL)
			}
			for _, note := range target.notes(found{ours: subscriptions, others: subscriptions}) {
				if strings.ContainsFunc(note, unicode.IsControl) {
					t.Errorf("a note: %q", note)
				}
			}
		}
	})
}
