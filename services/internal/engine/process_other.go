//go:build !linux

package engine

import "syscall"

// childAttributes: Ctrl-C in a terminal reaches the parent only, which stops the engine after everything that uses it.
func childAttributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
