package gap

import (
	"cmp"
	"context"
	"maps"
	"slices"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"gapwatch/services/internal/calendar"
	"gapwatch/services/internal/disclosure"
	"gapwatch/services/internal/inequality"
	"gapwatch/services/internal/rollup"
)

// paceDays is over how many days the pace of a neighbourhood is taken.
const paceDays = 28

// noDenominator is said of ethnic groups where eligible people are not known by ethnic group.
const noDenominator = "no denominator"

// hoodDay names a neighbourhood of a place on a Sunday.
type hoodDay struct {
	day         calendar.Day
	place, code string
}

// writeWeeks stores neighbourhoods and ethnic groups on the Sundays that have become complete. What is stored stays as
// it is while the areas are the same: two vintages of a small area never differ by a day's people.
func (k *Keeper) writeWeeks(ctx context.Context, s *season) error {
	shown := map[hoodDay]float64{}
	stored := map[calendar.Day]bool{}
	args := append(k.programmeArgs(s), clickhouse.Named("areas", k.areasLoad))
	if err := k.each(ctx, "weeks", args, func(rows driver.Rows) error {
		var at hoodDay
		var day int32
		var uptake *float64
		err := rows.Scan(&day, &at.place, &at.code, &uptake)
		if at.day = calendar.Day(day); uptake != nil {
			shown[at] = *uptake
		}
		stored[at.day] = true
		return err
	}); err != nil {
		return err
	}
	var sundays []calendar.Day
	for day := disclosure.Vintage(s.complete); day >= s.first; day -= week {
		if !stored[day] {
			sundays = append(sundays, day)
		}
	}
	if len(sundays) == 0 || len(s.parts) == 0 {
		return nil
	}
	slices.Sort(sundays)
	hoods, err := k.read(ctx, s, rollup.Neighbourhood)
	if err != nil {
		return err
	}
	groups, err := k.read(ctx, s, rollup.Ethnicity)
	if err != nil {
		return err
	}
	// Ethnic groups first: a Sunday counts as stored when its neighbourhoods are.
	if err := k.writeEthnicity(ctx, s, sundays, groups); err != nil {
		return err
	}
	return k.writeNeighbourhoods(ctx, s, sundays, hoods, shown)
}

// byPlace are parts by the place they lie in; those without a known place are left out.
func byPlace(parts map[part]*people) map[string][]part {
	of := map[string][]part{}
	for at := range parts {
		if at.place != "" {
			of[at.place] = append(of[at.place], at)
		}
	}
	for _, in := range of {
		slices.SortFunc(in, func(a, b part) int {
			return cmp.Or(cmp.Compare(a.quintile, b.quintile), cmp.Compare(a.code, b.code), cmp.Compare(a.system, b.system))
		})
	}
	return of
}

func counts(parts map[part]*people, of []part, day int) []inequality.Count {
	all := make([]inequality.Count, len(of))
	for i, at := range of {
		all[i] = parts[at].count(day)
	}
	return all
}

const weekColumns = `neighbourhood_weeks (programme, season, day, place, system, code, id, covered, eligible, withheld,
	uptake, uptake_low, uptake_high, short_target, pace, rank, ranked)`

func (k *Keeper) writeNeighbourhoods(ctx context.Context, s *season, sundays []calendar.Day, hoods map[part]*people, shown map[hoodDay]float64) error {
	hoods = merge(hoods, func(p part) part { return part{place: p.place, code: p.code} })
	parts, members := byPlace(s.parts), byPlace(hoods)
	floor := uint64(s.programme.Limits.Floor)
	var rows [][]any
	for _, day := range sundays {
		for _, place := range slices.Sorted(maps.Keys(members)) {
			cells, _ := k.config.Disclosure.Family(counts(s.parts, parts[place], s.at(day)), counts(hoods, members[place], s.at(day)), disclosure.Closed)
			type ranked struct {
				uptake float64
				row    int
			}
			var behind []ranked
			for i, at := range members[place] {
				if at.code == "" {
					continue // a row for those of no known neighbourhood would give others back by subtraction
				}
				var uptake, low, high, pace *float64
				var short *uint64
				if n, ok := cells[i].Count(); ok {
					if e, ok := inequality.UptakeOf(n); ok {
						uptake, low, high = &e.Value, &e.Low, &e.High
						shown[hoodDay{day, place, at.code}] = e.Value
						if before, ok := shown[hoodDay{day - paceDays, place, at.code}]; ok {
							weekly := (e.Value - before) * week / paceDays
							pace = &weekly
						}
						if n.Eligible >= floor {
							behind = append(behind, ranked{e.Value, len(rows)})
						}
					}
					missing := inequality.ShortTo(n, s.programme.Target/100)
					short = &missing
				}
				rows = append(rows, []any{s.programme.ID, s.season.ID, day.Time(), place, k.places.systemOf[place], at.code, s.id,
					figure(cells[i].Covered), figure(cells[i].Eligible), withheld(cells[i].Covered), uptake, low, high, short, pace, uint32(0), uint32(0)})
			}
			slices.SortStableFunc(behind, func(a, b ranked) int { return cmp.Compare(a.uptake, b.uptake) })
			for i, r := range behind {
				rank := uint32(i + 1)
				if i > 0 && behind[i-1].uptake == r.uptake {
					rank = rows[behind[i-1].row][15].(uint32) // of equals both have the better rank
				}
				rows[r.row][15], rows[r.row][16] = rank, uint32(len(behind))
			}
		}
	}
	return k.insert(ctx, weekColumns, "", len(rows), func(i int) []any { return rows[i] })
}

func withheld(f disclosure.Figure) string {
	if f.State == disclosure.Shown {
		return ""
	}
	return f.State.String()
}

const ethnicColumns = `ethnicity_weeks (programme, season, day, place, system, quintile, ethnicity, id, covered, eligible, withheld, uptake)`

func (k *Keeper) writeEthnicity(ctx context.Context, s *season, sundays []calendar.Day, groups map[part]*people) error {
	groups = merge(groups, func(p part) part { return part{place: p.place, code: p.code, quintile: p.quintile} })
	parts, members := byPlace(s.parts), byPlace(groups)
	denominator := false
	for at, p := range groups {
		denominator = denominator || at.code != "" && p.eligible[len(p.eligible)-1] > 0
	}
	var rows [][]any
	for _, day := range sundays {
		add := func(place, system string, at part, c disclosure.Cell) {
			eligible, why := figure(c.Eligible), withheld(c.Covered)
			var uptake *float64
			if !denominator {
				eligible, why = nil, cmp.Or(why, noDenominator)
			} else if n, ok := c.Count(); ok {
				if share, ok := n.Uptake(); ok {
					uptake = &share
				}
			}
			rows = append(rows, []any{s.programme.ID, s.season.ID, day.Time(), place, system, at.quintile, at.code, s.id, figure(c.Covered), eligible, why, uptake})
		}
		sums := map[part]*disclosure.Sum{} // of systems, by quintile and group
		for _, place := range slices.Sorted(maps.Keys(members)) {
			for q := range uint8(6) {
				of := func(all []part) []part {
					return slices.DeleteFunc(slices.Clone(all), func(p part) bool { return p.quintile != q })
				}
				known := slices.DeleteFunc(of(members[place]), func(p part) bool { return p.code == "" })
				cells, _ := k.config.Disclosure.Family(counts(s.parts, of(parts[place]), s.at(day)), counts(groups, known, s.at(day)), disclosure.Open)
				system := k.places.systemOf[place]
				for i, at := range known {
					add(place, system, at, cells[i])
					if system != "" {
						sum := part{system: system, quintile: q, code: at.code}
						if sums[sum] == nil {
							sums[sum] = &disclosure.Sum{}
						}
						sums[sum].Add(cells[i])
					}
				}
			}
		}
		for at, sum := range sums {
			add("", at.system, at, sum.Cell())
		}
	}
	return k.insert(ctx, ethnicColumns, "", len(rows), func(i int) []any { return rows[i] })
}
