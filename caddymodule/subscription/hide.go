package subscription

import (
	"encoding/base64"
	"regexp"
	"slices"
	"strings"
	"unicode"
)

// notShown replaces a text that may repeat a credential.
const notShown = "message not shown: it may contain a credential"

// maxShown is how much of a provider's text is shown, in characters.
const maxShown = 300

// short cuts a text to maxShown.
func short(s string) string {
	if runes := []rune(s); len(runes) > maxShown {
		return string(runes[:maxShown-1]) + "…"
	}
	return s
}

// Hide returns a provider's text as it may be shown: on one line, at most
// 300 characters, and without the queries of URLs, which may hold a token. A text that
// repeats a credential or a part of one, or that is escaped, so that this cannot
// be seen, is replaced. more are credentials in addition to the client's.
func (c *Client) Hide(text string, more ...string) string {
	text = short(queries.ReplaceAllString(oneLine(text), "?…"))
	isRepeated := func(credential string) bool { return repeats(text, credential) }
	if escapes.MatchString(text) || slices.ContainsFunc(slices.Concat([]string{c.Key}, c.Hidden, more), isRepeated) {
		return notShown
	}
	return text
}

// oneLine removes control characters, and makes each run of white space a space.
func oneLine(text string) string {
	text = strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) || unicode.IsSpace(r) {
			return r
		}
		return -1
	}, text)
	return strings.Join(strings.Fields(text), " ")
}

// queries matches the query of a URL.
var queries = regexp.MustCompile(`\?[^\s"'<>]*=[^\s"'<>]*`)

// escapes matches an escaped character, as URLs, HTML and JSON have it.
var escapes = regexp.MustCompile(`%[0-9A-Fa-f]{2}|&#?[0-9A-Za-z]+;|\\`)

// partLength is how many letters and digits of a credential are a part of it.
// Fewer are too common in texts that repeat nothing.
const partLength = 8

// repeats reports whether a text contains a credential or a part of it, as it is
// or in base64. Only letters and digits are compared, and not their case: this
// covers each alphabet of base64, with padding and without, and what punctuation
// is written for. A credential that is shorter than a part counts as a whole.
func repeats(text, credential string) bool {
	letters := lettersOf(text)
	for _, form := range []string{credential, base64.RawStdEncoding.EncodeToString([]byte(credential))} {
		parts := lettersOf(form)
		if len(parts) < partLength {
			if form != "" && strings.Contains(strings.ToLower(text), strings.ToLower(form)) {
				return true
			}
			continue
		}
		for i := 0; i+partLength <= len(parts); i++ {
			if strings.Contains(letters, parts[i:i+partLength]) {
				return true
			}
		}
	}
	return false
}

// lettersOf returns the letters and digits of a text in lower case, and all that
// is not ASCII.
func lettersOf(text string) string {
	return strings.Map(func(r rune) rune {
		if isLetterOrDigit(r) || r > unicode.MaxASCII {
			return r
		}
		return -1
	}, strings.ToLower(text))
}
