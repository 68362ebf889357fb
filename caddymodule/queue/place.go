package queue

import (
	"fmt"
	"strings"
)

// Place identifies a queue, whatever else its settings are.
type Place struct {
	engine, at    string // at is a file, or the DSNs of all servers
	servers, logs int
	strict        bool
}

// Place returns the place of the queue: a file that is reached by two paths is one
// place.
func (s Settings) Place() Place {
	if s.Engine == PostgreSQL {
		servers := s.servers()
		return Place{s.Engine, strings.Join(servers, "\x00"), len(servers), s.logs(), s.StrictDedup}
	}
	return Place{engine: SQLite, at: Path(s.File)}
}

// String names the place, without the DSN of a database server: that may hold a
// password.
func (p Place) String() string {
	if p.engine == SQLite {
		return "sqlite " + p.at
	}
	var words []string
	if p.servers > 1 {
		words = append(words, fmt.Sprintf("%d servers", p.servers))
	}
	if p.logs > 1 {
		words = append(words, fmt.Sprintf("%d logs", p.logs))
	}
	if p.strict {
		words = append(words, "dedup strict")
	}
	if words == nil {
		return p.engine
	}
	return p.engine + " (" + strings.Join(words, ", ") + ")"
}
