package simulate

import (
	"cmp"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"strconv"
	"strings"

	"gapwatch/services/internal/calendar"
)

// SeriesRow is one row of a published series: how many people of a fifth were covered on a day, and how many eligible.
type SeriesRow struct {
	Season   string
	Day      calendar.Day
	Quintile uint8 // 1 = most deprived fifth to 5 = least, 0 = unknown
	Covered  int   // people, from the season's beginning to the end of that day
	Eligible int   // people
}

// Series is a published series of one programme in one geography, in order of season, quintile and day. Days without
// change may be missing.
type Series struct {
	Programme, Geography string
	Rows                 []SeriesRow
}

var seriesColumns = []string{"programme", "season", "geography", "day", "quintile", "covered", "eligible"}

// ReadSeries reads a file of the columns programme, season, geography, day, quintile, covered and eligible, in any order.
// programme and geography choose from it; empty means the only one there is. An error names row, column and rule: the
// file must be mended, or something else chosen.
func ReadSeries(r io.Reader, programme, geography string) (*Series, error) {
	file := csv.NewReader(r)
	file.ReuseRecord = true
	header, err := file.Read()
	if err != nil {
		return nil, fmt.Errorf("read the series: header: %w", err)
	}
	at := make([]int, len(seriesColumns))
	for i, column := range seriesColumns {
		at[i] = slices.IndexFunc(header, func(h string) bool {
			return strings.EqualFold(strings.TrimSpace(strings.TrimPrefix(h, "\ufeff")), column)
		})
		if at[i] < 0 {
			return nil, fmt.Errorf("read the series: column %s is missing", column)
		}
	}
	programmes, geographies := map[string]bool{}, map[string]bool{}
	series := &Series{}
	for {
		cells, err := file.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("read the series: %w", err)
		}
		line, _ := file.FieldPos(0)
		cell := func(column int) string { return strings.TrimSpace(cells[at[column]]) }
		programmes[cell(0)] = true
		if programme != "" && cell(0) != programme {
			continue
		}
		geographies[cell(2)] = true
		if geography != "" && cell(2) != geography {
			continue
		}
		series.Programme, series.Geography = cell(0), cell(2)
		row := SeriesRow{Season: cell(1)}
		if row.Day, err = calendar.Parse(cell(3)); err != nil {
			return nil, fmt.Errorf("read the series: row %d, column day: must be a date (YYYY-MM-DD)", line)
		}
		number := func(column, most int) int {
			n, bad := strconv.Atoi(cell(column))
			if (bad != nil || n < 0 || n > most) && err == nil {
				err = fmt.Errorf("read the series: row %d, column %s: must be a whole number from 0 to %d", line, seriesColumns[column], most)
			}
			return n
		}
		row.Quintile, row.Covered, row.Eligible = uint8(number(4, 5)), number(5, 100_000_000), number(6, 100_000_000)
		if err != nil {
			return nil, err
		}
		series.Rows = append(series.Rows, row)
	}
	switch {
	case len(series.Rows) == 0:
		return nil, fmt.Errorf("read the series: nothing of programme %q, geography %q in it; it has the programmes %s", programme, geography, list(programmes))
	case programme == "" && len(programmes) > 1:
		return nil, fmt.Errorf("read the series: choose one of its programmes: %s", list(programmes))
	case geography == "" && len(geographies) > 1:
		return nil, fmt.Errorf("read the series: choose one of its geographies: %s", list(geographies))
	}
	slices.SortStableFunc(series.Rows, compareRows)
	for i := 1; i < len(series.Rows); i++ {
		a, b := series.Rows[i-1], series.Rows[i]
		if a.Season != b.Season || a.Quintile != b.Quintile {
			continue
		}
		if a.Day == b.Day {
			return nil, fmt.Errorf("read the series: season %s, quintile %d has %s twice", b.Season, b.Quintile, b.Day)
		}
		if b.Covered < a.Covered {
			return nil, fmt.Errorf("read the series: season %s, quintile %d: covered must not fall, as it does on %s: it is replayed as one event for each person", b.Season, b.Quintile, b.Day)
		}
	}
	return series, nil
}

func compareRows(a, b SeriesRow) int {
	return cmp.Or(cmp.Compare(a.Season, b.Season), cmp.Compare(a.Quintile, b.Quintile), cmp.Compare(a.Day, b.Day))
}

func list(set map[string]bool) string {
	var names []string
	for name := range set {
		names = append(names, name)
	}
	slices.Sort(names)
	return strings.Join(names, ", ")
}

// on is what the series says of a day: its own row or the last one before. Before the first row nobody is covered yet.
func (s *Series) on(season string, quintile uint8, day calendar.Day) (row SeriesRow, own bool) {
	key := SeriesRow{Season: season, Quintile: quintile, Day: day}
	i, own := slices.BinarySearchFunc(s.Rows, key, compareRows)
	if own {
		return s.Rows[i], true
	}
	if i > 0 && s.Rows[i-1].Season == season && s.Rows[i-1].Quintile == quintile {
		row = s.Rows[i-1]
		row.Day = day
		return row, false
	}
	if i < len(s.Rows) && s.Rows[i].Season == season && s.Rows[i].Quintile == quintile {
		key.Eligible = s.Rows[i].Eligible
	}
	return key, false
}

// CompareSeries holds what came out, in any order, against a series: every row of the series must be there and the same.
// What is there for days between must be what the row before says. An error is one that actual yields.
func CompareSeries(s *Series, actual iter.Seq2[SeriesRow, error]) (Comparison, error) {
	var result Comparison
	differs := func(format string, args ...any) {
		result.Mismatches++
		if len(result.First) < mentioned {
			result.First = append(result.First, fmt.Sprintf(format, args...))
		}
	}
	missing := make(map[SeriesRow]bool, len(s.Rows))
	for _, r := range s.Rows {
		missing[r] = true
	}
	for got, err := range actual {
		if err != nil {
			return Comparison{}, err
		}
		result.Cells++
		want, own := s.on(got.Season, got.Quintile, got.Day)
		if own {
			delete(missing, want)
		}
		if got != want {
			differs("%s %s, quintile %d: covered %d of %d, should be %d of %d", got.Season, got.Day, got.Quintile, got.Covered, got.Eligible, want.Covered, want.Eligible)
		}
	}
	for _, r := range s.Rows {
		if missing[r] {
			result.Cells++
			differs("%s %s, quintile %d: nothing, should be %d of %d", r.Season, r.Day, r.Quintile, r.Covered, r.Eligible)
		}
	}
	return result, nil
}
