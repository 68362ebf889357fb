package provider

import (
	"errors"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/internal/blocks"
)

// defaultWords are the words that set a default of the provider's blocks.
var defaultWords = blocks.Words[*Spec]{
	durationWord("tolerance", func(s *Spec) *caddy.Duration { return &s.Tolerance }),
	durationWord("dedup", func(s *Spec) *caddy.Duration { return &s.Dedup }),
}

// durationWord is a word with one duration above 0.
func durationWord(name string, field func(*Spec) *caddy.Duration) blocks.Word[*Spec] {
	return blocks.Word[*Spec]{Name: name, Usage: "<duration>", Parse: func(s *Spec, line blocks.Line) error {
		duration, err := caddy.ParseDuration(line.Args[0])
		if err != nil || duration <= 0 {
			return line.Errf("%s: %.40q is not a duration above 0, such as 90s or 24h", name, line.Args[0])
		}
		*field(s) = caddy.Duration(duration)
		return nil
	}}
}

// checkDefaults checks the defaults that the provider sets for its blocks.
func (p *Provider) checkDefaults() error {
	switch s := p.spec; {
	case s.Tolerance < 0:
		return errors.New("tolerance: it must be above 0")
	case s.Tolerance > 0 && !p.Needs().Timestamp:
		return errors.New(`tolerance: no timestamp is signed, so requests have no age; remove it, or add "timestamp" to "verify"`)
	case s.Dedup != 0 && s.Dedup < caddy.Duration(time.Second):
		return errors.New("dedup: the window must be at least 1s")
	}
	return nil
}
