package caddymodule_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// TestForeignHeaders shows that a sender cannot bring along headers that an
// application would believe beside the envelope: the attributes of a CloudEvent,
// the signature headers of Svix, or another method.
func TestForeignHeaders(t *testing.T) {
	secret := secretIn(t, "SECRET")
	app := startApplication(t)
	block := func(path, provider, credential, settings string) string {
		return fmt.Sprintf("webhooks /%[1]s %[2]s {\n%[3]s {env.SECRET}\nsource /%[1]s\n%[4]s\n}\n", path, provider, credential, settings)
	}
	queued := func(name, settings string) string {
		return fmt.Sprintf("destination %s {\n%s\nto {\n%s\n}\n}", name, settings, app.proxy())
	}
	start(t, block("direct", "notifly", "secret", "")+
		block("direct-batch", "wotnot", "token", "")+
		block("direct-original", "notifly", "secret", "format original")+
		block("durable", "notifly", "secret", queued("one", ""))+
		block("durable-batch", "wotnot", "token", queued("two", ""))+
		block("durable-original", "notifly", "secret", queued("three", "format original"))+
		app.proxy(), ownQueue(t))

	sent := 0
	for _, c := range []struct {
		path, destination string
		isBatch, original bool
	}{
		{path: "/direct"},
		{path: "/direct-batch", isBatch: true},
		{path: "/direct-original", original: true},
		{path: "/durable", destination: "one"},
		{path: "/durable-batch", destination: "two", isBatch: true},
		{path: "/durable-original", destination: "three", original: true},
	} {
		t.Run(strings.TrimPrefix(c.path, "/"), func(t *testing.T) {
			headers := []string{
				"ce-id", "FORGED", "Ce-Type", "contact.deleted", "CE-SPECVERSION", "1.0", "Ce-Own", "x",
				"svix-id", "FORGED", "Svix-Signature", "v1,x", "X-Http-Method-Override", "DELETE", "X-Kept", "yes",
			}
			body, header, signature := notifly(secret, c.path)
			events := 1
			if c.isBatch {
				body, header, signature = batch("1:a", "2:b"), "token", secret
				events = 2
			}
			wantStatus(t, 200, c.path, body, append(headers, header, signature)...)
			if c.destination != "" {
				waitDelivered(t, c.destination)
			}
			for _, r := range app.want(t, sent+events)[sent:] {
				wantNoForeignHeaders(t, r, c.original)
			}
			sent += events
		})
	}
}

// wantNoForeignHeaders checks what came of the headers. Without an envelope, those
// of a CloudEvent may be the provider's own.
func wantNoForeignHeaders(t *testing.T, r got, original bool) {
	t.Helper()
	var foreign []string
	for name := range r.Header {
		for _, prefix := range []string{"Ce-", "Svix-", "X-Http-Method-Override"} {
			if strings.HasPrefix(http.CanonicalHeaderKey(name), prefix) && !(original && prefix == "Ce-") {
				foreign = append(foreign, name)
			}
		}
	}
	if slices.Sort(foreign); len(foreign) > 0 {
		t.Errorf("the application got %s", strings.Join(foreign, ", "))
	}
	if original && r.Header.Get("Ce-Id") != "FORGED" {
		t.Error("an original request lost its own Ce-Id")
	}
	if r.Header.Get("X-Kept") != "yes" {
		t.Errorf("X-Kept is %q", r.Header.Get("X-Kept"))
	}
}
