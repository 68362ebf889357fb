package pgtest

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
)

// query runs one statement in a session of its own. It scans the first column of the
// first row into result, unless that is nil.
func query(ctx context.Context, dsn string, result any, statement string, args ...any) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	conn, err := pgx.Connect(ctx, dsn)
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	if result != nil {
		return conn.QueryRow(ctx, statement, args...).Scan(result)
	}
	_, err = conn.Exec(ctx, statement, args...)
	return err
}

// until waits until a condition holds in a new session.
func until(ctx context.Context, dsn, condition string, args ...any) error {
	for {
		var holds bool
		err := query(ctx, dsn, &holds, "SELECT "+condition, args...)
		if holds {
			return nil
		} else if err == nil {
			err = errors.New("it is false")
		}
		select {
		case <-time.After(10 * time.Millisecond):
		case <-ctx.Done():
			return fmt.Errorf("waiting until %s: %w", condition, err)
		}
	}
}

// answers waits until the process answers at a DSN. If it does not, it is killed.
// Another process may have taken the port: only the data directory of the server that
// answers proves that it is this one.
func (p *process) answers(dsn, data string) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	go func() {
		<-p.done
		cancel()
	}()
	err := until(ctx, dsn, "current_setting('data_directory') = $1", data)
	if err == nil {
		return nil
	}
	name := filepath.Base(p.cmd.Path)
	if !p.running() {
		return fmt.Errorf("%s ended: %v", name, p.err) //nolint:errorlint // nil for one that ended well
	}
	p.end(syscall.SIGQUIT)
	return fmt.Errorf("%s does not answer: %w", name, err)
}
