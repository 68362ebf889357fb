package command

import (
	"bytes"
	"fmt"
	"maps"
	"net/http/httptest"
	"slices"
	"strings"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/provider"
)

// showHandshake prints the answer to a handshake. What it returns of the credentials
// is replaced.
func (e *explanation) showHandshake(answer *httptest.ResponseRecorder) {
	fmt.Fprintf(e.w, "A handshake: the gateway answers %d and forwards nothing.\n", answer.Code)
	hidden := e.hideMACs(provider.Answer{Header: answer.Header(), Text: answer.Body.String()})
	for _, name := range slices.Sorted(maps.Keys(hidden.Header)) {
		for _, value := range hidden.Header[name] {
			fmt.Fprintf(e.w, "%s: %s\n", name, printable(e.hide(value)))
		}
	}
	if body := e.hide(hidden.Text); body != "" {
		fmt.Fprintf(e.w, "\n%s\n", printableLines(body))
	}
}

// hide replaces the tokens of the handler in a text.
func (e *explanation) hide(text string) string {
	_, tokens := e.credentials()
	for _, token := range tokens {
		text = strings.ReplaceAll(text, token, "(the token)")
	}
	return text
}

// hideMACs replaces what the secret made in an answer, and headers of the request that a
// handshake returns, which hold the secret of the requests to come. It makes the answer
// again with two MACs that share no character in any encoding: what differs between
// them is of the MAC.
func (e *explanation) hideMACs(answer provider.Answer) provider.Answer {
	answer.Header = answer.Header.Clone()
	request := e.proofRequest(e.recorded.Body)
	for _, h := range e.provider.Handshakes(request.Method) {
		low, isHandshake := h.Answer(request, fixedMAC(0x00))
		high, _ := h.Answer(request, fixedMAC(0xff))
		if !isHandshake {
			continue
		}
		answer.Text = hideBetween(answer.Text, low.Text, high.Text)
		for name := range low.Header {
			value := hideBetween(answer.Header.Get(name), low.Header.Get(name), high.Header.Get(name))
			answer.Header.Set(name, e.hideEcho(value))
		}
	}
	return answer
}

// fixedMAC returns a function that signs each text alike.
func fixedMAC(b byte) provider.Sign {
	return func([]byte) (mac []byte, ok bool) { return bytes.Repeat([]byte{b}, 32), true }
}

// hideBetween replaces in a text what differs between two others that are made as it is.
func hideBetween(text, low, high string) string {
	if low == high {
		return text
	}
	before := 0
	for before < min(len(low), len(high)) && low[before] == high[before] {
		before++
	}
	after := 0
	for after < min(len(low), len(high))-before && low[len(low)-1-after] == high[len(high)-1-after] {
		after++
	}
	// A MAC of another length has another padding.
	prefix, suffix := low[:before], strings.TrimLeft(low[len(low)-after:], "=")
	if !strings.HasPrefix(text, prefix) || !strings.HasSuffix(text, suffix) {
		return "(hidden)"
	}
	return prefix + "(the MAC)" + suffix
}

// hideEcho replaces the value of a header that is one of the request.
func (e *explanation) hideEcho(value string) string {
	for _, name := range slices.Sorted(maps.Keys(e.recorded.Header)) {
		if value != "" && slices.Contains(e.recorded.Header[name], value) {
			return "(header " + name + " of the request)"
		}
	}
	return value
}
