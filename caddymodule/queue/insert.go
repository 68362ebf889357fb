package queue

import (
	"database/sql"
	"math/bits"
	"strings"
)

// atOnce returns how many of n rows, at least one, one statement inserts: all of up to
// 16, which is what a group has under a moderate load, and 16, 32 or 64 of more, so that
// few statements are prepared.
func atOnce(n int) int {
	if n <= 16 {
		return n
	}
	return min(64, 1<<(bits.Len(uint(n))-1))
}

// insert inserts rows. args has their columns, row after row. Each $extra in the suffix
// is one of the extra parameters. If the suffix ends in RETURNING seq, returned is called
// with each number.
func (t *tx) insert(prefix string, columns int, suffix string, args []any, returned func(seq int64), extra ...any) error {
	for len(args) > 0 {
		n := atOnce(len(args) / columns)
		rows := args[: n*columns : n*columns]
		args = args[n*columns:]
		if err := t.insertOnce(t.store.insertQuery(prefix, columns, n, suffix), append(rows, extra...), returned); err != nil {
			return err
		}
	}
	return nil
}

// insertion is the key of a statement in store.insertions.
type insertion struct {
	prefix string
	rows   int
}

// insertQuery returns the statement that inserts a number of rows at once.
func (s *store) insertQuery(prefix string, columns, rows int, suffix string) string {
	query, ok := s.insertions[insertion{prefix, rows}]
	if !ok {
		query = prefix + valuesOf(rows, columns, s.placeholder)
		for i, part := range strings.Split(suffix, "$extra") {
			if i > 0 {
				query += s.placeholder(rows*columns + i)
			}
			query += part
		}
		s.insertions[insertion{prefix, rows}] = query
	}
	return query
}

// insertOnce runs one INSERT.
func (t *tx) insertOnce(query string, args []any, returned func(seq int64)) error {
	if returned == nil {
		return t.exec(query, args...)
	}
	return t.rows(query, args, func(rows *sql.Rows) error {
		var seq int64
		err := rows.Scan(&seq)
		returned(seq)
		return err
	})
}

// valuesOf returns `VALUES ($1, $2), ($3, $4)`.
func valuesOf(rows, columns int, placeholder func(n int) string) string {
	var b strings.Builder
	b.WriteString(" VALUES ")
	for i := range rows * columns {
		switch {
		case i == 0:
			b.WriteByte('(')
		case i%columns == 0:
			b.WriteString("), (")
		default:
			b.WriteString(", ")
		}
		b.WriteString(placeholder(i + 1))
	}
	b.WriteString(") ")
	return b.String()
}
