package caddymodule_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// TestHostileBatches shows through the front door that of a batch in an unusual shape,
// every event arrives, or none does and the request is refused, so that the vendor sends
// it again.
func TestHostileBatches(t *testing.T) {
	secret, app := secretIn(t, "SECRET"), startApplication(t)
	g := newGateway(t, "DEBUG", `
	webhooks /whatsapp whatsapp {
		secret {env.SECRET}
		token {env.SECRET}
	}
	webhooks /asana asana {
		secret {env.SECRET}
	}
	`+app.proxy())
	g.filter = filterOf([]string{"asana", "whatsapp"})
	loadNothing(t)
	g.load("")
	const message = `{"id":"%s","from":"1","type":"text","text":{"body":"x"}}`
	changes := func(changes string) string { return `{"entry":[{"id":"e","time":1,"changes":[` + changes + `]}]}` }
	m := func(id string) string { return fmt.Sprintf(message, id) }
	for _, c := range []struct {
		name, path, body string
		status           int
		want             string // the types and ids of what arrives, or their number
	}{
		{"messages and statuses", "/whatsapp", changes(`{"field":"messages","value":{"messages":[` + m("a") + `,` + m("b") + `],"statuses":[{"id":"a","status":"sent"},{"id":"a","status":"read"}]}}`), 200, "message.created a, message.created b, message.updated a/read, message.updated a/sent"},
		{"the same again, cut in two, with one more", "/whatsapp", changes(`{"field":"messages","value":{"messages":[` + m("b") + `]}},{"field":"messages","value":{"messages":[` + m("a") + `,` + m("c") + `]}}`), 200, "message.created c"},
		{"no messages in the array", "/whatsapp", changes(`{"field":"messages","value":{"messages":[],"statuses":null}}`), 200, "whatsapp.messages 1/messages"},
		{"one message instead of an array", "/whatsapp", changes(`{"field":"messages","value":{"messages":` + m("d") + `}}`), 200, "message.created d"},
		{"a change instead of an array of them", "/whatsapp", `{"entry":[{"time":2,"changes":{"field":"account_update","value":{}}}]}`, 200, "whatsapp.account_update 2/account_update"},
		{"escaped names", "/whatsapp", `{"\u0065ntry":[{"chan\u0067es":[{"value":{"messa\u0067es":[` + m("e") + `]}}]}]}`, 200, "message.created e"},
		{"brackets in texts", "/whatsapp", changes(`{"value":{"contacts":[{"name":"]}\\\"[{"}],"messages":[` + m("f") + `]}}`), 200, "message.created f"},
		{"the same id in two entries", "/whatsapp", `{"entry":[{"changes":[{"value":{"messages":[{"id":"g","type":"text","from":"1"}]}}]},{"changes":[{"value":{"messages":[{"id":"g","type":"text","from":"2"}]}}]}]}`, 200, "message.created g, message.created g"},
		{"ids of other kinds", "/whatsapp", changes(`{"value":{"messages":[{"id":7,"type":"a"},{"id":"7","type":"a"},{"id":true,"type":"a"},{"id":[7],"type":"a"}]}}`), 200, "4"},
		{"a number among messages", "/whatsapp", changes(`{"value":{"messages":[` + m("h") + `,1]}}`), 400, ""},
		{"an array among messages", "/whatsapp", changes(`{"value":{"messages":[` + m("h") + `,[]]}}`), 400, ""},
		{"a text instead of messages", "/whatsapp", changes(`{"value":{"messages":[` + m("h") + `]}},{"value":{"messages":"i"}}`), 400, ""},
		{"an object instead of entries", "/whatsapp", `{"entry":{"changes":[{"value":{"messages":[` + m("h") + `]}}]}}`, 400, ""},
		{"null among entries", "/whatsapp", `{"entry":[null,{"changes":[{"value":{"messages":[` + m("h") + `]}}]}]}`, 400, ""},
		{"1,001 messages", "/whatsapp", changes(`{"value":{"messages":[` + strings.Repeat(m("h")+",", 1000) + m("h") + `]}}`), 413, ""},
		{"what was refused above", "/whatsapp", changes(`{"value":{"messages":[` + m("h") + `]}}`), 200, "message.created h"},

		{"a heartbeat", "/asana", `{"events":[]}`, 200, ""},
		{"events without ids that differ in white space", "/asana", `{"events":[{"action":"added"},{"action": "added"}]}`, 200, "2"},
		{"null instead of an event", "/asana", `{"events":[{"action":"removed"},null]}`, 400, ""},
		{"what was refused", "/asana", `{"events":[{"action":"removed"}]}`, 200, "1"},
	} {
		before := len(app.requests())
		body := []byte(c.body)
		header, signature := "X-Hub-Signature-256", "sha256="+hexMAC(secret, body)
		if c.path == "/asana" {
			header, signature = "X-Hook-Signature", hexMAC(secret, body)
		}
		if a := post(t, c.path, body, header, signature); a.status != c.status {
			t.Errorf("%s: %d, want %d", c.name, a.status, c.status)
		}
		var got []string
		for _, sent := range app.requests()[before:] {
			e := sent.event(t)
			got = append(got, e.Type+" "+e.ID)
		}
		slices.Sort(got)
		if text := strings.Join(got, ", "); text != c.want && fmt.Sprint(len(got)) != c.want {
			t.Errorf("%s: got %s, want %s", c.name, text, c.want)
		}
	}
}
