package pgtest

import (
	"os"
	"syscall"
	"time"
	"unsafe"
)

// alarm sleeps for short times. The timers of Go are late by up to 1 ms when nothing
// else goes on, since the runtime waits for whole milliseconds then; a timerfd is
// exact, and no thread waits for it.
type alarm struct {
	fd   uintptr
	file *os.File // nil if there is no timerfd
}

func newAlarm() *alarm {
	const monotonic = 1
	fd, _, err := syscall.Syscall(syscall.SYS_TIMERFD_CREATE, monotonic, syscall.O_NONBLOCK|syscall.O_CLOEXEC, 0)
	if err != 0 {
		return new(alarm)
	}
	return &alarm{fd, os.NewFile(fd, "timerfd")}
}

func (a *alarm) sleep(d time.Duration) {
	if d <= 0 {
		return
	}
	if a.file != nil {
		setting := struct{ interval, value syscall.Timespec }{value: syscall.NsecToTimespec(int64(d))}
		_, _, err := syscall.Syscall6(syscall.SYS_TIMERFD_SETTIME, a.fd, 0, uintptr(unsafe.Pointer(&setting)), 0, 0, 0)
		var expirations [8]byte
		if err == 0 {
			if _, err := a.file.Read(expirations[:]); err == nil {
				return
			}
		}
	}
	time.Sleep(d)
}

func (a *alarm) close() {
	if a.file != nil {
		a.file.Close()
	}
}
