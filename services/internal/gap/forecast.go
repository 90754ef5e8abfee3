package gap

import (
	"context"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"gapwatch/services/internal/calendar"
	"gapwatch/services/internal/inequality"
	"gapwatch/services/internal/intervention"
	"gapwatch/services/internal/programme"
	"gapwatch/services/internal/trajectory"
)

// writeTrajectories stores where a season is heading, by quintile, from shown counts.
func (k *Keeper) writeTrajectories(ctx context.Context, s, past *season, all, before []*place) error {
	shape := func(g *place, of *season) trajectory.Season {
		t := trajectory.Season{Start: of.season.Start, End: of.season.End, Days: make([]trajectory.Day, of.days())}
		for d := range t.Days {
			t.Days[d] = trajectory.Day{Day: of.first + calendar.Day(d), Quintiles: g.shownQuintiles(d)}
		}
		return t
	}
	last := map[areaKey]*place{}
	for _, g := range before {
		if g.fifths == national {
			last[areaKey{g.level, g.code}] = g
		}
	}
	var rows [][]any
	for _, g := range all {
		if g.fifths != national || g.level == levelPCN {
			continue
		}
		var earlier *trajectory.Season
		if b := last[areaKey{g.level, g.code}]; b != nil {
			t := shape(b, past)
			earlier = &t
		}
		for i, t := range trajectory.Project(s.complete, shape(g, s), earlier, s.programme.Target/100, s.programme.Limits.Floor) {
			values := []any{s.programme.ID, s.season.ID, g.level, g.code, uint8(i + 1), s.complete.Time(), s.id, string(t.Method)}
			if t.NotComputed != "" {
				rows = append(rows, append(values, string(t.NotComputed), nil, nil, nil, nil, nil, nil, nil, nil, nil))
				continue
			}
			rows = append(rows, append(values, string(t.Status), &t.Uptake, &t.End.Uptake, &t.End.Low, &t.End.High,
				dayOrNone(t.Date), dayOrNone(t.Earliest), dayOrNone(t.Latest), &t.WeeklyPaceNeeded, &t.PeopleNeeded))
		}
	}
	return k.insert(ctx, `trajectories (programme, season, level, code, quintile, day, id, method, status, uptake, end_uptake, end_low, end_high,
		reached, reached_earliest, reached_latest, pace_needed, people_needed)`, "", len(rows), func(i int) []any { return rows[i] })
}

func dayOrNone(d calendar.Day) *time.Time {
	if d >= calendar.Far {
		return nil
	}
	t := d.Time()
	return &t
}

// writeEffects stores what the interventions of a season did, from shown counts.
func (k *Keeper) writeEffects(ctx context.Context, s *season, all []*place) error {
	type done struct {
		code, label string
		from, to    calendar.Day
	}
	var interventions []done
	if err := k.each(ctx, "interventions", []any{clickhouse.Named("programme", s.programme.ID)}, func(rows driver.Rows) error {
		var d done
		var from, to int32
		err := rows.Scan(&d.code, &from, &to, &d.label)
		d.from, d.to = calendar.Day(from), calendar.Day(to)
		interventions = append(interventions, d)
		return err
	}); err != nil {
		return err
	}
	places := map[string]*place{}
	for _, g := range all {
		if g.level == levelPlace && g.fifths == national {
			places[g.code] = g
		}
	}
	var rows [][]any
	for _, d := range interventions {
		if d.from > s.season.End || d.from < s.first {
			continue // of another season
		}
		add := func(measure string, window intervention.Window, e intervention.Effect, why string) {
			values := []any{s.programme.ID, s.season.ID, d.code, d.label, d.from.Time(), min(d.to, farDay).Time(), measure, max(window.End, d.from).Time(), s.id}
			if why == "" {
				why = string(e.NotComputed)
			}
			if why != "" {
				rows = append(rows, append(values, nil, nil, nil, nil, nil, uint32(e.Places), why))
				return
			}
			rows = append(rows, append(values, &e.Effect, &e.Low, &e.High, &e.Here, &e.Elsewhere, uint32(e.Places), ""))
		}
		both := func(window intervention.Window, e intervention.Effects, why string) {
			add("weekly pace of quintile 1", window, e.Pace, why)
			add("gap", window, e.Gap, why)
		}
		first := s.first
		if s.programme.Kind == programme.Seasonal {
			first-- // everybody of the first day has come in the season
		}
		window, reason := intervention.NewWindow(d.from, d.to, s.complete, first)
		g := places[d.code]
		switch {
		case g == nil:
			both(window, intervention.Effects{}, "not a place that has counts")
			continue
		case reason != "":
			both(window, intervention.Effects{}, string(reason))
			continue
		}
		look := func(g *place) intervention.Place {
			on := func(day calendar.Day) (q inequality.Quintiles) {
				if d := s.at(day); d >= 0 {
					return g.shownQuintiles(d)
				}
				q = g.shownQuintiles(0) // the day before the season: nobody is covered yet
				for i := range q {
					q[i].Covered = 0
				}
				return q
			}
			return intervention.Place{Code: g.code, Start: on(window.Start), Before: on(window.Before), End: on(window.End)}
		}
		var others []intervention.Place
		for code, other := range places {
			if code == d.code || k.places.systemOf[code] != k.places.systemOf[d.code] {
				continue
			}
			o := look(other)
			for _, i := range interventions {
				o.Intervened = o.Intervened || i.code == code && window.Overlaps(i.from, i.to)
			}
			others = append(others, o)
		}
		both(window, intervention.Estimate(window, look(g), others, s.programme.Limits.Floor), "")
	}
	return k.insert(ctx, `intervention_effects (programme, season, code, label, from_day, to_day, measure, day, id, effect, low, high, here, elsewhere, places, not_computed)`,
		"", len(rows), func(i int) []any { return rows[i] })
}

// farDay is how "no end known" is stored.
var farDay = calendar.Date(2299, 12, 31)
