package gap

import (
	"context"
	"errors"
	"maps"
	"math/big"
	"slices"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"gapwatch/services/internal/calendar"
	"gapwatch/services/internal/inequality"
	"gapwatch/services/internal/programme"
	"gapwatch/services/internal/rollup"
)

// season is the exact counts of one season of a programme, day by day.
type season struct {
	programme   *programme.Programme
	season      programme.Season
	first, last calendar.Day
	complete    calendar.Day
	id          *big.Int
	generation  uint32

	parts        map[part]*people // by place, system and quintile
	pcns         map[part]*people // by PCN (code) and quintile
	placeFifths  map[part]*people // by place and local fifth (code)
	systemFifths map[part]*people // by system and local fifth (code)
}

// days is how many days there are.
func (s *season) days() int { return int(s.last-s.first) + 1 }

// covered is how many people are covered on the last complete day.
func (s *season) covered() (n uint64) {
	if s.complete < s.first {
		return 0
	}
	for _, p := range s.parts {
		n += p.count(s.at(s.complete)).Covered
	}
	return n
}

// anybody tells whether anybody has been covered at all.
func (s *season) anybody() bool {
	for _, p := range s.parts {
		if p.gained[len(p.gained)-1] > 0 {
			return true
		}
	}
	return false
}

// at is the index of a day, that of the last one where the season is over by then; below 0 before it begins.
func (s *season) at(day calendar.Day) int { return int(min(day, s.last) - s.first) }

// part is a group of people. What it is not divided by is empty.
type part struct {
	place, system, code string
	quintile            uint8
}

// people are the counts of a part at the end of each day: gained and lost since before the first.
type people struct{ gained, lost, eligible []uint64 }

func (p *people) count(day int) inequality.Count {
	return inequality.Count{Covered: p.gained[day] - p.lost[day], Eligible: p.eligible[day]}
}

// errTorn says that cells were published while they were read. Another look finds them whole.
var errTorn = errors.New("counts were published while they were read")

// count reads a season as published.
func (k *Keeper) count(ctx context.Context, p *programme.Programme, of programme.Season, today calendar.Day) (*season, error) {
	s := &season{programme: p, season: of, first: of.Start, last: min(today, of.End)}
	local, err := k.read(ctx, s, rollup.PlaceFifth)
	if err != nil {
		return nil, err
	}
	s.parts = merge(local, func(p part) part { p.code = ""; return p })
	s.placeFifths = merge(local, func(p part) part { return part{place: p.place, code: p.code} })
	if local, err = k.read(ctx, s, rollup.SystemFifth); err != nil {
		return nil, err
	}
	s.systemFifths = merge(local, func(p part) part { return part{system: p.system, code: p.code} })
	pcns, err := k.read(ctx, s, rollup.PCN)
	if err != nil {
		return nil, err
	}
	s.pcns = merge(pcns, func(p part) part { return part{code: p.code, quintile: p.quintile} })
	return s, nil
}

// read reads one level of the cells.
func (k *Keeper) read(ctx context.Context, s *season, level rollup.Level) (map[part]*people, error) {
	parts := map[part]*people{}
	find := func(at part) *people {
		p := parts[at]
		if p == nil {
			n := s.days()
			all := make([]uint64, 3*n)
			p = &people{all[:n:n], all[n : 2*n : 2*n], all[2*n:]}
			parts[at] = p
		}
		return p
	}
	args := []any{clickhouse.Named("programme", s.programme.ID), clickhouse.Named("season", s.season.ID), clickhouse.Named("level", string(level)),
		clickhouse.Named("last", s.last.String())}
	if err := k.each(ctx, "flows", args, func(rows driver.Rows) error {
		var at part
		var day int32
		var gained, lost uint64
		if err := rows.Scan(&at.place, &at.system, &at.code, &at.quintile, &day, &gained, &lost); err != nil {
			return err
		}
		p := find(at)
		i := max(0, int(calendar.Day(day)-s.first)) // what came before is there from the first day on
		p.gained[i] += gained
		p.lost[i] += lost
		return nil
	}); err != nil {
		return nil, err
	}
	type version struct {
		at   part
		from calendar.Day
	}
	versions, days := map[version]uint64{}, map[calendar.Day]struct{}{}
	if err := k.each(ctx, "eligible", args, func(rows driver.Rows) error {
		var v version
		var day int32
		var n uint64
		if err := rows.Scan(&v.at.place, &v.at.system, &v.at.code, &v.at.quintile, &day, &n); err != nil {
			return err
		}
		v.from = calendar.Day(day)
		versions[v] += n
		days[v.from] = struct{}{}
		return nil
	}); err != nil {
		return nil, err
	}
	// A version holds from its day to the next one's and names everybody: who is not in it is not eligible.
	starts := slices.Sorted(maps.Keys(days))
	for v, n := range versions {
		next := s.last + 1
		if i, _ := slices.BinarySearch(starts, v.from); i+1 < len(starts) {
			next = min(next, starts[i+1])
		}
		p := find(v.at)
		for day := max(v.from, s.first); day < next; day++ {
			p.eligible[day-s.first] = n
		}
	}
	for _, p := range parts {
		for i := range p.gained {
			if i > 0 {
				p.gained[i] += p.gained[i-1]
				p.lost[i] += p.lost[i-1]
			}
			if p.lost[i] > p.gained[i] {
				return nil, errTorn
			}
		}
	}
	return parts, nil
}

// merge adds up parts that are the same to a reader.
func merge(parts map[part]*people, as func(part) part) map[part]*people {
	merged := map[part]*people{}
	for at, p := range parts {
		to := as(at)
		sum := merged[to]
		if sum == nil {
			merged[to] = &people{slices.Clone(p.gained), slices.Clone(p.lost), slices.Clone(p.eligible)}
			continue
		}
		for i := range p.gained {
			sum.gained[i] += p.gained[i]
			sum.lost[i] += p.lost[i]
			sum.eligible[i] += p.eligible[i]
		}
	}
	return merged
}
