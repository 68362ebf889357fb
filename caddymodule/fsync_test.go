package caddymodule_test

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
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

// once makes a connection for each request, so that a trace shows its beginning.
var once = &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}

// sendGroup sends events at the same time and returns what each was answered and
// after how long.
func sendGroup(t testing.TB, c *child, secret, prefix string, n int) (ids []string, statuses []int, took []time.Duration) {
	t.Helper()
	ids, statuses, took = make([]string, n), make([]int, n), make([]time.Duration, n)
	var wg sync.WaitGroup
	for i := range n {
		ids[i] = fmt.Sprintf("%s-%d", prefix, i)
		wg.Go(func() {
			begin := time.Now()
			status, header, err := sendOnce(once, c.url, secret, ids[i], ids[i])
			if err != nil || status != http.StatusOK && header.Get("Retry-After") == "" {
				t.Errorf("%s: %d %v %v", ids[i], status, header, err)
			}
			statuses[i], took[i] = status, time.Since(begin)
		})
	}
	wg.Wait()
	return ids, statuses, took
}

// wantGroup is sendGroup and checks that all were answered the same.
func wantGroup(t testing.TB, c *child, secret, prefix string, n, want int) (ids []string) {
	t.Helper()
	ids, statuses, _ := sendGroup(t, c, secret, prefix, n)
	for i, status := range statuses {
		if status != want {
			t.Errorf("%s: got %d, want %d", ids[i], status, want)
		}
	}
	return ids
}

// TestAnswerAfterSync slows down every sync: no answer comes before one that was
// begun after the event was written, and events that come together share one.
func TestAnswerAfterSync(t *testing.T) {
	secret := newSecret()
	to := startReceiver(t)
	c := newChild(t, "a", "sqlite "+filepath.Join(t.TempDir(), "webhooks", "queue.db"), durableSite(deliverTo("app", to, "")), "SECRET="+secret)
	c.startReady()
	to.waitTaken(t, wantGroup(t, c, secret, "before", 1, http.StatusOK))

	s := trace(t, c, fmt.Sprintf("delay_enter=%d", syncDelay.Microseconds()))
	const group = 20
	all := 0
	var longest []time.Duration
	for _, n := range []int{1, group} {
		ids, statuses, took := sendGroup(t, c, secret, fmt.Sprintf("of-%d", n), n)
		longest = append(longest, 0)
		for i := range ids {
			longest[len(longest)-1] = max(longest[len(longest)-1], took[i])
			if statuses[i] != http.StatusOK || took[i] < syncDelay {
				t.Errorf("%s was answered %d after %s, want 200 after a sync of %s", ids[i], statuses[i], took[i], syncDelay)
			}
		}
		all += n
		to.waitTaken(t, ids)
	}
	s.detach()
	a := s.readAnswers(t)
	for _, line := range a.early {
		t.Errorf("answered before a sync: %s", line)
	}
	if len(a.ofSyncs) != all {
		t.Fatalf("the trace shows %d answers of 200, want %d", len(a.ofSyncs), all)
	}
	syncs := a.ofSyncs[all-1] - a.ofSyncs[0]
	if a.ofSyncs[0] < 1 || syncs > group/2 {
		t.Errorf("%d syncs before the lone answer, %d for a group of %d", a.ofSyncs[0], syncs, group)
	}
	t.Logf("with syncs of %s, a lone event was answered after %s, the last of %d that came together after %s and %d syncs, those for deliveries among them",
		syncDelay, longest[0].Round(time.Millisecond), group, longest[1].Round(time.Millisecond), syncs)
}

// TestSyncFails has every sync fail, and then some: nothing is answered 200 that
// is not stored, and when syncs work again, so does the gateway.
func TestSyncFails(t *testing.T) {
	secret := newSecret()
	to := startReceiver(t)
	c := newChild(t, "a", "sqlite "+filepath.Join(t.TempDir(), "webhooks", "queue.db"), durableSite(deliverTo("app", to, "")), "SECRET="+secret)
	c.startReady()
	// So that what is delivered was read back after the kill.
	if status, text := c.ask(http.MethodPost, "/webhooks/pause/app"); status != http.StatusOK {
		t.Fatal(status, text)
	}
	answered := wantGroup(t, c, secret, "before", 20, http.StatusOK)

	s := trace(t, c, "error=EIO")
	wantGroup(t, c, secret, "during", 20, http.StatusServiceUnavailable)
	if status := c.ready(); status != http.StatusServiceUnavailable {
		t.Errorf("/webhooks/ready is %d while no sync succeeds", status)
	}
	if n := c.metric(`caddy_webhooks_requests_total{outcome="queue_unavailable",provider="notifly"}`); n != "20" {
		t.Errorf("%s requests were counted as queue_unavailable", n)
	}
	if log, err := os.ReadFile(c.logFile); err != nil || !strings.Contains(string(log), `"reason":"queue_unavailable"`) {
		t.Error("the log does not say queue_unavailable", err)
	}
	s.detach()
	detached := time.Now()
	waitLong(t, "events are taken again", func() bool {
		status, _, err := sendOnce(once, c.url, secret, "during-0", "during-0")
		return err == nil && status == http.StatusOK
	})
	healed := time.Since(detached)
	answered = append(answered, wantGroup(t, c, secret, "during", 20, http.StatusOK)...)

	s = trace(t, c, "error=EIO:when=1+3")
	traffic := startTraffic(t, "some", 16, 0, secret, c)
	time.Sleep(time.Second)
	s.detach()
	answered = append(answered, traffic.stop()...)

	c.kill()
	c.startReady()
	if n := to.count(); n != 0 {
		t.Errorf("%d requests came although the destination was paused", n)
	}
	if status, text := c.ask(http.MethodPost, "/webhooks/resume/app"); status != http.StatusOK {
		t.Fatal(status, text)
	}
	to.waitTaken(t, answered)
	t.Logf("healed after %s; with a third of the syncs failing, %d events were answered 200 and %d requests 503; %s",
		healed.Round(time.Millisecond), len(answered)-40, traffic.unavailable.Load(), checkRepeats(t, to.got(), nil))
}
