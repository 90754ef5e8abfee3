package gap

import (
	"context"
	"math/big"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"gapwatch/services/internal/calendar"
	"gapwatch/services/internal/disclosure"
	"gapwatch/services/internal/inequality"
	"gapwatch/services/internal/programme"
)

// publishedSeries measures loaded published series like our own counts. They are public, so nothing is withheld, and
// their programme need not be one of ours: then the usual floor holds and there is no target.
func (k *Keeper) publishedSeries(ctx context.Context, result *Result) error {
	var newest uint32
	if err := k.each(ctx, "history_load", nil, func(rows driver.Rows) error { return rows.Scan(&newest) }); err != nil {
		return err
	}
	if newest == k.history {
		return nil
	}
	var w *dayWriter
	var key, now struct {
		programme, season, geography string
		day                          calendar.Day
	}
	var exact [6]inequality.Count
	past := map[calendar.Day][6]disclosure.Cell{}
	finish := func() error { // a day of a geography
		if w == nil {
			return nil
		}
		p := w.season.programme
		var cells [6]disclosure.Cell
		for q := range exact {
			cells[q] = disclosure.None.Cell(exact[q])
		}
		past[key.day] = cells
		var before *[6]disclosure.Cell
		if b, ok := past[key.day-week]; ok {
			before = &b
		}
		r := row(p, &place{level: levelSeries, code: key.geography, fifths: national}, key.day, cells, before, disclosure.Total(cells[:]...), exact)
		return w.add(&r, nil, rowKey{})
	}
	err := k.each(ctx, "history", nil, func(rows driver.Rows) error {
		var day int32
		var quintile uint8
		var n inequality.Count
		if err := rows.Scan(&now.programme, &now.season, &now.geography, &day, &quintile, &n.Covered, &n.Eligible); err != nil {
			return err
		}
		now.day = calendar.Day(day)
		if now != key {
			if err := finish(); err != nil {
				return err
			}
			if w == nil || now.programme != key.programme || now.season != key.season {
				if w != nil {
					result.Days += w.written
					if err := w.flush(); err != nil {
						return err
					}
				}
				p, ok := k.config.Programmes.Get(now.programme)
				if !ok {
					p = &programme.Programme{ID: now.programme, Limits: programme.Limits{Floor: usualFloor}}
				}
				// The load is the id: a later load of the same series replaces its days.
				w = &dayWriter{k: k, ctx: ctx, season: &season{programme: p, season: programme.Season{ID: now.season}, id: big.NewInt(int64(newest))}}
			}
			if now.geography != key.geography || now.season != key.season || now.programme != key.programme {
				clear(past)
			}
			key, exact = now, [6]inequality.Count{}
		}
		exact[quintile] = n
		return nil
	})
	if err != nil {
		return err
	}
	if err := finish(); err != nil {
		return err
	}
	if w != nil {
		result.Days += w.written
		if err := w.flush(); err != nil {
			return err
		}
	}
	k.history = newest
	return nil
}

// usualFloor is the default least number of eligible people of a quintile.
const usualFloor = 100
