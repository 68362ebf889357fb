package caddymodule_test

import (
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestSecretSpace shows what becomes of white space around a credential: one line
// end of a file is no part of it; anything else is, and the log warns of it, since
// every request would be refused.
func TestSecretSpace(t *testing.T) {
	const bom = "\ufeff"
	for _, c := range []struct {
		name, before, after string
		inFile, warns       bool
	}{
		{"plain file", "", "", true, false},
		{"file with a line end", "", "\n", true, false},
		{"file with a line end of Windows", "", "\r\n", true, false},
		{"file with two line ends", "", "\n\n", true, true},
		{"file with a space", "", " ", true, true},
		{"file with a space before a line end", "", " \n", true, true},
		{"file with a tab in front", "\t", "\n", true, true},
		{"file with a BOM", bom, "\n", true, true},
		{"plain variable", "", "", false, false},
		{"variable with a line end", "", "\n", false, true},
		{"variable with a space in front", " ", "", false, true},
		{"variable with a BOM", bom, "", false, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			value := newSecret()
			placeholder := "{env.SPACED}"
			if c.inFile {
				file := filepath.Join(t.TempDir(), "secret")
				if err := os.WriteFile(file, []byte(c.before+value+c.after), 0o600); err != nil {
					t.Fatal(err)
				}
				placeholder = "{file." + file + "}"
			} else {
				t.Setenv("SPACED", c.before+value+c.after)
			}
			secretIn(t, "CLEAN")
			g := start(t, `
	webhooks /notifly notifly {
		secret {env.CLEAN} `+placeholder+`
	}
	webhooks /wotnot wotnot {
		token `+placeholder+`
		basic_auth user `+placeholder+`
		header X-Static `+placeholder+`
	}
	respond 204
	`)
			for _, word := range []string{"secret", "token", "basic_auth", "header"} {
				wantCredentialWarning(t, g, word, c.warns)
			}
			if !c.warns {
				body, header, signature := notifly(value, "spaced")
				wantStatus(t, 204, "/notifly", body, header, signature)
			}
		})
	}
}

// TestLiteralSecret shows that the log warns of what Caddyfiles of other programs
// would take as quotes or a variable, and this one does not.
func TestLiteralSecret(t *testing.T) {
	value := "lit" + hex.EncodeToString(randomBytes(8))
	for _, c := range []struct {
		name, written string
		warns         bool
	}{
		{"single quotes", "'" + value + "'", true},
		{"a variable", "$" + strings.ToUpper(value), true},
		{"double quotes", `"` + value + `"`, false},
		{"a quote inside", value + "'s", false},
		{"a dollar inside", value + "$1", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := start(t, `
	webhooks /notifly notifly {
		secret `+c.written+`
	}
	webhooks /wotnot wotnot {
		token `+c.written+`
	}
	`)
			for _, word := range []string{"secret", "token"} {
				wantCredentialWarning(t, g, word, c.warns)
			}
			if lines := g.logLines(`"level":"warn"`, value); len(lines) > 0 {
				t.Error("a warning shows the value")
			}
			if lines := g.logLines(`"level":"warn"`, strings.ToUpper(value)); len(lines) > 0 {
				t.Error("a warning shows the value")
			}
		})
	}
}

// wantCredentialWarning checks whether the log warns of what a subdirective was
// given. TestMain looks for the values.
func wantCredentialWarning(t *testing.T, g *gateway, word string, warns bool) {
	t.Helper()
	lines := g.logLines(`"level":"warn"`, "`"+word+"`")
	if warns != (len(lines) > 0) {
		t.Errorf("%d warnings name `%s`", len(lines), word)
	}
}
