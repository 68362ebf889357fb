package webhooks

import (
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/dedup"
)

// memories holds the accepted events of each source, across reloads.
var memories = caddy.NewUsagePool()

// waitersKey is the key in memories of the count that all of them share.
type waitersKey struct{}

// pooled makes a value a caddy.Destructor; memory needs no destruction.
type pooled[T any] struct{ value T }

// Destruct does nothing.
func (pooled[T]) Destruct() error { return nil }

// openMemory returns the memory of a source; closeMemory must follow.
func openMemory(source string, settings dedup.Settings) (*dedup.Memory, error) {
	waiters, _, err := memories.LoadOrNew(waitersKey{}, func() (caddy.Destructor, error) {
		return pooled[*dedup.Waiters]{new(dedup.Waiters)}, nil
	})
	if err != nil {
		return nil, err
	}
	memory, _, err := memories.LoadOrNew(source, func() (caddy.Destructor, error) {
		return pooled[*dedup.Memory]{dedup.New(settings, waiters.(pooled[*dedup.Waiters]).value, time.Now)}, nil
	})
	if err != nil {
		_, _ = memories.Delete(waitersKey{})
		return nil, err
	}
	return memory.(pooled[*dedup.Memory]).value, nil
}

func closeMemory(source string) error {
	if _, err := memories.Delete(source); err != nil {
		return err
	}
	_, err := memories.Delete(waitersKey{})
	return err
}
