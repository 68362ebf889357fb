package caddymodule_test

import (
	"strings"
	"testing"
)

// credentialSite has blocks whose credentials Caddy's own lines would show: in
// headers, in the query, and both.
const credentialSite = `
	webhooks /notifly notifly {
		secret {env.SECRET}
	}
	webhooks /wotnot wotnot {
		token {env.SECRET}
		header X-Static {env.SECRET}
	}
	webhooks /again wotnot {
		token {env.SECRET}
		source /again
	}
	webhooks /ndoto ndoto {
		token {env.SECRET}
	}
	webhooks /chatbot chatbot {
		token {env.SECRET}
	}
	respond 204
	`

// credentialPlaces are all the places of credentialSite.
var credentialPlaces = []string{"X-Notifly-Signature", "X-Wotnot-Token", "X-Static", "token"}

// credentialWarnings returns the warnings about credentials in Caddy's logs.
func (g *gateway) credentialWarnings() []string {
	g.t.Helper()
	return g.logLines(`"level":"warn"`, "credential")
}

// TestCredentialWarning shows that a load without a filter logs one line about
// credentials in Caddy's logs, with the places of all providers.
func TestCredentialWarning(t *testing.T) {
	secretIn(t, "SECRET")
	g := newGateway(t, "INFO", credentialSite)
	g.filter = ""
	loadNothing(t)
	g.load("")
	wantOneCredentialWarning(t, g, 1)
	g.load("again")
	wantOneCredentialWarning(t, g, 2)
}

// wantOneCredentialWarning checks the warnings after a number of loads.
func wantOneCredentialWarning(t *testing.T, g *gateway, loads int) {
	t.Helper()
	warnings := g.credentialWarnings()
	if len(warnings) != loads {
		t.Fatalf("%d lines after %d loads:\n%s", len(warnings), loads, strings.Join(warnings, ""))
	}
	for _, place := range credentialPlaces {
		if !strings.Contains(warnings[loads-1], place) {
			t.Errorf("the warning does not name %s: %s", place, warnings[loads-1])
		}
	}
}

// TestCredentialWarningExcluded shows that the line is gone where its logger is
// excluded, as the line says.
func TestCredentialWarningExcluded(t *testing.T) {
	secretIn(t, "SECRET")
	g := newGateway(t, "INFO", credentialSite)
	g.filter += "\n\t\texclude webhooks.credentials"
	loadNothing(t)
	g.load("")
	if warnings := g.credentialWarnings(); len(warnings) > 0 {
		t.Errorf("the log has %s", strings.Join(warnings, ""))
	}
}
