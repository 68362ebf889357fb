package envelope_test

import (
	"crypto/sha256"
	"math/big"
	"strings"
	"testing"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/envelope"
)

// The constants are from another implementation: Python's hashlib and base64.
func TestKey(t *testing.T) {
	for _, test := range []struct{ source, dedupKey, want string }{
		{"/webhooks/notifly", "message.updated/a056V7R7NmNRjl70", "msg_qmg34d6hl7ceiilpask66mlmymhvjw2m"},
		{"a", "b", "msg_lgzhdlq3xsy5ghkbskmbp5frn62dt22p"},
		{"", "", "msg_ny2axhh7wn5jrhffittlw6akfr4jahj7"},
		{"https://hooks.example.com/é", strings.Repeat("x", 300), "msg_xsdx2g2oogdkooqif3rsshf3p67awx25"},
	} {
		key := envelope.NewKey(test.source, test.dedupKey)
		if got := key.String(); got != test.want {
			t.Errorf("NewKey(%q, %q) = %s; want %s", test.source, test.dedupKey, got, test.want)
		}
		if got := independentKey(test.source, test.dedupKey); got != test.want {
			t.Errorf("the test's own key is %s; want %s", got, test.want)
		}
	}
	// Short and long ones take different paths.
	for n := range 600 {
		source, dedupKey := strings.Repeat("s", n/2), strings.Repeat("k", n-n/2)
		if got, want := envelope.NewKey(source, dedupKey).String(), independentKey(source, dedupKey); got != want {
			t.Fatalf("NewKey of %d bytes = %s; want %s", n, got, want)
		}
	}
}

// independentKey writes 160 bits as a number to the base 32: 5 bits a character,
// without any rest.
func independentKey(source, dedupKey string) string {
	sum := sha256.Sum256([]byte(source + "\x00" + dedupKey))
	text := new(big.Int).SetBytes(sum[:20]).Text(32)
	text = strings.Repeat("0", 32-len(text)) + text
	return "msg_" + strings.Map(func(digit rune) rune {
		n := strings.IndexRune("0123456789abcdefghijklmnopqrstuv", digit)
		return rune("abcdefghijklmnopqrstuvwxyz234567"[n])
	}, text)
}

func TestParseKey(t *testing.T) {
	for _, dedupKey := range []string{"", "a", "message.updated/a056V7R7NmNRjl70"} {
		key := envelope.NewKey("/webhooks/notifly", dedupKey)
		if got, err := envelope.ParseKey(key.String()); err != nil || got != key {
			t.Errorf("ParseKey(%s) = %s, %v", key, got, err)
		}
	}
	const right = "qmg34d6hl7ceiilpask66mlmymhvjw2m"
	for _, wrong := range []string{
		"", "msg_", right, "msg-" + right, "MSG_" + right, " msg_" + right,
		"msg_" + strings.ToUpper(right),
		"msg_" + right[1:],
		"msg_" + right + "a",
		"msg_" + right + "\n",
		"msg_" + right[:31] + "\n",
		"msg_" + right[:24] + "\r\n\r\n\r\n\r\n", // a shorter text, with what decoders skip
		"msg_" + right[:31] + "=",
		"msg_" + right[:31] + "1",
		"msg_" + right[:30] + "é",
	} {
		got, err := envelope.ParseKey(wrong)
		if err == nil || got != (envelope.Key{}) {
			t.Errorf("ParseKey(%q) = %s, %v; want an error", wrong, got, err)
		}
	}
	_, err := envelope.ParseKey(strings.Repeat("x", 1<<20))
	if err == nil || len(err.Error()) > 200 {
		t.Errorf("a long text: %.300v", err)
	}
}

// The zero byte keeps the end of one from being the start of the other.
func TestKeySeparatesSource(t *testing.T) {
	if envelope.NewKey("ab", "c") == envelope.NewKey("a", "bc") {
		t.Error("ab, c and a, bc have the same key")
	}
	if envelope.NewKey("a", "b") == envelope.NewKey("b", "a") {
		t.Error("a, b and b, a have the same key")
	}
}

func TestHash(t *testing.T) {
	for original, want := range map[string]string{
		"":         "e3b0c44298fc1c149afbf4c8996fb924",
		"abc":      "ba7816bf8f01cfea414140de5dae2223", // FIPS 180-2, B.1
		`{"id":1}`: "037c9214eef74cc3887f3a4f085b4e17",
	} {
		if got := envelope.Hash(original); got != want {
			t.Errorf("Hash(%q) = %s; want %s", original, got, want)
		}
	}
	if envelope.Hash(`{"id":1}`) == envelope.Hash(`{"id": 1}`) {
		t.Error("the hash is not of the bytes")
	}
}
