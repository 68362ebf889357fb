package ingress

import (
	"go.uber.org/zap"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/internal/sampled"
)

// UnroutedLog logs events that no destination takes, sampled by provider: types are
// whatever a provider sends. To skip events may be what is wanted, so the lines are not
// warnings.
type UnroutedLog = sampled.Log[unroutedKind]

// NewUnroutedLog returns a log of events that no destination takes.
func NewUnroutedLog(logger *zap.Logger) *UnroutedLog {
	return sampled.New[unroutedKind](logger, zap.InfoLevel, "no destination takes an event", "no destination takes more events")
}

// unroutedKind is what sampled events have in common: the provider.
type unroutedKind string

// Fields implements sampled.Kind.
func (k unroutedKind) Fields() []zap.Field { return []zap.Field{zap.String("provider", string(k))} }
