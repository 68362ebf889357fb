package command

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/envelope"
)

// curlCommand returns a command for sh that sends an envelope. The body is piped: as an
// argument of a program it could be too long.
func curlCommand(to, id string, body []byte) string {
	return fmt.Sprintf(`printf %s |
  curl %s --data-binary @- \
    -H %s \
    -H "webhook-timestamp: $(date +%%s)" \
    -H %s`, printfArgs(body), quoteForShell(to), quoteForShell("webhook-id: "+id), quoteForShell("content-type: "+envelope.ContentType))
}

// quoteForShell quotes a printable text for sh.
func quoteForShell(s string) string {
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

// printfArgs returns the arguments with which printf, which every sh has, prints bytes.
// They are printable themselves.
func printfArgs(b []byte) string {
	if s := string(b); printable(s) == s {
		return "'%s' " + quoteForShell(s)
	}
	var format strings.Builder
	for i := 0; i < len(b); {
		r, size := utf8.DecodeRune(b[i:])
		switch {
		case r == '%':
			format.WriteString("%%")
		case r == '\\':
			format.WriteString(`\\`)
		case r == '-' && i == 0:
			format.WriteString(`\055`) // not an option
		case r != '\uFFFD' && printable(string(r)) == string(r):
			format.WriteRune(r)
		default:
			for _, c := range b[i : i+size] {
				fmt.Fprintf(&format, `\%03o`, c)
			}
		}
		i += size
	}
	return quoteForShell(format.String())
}
