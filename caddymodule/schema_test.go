package caddymodule_test

import (
	"bytes"
	"sync"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

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
