package engine

import (
	"fmt"
	"runtime"
)

func spoolPath(fd int) string {
	if runtime.GOOS == "linux" {
		return fmt.Sprintf("/proc/self/fd/%d", fd)
	}
	return fmt.Sprintf("/dev/fd/%d", fd)
}
