package deadletter

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/user"
	"strconv"
	"time"

	"gapwatch/services/internal/calendar"
	"gapwatch/services/internal/event"
	"gapwatch/services/internal/programme"
	"gapwatch/services/internal/settings"
	"gapwatch/services/internal/store"
	"gapwatch/services/internal/stream"
)

// Settings are the command's part of the environment.
type Settings struct {
	settings.NATS
	settings.ClickHouse
	settings.Programmes
}

// Usage is what the command says of itself.
const Usage = `usage: deadletters list    [FILTER] [--each]
       deadletters show    SEQUENCE
       deadletters replay  [FILTER] [--dry-run] [--by NAME] [--note TEXT] [SEQUENCE...]
       deadletters discard [FILTER | --all] [--dry-run] [--by NAME] --note TEXT [SEQUENCE...]

FILTER: --reason "no season"    as list shows it
        --sender gp-north       direct for those without a sender
        --programme flu-65      that the event was published for
        --from, --to            when it came: a day (in London; --to takes it in) or a time such as 2026-11-22T10:00:00Z (--to leaves it out)

list counts by reason, field and sender; --each shows each letter with its SEQUENCE.
replay publishes again what is accepted now, and removes those letters. Stored and counted once, however often it is run.
discard removes letters for good. Both are logged with who and why, in prevention.dead_letter_log.

Ends with 0 if all was done, 1 if something must be repaired first, 2 if the command line is wrong, 3 if letters are left that
could not be replayed, 4 if the same may work later. (Under go run, anything but 0 becomes 1.)
`

// ErrUsage is wrapped by errors of the command line.
var ErrUsage = errors.New("the command line is wrong")

// ErrLeft says that letters are left that could not be replayed.
var ErrLeft = errors.New("some could not be replayed: they are kept")

// ExitCode is what the command ends with after an error of [Command].
func ExitCode(err error) int {
	switch {
	case err == nil:
		return 0
	case errors.Is(err, ErrUsage):
		return 2
	case errors.Is(err, ErrLeft):
		return 3
	case errors.Is(err, ErrRetry):
		return 4
	default:
		return 1
	}
}

// Command is the command deadletters.
func Command(ctx context.Context, s Settings, args []string, out io.Writer) error {
	c, err := parse(args)
	if errors.Is(err, flag.ErrHelp) {
		_, err := io.WriteString(out, Usage)
		return err
	}
	if err != nil {
		return fmt.Errorf("%w: %w\n\n%s", ErrUsage, err, Usage)
	}
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	nc, js, err := stream.Connect(s.Connect("deadletters", log))
	if err != nil {
		return err
	}
	defer nc.Close()
	b, err := Open(ctx, js)
	if err != nil {
		return judged(err)
	}
	switch c.verb {
	case "list":
		return c.list(ctx, b, out)
	case "show":
		return c.show(ctx, b, out)
	}
	l := Log{Operator: c.by, Note: c.note}
	if !c.dryRun {
		if err := l.Validate(); err != nil {
			return fmt.Errorf("%w: %w", ErrUsage, err)
		}
		if l.ClickHouse, err = store.Open(s.Address()); err != nil {
			return err
		}
		defer l.ClickHouse.Close() //nolint:errcheck // what was inserted was confirmed
	}
	if c.verb == "discard" {
		return c.discard(ctx, b, l, out)
	}
	programmes, err := programme.Load(s.ProgrammeFile)
	if err != nil {
		return err
	}
	return c.replay(ctx, b, Replay{Decoder: &event.Decoder{Programmes: programmes}, Log: l, DryRun: c.dryRun}, out)
}

// command is a command line.
type command struct {
	verb         string
	filter       Filter
	each, dryRun bool
	by, note     string
}

func parse(args []string) (c command, err error) {
	if len(args) == 0 {
		return c, errors.New("say what to do")
	}
	c.verb = args[0]
	flags := flag.NewFlagSet(c.verb, flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	var all bool
	filters := func() {
		flags.StringVar(&c.filter.Reason, "reason", "", "")
		flags.StringVar(&c.filter.Sender, "sender", "", "")
		flags.StringVar(&c.filter.Programme, "programme", "", "")
		flags.Func("from", "", func(text string) (err error) { c.filter.From, err = moment(text, 0); return err })
		flags.Func("to", "", func(text string) (err error) { c.filter.To, err = moment(text, 1); return err })
	}
	acts := func() {
		filters()
		flags.BoolVar(&c.dryRun, "dry-run", false, "")
		flags.StringVar(&c.by, "by", operator(), "")
		flags.StringVar(&c.note, "note", "", "")
	}
	switch c.verb {
	case "list":
		filters()
		flags.BoolVar(&c.each, "each", false, "")
	case "show":
	case "replay":
		acts()
	case "discard":
		acts()
		flags.BoolVar(&all, "all", false, "")
	case "-h", "-help", "--help", "help":
		return c, flag.ErrHelp
	default:
		return c, fmt.Errorf("there is no %q", c.verb)
	}
	rest := args[1:]
	for { // options may come before and after sequences
		if err := flags.Parse(rest); err != nil {
			return c, err
		}
		if rest = flags.Args(); len(rest) == 0 {
			break
		}
		sequence, err := strconv.ParseUint(rest[0], 10, 64)
		if err != nil || sequence == 0 {
			return c, fmt.Errorf("%q is not a sequence", rest[0])
		}
		c.filter.Sequences = append(c.filter.Sequences, sequence)
		rest = rest[1:]
	}
	switch {
	case c.verb == "list" && len(c.filter.Sequences) > 0:
		return c, errors.New("list takes no sequence: use show")
	case c.verb == "show" && len(c.filter.Sequences) != 1:
		return c, errors.New("show takes one sequence")
	case c.verb == "discard" && c.note == "":
		return c, errors.New("discard needs a --note that says why")
	case c.verb == "discard" && c.filter.All() != all:
		return c, errors.New("discard needs a filter, sequences, or --all for every letter")
	case !c.filter.From.IsZero() && !c.filter.To.IsZero() && !c.filter.From.Before(c.filter.To):
		return c, errors.New("--from is not before --to")
	}
	return c, nil
}

// moment reads a time, or a day in London whose begin it is, some days later.
func moment(text string, later calendar.Day) (time.Time, error) {
	if day, err := calendar.Parse(text); err == nil {
		return (day + later).Begin(), nil
	}
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return time.Time{}, errors.New("neither a day such as 2026-11-22 nor a time such as 2026-11-22T10:00:00Z")
	}
	return at, nil
}

// operator is who runs the command, as their computer knows them; empty where that is nobody in particular, as in a container.
func operator() string {
	u, err := user.Current()
	if err != nil || u.Uid == "0" || u.Username == "gapwatch" || u.Username == "" {
		return ""
	}
	host, err := os.Hostname()
	if err != nil {
		return u.Username
	}
	return u.Username + "@" + host
}
