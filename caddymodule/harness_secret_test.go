package caddymodule_test

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// leaks collects every secret, token and MAC of the whole suite, and all that
// must not hold one: TestMain compares both at the end.
var leaks struct {
	sync.Mutex
	secrets []string
	texts   map[string]string // by where it comes from
}

func noteSecret(secrets ...string) {
	leaks.Lock()
	defer leaks.Unlock()
	leaks.secrets = append(leaks.secrets, secrets...)
}

func noteText(where, text string) {
	leaks.Lock()
	defer leaks.Unlock()
	leaks.texts[where] += text
}

// checkLeaks looks for every secret of the suite in every log, error and adapted
// configuration of it.
func checkLeaks() error {
	logs, err := filepath.Glob(filepath.Join(logDir, "*.log"))
	if err != nil {
		return err
	}
	for _, file := range logs {
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		noteText(filepath.Base(file), string(text))
	}
	for where, text := range leaks.texts {
		if i := findSecret(text); i >= 0 {
			return fmt.Errorf("in %s: …%s", where, strings.ReplaceAll(text[max(0, i-200):i], "\n", " "))
		}
	}
	return nil
}

// findSecret returns the offset of a secret of the suite in text, or -1. It reads the
// text once: a search for each of a thousand secrets takes seconds.
func findSecret(text string) int {
	const n = 8 // bytes; shorter secrets are searched one by one
	byBeginning := make(map[[n]byte][]string)
	for _, secret := range leaks.secrets {
		if len(secret) < n {
			if i := strings.Index(text, secret); i >= 0 {
				return i
			}
			continue
		}
		byBeginning[[n]byte([]byte(secret))] = append(byBeginning[[n]byte([]byte(secret))], secret)
	}
	for i := 0; i+n <= len(text); i++ {
		for _, secret := range byBeginning[[n]byte([]byte(text[i:i+n]))] {
			if strings.HasPrefix(text[i:], secret) {
				return i
			}
		}
	}
	return -1
}

func randomBytes(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails
	return b
}

// newSecret makes a secret.
func newSecret() string {
	secret := "sec-" + hex.EncodeToString(randomBytes(12))
	noteSecret(secret)
	return secret
}

// secretIn makes a secret and puts it into the environment variable name.
func secretIn(t testing.TB, name string) string {
	t.Helper()
	secret := newSecret()
	t.Setenv(name, secret)
	return secret
}

// signingKey is a Standard Webhooks key for `sign`.
var signingKey = "whsec_" + base64.StdEncoding.EncodeToString(randomBytes(32))

// hexMAC is the HMAC-SHA256 of body in hex; it is a secret too.
func hexMAC(secret string, body []byte) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write(body)
	sum := hex.EncodeToString(mac.Sum(nil))
	noteSecret(sum)
	return sum
}
