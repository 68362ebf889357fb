package pgtest

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"testing"
	"time"
)

// process is a child of this process.
type process struct {
	cmd  *exec.Cmd
	done chan struct{} // closed when it has ended
	err  error         // how; valid after done
}

// launch starts a process. What ends it together with this process is bound to the
// thread that starts it, so that thread stays until the process has ended.
func launch(cmd *exec.Cmd) (*process, error) {
	p := &process{cmd: cmd, done: make(chan struct{})}
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			p.err = cmd.Wait()
			close(p.done)
		}
	}()
	return p, <-started
}

// running reports whether the process has not ended yet.
func (p *process) running() bool {
	select {
	case <-p.done:
		return false
	default:
		return true
	}
}

// end ends the process with a signal and reports whether it heeded it. If it did
// not, it is killed.
func (p *process) end(signal os.Signal) bool {
	if !p.running() {
		return true
	}
	p.cmd.Process.Signal(signal)
	select {
	case <-p.done:
		return true
	case <-time.After(patience):
		p.cmd.Process.Kill()
		<-p.done
		return false
	}
}

// command returns a command that runs a program with an account, nil for that of
// this process, in a directory that the account has access to.
func command(a *account, dir, program string, args ...string) *exec.Cmd {
	cmd := exec.Command(program, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "LC_ALL=C")
	cmd.SysProcAttr = attributes(a)
	return cmd
}

// run runs a command to its end. The error contains what the command prints.
func run(cmd *exec.Cmd) error {
	var output bytes.Buffer
	cmd.Stdout, cmd.Stderr = &output, &output
	p, err := launch(cmd)
	if err == nil {
		<-p.done
		err = p.err
	}
	if err != nil {
		return fmt.Errorf("%s: %w\n%s", filepath.Base(cmd.Path), err, &output)
	}
	return nil
}

// launchLogged starts a process that appends what it prints to a log.
func launchLogged(cmd *exec.Cmd, log string) (*process, error) {
	file, err := os.OpenFile(log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	cmd.Stdout, cmd.Stderr = file, file
	return launch(cmd)
}

// fatal ends the test and shows the log of a process.
func fatal(t testing.TB, log string, err error) {
	t.Helper()
	text, _ := os.ReadFile(log)
	t.Logf("pgtest: the log:\n%s", text)
	t.Fatalf("pgtest: %v", err)
}

// onFreePort starts something on a port that is free. It tries again if that fails:
// another process may be quicker to take the port.
func onFreePort(start func(port int) error) (err error) {
	for range 3 {
		var port int
		if port, err = freePort(); err == nil {
			err = start(port)
		}
		if err == nil {
			return nil
		}
	}
	return err
}

// freePort returns a port that is free, and that no connection takes as its own
// while the server is down: it is below those that systems give to connections.
func freePort() (port int, err error) {
	for range 100 {
		port = 20000 + rand.IntN(12000)
		var l net.Listener
		if l, err = net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port))); err == nil {
			return port, l.Close()
		}
	}
	return 0, err
}
