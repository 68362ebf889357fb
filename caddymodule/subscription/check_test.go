package subscription_test

import (
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/subscription"
)

func checkError(t *testing.T, err error, want string) {
	t.Helper()
	if err == nil || err.Error() != want {
		t.Errorf("got:\n%v\nwant:\n%s", err, want)
	}
}

// checkPlan compares a plan's changes, each as `<action> <id> [<differences>]`,
// and its notes.
func checkPlan(t *testing.T, plan subscription.Plan, changes, notes []string) {
	t.Helper()
	var got []string
	for _, change := range plan.Changes {
		got = append(got, changeText(change))
	}
	if !slices.Equal(got, changes) {
		t.Errorf("changes:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(changes, "\n"))
	}
	if !slices.Equal(plan.Notes, notes) {
		t.Errorf("notes:\n%s\nwant:\n%s", strings.Join(plan.Notes, "\n"), strings.Join(notes, "\n"))
	}
	checkSafe(t, inJSON(t, plan))
}

func changeText(change subscription.Change) string {
	return strings.TrimSpace(fmt.Sprintf("%s %s", change.Action, change.ID)) + differencesText(change.Differences)
}

// differencesText writes differences as `[+field value ~field]`.
func differencesText(differences []subscription.Difference) string {
	signs := map[string]string{subscription.Add: "+", subscription.Remove: "-", subscription.Replace: "~"}
	var texts []string
	for _, d := range differences {
		texts = append(texts, strings.TrimSpace(signs[d.Op]+d.Field+" "+d.Value))
	}
	if len(texts) == 0 {
		return ""
	}
	return " [" + strings.Join(texts, ", ") + "]"
}

// checkSafe checks that a text holds no credential in any spelling, and no part
// of one.
func checkSafe(t *testing.T, text string) {
	t.Helper()
	for _, secret := range secrets {
		if part := repeated(text, secret); part != "" {
			t.Errorf("%q is a part of %q, in: %s", part, secret, text)
		}
	}
}

// repeated returns a part of a credential, as eight letters and digits of it,
// that a text holds.
func repeated(text, secret string) string {
	text = lettersAndDigits(text)
	for _, form := range []string{secret, url.QueryEscape(secret), url.PathEscape(secret)} {
		form = lettersAndDigits(form)
		for i := 0; i+8 <= len(form); i++ {
			if part := form[i : i+8]; strings.Contains(text, part) {
				return part
			}
		}
	}
	return ""
}

func lettersAndDigits(s string) string {
	return strings.Map(func(r rune) rune {
		if 'a' <= r && r <= 'z' || '0' <= r && r <= '9' {
			return r
		}
		return -1
	}, strings.ToLower(s))
}

func inJSON(t testing.TB, value any) string {
	t.Helper()
	var b strings.Builder
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		t.Fatal(err)
	}
	return b.String()
}
