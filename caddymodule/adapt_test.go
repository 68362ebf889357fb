package caddymodule_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// separator is between the Caddyfile and what becomes of it, as in Caddy's
// own tests.
const separator = "----------\n"

// TestAdapt compares what becomes of every Caddyfile in testdata/adapt with the
// golden part of the file: the JSON; or the error, of parsing or of loading.
func TestAdapt(t *testing.T) {
	t.Setenv("SET", "a-value")
	t.Setenv("SIGNING_KEY", signingKey)
	t.Setenv("EMPTY", "")
	t.Setenv("BLANK", "  ")
	password := hex.EncodeToString(randomBytes(12))
	noteSecret(password)
	t.Setenv("DSN", "postgres://webhooks:"+password+"@localhost:5432")
	files, err := filepath.Glob("testdata/adapt/*.caddyfiletest")
	if err != nil || len(files) == 0 {
		t.Fatal("no files", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".caddyfiletest"), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			config, want, _ := strings.Cut(string(text), separator)
			result := adaptAndValidate(t, config)
			noteText("golden "+file, result)
			if *update {
				if err := os.WriteFile(file, []byte(config+separator+result), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if result != want {
				t.Errorf("%s: %s", file, firstDifference(result, want))
			}
		})
	}
}

// adaptAndValidate returns the adapted JSON, or the error of adapting or loading
// it.
func adaptAndValidate(t *testing.T, config string) string {
	t.Helper()
	adapted, err := adaptCaddyfile(config)
	if err != nil {
		return err.Error() + "\n"
	}
	if err := validateJSON(string(adapted)); err != nil {
		return "loading: " + err.Error() + "\n"
	}
	var indented bytes.Buffer
	if err := json.Indent(&indented, adapted, "", "\t"); err != nil {
		t.Fatal(err)
	}
	return indented.String() + "\n"
}
