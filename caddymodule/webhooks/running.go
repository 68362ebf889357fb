package webhooks

import "github.com/caddy-webhooks/caddy-webhooks/caddymodule/journal"

// RunningJournal returns the journal of the running configuration. It has no blocks if
// that has no `webhooks` handler.
func RunningJournal() (*journal.Journal, error) {
	q, err := RunningQueue()
	if err != nil {
		return nil, err
	}
	return journal.New(q, new(journal.Memory), nil), nil
}
