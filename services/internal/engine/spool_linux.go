package engine

import (
	"os"

	"golang.org/x/sys/unix"
)

// newSpool returns a file for an insert's data and the path by which the engine opens it. It has no name in any
// folder, so nothing is left behind when the process is killed.
func newSpool() (*os.File, string, error) {
	fd, err := unix.MemfdCreate("insert", unix.MFD_CLOEXEC)
	if err != nil {
		return nil, "", os.NewSyscallError("memfd_create", err)
	}
	path := spoolPath(fd)
	return os.NewFile(uintptr(fd), path), path, nil
}
