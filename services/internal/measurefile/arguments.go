package measurefile

import (
	"errors"
	"flag"
	"io"
)

// Usage is what the command measure takes and prints.
const Usage = `usage: measure [--floor N] FILE.csv

FILE.csv is a series of counts with the columns programme, season, geography, day (YYYY-MM-DD), quintile (1 = most
deprived fifth to 5 = least, 0 = not known), covered and eligible, in any order; - is standard input.

  --floor N   a quintile with fewer eligible people is in no measure of inequality (default 100)

Prints one JSON object a line for each programme, season, geography and day, in that order:

  gap                     uptake of quintile 5 less uptake of quintile 1
  ratio                   uptake of quintile 1 over uptake of quintile 5
  sii, rii                slope and relative index of inequality on the logit scale
  sii_linear, rii_linear  the same on the scale of uptake itself
  ..._low, ..._high       limits of the 95 % interval
  people_short_to_best    how many more people would have to be covered for every quintile to reach the best one's uptake
  quintiles               uptake of each quintile with its 95 % interval (low, high)
  not_computed            why a measure is null, by its name; quintile_1 to quintile_5 for the intervals of uptake

Proportions are fractions of 1. Gap and SII are positive when the least deprived do better. Quintile 0 enters no measure.
Ends with 1, and prints nothing, if anything is wrong with the file.
`

// Parse reads the arguments of the command measure, flags before or after the file. The error is [flag.ErrHelp] where help
// is asked for; otherwise it names the argument that is wrong.
func Parse(args []string) (Options, error) {
	flags := flag.NewFlagSet("measure", flag.ContinueOnError)
	flags.SetOutput(io.Discard) // the error is returned
	var o Options
	flags.Uint64Var(&o.Floor, "floor", 100, "")
	for {
		if err := flags.Parse(args); err != nil {
			return o, err
		}
		switch args = flags.Args(); {
		case len(args) == 0 && o.Path == "":
			return o, errors.New("usage: measure [--floor N] FILE.csv (- for standard input); --help says more")
		case len(args) == 0:
			return o, nil
		case o.Path != "":
			return o, errors.New("one file at a time: measure [--floor N] FILE.csv")
		}
		o.Path, args = args[0], args[1:]
	}
}
