package caddymodule_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// seenHandler answers with all that a handler sees of the credentials of a request.
type seenHandler struct{}

func init() {
	caddy.RegisterModule(seenHandler{})
	httpcaddyfile.RegisterHandlerDirective("test_seen", func(h httpcaddyfile.Helper) (caddyhttp.MiddlewareHandler, error) {
		return seenHandler{}, nil
	})
	httpcaddyfile.RegisterDirectiveOrder("test_seen", httpcaddyfile.Before, "respond")
}

func (seenHandler) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "http.handlers.test_seen", New: func() caddy.Module { return seenHandler{} }}
}

func (seenHandler) ServeHTTP(w http.ResponseWriter, r *http.Request, _ caddyhttp.Handler) error {
	original := r.Context().Value(caddyhttp.OriginalRequestCtxKey).(http.Request)
	repl := r.Context().Value(caddy.ReplacerCtxKey).(*caddy.Replacer)
	if refused, ok := r.Context().Value(caddyhttp.ErrorCtxKey).(caddyhttp.HandlerError); ok {
		w.WriteHeader(refused.StatusCode)
	}
	fmt.Fprintf(w, "header: %v\nurl: %s\nrequest URI: %s\noriginal header: %v\noriginal url: %s\noriginal request URI: %s\n",
		r.Header, r.URL, r.RequestURI, original.Header, original.URL, original.RequestURI)
	for _, name := range []string{"uri", "uri.query", "orig_uri", "orig_uri.query", "header.Authorization", "uri.query.token"} {
		fmt.Fprintln(w, name+":", repl.ReplaceAll("{http.request."+name+"}", ""))
	}
	return nil
}

// TestRefusedCredentials shows that the credentials of a request that was proved
// and then refused do not reach the handlers of `handle_errors`.
func TestRefusedCredentials(t *testing.T) {
	secret, password, static := secretIn(t, "SECRET"), secretIn(t, "PASSWORD"), secretIn(t, "STATIC")
	credentials := `token {env.SECRET}
		basic_auth user {env.PASSWORD}
		header X-Static {env.STATIC}`
	// At DEBUG, handle_path logs the URI, with the token in it.
	startAt(t, "INFO", fmt.Sprintf(`
	webhooks /wotnot wotnot {
		%[1]s
	}
	handle_path /prefix/* {
		webhooks wotnot {
			%[1]s
			source /prefix
		}
	}
	webhooks /durable wotnot {
		%[1]s
		source /durable
		destination app {
			to {
				respond 204
			}
		}
	}
	webhooks /chatbot chatbot {
		%[1]s
	}
	handle_errors {
		test_seen
	}
	`, credentials), ownQueue(t))

	tooMany := `{"events":[{}` + strings.Repeat(",{}", 1000) + "]}"
	for _, c := range []struct {
		name, method, path, body string
		status                   int
	}{
		{"not JSON", "POST", "/wotnot", `{"events":[`, 400},
		{"not JSON, behind handle_path", "POST", "/prefix/in", `{"events":[`, 400},
		{"not JSON, durable", "POST", "/durable", `{"events":[`, 400},
		{"too many", "POST", "/wotnot", tooMany, 413},
		{"a GET without a challenge", "GET", "/chatbot", "", 400},
		{"another method", "PUT", "/chatbot", `{}`, 405},
		{"another method, without a challenge", "PUT", "/wotnot", `{}`, 405},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := request(t, c.path+"?a=b&token="+secret, []byte(c.body), "X-Static", static)
			r.Method = c.method
			r.SetBasicAuth("user", password)
			if strings.Contains(c.path, "wotnot") {
				r.URL.RawQuery += "&%74oken=" + secret
				r.Header.Set("X-Wotnot-Token", secret)
				r.Header.Set("Token", secret)
			}
			a := do(t, r)
			if a.status != c.status {
				t.Fatalf("answered %d, want %d", a.status, c.status)
			}
			if !strings.Contains(a.body, "request URI: "+c.path+"?a=b") {
				t.Error("the handlers of handle_errors see no request")
			}
			var places []string
			for line := range strings.Lines(a.body) {
				if strings.Contains(line, secret) || strings.Contains(line, static) || strings.Contains(line, "Basic ") {
					place, _, _ := strings.Cut(line, ":")
					places = append(places, place)
				}
			}
			if len(places) > 0 {
				t.Errorf("handle_errors sees a credential in %s", strings.Join(places, ", "))
			}
		})
	}
}
