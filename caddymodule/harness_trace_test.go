package caddymodule_test

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

// syncDelay is how much longer each sync of a traced gateway takes.
const syncDelay = 300 * time.Millisecond

// tracer is strace attached to a gateway. SQLite without C makes the same system
// calls as SQLite: it appends to the -wal file with pwrite64 and commits with
// fsync.
type tracer struct {
	*childProcess
	file string
}

// trace attaches strace to a gateway that runs: its start is not slowed down. It
// skips the test where that is not possible.
func trace(t testing.TB, c *child, inject string) *tracer {
	t.Helper()
	path, err := exec.LookPath("strace")
	if err != nil {
		t.Skip("strace is not installed: it shows when the answer comes (Debian: apt-get install strace)")
	}
	s := &tracer{file: filepath.Join(t.TempDir(), "trace")}
	cmd := exec.Command(path, "-f", "-y", "-s", "16", "-o", s.file, "-p", strconv.Itoa(c.process.Process.Pid),
		"-e", "trace=read,write,pwrite64,fsync,fdatasync", "-e", "inject=fsync,fdatasync:"+inject)
	var errs bytes.Buffer
	cmd.Stderr = &errs
	s.childProcess = launch(t, cmd)
	t.Cleanup(s.detach)
	waitLong(t, "strace is attached", func() bool {
		if s.running() {
			return isTraced(t, c.process.Process.Pid)
		}
		if text := errs.String(); strings.Contains(text, "not permitted") || strings.Contains(text, "not implemented") {
			t.Skipf("processes may not be traced here (in a container, allow the capability SYS_PTRACE): %s", text)
		}
		t.Fatalf("strace has ended: %v %s", s.err, errs.String())
		return false
	})
	return s
}

// isTraced reports whether all threads of a process are traced.
func isTraced(t testing.TB, pid int) bool {
	t.Helper()
	threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/status", pid))
	if err != nil || len(threads) == 0 {
		t.Fatalf("no threads: %v", err)
	}
	for _, thread := range threads {
		status, err := os.ReadFile(thread)
		if errors.Is(err, fs.ErrNotExist) {
			continue // it has ended
		}
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(status), "TracerPid:\t0\n") {
			return false
		}
	}
	return true
}

// detach lets the gateway go on untraced.
func (s *tracer) detach() {
	if s.running() {
		_ = s.Process.Signal(os.Interrupt) // it may have ended
		<-s.exited
	}
}

// traceLine is a line of strace: a call, its beginning, or its end.
var traceLine = regexp.MustCompile(`^(\d+) +(?:<\.\.\. (\w+) resumed>|(\w+)\()(.*)$`)

// answers are the answers in a trace, in their order, and what went before.
type answers struct {
	ofSyncs []int    // how many syncs had ended before each
	early   []string // those without a sync between the request and the answer
}

// asked is a request in a trace.
type asked struct{ written, synced bool }

// readAnswers reads a trace: of each request, when it was read, when the -wal
// file was written and synced after that, and when it was answered. strace stops
// a thread at each of these, so the order of its lines is theirs.
func (s *tracer) readAnswers(t testing.TB) answers {
	t.Helper()
	text, err := os.ReadFile(s.file)
	if err != nil {
		t.Fatal(err)
	}
	var a answers
	syncs := 0
	open := make(map[string]*asked)      // by file descriptor
	syncing := make(map[string][]*asked) // by thread
	begun := make(map[string]string)     // calls that have not ended, by thread
	for line := range strings.Lines(string(text)) {
		parts := traceLine.FindStringSubmatch(strings.TrimSpace(line))
		if parts == nil {
			continue // a signal
		}
		thread, name, rest := parts[1], parts[2]+parts[3], parts[4]
		unfinished := strings.HasSuffix(rest, "<unfinished ...>")
		if parts[2] != "" {
			rest = begun[thread] + rest
		} else {
			begun[thread] = strings.TrimSuffix(rest, " <unfinished ...>")
		}
		file, data, _ := strings.Cut(strings.TrimLeft(rest, " "), ">")
		begins, ends := parts[3] != "", !unfinished
		switch isWAL := strings.HasSuffix(file, "-wal"); {
		case name == "read" && ends && strings.HasPrefix(data, `, "POST `):
			open[file] = new(asked)
		case name == "pwrite64" && ends && isWAL:
			for _, r := range open {
				r.written = true
			}
		case strings.HasSuffix(name, "sync") && isWAL:
			if begins {
				syncing[thread] = nil
				for _, r := range open {
					if r.written {
						syncing[thread] = append(syncing[thread], r)
					}
				}
			}
			if ends && strings.Contains(rest, "= 0") {
				syncs++
				for _, r := range syncing[thread] {
					r.synced = true
				}
			}
		case name == "write" && begins && strings.HasPrefix(data, `, "HTTP/1.1 200 `) && open[file] != nil:
			if !open[file].synced {
				a.early = append(a.early, line)
			}
			a.ofSyncs = append(a.ofSyncs, syncs)
			delete(open, file)
		}
	}
	return a
}
