// Command deploycheck proves on a running ClickHouse what Grafana's user may do there and what not:
//
//	make deploy-check CLICKHOUSE_URL=http://gapwatch:password@127.0.0.1:8123 READER_URL=http://gapwatch_reader:password@127.0.0.1:8123
//
// It changes nothing. It ends with 1 if anything is allowed that must not be, or refused that must work.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"gapwatch/services/internal/deploycheck"
	"gapwatch/services/internal/settings"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	var s deploycheck.Settings
	err := settings.Load(&s)
	if err == nil {
		err = deploycheck.Check(ctx, s, os.Stdout)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
