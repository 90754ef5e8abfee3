package engine

import "syscall"

// childAttributes: the child dies with its parent, and Ctrl-C in a terminal reaches the parent only, which stops the
// engine after everything that uses it.
func childAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
