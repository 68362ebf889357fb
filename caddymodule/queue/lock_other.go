//go:build !linux

package queue

import "os"

// lockFile does nothing: only Linux has locks that belong to an open file. Elsewhere,
// the lock on FILE.lock keeps a second process out, unless that file is removed. Windows
// refuses to remove it while it is open.
func lockFile(*os.File) bool { return true }
