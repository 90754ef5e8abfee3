package engine

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
)

// SurvivePanics opens an engine in this process and dereferences nil many times over while queries run: each must stay
// a panic that Go can recover from. It is for a child process of the test.
func SurvivePanics(libPath, dir string) error {
	lib, err := loadLibrary(libPath)
	if err != nil {
		return err
	}
	store, err := openStore(lib, 8, "--path="+dir)
	if err != nil {
		return err
	}
	var queries sync.WaitGroup
	var failure atomic.Pointer[error]
	stop := make(chan struct{})
	for range 2 {
		queries.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				conn, err := store.connect(false)
				if err == nil {
					_, err = conn.exec("SELECT count() FROM numbers(100000)", "Native")
					store.disconnect(conn)
				}
				if err != nil {
					failure.Store(&err)
					return
				}
			}
		})
	}
	recovered := 0
	for i := range 5000 {
		func() {
			defer func() {
				if _, ok := recover().(runtime.Error); ok {
					recovered++
				}
			}()
			var nothing *[4096]int
			nothing[i%4096] = 1
		}()
		if i%100 == 0 {
			runtime.GC()
		}
	}
	close(stop)
	queries.Wait()
	if err := failure.Load(); err != nil {
		return *err
	}
	if recovered != 5000 {
		return fmt.Errorf("recovered %d times", recovered)
	}
	return store.close(context.Background())
}
