package pgtest

import "syscall"

// endWithParent makes the kernel end a process when this one dies, however it dies.
func endWithParent(attr *syscall.SysProcAttr) { attr.Pdeathsig = syscall.SIGQUIT }
