// Package collector registers metrics with Caddy's registry, which may have them
// already: it outlives the configuration that a handler belongs to.
package collector

import (
	"errors"

	"github.com/prometheus/client_golang/prometheus"
)

// Register registers a collector. If an equal one is registered, it takes the place
// of this one.
func Register[C prometheus.Collector](registry *prometheus.Registry, collector *C) error {
	err := registry.Register(*collector)
	var already prometheus.AlreadyRegisteredError
	if errors.As(err, &already) {
		*collector = already.ExistingCollector.(C)
		return nil
	}
	return err
}
