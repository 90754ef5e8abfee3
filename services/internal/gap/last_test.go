package gap_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gapwatch/services/internal/calendar"
	"gapwatch/services/internal/gap"
	"gapwatch/services/internal/programme"
	"gapwatch/services/internal/reporting"
)

// named stores the programmes, which the views that look at last days need.
func (w *world) named() {
	w.t.Helper()
	if err := reporting.WriteProgrammes(context.Background(), w.conn, w.set, today.Time()); err != nil {
		w.t.Fatal(err)
	}
}

// behind are the rows of the view that are behind.
func (w *world) behind() []string {
	w.t.Helper()
	return w.lines(`SELECT concat(code, ' ', toString(quintile), ' ', ifNull(toString(against), 'none'), ' ', sentence) AS line FROM reporting.behind WHERE is_behind ORDER BY code, quintile`)
}

func (w *world) want(what string, got []string, want ...string) {
	w.t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		w.t.Errorf("%s:\n%s", what, diff)
	}
}

func TestAQuintileThatIsBehindTheSeasonBefore(t *testing.T) {
	w := newWorld(t)
	w.named()
	w.publish(lastYear, usual)
	w.publish(thisYear, widens(3, 60))
	k := w.keeper(nil)
	w.tick(k)
	w.want("behind", w.behind(), "X07000003 1 2024-01-02 Flu vaccination, 65 and over in Place 3, quintile 1 (most deprived, Core20): 15.6 % on 24 Jan 2025, 22.8 % on 2 Jan 2024: 7.2 points behind.")
	every := fmt.Sprint(5 * (allPlaces + 1)) // places and their system
	w.want("rows", w.lines(`SELECT toString(count()) AS line FROM reporting.behind WHERE expected IS NOT NULL AND level IN ('place', 'system')`), every)

	// It is in again: the row stays and says so. The season is over: nothing is behind any more.
	w.publish(thisYear, usual)
	w.tick(k)
	w.want("behind when it has caught up", w.behind())
	w.publish(thisYear, widens(3, 60))
	w.tick(w.keeper(func(c *gap.Config) { c.Now = func() time.Time { return calendar.Date(2025, 6, 1).Time() } }))
	w.want("behind when the season is over", w.behind())
	w.want("sentences when it is over", w.lines(`SELECT DISTINCT concat(toString(count() OVER ()), extract(sentence, ':[^:]*$')) AS line FROM reporting.behind WHERE level IN ('place', 'system')`), every+": the season is over.")
}

func TestWhatCannotBeComparedSaysWhy(t *testing.T) {
	w := newWorld(t)
	w.named()
	now := today.Time().Add(8 * time.Hour)
	k := w.keeper(func(c *gap.Config) {
		c.Settle, c.Now = 10*time.Minute, func() time.Time { return now }
	})
	why := func() []string {
		return w.lines(`SELECT DISTINCT extract(sentence, ': ([^:]*)$') AS line FROM reporting.behind ORDER BY line`)
	}
	w.publish(thisYear, usual)
	w.tick(k)
	w.want("while it comes in", why(), "records of the past are still coming in.")
	now = now.Add(11 * time.Minute)
	w.tick(k)
	w.want("without a season before", why(), "there is none that is known.")

	// Place 0 has 90 people a quintile, place 1 has 110 of which chance alone makes some points, place 2 more people than it
	// says are eligible, place 4 so few that they are withheld.
	few := func(eligible, newly uint32) func(int, int) people {
		return func(place, quintile int) people {
			p := usual(place, quintile)
			if quintile == 0 {
				return p
			}
			switch place {
			case 0:
				return people{90, once(45)}
			case 1:
				return people{110, once(newly)}
			case 2:
				return people{eligible, once(1050)}
			case 4:
				return people{10, once(5)}
			}
			return p
		}
	}
	w.publish(lastYear, few(2000, 65))
	w.publish(thisYear, few(1000, 49))
	k = w.keeper(nil)
	w.tick(k)
	w.want("behind by chance", w.behind())
	for code, want := range map[string]string{place(0): "fewer than 100 people are eligible.", place(1): "it would take 26.2", place(2): "more people are covered than are eligible.", place(4): "the figures are withheld."} {
		got := w.lines(`SELECT DISTINCT sentence AS line FROM reporting.behind WHERE quintile = 3 AND code = '` + code + `'`)
		if len(got) != 1 || !strings.Contains(got[0], want) {
			t.Errorf("%s: %q, want %q", code, got, want)
		}
	}
	w.want("over 100 %", w.lines(`SELECT concat(level, ' ', code, ' ', rule, ' ', toString(figure)) AS line FROM reporting.rule_breaks`), "place X07000002 uptake over 100 % 1.05")
}

// once is that many on the first day.
func once(n uint32) func(int) uint32 {
	return func(day int) uint32 { return map[bool]uint32{true: n}[day == 0] }
}

func TestChecksAreComparedWithTheSameDayOfTheWeekAYearEarlier(t *testing.T) {
	w := newWorld(t)
	p := &programme.Programme{ID: flu, Name: "Checks", Kind: programme.Rolling, Validity: 12, HistoryFrom: today - 760, Limits: programme.Limits{Floor: 100, Behind: 5}}
	seasons[programme.RollingSeason] = p.HistoryFrom
	w.set = programme.NewSet(2025, p)
	w.named()
	w.publish(programme.RollingSeason, func(int, int) people {
		return people{10_000, func(day int) uint32 { return map[int]uint32{0: 500, 389: 700, 390: 50}[day] }}
	})
	w.tick(w.keeper(nil))
	// The last complete day is day 753; 364 days earlier is day 389.
	w.want("compared", w.lines(`SELECT DISTINCT concat(toString(against), ' ', toString(uptake), ' ', toString(expected)) AS line FROM reporting.behind`), "2024-01-26 0.125 0.12")

	p.HistoryFrom = today - 700 // cover is known completely from a year later on, which is less than a year ago
	w.named()
	w.tick(w.keeper(nil))
	w.want("not compared", w.lines(`SELECT DISTINCT extract(sentence, ': ([^:]*)$') AS line FROM reporting.behind`), "the history is not complete yet.")
}
