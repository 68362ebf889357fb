package console

import "github.com/caddyserver/caddy/v2"

// processes holds the one process that all handlers share, across reloads.
var processes = caddy.NewUsagePool()

const processKey = "console"

// process is what outlives a configuration: what runs in the background, and the key of
// open forms.
type process struct {
	jobs    *jobs
	forgery *forgery
}

func newProcess() *process {
	return &process{newJobs(), newForgery()}
}

// Destruct ends the jobs. It implements caddy.Destructor.
func (p *process) Destruct() error {
	p.jobs.stop()
	return nil
}

func openProcess() (*process, error) {
	p, _, err := processes.LoadOrNew(processKey, func() (caddy.Destructor, error) { return newProcess(), nil })
	if err != nil {
		return nil, err
	}
	return p.(*process), nil
}

func closeProcess() error {
	_, err := processes.Delete(processKey)
	return err
}
