package erase

import (
	"bufio"
	"context"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"time"

	"gapwatch/services/internal/event"
	"gapwatch/services/internal/pseudonym"
	"gapwatch/services/internal/settings"
	"gapwatch/services/internal/store"
	"gapwatch/services/internal/stream"
)

// Settings are the command's part of the environment.
type Settings struct {
	settings.NATS
	settings.ClickHouse
	Keys     string `envconfig:"GAPWATCH_PSEUDONYM_KEYS"`
	KeysFile string `envconfig:"GAPWATCH_PSEUDONYM_KEYS_FILE"`
}

const usage = `usage: erase --person --reference REQUEST --by NAME [--dry-run] [--wait 5m]   < NHS numbers, one a line
       erase --pseudonym --reference REQUEST --by NAME [--dry-run] [--wait 5m]   < pseudonyms, one a line

Removes people from everything that Gapwatch keeps. NHS numbers are read from standard input and nowhere else: a command
line and an environment can be seen by others.`

// Command is the command erase: it reads people from in and says what was done on out.
func Command(ctx context.Context, s Settings, args []string, in io.Reader, out io.Writer) error {
	flags := flag.NewFlagSet("erase", flag.ContinueOnError)
	flags.SetOutput(io.Discard) // its errors repeat what was typed
	flags.Usage = func() {}
	numbers := flags.Bool("person", false, "")
	pseudonyms := flags.Bool("pseudonym", false, "")
	c := Config{Log: slog.New(slog.NewTextHandler(os.Stderr, nil))}
	flags.StringVar(&c.Reference, "reference", "", "")
	flags.StringVar(&c.By, "by", "", "")
	flags.BoolVar(&c.DryRun, "dry-run", false, "")
	flags.DurationVar(&c.Patience, "wait", 5*time.Minute, "")
	err := flags.Parse(args)
	if errors.Is(err, flag.ErrHelp) {
		_, err := io.WriteString(out, usage+"\n")
		return err
	}
	if err != nil || *numbers == *pseudonyms || flags.NArg() > 0 {
		return errors.New("the command line is wrong; people are read from standard input, never from the command line: see --help")
	}
	if *numbers {
		c.People, err = s.numbers(in)
	} else {
		c.People, err = written(in)
	}
	if err != nil {
		return err
	}
	if c.ClickHouse, err = store.Open(s.Address()); err != nil {
		return err
	}
	defer c.ClickHouse.Close() //nolint:errcheck // everything was confirmed
	nc, js, err := stream.Connect(s.Connect("erase", c.Log))
	if err != nil {
		return err
	}
	defer nc.Close()
	c.JetStream = js
	result, err := Run(ctx, c)
	return errors.Join(err, report(out, c.DryRun, err == nil, result))
}

// numbers reads NHS numbers and makes the pseudonyms that people have under the keys.
func (s Settings) numbers(in io.Reader) (people []event.Pseudonym, err error) {
	file, text := "GAPWATCH_PSEUDONYM_KEYS", []byte(s.Keys)
	switch {
	case s.Keys != "" && s.KeysFile != "":
		return nil, errors.New("GAPWATCH_PSEUDONYM_KEYS and GAPWATCH_PSEUDONYM_KEYS_FILE are both set: one of them must be")
	case s.KeysFile != "":
		file = s.KeysFile
		if text, err = os.ReadFile(s.KeysFile); err != nil {
			return nil, fmt.Errorf("GAPWATCH_PSEUDONYM_KEYS_FILE: %w", err)
		}
	case s.Keys == "":
		return nil, errors.New("GAPWATCH_PSEUDONYM_KEYS or GAPWATCH_PSEUDONYM_KEYS_FILE must say the keys that intake has")
	}
	keys, err := pseudonym.Parse(file, text)
	if err != nil {
		return nil, err
	}
	err = lines(in, func(line string) error {
		number, err := pseudonym.ParseNHSNumber(line)
		if err != nil {
			return err
		}
		_, current, previous := keys.Person(number)
		if people = append(people, current); previous != (event.Pseudonym{}) {
			people = append(people, previous)
		}
		return nil
	})
	return people, err
}

// written reads pseudonyms.
func written(in io.Reader) (people []event.Pseudonym, err error) {
	err = lines(in, func(line string) error {
		var p event.Pseudonym
		if n, err := hex.Decode(p[:], []byte(line[:min(len(line), 32)])); err != nil || n != len(p) || len(line) != 32 || p == (event.Pseudonym{}) {
			return errors.New("must be 32 hexadecimal digits")
		}
		people = append(people, p)
		return nil
	})
	return people, err
}

// lines calls do for every line that is not empty. An error names the line by its number, and nothing of it.
func lines(in io.Reader, do func(string) error) error {
	read := bufio.NewScanner(in)
	number := 0
	for read.Scan() {
		number++
		line := strings.TrimSpace(read.Text())
		if line == "" {
			continue
		}
		if err := do(line); err != nil {
			return fmt.Errorf("standard input, line %d: %w", number, err)
		}
	}
	if err := read.Err(); err != nil {
		return fmt.Errorf("standard input, line %d: %w", number+1, err)
	}
	return nil
}

// report says what was done and what is left, which only people can do something about.
func report(out io.Writer, dry, done bool, r Result) error {
	verb := "removed"
	if dry {
		verb = "would be removed"
	}
	text := fmt.Sprintf("%s, for %d pseudonyms: %d messages of the stream of events, %d dead letters, %d rows of ClickHouse\n", verb, r.Pseudonyms, r.Messages, r.DeadLetters, r.Rows)
	switch {
	case dry:
	case !done:
		text += "NOT FINISHED: run it again with the same people; it goes on where it stopped\n"
	default:
		text += "counted afresh by the aggregator: " + strings.Join(r.Programmes, ", ") + "\n" + left
	}
	_, err := io.WriteString(out, text)
	return err
}

const left = `what is left, and whose it is:
- backups and volume snapshots of ClickHouse and NATS made before now: remove them, or run this again after restoring one
- ClickHouse's old parts on this disk: it deletes them itself, 8 minutes after a removal unless set otherwise
- records that came in under pseudonym keys older than the two given: run it again with each of those as the previous key
- rejections that senders may fetch, for 30 days: they name a record by its hash, and no person
- the systems that sent the records: what they send again is counted again
- weekly figures of small areas and verdicts that were published: they hold no person
Run it again in an hour: if it finds something then, a collector that hung has written it, and it is gone after that.
`
