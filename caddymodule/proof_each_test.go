package caddymodule_test

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// eachProvider signs every event of a batch.
const eachProvider = `
	provider acme {
		verify hmac sha256 {
			each      items.#.event
			signature body proof.signature
			content   $body(id):$body(amount)
		}
		events items.#.event as request
		id   id
		type type
	}`

// item is an element of a batch; signedFor is the amount that its signature is of.
func item(secret, id string, amount, signedFor int) string {
	mac := hexMAC(secret, fmt.Appendf(nil, "%s:%d", id, signedFor))
	return fmt.Sprintf(`{"event":{"id":%q,"type":"paid","amount":%d,"proof":{"signature":%q}}}`, id, amount, mac)
}

func items(of ...string) []byte {
	return []byte(`{"live":true,"items":[` + strings.Join(of, ",") + `]}`)
}

// TestEach shows that every element must be proved, or none of them is taken.
func TestEach(t *testing.T) {
	secret, app := secretIn(t, "SECRET"), startApplication(t)
	g := start(t, fmt.Sprintf(`
	webhooks /direct acme {
		secret {env.SECRET}
		source /direct
	}
	webhooks /durable acme {
		secret {env.SECRET}
		source /durable
		destination app {
			to {
				%[1]s
			}
		}
	}
	%[1]s
	`, app.proxy()), ownQueue(t, eachProvider))
	right, other := item(secret, "1", 5, 5), item(secret, "2", 6, 6)
	n := 0
	for _, path := range []string{"/direct", "/durable"} {
		for name, body := range map[string][]byte{
			"the first is wrong":      items(item(secret, "1", 500, 5), other),
			"the second is wrong":     items(right, item(secret, "2", 600, 6)),
			"of another secret":       items(right, item("guess", "2", 6, 6)),
			"the second has none":     items(right, `{"event":{"id":"2","type":"paid","amount":6}}`),
			"the second is no object": items(right, `{"event":7}`),
			"the second has no event": items(right, `{}`),
			"the second has two":      items(right, strings.Replace(other, `{"event":`, `{"event":{},"event":`, 1)),
			"no element":              items(),
			"no array":                []byte(`{"items":` + right + `}`),
			"nothing":                 []byte(`{}`),
		} {
			if a := post(t, path, body); a.status != 401 || a.body != "" {
				t.Errorf("%s, %s: %d %q", path, name, a.status, a.body)
			}
		}
		app.want(t, n)
		wantStatus(t, 200, path, items(right, other))
		n += 2
		waitFor(t, func() bool { return len(app.requests()) >= n })
		sent := app.want(t, n)[n-2:]
		// The queue promises no order.
		slices.SortFunc(sent, func(a, b got) int { return cmp.Compare(a.event(t).ID, b.event(t).ID) })
		for i, sent := range sent {
			want := fmt.Sprintf(`{"live":true,"items":[{"event":{"id":"%d","type":"paid","amount":%d,"proof":{}}}]}`, i+1, i+5)
			if original := string(sent.event(t).Data["original"]); original != want {
				t.Errorf("%s: the original is %s, want %s", path, original, want)
			}
		}
	}
	if lines := g.logLines(`"webhook refused"`, "element 2 at items.#.event"); len(lines) == 0 {
		t.Error("the log does not name the element")
	}
}
