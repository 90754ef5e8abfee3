package deadletter

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"
)

const askSender = "ask the sender to send again"

func (c command) list(ctx context.Context, b *Box, out io.Writer) error {
	if c.each {
		return c.listEach(ctx, b, out)
	}
	counts, err := List(ctx, b, c.filter)
	if err != nil {
		return err
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "REASON\tFIELD\tSENDER\tLETTERS\tFIRST\tLAST\tCAN BE REPLAYED\tASK THE SENDER")
	letters, replayable := 0, 0
	for _, n := range counts {
		letters, replayable = letters+n.Letters, replayable+n.Replayable
		fmt.Fprintf(w, "%s\t%s\t%s\t%d\t%s\t%s\t%d\t%d\n", plain(string(n.Reason)), plain(n.Field), plain(n.Sender), n.Letters,
			at(n.First), at(n.Last), n.Replayable, n.Letters-n.Replayable)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "\n%s\n", total(letters, replayable))
	return err
}

func total(letters, replayable int) string {
	text := number(letters, "dead letter") + "."
	if replayable > 0 {
		text += fmt.Sprintf(" %d: the payload is kept; once what was wrong here is repaired, replay.", replayable)
	}
	if letters > replayable {
		text += fmt.Sprintf(" %d: without payload; %s.", letters-replayable, askSender)
	}
	return text
}

func (c command) listEach(ctx context.Context, b *Box, out io.Writer) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "SEQUENCE\tCAME\tREASON\tFIELD\tSENDER\tPROGRAMME\tREQUEST\tPAYLOAD")
	err := b.Each(ctx, c.filter, func(e Entry) error {
		payload := "kept"
		if !e.Replayable() {
			payload = askSender
		}
		_, err := fmt.Fprintf(w, "%d\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", e.Sequence, at(e.Received), plain(string(e.Reason)), plain(e.Field),
			plain(e.From()), plain(e.Programme()), plain(e.Request), payload)
		return err
	})
	if err != nil {
		return judged(err)
	}
	return w.Flush()
}

func (c command) show(ctx context.Context, b *Box, out io.Writer) error {
	e, err := b.Get(ctx, c.filter.Sequences[0])
	if err != nil {
		return judged(err)
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	line := func(name, value string) {
		if value != "" {
			fmt.Fprintf(w, "%s\t%s\n", name, plain(value))
		}
	}
	line("letter", fmt.Sprint(e.Sequence))
	line("reason", string(e.Reason))
	line("field", e.Field)
	line("rule", e.Detail)
	line("sender", e.From())
	line("request", e.Request)
	line("programme", e.Programme())
	line("subject", e.Subject)
	line("came", at(e.Received))
	if e.Stream != "" {
		line("message", fmt.Sprintf("%d of %s (created %s, %d ns)", e.Letter.Sequence, e.Stream, at(e.StreamCreated), e.StreamCreated.UnixNano()))
	}
	line("size", fmt.Sprintf("%d bytes", e.Size))
	line("SHA-256", e.SHA256)
	if err := w.Flush(); err != nil {
		return err
	}
	if !e.Replayable() {
		_, err = fmt.Fprintf(out, "\nThe payload was not kept: %s.\n", askSender)
		return err
	}
	_, err = fmt.Fprintf(out, "\nThe payload, to be replayed once what was wrong here is repaired (person-level: do not pass it on):\n%s\n", pretty(e.Payload))
	return err
}

func (c command) replay(ctx context.Context, b *Box, r Replay, out io.Writer) error {
	result, err := r.Run(ctx, b, c.filter)
	verb := "replayed: published again, and removed from the dead letters"
	if r.DryRun {
		verb = "would be replayed"
	}
	fmt.Fprintf(out, "%s %s.\n", number(result.Replayed, "dead letter"), verb)
	if result.Twice > 0 {
		fmt.Fprintf(out, "%d of them had been published again a moment before; they count once.\n", result.Twice)
	}
	if result.Elsewhere > 0 {
		fmt.Fprintf(out, "%d of them were removed by somebody else meanwhile.\n", result.Elsewhere)
	}
	for _, n := range result.Refused {
		fmt.Fprintf(out, "%d would be refused again: %s: %s %s (such as %d).\n", n.Letters, n.Reason, n.Field, n.Detail, n.First)
	}
	if result.AskSenders > 0 {
		fmt.Fprintf(out, "%d have no payload: %s.\n", result.AskSenders, askSender)
	}
	if err == nil && (len(result.Refused) > 0 || result.AskSenders > 0) {
		err = ErrLeft
	}
	return err
}

func (c command) discard(ctx context.Context, b *Box, l Log, out io.Writer) error {
	result, err := Discard{Log: l, DryRun: c.dryRun}.Run(ctx, b, c.filter)
	verb := "discarded"
	if c.dryRun {
		verb = "would be discarded"
	}
	fmt.Fprintf(out, "%s %s.\n", number(result.Discarded, "dead letter"), verb)
	if result.Kept > 0 {
		fmt.Fprintf(out, "%d of them had their payload and could have been replayed.\n", result.Kept)
	}
	if result.Elsewhere > 0 {
		fmt.Fprintf(out, "%d of them were removed by somebody else meanwhile.\n", result.Elsewhere)
	}
	return err
}

func number(n int, of string) string {
	if n == 1 {
		return "1 " + of
	}
	return fmt.Sprintf("%d %ss", n, of)
}

func at(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05Z") }

// pretty indents JSON. What a terminal would not show as it is, is escaped: a payload is anybody's to write.
func pretty(payload string) string {
	var indented bytes.Buffer
	if json.Indent(&indented, []byte(payload), "", "  ") != nil {
		return plain(payload)
	}
	lines := strings.Split(indented.String(), "\n")
	for i := range lines {
		lines[i] = plain(lines[i])
	}
	return strings.Join(lines, "\n")
}

// plain is text that does nothing to a terminal.
func plain(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return unicode.ReplacementChar
	}, text)
}
