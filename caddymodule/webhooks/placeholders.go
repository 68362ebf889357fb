package webhooks

import (
	"fmt"
	"regexp"
	"strings"
	"unicode"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap"
)

// resolveAll resolves the placeholders of several values of a word.
func resolveAll(word string, values []string) ([]string, error) {
	resolved := make([]string, len(values))
	for i, value := range values {
		var err error
		if resolved[i], err = Resolve(word, value); err != nil {
			return nil, err
		}
	}
	return resolved, nil
}

// Resolve resolves the placeholders of a credential. The error names the word of the
// directive, or a flag, and never a value: text that looks like a placeholder may be
// part of a secret.
func Resolve(word, value string) (string, error) {
	resolved, err := caddy.NewReplacer().ReplaceOrErr(value, true, true)
	if err == nil && strings.TrimSpace(resolved) != "" {
		return resolved, nil
	}
	name, isPlaceholder := strings.CutSuffix(value, "}")
	isPlaceholder = isPlaceholder && strings.LastIndexAny(name, "{}") == 0
	switch {
	case isPlaceholder && strings.HasPrefix(name, "{env."):
		return "", wrong(word, "`%s`: %s is not set, or empty; set that variable in the environment of this process", word, value)
	case isPlaceholder && strings.HasPrefix(name, "{file."):
		return "", wrong(word, "`%s`: %s is not readable, or empty; check the file and its permissions", word, value)
	}
	return "", wrong(word, "`%s`: the value, or a placeholder in it, is empty; use {env.NAME} or {file./path}, and \\{ for a literal brace", word)
}

// hasPlaceholder reports whether a value is only known when it is resolved.
func hasPlaceholder(value string) bool { return strings.Contains(value, "{") }

// shellVariable matches $NAME, which Caddy takes literally.
var shellVariable = regexp.MustCompile(`^\$[A-Za-z_][A-Za-z0-9_]*$`)

// mistakes are signs that a credential is not the text that was meant. The load goes
// on: the provider may really have such a secret.
var mistakes = []struct {
	isMade func(written, resolved string) bool
	text   string
}{
	{
		func(_, resolved string) bool { return strings.TrimFunc(resolved, isStray) != resolved },
		"begins or ends with white space, which is part of it; remove that, unless the provider has it, too",
	},
	{
		func(written, _ string) bool {
			return len(written) > 1 && strings.HasPrefix(written, "'") && strings.HasSuffix(written, "'")
		},
		"has single quotes, which are part of it; use double quotes, or none",
	},
	{
		func(written, _ string) bool { return shellVariable.MatchString(written) },
		"is a dollar sign and a name, taken literally; for a variable, use {env.NAME}",
	},
}

// isStray reports whether a rune at the end of a secret is probably not meant: white
// space, or a byte order mark.
func isStray(r rune) bool { return unicode.IsSpace(r) || r == '\ufeff' }

// warnOfMistakes warns about values that load, and probably refuse every request. It
// never shows one.
func warnOfMistakes(logger *zap.Logger, provider, word string, written, resolved []string) {
	for i := range written {
		for _, mistake := range mistakes {
			if mistake.isMade(written[i], resolved[i]) {
				logger.Warn(fmt.Sprintf("value %d of `%s` %s", i+1, word, mistake.text), zap.String("provider", provider))
			}
		}
	}
}
