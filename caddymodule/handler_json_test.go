package caddymodule_test

import (
	"strings"
	"testing"
)

// TestJSONConflict shows that unequal handlers with one source are refused in
// JSON too.
func TestJSONConflict(t *testing.T) {
	t.Setenv("SECRET", "x")
	handler := func(more string) string {
		return `{"handler":"webhooks","provider":"notifly","secrets":["{env.SECRET}"]` + more + `}`
	}
	for more, want := range map[string]string{
		`,"max_body":1048576`:               "", // what the default is
		`,"max_body":5`:                     `two webhooks handlers have the source "/webhooks/notifly" and differ in max_body: webhooks notifly, number 1 in the configuration, and webhooks notifly, number 2 in the configuration; give one a ` + "`source` of its own",
		`,"dedup":{"off":true,"entries":1}`: "`dedup off` takes no window and no entries",
		`,"max_body":-1`:                    "`max_body` must be positive",
		`,"tolerance":-1`:                   "`tolerance` must be positive",
		`,"dedup":{"window":-5}`:            "the window of `dedup` must be at least 1s",
		`,"dedup":{"entries":-5}`:           "the entries of `dedup` must be at least 1",
		`,"surprise":1`:                     `unknown field "surprise"`,
	} {
		config := `{"apps":{"http":{"servers":{"s":{"listen":[":0"],"routes":[{"handle":[` + handler("") + "," + handler(more) + `]}]}}}}}`
		err := validateJSON(config)
		switch {
		case err == nil && want != "":
			t.Errorf("%s: no error", more)
		case err != nil && (want == "" || !strings.Contains(err.Error(), want)):
			t.Errorf("%s: %v", more, err)
		}
	}
	config := `{"apps":{"webhooks":{"providers":[null]}}}`
	if err := validateJSON(config); err == nil || !strings.Contains(err.Error(), "a provider is null") {
		t.Errorf("%v", err)
	}
}
