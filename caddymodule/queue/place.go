package queue

// Place identifies a queue, whatever else its settings are.
type Place struct {
	engine, at string
}

// Place returns the place of the queue: a file that is reached by two paths is one
// place.
func (s Settings) Place() Place {
	if s.Engine == PostgreSQL {
		return Place{s.Engine, s.DSN}
	}
	return Place{SQLite, Path(s.File)}
}

// String names the place, without the DSN of a database server: that may hold a
// password.
func (p Place) String() string {
	if p.engine == SQLite {
		return "sqlite " + p.at
	}
	return p.engine
}
