package bench

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// watchMemory samples the resident memory of this process and its children (the engine) until the returned function is
// called, which says by how many megabytes it rose at most. Linux only; elsewhere it says 0.
func watchMemory() func() float64 {
	pids := family()
	first := resident(pids)
	stop, peak := make(chan struct{}), make(chan int64)
	go func() {
		most := first
		tick := time.NewTicker(50 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				most = max(most, resident(pids))
			case <-stop:
				peak <- most
				return
			}
		}
	}()
	return func() float64 {
		close(stop)
		return float64(<-peak-first) / 1e6
	}
}

// family is this process and its children.
func family() []string {
	self := strconv.Itoa(os.Getpid())
	pids := []string{self}
	folders, _ := filepath.Glob("/proc/[0-9]*")
	for _, folder := range folders {
		if fields := stat(filepath.Base(folder)); len(fields) > 1 && fields[1] == self {
			pids = append(pids, filepath.Base(folder))
		}
	}
	return pids
}

// stat is what /proc says of a process from its state on: state, parent, ...; nothing if it has ended.
func stat(pid string) []string {
	data, err := os.ReadFile("/proc/" + pid + "/stat")
	if err != nil {
		return nil
	}
	return strings.Fields(string(data[bytes.LastIndexByte(data, ')')+1:])) // the name before may hold spaces
}

func resident(pids []string) (bytes int64) {
	for _, pid := range pids {
		if fields := stat(pid); len(fields) > 21 {
			pages, _ := strconv.ParseInt(fields[21], 10, 64)
			bytes += pages * int64(os.Getpagesize())
		}
	}
	return bytes
}
