package caddymodule_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"regexp"
	"sync"
	"testing"

	cloudevents "github.com/cloudevents/sdk-go/v2"
	"github.com/santhosh-tekuri/jsonschema/v6"
	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/envelope"
)

var recorded = regexp.MustCompile(`"recordedtime":"[^"]+"`)

// checkForwarded checks what holds for every request that carries an envelope.
func checkForwarded(t *testing.T, sent got) {
	t.Helper()
	if sent.Method != http.MethodPost || sent.Header.Get("Content-Type") != envelope.ContentType {
		t.Errorf("%s with %s", sent.Method, sent.Header.Get("Content-Type"))
	}
	if sent.Length != int64(len(sent.Body)) || sent.Encoding != nil {
		t.Errorf("length %d of %d, transfer encoding %v", sent.Length, len(sent.Body), sent.Encoding)
	}
	verifySigned(t, sent, signingKey)
	if id := sent.Header.Get("Webhook-Id"); !regexp.MustCompile(`^msg_[a-z2-7]{32}$`).MatchString(id) {
		t.Errorf("webhook-id %q", id)
	}
	e := cloudevents.NewEvent()
	if err := json.Unmarshal(sent.Body, &e); err != nil {
		t.Fatal(err)
	}
	if err := e.Validate(); err != nil {
		t.Error(err)
	}
	checkSchema(t, sent.Body)
}

// verifySigned verifies what an application got with the official library.
func verifySigned(t testing.TB, g got, key string) {
	t.Helper()
	wh, err := standardwebhooks.NewWebhook(key)
	if err != nil {
		t.Fatal(err)
	}
	if err := wh.Verify(g.Body, g.Header); err != nil {
		t.Fatal(err)
	}
}

// envelopeSchema is the compiled JSON Schema of the envelope.
var envelopeSchema = sync.OnceValues(func() (*jsonschema.Schema, error) {
	return jsonschema.NewCompiler().Compile("envelope/schema.json")
})

// checkSchema checks an envelope against the JSON Schema.
func checkSchema(t *testing.T, body []byte) {
	t.Helper()
	schema, err := envelopeSchema()
	if err != nil {
		t.Fatal(err)
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if err := schema.Validate(value); err != nil {
		t.Errorf("%v\n%.2000s", err, body)
	}
}
