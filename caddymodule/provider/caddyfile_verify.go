package provider

import (
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/internal/blocks"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/verify"
)

// hmacAlgorithms are the algorithms of `verify hmac` by their short names.
var hmacAlgorithms = map[string]string{
	"sha1":   verify.HMACSHA1,
	"sha256": verify.HMACSHA256,
	"sha512": verify.HMACSHA512,
}

func (s *Spec) parseVerify(line blocks.Line) error {
	switch scheme := line.Args[0]; {
	case scheme == "hmac" && len(line.Args) == 2:
		algorithm, ok := hmacAlgorithms[line.Args[1]]
		if !ok {
			return line.Errf("verify hmac: unknown hash %q; use sha1, sha256 or sha512", line.Args[1])
		}
		return s.parseSignature(line, algorithm)
	case scheme == "jwt" && len(line.Args) > 1:
		return s.parseJWT(line)
	case len(line.Args) > 1:
		return line.Misused()
	case scheme == verify.Ed25519 || scheme == verify.ECDSA || scheme == verify.RSA:
		return s.parseSignature(line, scheme)
	case scheme == "token":
		return s.parseToken(line)
	case scheme == "basic":
		s.Verify.Basic = true
		if line.CheckNoBlock() != nil {
			return line.Errf(`"verify basic" takes no block`)
		}
		return nil
	}
	return line.Misused()
}

func (s *Spec) parseSignature(head blocks.Line, algorithm string) error {
	signature := &verify.Signature{Algorithm: algorithm}
	s.Verify.Signature = signature
	if err := signatureWords.Parse(head, "verify "+head.Args[0], signature); err != nil {
		return err
	}
	if err := signature.Validate(); err != nil {
		return head.Errf("verify: %v", err)
	}
	return nil
}

// signatureWords are the words of `verify hmac`, `ed25519`, `ecdsa` and `rsa`.
var signatureWords = blocks.Words[*verify.Signature]{
	{Name: "signature", Usage: "header <name> [item <n>] | query <name> | body <path>", Repeats: true, Parse: parseSignaturePlace},
	blocks.Text("separator", "<text>", func(s *verify.Signature) *string { return &s.Separator }),
	blocks.Text("prefix", "<text>", func(s *verify.Signature) *string { return &s.Prefix }),
	blocks.Text("encoding", "hex|hex_upper|base64|base64url", func(s *verify.Signature) *string { return &s.Encoding }),
	blocks.Text("content", "<template>", func(s *verify.Signature) *string { return &s.Content }),
	{
		Name:  "timestamp",
		Usage: "header <name> [as unix|unix_ms|rfc3339] | item <n>|<prefix> [as <format>] | query <name> [as <format>] | body <path> [as <format>]",
		Parse: parseTimestamp,
	},
	{Name: "key", Usage: "raw|hex|base64|base64url [<prefix>]", Parse: parseKeyEncoding},
	{Name: "body_hash", Usage: "query <name>", Parse: parseBodyHash},
	blocks.Text("each", "<path>", func(s *verify.Signature) *string { return &s.Each }),
}

func parseSignaturePlace(signature *verify.Signature, line blocks.Line) error {
	args := line.Args
	var place verify.SignaturePlace
	switch {
	case args[0] == "header" && (len(args) == 2 || len(args) == 4 && args[2] == "item"):
		place.Header = args[1]
	case args[0] == "query" && len(args) == 2:
		place.Query = args[1]
	case args[0] == "body" && len(args) == 2:
		place.Body = args[1]
	default:
		return line.Misused()
	}
	if len(args) == 4 {
		n, ok := itemPosition(args[3])
		if !ok {
			return line.Errf(`"item" takes a position from 1 to 9, not %q`, args[3])
		}
		place.Item = n
	}
	signature.Places = append(signature.Places, place)
	return nil
}

func parseTimestamp(signature *verify.Signature, line blocks.Line) error {
	timestamp := new(verify.Timestamp)
	signature.Timestamp = timestamp
	args := line.Args
	place := args[1]
	switch args[0] {
	case "header":
		timestamp.Header = place
	case "item":
		if n, ok := itemPosition(place); ok {
			timestamp.Item = n
		} else {
			timestamp.Prefix = place
		}
	case "query":
		timestamp.Query = place
	case "body":
		timestamp.Body = place
	default:
		return line.Misused()
	}
	switch {
	case len(args) == 4 && args[2] == "as", len(args) == 3 && args[2] != "as":
		timestamp.Format = args[len(args)-1]
	case len(args) > 2:
		return line.Misused()
	}
	return nil
}

func parseBodyHash(signature *verify.Signature, line blocks.Line) error {
	if line.Args[0] != "query" {
		return line.Misused()
	}
	signature.BodyHash = line.Args[1]
	return nil
}

func parseKeyEncoding(signature *verify.Signature, line blocks.Line) error {
	signature.Key = line.Args[0]
	if len(line.Args) == 2 {
		signature.KeyPrefix = line.Args[1]
	}
	return nil
}

// itemPosition parses a position of one digit: headers with more items mark them
// by prefix.
func itemPosition(s string) (int, bool) {
	if len(s) != 1 || s[0] < '1' || s[0] > '9' {
		return 0, false
	}
	return int(s[0] - '0'), true
}

func (s *Spec) parseToken(head blocks.Line) error {
	token := new(verify.Token)
	s.Verify.Token = token
	if err := tokenWords.Parse(head, "verify token", token); err != nil {
		return err
	}
	if err := checkPlaces(token.Places); err != nil {
		return head.Errf("%v", err)
	}
	return nil
}

// tokenWords are the words of `verify token`.
var tokenWords = blocks.Words[*verify.Token]{
	{Name: "from", Usage: "bearer | header <name> | query <name> | body <path>", Repeats: true, Parse: parseFrom},
}

func parseFrom(token *verify.Token, line blocks.Line) error {
	args := line.Args
	var place verify.Place
	switch {
	case len(args) == 1 && args[0] == "bearer":
		place.Bearer = true
	case len(args) == 2 && args[0] == "header":
		place.Header = args[1]
	case len(args) == 2 && args[0] == "query":
		place.Query = args[1]
	case len(args) == 2 && args[0] == "body":
		place.Body = args[1]
	default:
		return line.Misused()
	}
	if err := place.Validate(); err != nil {
		return line.Errf("verify token: %v", err)
	}
	token.Places = append(token.Places, place)
	return nil
}
