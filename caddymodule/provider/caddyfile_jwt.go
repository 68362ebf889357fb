package provider

import (
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/internal/blocks"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/verify"
)

func (s *Spec) parseJWT(head blocks.Line) error {
	token := &verify.JWT{Algorithms: head.Args[1:]}
	s.Verify.JWT = token
	if err := jwtWords.Parse(head, "verify jwt", token); err != nil {
		return err
	}
	if err := token.Validate(); err != nil {
		return head.Errf("verify jwt: %v", err)
	}
	return nil
}

// jwtWords are the words of `verify jwt`.
var jwtWords = blocks.Words[*verify.JWT]{
	{Name: "from", Usage: "bearer | header <name>", Repeats: true, Parse: parseJWTPlace},
	{Name: "claim", Usage: "<name> <template>", Repeats: true, Parse: func(token *verify.JWT, line blocks.Line) error {
		token.Claims = append(token.Claims, verify.Claim{Name: line.Args[0], Value: line.Args[1]})
		return nil
	}},
}

func parseJWTPlace(token *verify.JWT, line blocks.Line) error {
	var place verify.Place
	switch args := line.Args; {
	case len(args) == 1 && args[0] == "bearer":
		place.Bearer = true
	case len(args) == 2 && args[0] == "header":
		place.Header = args[1]
	default:
		return line.Misused()
	}
	token.Places = append(token.Places, place)
	return nil
}
