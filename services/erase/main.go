// Command erase removes people from everything that Gapwatch keeps: see deploy/PRIVACY.md.
//
//	go run ./services/erase --person --reference SAR-2026-17 --by "A. Clerk" < numbers.txt
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"gapwatch/services/internal/erase"
	"gapwatch/services/internal/settings"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "erase:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	var s erase.Settings
	if err := settings.Load(&s); err != nil {
		return err
	}
	return erase.Command(ctx, s, os.Args[1:], os.Stdin, os.Stdout)
}
