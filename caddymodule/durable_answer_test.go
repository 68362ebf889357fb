package caddymodule_test

import (
	"compress/gzip"
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// TestExcerptIsDecoded shows that what is kept of an answer can be read, although the
// provider would have taken it compressed.
func TestExcerptIsDecoded(t *testing.T) {
	secret := secretIn(t, "SECRET")
	app := startApplication(t, func(w http.ResponseWriter, r *http.Request, _ int) {
		encoding := "identity"
		if strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
			encoding = "gzip"
			w.Header().Set("Content-Encoding", encoding)
		}
		w.WriteHeader(http.StatusInternalServerError)
		if encoding == "gzip" {
			z := gzip.NewWriter(w)
			defer z.Close()
			fmt.Fprint(z, "no such customer")
			return
		}
		fmt.Fprint(w, "no such customer")
	})
	start(t, fmt.Sprintf(`
	webhooks /notifly notifly {
		secret {env.SECRET}
		destination crm {
			attempts 1
			to {
				%s
			}
		}
	}
	`, app.proxy()), ownQueue(t))
	body, header, signature := notifly(secret, "1")
	wantStatus(t, 200, "/notifly", body, header, signature, "Accept-Encoding", "gzip, deflate, br")
	waitFor(t, func() bool { return gauge(t, "dead_letters", "crm") == 1 })
	attempts := historyOf(t, keyOf("1")).Destinations[0].Attempts
	if len(attempts) != 1 || attempts[0].Excerpt != "no such customer" {
		t.Errorf("%+v", attempts)
	}
}
