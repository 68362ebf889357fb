//go:build !unix

package pgtest

import (
	"errors"
	"syscall"
)

type account struct{ uid, gid uint32 }

// runAs fails, so that tests are skipped.
func runAs() (*account, error) {
	return nil, errors.New("does not run PostgreSQL on this system")
}

func attributes(*account) *syscall.SysProcAttr { return nil }
