package bench

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// watchMemory samples the resident memory of this process and its children (the engine) until the returned function is
// called, which says by how many megabytes it rose at most. Linux only; elsewhere it says 0.
func watchMemory() func() float64 {
	first := resident()
	stop, peak := make(chan struct{}), make(chan int64)
	go func() {
		most := first
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				most = max(most, resident())
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

func resident() (bytes int64) {
	self := os.Getpid()
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, path := range stats {
		data, err := os.ReadFile(path)
		if err != nil {
			continue // it has ended
		}
		// pid (name) state ppid ... rss is field 24; the name may hold spaces.
		text := string(data)
		fields := strings.Fields(text[strings.LastIndexByte(text, ')')+1:])
		pid, _ := strconv.Atoi(text[:strings.IndexByte(text, ' ')])
		parent, _ := strconv.Atoi(fields[1])
		if pid == self || parent == self {
			pages, _ := strconv.ParseInt(fields[21], 10, 64)
			bytes += pages * int64(os.Getpagesize())
		}
	}
	return bytes
}
