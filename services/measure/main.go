// Command measure measures the gap in a file of published counts, for analysts who check us and for scripts. It needs no
// server and no known programme.
//
//	go run ./services/measure [--floor N] FILE.csv
//
// It ends with 1 if anything is wrong; then nothing is printed.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"gapwatch/services/internal/measurefile"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, stdin io.Reader, stdout io.Writer) error {
	o, err := measurefile.Parse(args)
	if errors.Is(err, flag.ErrHelp) {
		_, err = io.WriteString(stdout, measurefile.Usage)
		return err
	}
	if err != nil {
		return err
	}
	o.Stdin = stdin
	return measurefile.Write(ctx, o, stdout)
}
