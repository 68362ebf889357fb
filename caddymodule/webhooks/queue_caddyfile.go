package webhooks

import (
	"strconv"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/internal/blocks"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/queue"
)

// parseQueue parses the place of the queue. Syntax:
//
//	queue sqlite [<file>]
//	queue postgres <dsn...> {
//		logs  <n>
//		dedup strict
//	}
//
// Its errors show no argument: a DSN may hold a password, also in the wrong place.
func (a *App) parseQueue(line blocks.Line) error {
	if a.Queue != nil { // also in another block of the option
		return line.Errf("duplicate \"queue\"; remove one")
	}
	switch args := line.Args; {
	case args[0] == queue.SQLite && len(args) <= 2:
		a.Queue = &QueueConfig{Engine: args[0]}
		if len(args) == 2 {
			a.Queue.File = args[1]
		}
		if line.CheckNoBlock() != nil {
			return line.Errf("`queue sqlite` takes no block; put the file on the same line, and use postgres for `logs` or `dedup strict`")
		}
	case args[0] == queue.PostgreSQL && len(args) >= 2:
		a.Queue = &QueueConfig{Engine: args[0], DSN: args[1], Servers: args[2:]}
	default:
		return line.Misused()
	}
	if err := checkCredentials(line); err != nil {
		return err
	}
	if err := queueWords.Parse(line, "queue postgres", a.Queue); err != nil {
		return err
	}
	if err := a.Queue.check(); err != nil {
		return line.Errf("%v", err)
	}
	return nil
}

// queueWords are the words of the block of `queue postgres`.
var queueWords = blocks.Words[*QueueConfig]{
	{Name: "logs", Usage: "<n>", Parse: func(q *QueueConfig, line blocks.Line) error {
		q.Logs, _ = strconv.Atoi(line.Args[0])
		if err := checkLogs(q.Logs); err != nil {
			return line.Errf("%v", err)
		}
		return nil
	}},
	{Name: "dedup", Usage: "strict", Parse: func(q *QueueConfig, line blocks.Line) error {
		if line.Args[0] != "strict" {
			return line.Errf("`dedup` of `queue` takes only the word strict; a window belongs to `dedup` of a `webhooks` block")
		}
		q.StrictDedup = true
		return nil
	}},
}
