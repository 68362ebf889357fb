package envelope_test

import (
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/envelope"
)

// compileSchema compiles the schema. With formats asserted it also checks what
// most validators take as a remark.
func compileSchema(t *testing.T, assertFormats bool) *jsonschema.Schema {
	t.Helper()
	c := jsonschema.NewCompiler()
	if assertFormats {
		c.AssertFormat()
	}
	schema, err := c.Compile("schema.json")
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

func validate(t *testing.T, schema *jsonschema.Schema, written string) error {
	t.Helper()
	instance, err := jsonschema.UnmarshalJSON(strings.NewReader(written))
	if err != nil {
		t.Fatalf("%v in %s", err, written)
	}
	return schema.Validate(instance)
}

// allFields are all canonical members at once, which no event has.
const allFields = `"account":{"id":"1","name":"Acme"},` +
	`"channel":{"id":"2","name":"Support","medium":"whatsapp"},` +
	`"conversation":{"id":"3","status":"open","subject":"Hello","assignee":{"id":"4","name":"Ada","email":"ada@example.com","kind":"agent"},` +
	`"created_at":"2026-11-20T12:00:00Z","updated_at":"2026-11-20T12:00:00.5Z"},` +
	`"contact":{"id":"5","name":"Bob","username":"bob","email":"bob@example.com","phone":"1-800-759-3000","avatar_url":"https://example.com/a.png",` +
	`"last_seen_at":"2026-11-20T12:00:00.123456789Z","created_at":"2026-11-20T12:00:00Z"},` +
	`"message":{"id":"6","kind":"reply","providerkind":"form.response","text":"\u0000\n","direction":"inbound","author":{"id":"5","kind":"contact"},` +
	`"attachments":[{"kind":"image","url":"https://example.com/b.png","mime_type":"image/png","name":"b.png"},{"url":"c"}],` +
	`"fields":[{"label":"Age","type":"number","value":42}],"reply_to":"7",` +
	`"created_at":"2026-11-20T12:00:00Z","updated_at":"2026-11-20T12:00:00Z","read_at":"2026-11-20T12:00:00Z"},` +
	`"actor":{"id":"4","email":"ada@example.com","kind":"bot"},` +
	`"assignment":{"from":{"id":"4"},"to":{"id":"8"}},` +
	`"labels":{"action":"added","items":[{"id":"9","name":"urgent"}]},` +
	`"note":{"text":"call back","author":{"id":"4"}},` +
	`"variables":[{"name":"¿·a·?","type":"list","value":[null,""]},{"name":"n","value":0},{"name":"b","value":false},{"name":"o","value":{"a":null}}],` +
	`"extra":{"of":"a provider of a user's own"}`

func TestSchemaAccepts(t *testing.T) {
	for _, formats := range []bool{false, true} {
		schema := compileSchema(t, formats)
		events := map[string]envelope.Event{"full": full(), "minimal": minimal(), "in a trace": inTrace(), "of a form": ofForm()}
		all := full()
		all.Fields = []byte(allFields)
		events["all fields"] = all

		contact := full()
		contact.Subject, contact.Source, contact.Time = "contacts/é 7", "https://hooks.example.com/notifly?a=b#c", "1991-12-08T23:00:00.5Z"
		events["contact"] = contact

		unknown := minimal()
		unknown.ProviderType = "Ticket Opened/é\u2028"
		unknown.Type = "my-acme2." + unknown.ProviderType
		unknown.Provider = "my-acme2"
		unknown.Original = `[1e400,"\ud800"]`
		events["unknown type"] = unknown

		longest := full()
		longest.ID = strings.Repeat("i", envelope.MaxAttribute)
		longest.PartitionKey = strings.Repeat("p", envelope.MaxAttribute)
		longest.Subject = "conversations/" + longest.PartitionKey
		longest.ProviderType = strings.Repeat("t", envelope.MaxAttribute)
		longest.Type = "notifly." + longest.ProviderType
		events["longest attributes"] = longest

		for name, e := range events {
			if err := validate(t, schema, string(e.Append(nil))); err != nil {
				t.Errorf("%s (formats %v): %v", name, formats, err)
			}
		}
	}
}

func TestSchemaRefuses(t *testing.T) {
	schema := compileSchema(t, false)
	all := full()
	all.Fields = []byte(allFields)
	whole := string(all.Append(nil))
	if err := validate(t, schema, whole); err != nil {
		t.Fatal(err)
	}

	// Each replaces something in an envelope that is right.
	for _, test := range []struct{ name, old, new string }{
		{"not an object", whole, `[]`},
		{"no specversion", `"specversion":"1.0",`, ``},
		{"another specversion", `"specversion":"1.0"`, `"specversion":"0.3"`},
		{"no id", `"id":"a056V7R7NmNRjl70","source"`, `"source"`},
		{"empty id", `"id":"a056V7R7NmNRjl70","source"`, `"id":"","source"`},
		{"id that is a number", `"id":"a056V7R7NmNRjl70","source"`, `"id":1,"source"`},
		{"id with a control character", `"id":"a056V7R7NmNRjl70","source"`, `"id":"a\n","source"`},
		{"id that is too long", `"id":"a056V7R7NmNRjl70","source"`, `"id":"` + strings.Repeat("x", envelope.MaxAttribute+1) + `","source"`},
		{"no source", `"source":"/webhooks/notifly",`, ``},
		{"empty source", `"source":"/webhooks/notifly"`, `"source":""`},
		{"no type", `"type":"message.updated","subject"`, `"subject"`},
		{"type without a dot", `"type":"message.updated","subject"`, `"type":"message","subject"`},
		{"type that ends with the dot", `"type":"message.updated","subject"`, `"type":"message.","subject"`},
		{"subject that is none", `"subject":"conversations/`, `"subject":"messages/`},
		{"subject without an id", `"subject":"conversations/xgQQXg3hrtjh7AvZ"`, `"subject":"conversations/"`},
		{"empty subject", `"subject":"conversations/xgQQXg3hrtjh7AvZ"`, `"subject":""`},
		{"null subject", `"subject":"conversations/xgQQXg3hrtjh7AvZ"`, `"subject":null`},
		{"time in a zone", `"time":"1991-12-08T23:00:00Z"`, `"time":"1991-12-08T23:00:00+01:00"`},
		{"time as a number", `"time":"1991-12-08T23:00:00Z"`, `"time":692233200`},
		{"no recordedtime", `"recordedtime":"2026-11-20T12:00:00.123456Z",`, ``},
		{"recordedtime in milliseconds", `12:00:00.123456Z`, `12:00:00.123Z`},
		{"empty partitionkey", `"partitionkey":"xgQQXg3hrtjh7AvZ"`, `"partitionkey":""`},
		{"no provider", `"provider":"notifly",`, ``},
		{"provider in upper case", `"provider":"notifly"`, `"provider":"Notifly"`},
		{"empty providertype", `"providertype":"message.updated"`, `"providertype":""`},
		{"no datacontenttype", `"datacontenttype":"application/json",`, ``},
		{"another datacontenttype", `"datacontenttype":"application/json"`, `"datacontenttype":"text/plain"`},
		{"unknown attribute", `"specversion":`, `"dataschema":"x","specversion":`},
		{"attribute of another extension", `"specversion":`, `"dataref":"x","specversion":`},
		{"traceparent of another form", `"specversion":`, `"traceparent":"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331","specversion":`},
		{"empty tracestate", `"specversion":`, `"traceparent":"` + traceParent + `","tracestate":"","specversion":`},
		{"tracestate without traceparent", `"specversion":`, `"tracestate":"a=b","specversion":`},
		{"no original", `"original":{`, `"other":{`},

		{"empty text", `"name":"Acme"`, `"name":""`},
		{"null", `"name":"Acme"`, `"name":null`},
		{"id of a canonical member that is a number", `"contact":{"id":"5"`, `"contact":{"id":5`},
		{"empty object", `"account":{"id":"1","name":"Acme"}`, `"account":{}`},
		{"object that is a text", `"account":{"id":"1","name":"Acme"}`, `"account":"1"`},
		{"empty medium", `"medium":"whatsapp"`, `"medium":""`},
		{"unknown status", `"status":"open"`, `"status":"Open"`},
		{"empty assignee", `"assignee":{"id":"4","name":"Ada"`, `"assignee":{"id":"","name":"Ada"`},
		{"time of a conversation", `"updated_at":"2026-11-20T12:00:00.5Z"`, `"updated_at":"2026-11-20 12:00:00"`},
		{"time of a contact", `"last_seen_at":"2026-11-20T12:00:00.123456789Z"`, `"last_seen_at":1795176000`},
		{"unknown kind", `"kind":"reply"`, `"kind":"form"`},
		{"unknown direction", `"direction":"inbound"`, `"direction":"incoming"`},
		{"empty message text", `"text":"\u0000\n"`, `"text":""`},
		{"attachment without a URL", `,{"url":"c"}`, `,{"name":"c"}`},
		{"no attachments", `[{"kind":"image","url":"https://example.com/b.png","mime_type":"image/png","name":"b.png"},{"url":"c"}]`, `[]`},
		{"null in a field of a form", `"value":42`, `"value":null`},
		{"empty reply_to", `"reply_to":"7"`, `"reply_to":""`},
		{"actor's id", `"actor":{"id":"4"`, `"actor":{"id":4`},
		{"assignment to nobody", `"to":{"id":"8"}`, `"to":{}`},
		{"labels that are texts", `"items":[{"id":"9","name":"urgent"}]`, `"items":["urgent"]`},
		{"empty note", `"text":"call back"`, `"text":""`},
		{"variables that are an object", `"variables":[{"name":"¿·a·?"`, `"variables":{},"x":[{"name":"¿·a·?"`},
		{"empty variable", `"value":[null,""]`, `"value":""`},
		{"empty list in a variable", `"value":[null,""]`, `"value":[]`},
		{"empty object in a variable", `"value":{"a":null}`, `"value":{}`},
		{"null in a variable", `"name":"n","value":0`, `"name":"n","value":null`},
	} {
		t.Run(test.name, func(t *testing.T) {
			broken := strings.Replace(whole, test.old, test.new, 1)
			if broken == whole {
				t.Fatalf("nothing to replace: %s", test.old)
			}
			if err := validate(t, schema, broken); err == nil {
				t.Errorf("accepted: %s", broken)
			}
		})
	}
	t.Run("source that is no URI-reference", func(t *testing.T) {
		broken := strings.Replace(whole, `"source":"/webhooks/notifly"`, `"source":"%zz"`, 1)
		if err := validate(t, compileSchema(t, true), broken); err == nil {
			t.Errorf("accepted: %s", broken)
		}
	})
}
