package webhooks

import (
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/internal/blocks"
)

// parseSubscribe parses the subscription at the provider. Syntax:
//
//	subscribe {
//		url     <url>
//		key     <token>
//		account <id>
//		events  <name...>
//		inbox   <number>
//		name    <name>
//		api     <url>
//	}
func (h *Handler) parseSubscribe(line blocks.Line) error {
	h.Subscribe = &Subscribe{block: newBlock(line)}
	return subscribeWords.Parse(line, "subscribe", h.Subscribe)
}

// subscribeWords are the words of `subscribe`.
var subscribeWords = blocks.Words[*Subscribe]{
	textWord("url", "<url>"),
	textWord("key", "<token>"),
	textWord("account", "<id>"),
	{Name: "events", Usage: "<name...>", Parse: func(s *Subscribe, line blocks.Line) error {
		s.Events = line.Args
		return nil
	}},
	textWord("inbox", "<number>"),
	textWord("name", "<name>"),
	textWord("api", "<url>"),
}

// textWord is a word with one text, which may hold placeholders.
func textWord(name, usage string) blocks.Word[*Subscribe] {
	text := subscribeTextOf(name)
	return blocks.Word[*Subscribe]{Name: name, Usage: usage, Parse: func(s *Subscribe, line blocks.Line) error {
		if err := checkCredentials(line); err != nil {
			return err
		}
		value := line.Args[0]
		*text.of(s) = value
		if hasPlaceholder(value) {
			return nil // the command checks it
		}
		if err := text.checkValue(value); err != nil {
			return line.Errf("%v", err)
		}
		return nil
	}}
}
