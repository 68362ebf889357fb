package queue

import "strings"

// citusDialect is what Citus does differently from PostgreSQL with the tables of a
// distributed schema. The coordinator takes the statements, and the node that has the
// schema runs them.
var citusDialect = func() dialect {
	d := postgresDialect
	d.isDistributed = true
	d.words = strings.NewReplacer("{only_plain}", "-- ", "{seq}", "BIGINT", "{id}", "BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY",
		"{blob}", "BYTEA", "{without_rowid}", "", "{only_postgres}", "")
	// Statements that change rows must not call a function that may return something else
	// at each call.
	d.serverTime = `(extract(epoch FROM statement_timestamp()) * 1000000)::bigint`
	// Some statements would show the timeline of the coordinator, others that of the
	// schema's node, which changes when the schema moves.
	d.timeline = `''::text`
	return d
}()

// recognize finds out whether the tables are, or would be, those of a distributed schema
// of Citus.
func (t *tx) recognize() error {
	isCitus := false
	if err := t.row(`SELECT EXISTS (SELECT 1 FROM pg_extension WHERE extname = 'citus')`, nil, &isCitus); err != nil || !isCitus {
		return err
	}
	isDistributed := false
	err := t.row(`SELECT EXISTS (SELECT 1 FROM pg_dist_schema WHERE schemaid::oid = to_regnamespace(current_schema())::oid)`, nil, &isDistributed)
	if err == nil && isDistributed {
		t.store.dialect = citusDialect
	}
	return err
}
