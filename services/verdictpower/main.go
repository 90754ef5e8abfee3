// Command verdictpower simulates places to show how often a verdict is given where nothing has changed, and how often a
// widening is called in time: see services/internal/verdict/power.
//
//	go run ./services/verdictpower [--runs 10000] [--seed 1] [--json]
package main

import (
	"flag"
	"fmt"
	"os"

	"gapwatch/services/internal/verdict/power"
)

func main() {
	runs := flag.Int("runs", 10_000, "place-seasons simulated for each row of the first table; the others take half and a tenth")
	seed := flag.Uint64("seed", 1, "seed of the random numbers: the same seed gives the same figures")
	asJSON := flag.Bool("json", false, "print one JSON object instead of tables")
	flag.Parse()
	if *runs < 10 || flag.NArg() > 0 {
		fmt.Fprintln(os.Stderr, "usage: verdictpower [--runs N] [--seed N] [--json]; at least 10 runs")
		os.Exit(2)
	}
	report := power.Make(*runs, *seed, func(r power.Row) {
		fmt.Fprintf(os.Stderr, "\r%-34s phi %g  %6d eligible  %g points   ", r.World, r.Phi, r.Eligible, r.Points)
	})
	fmt.Fprintln(os.Stderr)
	write := report.Text
	if *asJSON {
		write = report.JSON
	}
	if err := write(os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
