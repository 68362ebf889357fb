// Package demo is `caddy webhooks demo`: a gateway and a receiver on loopback,
// and deliveries of several providers from one to the other.
package demo

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
)

// Options of a run.
type Options struct {
	// Verbose prints each request that the receiver gets.
	Verbose bool

	// Keep keeps gateway and receiver running after the last step, until the
	// process is interrupted.
	Keep bool
}

// Run runs the demo, and prints each step to w. It returns an error if a step
// fails.
func Run(w io.Writer, options Options) error {
	d, err := start(w, options.Verbose)
	if err != nil {
		return err
	}
	defer d.stop()
	if err := d.run(); err != nil {
		return err
	}
	if options.Keep {
		d.keep()
	}
	return nil
}

// demo is one run.
type demo struct {
	w       io.Writer
	verbose bool

	gateway  *gateway
	receiver *receiver
}

func start(w io.Writer, verbose bool) (_ *demo, err error) {
	d := &demo{w: w, verbose: verbose}
	defer func() {
		if err != nil {
			d.stop()
		}
	}()
	signingKey := newSigningKey()
	if d.receiver, err = startReceiver(signingKey); err != nil {
		return nil, err
	}
	if d.gateway, err = startGateway(d.receiver.address, signingKey); err != nil {
		return nil, fmt.Errorf("starting the gateway: %w", err)
	}
	fmt.Fprintf(w, "The gateway listens on %s and forwards to a receiver on %s.\n", d.gateway.url, d.receiver.address)
	fmt.Fprintf(w, "Providers sign with, or present, a secret made for this run. The receiver checks the gateway's own signature.\n\n")
	return d, nil
}

func (d *demo) stop() {
	if d.gateway != nil {
		d.gateway.stop()
	}
	if d.receiver != nil {
		_ = d.receiver.stop()
	}
}

// run takes all steps.
func (d *demo) run() error {
	steps := d.directSteps()
	steps = append(steps, d.durableSteps()...)
	width := 0
	for _, s := range steps {
		width = max(width, len(s.who))
	}
	failed := 0
	for _, s := range steps {
		problem, err := s.do()
		if err != nil {
			return fmt.Errorf("%s: %s: %w", s.who, s.name, err)
		}
		mark, text := "ok  ", s.outcome
		if problem != "" {
			mark, text = "FAIL", problem
			failed++
		}
		fmt.Fprintf(d.w, "%s  %-*s %-25s %s\n", mark, width, s.who, s.name, text)
		d.showDeliveries()
	}
	if failed > 0 {
		return fmt.Errorf("%d of %d steps failed", failed, len(steps))
	}
	fmt.Fprintf(d.w, "\nAll %d steps passed.\n", len(steps))
	return nil
}

// showDeliveries prints the requests that the receiver got, and forgets them.
func (d *demo) showDeliveries() {
	for _, delivery := range d.receiver.take() {
		if d.verbose {
			fmt.Fprintln(d.w, delivery)
		}
	}
}

// keep waits until the process is interrupted.
func (d *demo) keep() {
	first := d.gateway.samples[0]
	fmt.Fprintf(d.w, "\nStill running; interrupt to stop. Send more from another terminal:\n  caddy webhooks send %s --to %s/%s %s\n",
		first.name, d.gateway.url, first.name, first.flags(d.gateway.secret))
	interrupted, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	<-interrupted.Done()
}
