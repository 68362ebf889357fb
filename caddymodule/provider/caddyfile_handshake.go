package provider

import (
	"slices"
	"strconv"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/internal/blocks"
)

func (s *Spec) parseHandshake(line blocks.Line) error {
	var h Handshake
	args := line.Args
	if len(args) == 1 && args[0] == "empty" {
		if line.CheckNoBlock() != nil {
			return line.Errf(`"handshake empty" takes no block`)
		}
		h.Empty = true
		s.Handshakes = append(s.Handshakes, h)
		return nil
	}
	if len(args) > 0 && slices.Contains(handshakeMethods, args[0]) {
		h.Method, args = args[0], args[1:]
	}
	if len(args) > 0 && args[0] == "unproved" {
		h.Unproved, args = true, args[1:]
	}
	if len(args) > 0 {
		return line.Misused()
	}
	if err := handshakeWords.Parse(line, "handshake", &h); err != nil {
		return err
	}
	if err := h.check(); err != nil {
		return line.Errf("handshake: %v", err)
	}
	s.Handshakes = append(s.Handshakes, h)
	return nil
}

// handshakeWords are the words of `handshake`.
var handshakeWords = blocks.Words[*Handshake]{
	{
		Name:    "when",
		Usage:   "<path> is [not] <word...> | header <name> is [not] <word...> | query <name> is [not] <word...>",
		Repeats: true, Parse: (*Handshake).parseWhen,
	},
	{Name: "token", Usage: "query <name>", Parse: (*Handshake).parseToken},
	{Name: "status", Usage: "<code>", Parse: func(h *Handshake, line blocks.Line) (err error) {
		h.Status, err = parseStatus(line, line.Args[0])
		return err
	}},
	{Name: "header", Usage: "<name> <template>", Repeats: true, Parse: (*Handshake).parseHeader},
	{Name: "answer", Usage: "<template> [as <content-type>]", Parse: (*Handshake).parseAnswer},
}

func (h *Handshake) parseWhen(line blocks.Line) error {
	var c HandshakeCondition
	args := line.Args
	switch {
	case args[1] == "is":
		c.Path, args = args[0], args[2:]
	case args[0] == "header" && args[2] == "is":
		c.Header, args = args[1], args[3:]
	case args[0] == "query" && args[2] == "is":
		c.Query, args = args[1], args[3:]
	default:
		return line.Misused()
	}
	if len(args) > 0 && args[0] == "not" {
		c.IsNot = args[1:]
	} else {
		c.Is = args
	}
	if err := c.check(); err != nil {
		return line.Errf("%v", err)
	}
	h.Conditions = append(h.Conditions, c)
	return nil
}

func (h *Handshake) parseToken(line blocks.Line) error {
	if line.Args[0] != "query" || line.Args[1] == "" {
		return line.Misused()
	}
	h.Token = line.Args[1]
	return nil
}

func (h *Handshake) parseHeader(line blocks.Line) error {
	name := line.Args[0]
	if h.Headers[name] != "" {
		return line.Errf("duplicate header %s; remove one", name)
	}
	if h.Headers == nil {
		h.Headers = make(map[string]string)
	}
	h.Headers[name] = line.Args[1]
	return nil
}

func (h *Handshake) parseAnswer(line blocks.Line) (err error) {
	h.Answer, h.ContentType, err = parseText(line, line.Args)
	return err
}

// parseText parses `<text> [as <content-type>]`.
func parseText(line blocks.Line, args []string) (text, contentType string, err error) {
	switch {
	case args[0] == "":
		return "", "", line.Errf("the text of the answer is missing")
	case len(args) == 1:
		return args[0], "", nil
	case len(args) == 3 && args[1] == "as":
		return args[0], args[2], nil
	}
	return "", "", line.Misused()
}

// parseStatus parses a status of the gateway's own answers.
func parseStatus(line blocks.Line, arg string) (int, error) {
	status, err := strconv.Atoi(arg)
	if err != nil {
		return 0, line.Errf("%q is not a status; use a number from 200 to 299", arg)
	}
	if err := checkAnswerStatus(status); err != nil {
		return 0, line.Errf("%v", err)
	}
	return status, nil
}

func (s *Spec) parseReply(line blocks.Line) (err error) {
	switch args := line.Args; {
	case len(args) == 1 && args[0] == "token":
		s.Reply.Token = true
	case len(args) == 1 && args[0] == "answer":
		s.Reply.Answer = true
	case len(args) == 2 && args[0] == "status":
		s.Reply.Status, err = parseStatus(line, args[1])
	case len(args) > 1 && args[0] == "text":
		s.Reply.Text, s.Reply.ContentType, err = parseText(line, args[1:])
	default:
		return line.Misused()
	}
	if err != nil {
		return err
	}
	if err := s.Reply.check(); err != nil {
		return line.Errf("%v", err)
	}
	return nil
}

func (s *Spec) parseForm(line blocks.Line) error {
	s.Form = new(Form)
	if len(line.Args) == 1 {
		if line.Args[0] == "" {
			return line.Misused()
		}
		s.Form.Field = line.Args[0]
	}
	return nil
}
