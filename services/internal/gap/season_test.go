package gap_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"gapwatch/services/internal/calendar"
	"gapwatch/services/internal/gap"
	"gapwatch/services/internal/programme"
)

// nobody is a season of which eligible people are known and nothing else.
func nobody(_, quintile int) people {
	if quintile == 0 {
		return people{}
	}
	return people{eligible: 60_000}
}

func (w *world) comparedWithLastSeason() []string {
	return w.lines(`SELECT concat(code, ' ', verdict, ' ', sentence) AS line FROM prevention.judged FINAL WHERE comparator = 'same day of last season'
		UNION ALL SELECT concat(code, ' ', method) FROM prevention.trajectories FINAL WHERE startsWith(method, 'last season')`)
}

func TestASeasonWithoutCountsIsNoGapOfZero(t *testing.T) {
	w := newWorld(t)
	w.publish(lastYear, nobody)
	w.publish(thisYear, usual)
	w.tick(w.keeper(nil))
	if got := w.comparedWithLastSeason(); len(got) > 0 {
		t.Errorf("compared with a season of which nothing is known: %q", got[0])
	}
	if len(w.lines(`SELECT code AS line FROM prevention.judged`)) == 0 {
		t.Error("nothing is judged")
	}
}

func TestASeasonThatBeganBeforeTheHistoryIsNotComparedWith(t *testing.T) {
	w := newWorld(t)
	p := *w.set.Programmes[0]
	p.HistoryFrom = seasons[lastYear] + 60
	w.set = programme.NewSet(2025, &p)
	w.publish(lastYear, usual)
	w.publish(thisYear, usual)
	w.tick(w.keeper(nil))
	if got := w.comparedWithLastSeason(); len(got) > 0 {
		t.Errorf("compared with a season whose first days are not known: %q", got[0])
	}
}

func TestNothingIsSaidWhileLastSeasonComesIn(t *testing.T) {
	w := newWorld(t)
	now := today.Time().Add(8 * time.Hour)
	k := w.keeper(func(c *gap.Config) {
		c.Settle, c.Now = 10*time.Minute, func() time.Time { return now }
	})
	w.publish(thisYear, usual)
	w.tick(k)
	now = now.Add(9 * time.Minute)
	w.publish(lastYear, func(place, quintile int) people {
		p := usual(place, quintile)
		if p.newly != nil {
			p.newly = func(day int) uint32 { return map[bool]uint32{true: 100}[day < 30] }
		}
		return p
	})
	w.tick(k)
	now = now.Add(5 * time.Minute) // this season has settled, the last one has not
	w.publish(lastYear, usual)
	w.tick(k)
	if got := w.lines(`SELECT concat(code, ' ', verdict) AS line FROM prevention.judged FINAL`); len(got) > 0 {
		t.Errorf("judged beside a season that was still coming in: %v", got)
	}
	now = now.Add(11 * time.Minute)
	w.tick(k)
	if len(w.lines(`SELECT code AS line FROM prevention.judged`)) == 0 {
		t.Error("nothing is judged when both are in")
	}
	if alarms := w.lines(`SELECT event_id AS line FROM prevention.verdict_log WHERE verdict IN ('widening', 'narrowing')`); len(alarms) > 0 {
		t.Errorf("alarms without a change: %v", alarms)
	}
}

func TestTheLastDaysOfASeasonAreJudgedWhenTheNextHasBegun(t *testing.T) {
	w := newWorld(t)
	w.publish(thisYear, usual)
	p := *w.set.Programmes[0]
	next := calendar.Date(2025, 4, 1) // the day after the season's last
	p.Seasons = nil
	for _, s := range w.set.Programmes[0].Seasons {
		if s.Start < next {
			p.Seasons = append(p.Seasons, s)
		}
	}
	p.Seasons = append(p.Seasons, programme.Season{ID: "next", Start: next, End: next + 300})
	w.set = programme.NewSet(2025, &p)
	w.tick(w.keeper(func(c *gap.Config) {
		c.Now = func() time.Time { return (next + 2).Time().Add(12 * time.Hour) }
	}))
	got := w.lines(`SELECT toString(max(day)) AS line FROM prevention.judged WHERE season = '` + thisYear + `'`)
	if len(got) != 1 || got[0] != (next+2-7).String() { // 7 days of lag
		t.Errorf("judged up to %v", got)
	}
}

func TestAnInterventionThatIsLoadedLaterIsMeasured(t *testing.T) {
	w := newWorld(t)
	w.publish(thisYear, usual)
	k := w.keeper(nil)
	w.tick(k)
	w.exec(`INSERT INTO prevention.interventions (batch, programme, geography, from_day, to_day, label) VALUES
		(9, 'flu-65', 'X07000005', '2024-12-01', '2024-12-28', 'vaccination bus')`)
	w.exec(`INSERT INTO prevention.loads (load, batch, kind, key, sha256) VALUES (2, 9, 'interventions', 'flu-65', 'x')`)
	w.tick(k)
	if n := len(w.lines(`SELECT measure AS line FROM prevention.intervention_effects FINAL`)); n != 2 {
		t.Errorf("%d measures of it", n)
	}
}

func TestALagIsStoredWhenItIsNew(t *testing.T) {
	w := newWorld(t)
	w.publish(thisYear, nobody) // never settles, so that the lag is looked at each time
	stored := 0
	k := w.keeper(func(c *gap.Config) {
		c.Checkpoint = func(name string) error {
			if strings.HasPrefix(name, "completeness") {
				stored++
			}
			return nil
		}
	})
	for range 3 {
		w.tick(k)
	}
	if stored != 1 {
		t.Errorf("stored %d times", stored)
	}
}

func TestASeriesWithoutATargetIsShortOfNone(t *testing.T) {
	w := newWorld(t)
	w.exec(`INSERT INTO prevention.loads (load, batch, kind, key, sha256) VALUES (3, 7, 'history', 'other/2020/England', 'x')`)
	w.exec(`INSERT INTO prevention.history (batch, programme, season, geography, day, quintile, covered, eligible)
		SELECT 7, 'other', '2020', 'England', '2020-12-08', number, 100 + number, 1000 FROM numbers(6)`)
	w.tick(w.keeper(nil))
	if got := w.lines(`SELECT toString(short_target) AS line FROM prevention.gap_days FINAL`); len(got) != 1 || got[0] != "[NULL,NULL,NULL,NULL,NULL,NULL]" {
		t.Errorf("short of no target: %v", got)
	}
}

// meanwhile is a connection on which something happens just before the first query of some text.
type meanwhile struct {
	driver.Conn
	before string
	do     func()
}

func (m *meanwhile) Query(ctx context.Context, query string, args ...any) (driver.Rows, error) {
	if do := m.do; do != nil && strings.Contains(query, m.before) {
		m.do = nil
		do()
	}
	return m.Conn.Query(ctx, query, args...)
}

func TestEligiblePeopleThatChangeWhileTheyAreReadAreReadAgain(t *testing.T) {
	w := newWorld(t)
	w.publish(thisYear, usual)
	id := `bitShiftLeft(toUInt128(2), 108)`
	conn := &meanwhile{Conn: w.conn, before: "eligible_now", do: func() {
		w.exec(`INSERT INTO prevention.eligible_cells (programme, season, valid_from, place, system, level, code, quintile, generation, eligible)
			SELECT programme, season, valid_from, place, system, level, code, quintile, 2, 3 * eligible FROM prevention.eligible_cells`)
		w.exec(`INSERT INTO prevention.published (programme, season, place, id, base) SELECT programme, season, place, ` + id + `, base FROM prevention.published`)
	}}
	k := w.keeper(func(c *gap.Config) { c.ClickHouse = conn })
	if _, err := k.Tick(t.Context()); err == nil {
		t.Error("old covered people were taken with new eligible people")
	}
	if torn := w.lines(`SELECT DISTINCT toString(eligible) AS line FROM prevention.gap_days`); len(torn) > 0 {
		t.Errorf("stored: %v", torn)
	}
	w.tick(k)
	if got := w.lines(`SELECT DISTINCT toString(eligible[2]) AS line FROM prevention.gap_days FINAL WHERE level = 'place'`); len(got) != 1 || got[0] != "180000" {
		t.Errorf("eligible: %v", got)
	}
}
