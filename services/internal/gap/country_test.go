package gap_test

import (
	"context"
	"fmt"
	"math"
	"math/big"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"gapwatch/services/internal/calendar"
	"gapwatch/services/internal/engine/enginetest"
	"gapwatch/services/internal/gap"
	"gapwatch/services/internal/inequality"
	"gapwatch/services/internal/programme"
	"gapwatch/services/internal/reporting"
	"gapwatch/services/internal/store"
)

// The programme of the attack: two short seasons of flu, of which the second is watched while it comes in. Days and
// vintages are counted from its start: vintage v is what was known at the end of day v.
const (
	seasonDays = 24
	vintages   = 30
	before     = "before" // ids of the two seasons
	now        = "now"
	floor      = 20
	never      = math.MaxInt
)

var starts = map[string]calendar.Day{before: calendar.Date(2025, 10, 6), now: calendar.Date(2026, 10, 5)} // Mondays

func shortSeasons() *programme.Programme {
	p := &programme.Programme{ID: "flu", Name: "Flu", Kind: programme.Seasonal, Target: 75, HistoryFrom: starts[before], Doses: 1,
		Limits: programme.Limits{Floor: floor, SmallestChange: 1, UnknownArea: 5, Ceiling: 20}}
	for _, id := range []string{before, now} {
		p.Seasons = append(p.Seasons, programme.Season{ID: id, Start: starts[id], End: starts[id] + seasonDays - 1})
	}
	return p
}

// home is where somebody lives: what the look-up knows of it.
type home struct {
	place, system, neighbourhood string
	quintile                     int // 0 = unknown
}

// resident is an eligible person of an invented country.
type resident struct {
	home
	placeFifth, systemFifth, pcn, ethnicity string
	newcomer                                bool   // not eligible in the season before
	last                                    int    // day covered in the season before
	said                                    []said // what was known of this season, in order
}

// said is a day covered, or never, as known from a vintage on: late events, corrections of the day, withdrawals.
type said struct{ from, day int }

// day is the day covered as known at a vintage.
func (r *resident) day(season string, vintage int) int {
	if season == before {
		return r.last
	}
	day := never
	for _, s := range r.said {
		if s.from <= vintage {
			day = s.day
		}
	}
	return day
}

// country is two systems of six places, one of which lies in both.
type country struct {
	residents []*resident
	homes     []home
}

// regions of the places.
func regionOf(place string) string {
	switch place {
	case "":
		return ""
	case "X07000004", "X07000005":
		return "X12000002"
	}
	return "X12000001"
}

// systemOf is the system that most of a place lies in.
func systemOf(place string) string {
	if place == "X07000005" {
		return "X54000002"
	}
	return "X54000001"
}

// invent makes a country in which most groups are small. Some are made for what they could give away:
//   - in place 5, quintile 1 had 5 people covered at first in the season before, while it led the others: its gap at the
//     same overall uptake is one of a small number;
//   - in place 1, which lies in quintile 1, one person in each of the seven neighbourhoods is covered for long;
//   - in place 2, quintile 1 had 4 eligible people in the season before;
//   - in place 3, few people without a quintile are over 5 % of those covered.
func invent(seed uint64) *country {
	r := rand.New(rand.NewPCG(seed, 3))
	c := &country{}
	hood := 0
	neighbourhoods := func(place, system string, n int) (all []home) {
		for range n {
			all = append(all, home{place: place, system: system, neighbourhood: fmt.Sprintf("X020000%02d", hood)})
			hood++
		}
		c.homes = append(c.homes, all...)
		return all
	}
	// group adds people of a quintile of a part. covered are how many are in the end.
	group := func(in []home, quintile, n int, covered, pace float64) (added []*resident) {
		for range n {
			x := &resident{home: in[r.IntN(len(in))], last: never}
			x.quintile = quintile
			if quintile > 0 {
				local := func() string { return fmt.Sprint(min(5, max(1, quintile-1+r.IntN(3)))) }
				if x.place != "" {
					x.placeFifth = local()
				}
				if x.system != "" {
					x.systemFifth = local()
				}
			}
			x.pcn = [...]string{"SYNP00", "SYNP01", "SYNP02", "SYNP02", "SYNP00", "SYNP01", ""}[min(r.IntN(7), r.IntN(7))]
			x.ethnicity = [...]string{"A", "A", "A", "H", "H", "N", ""}[r.IntN(7)]
			when := func() int { return int(r.ExpFloat64() * pace * seasonDays) }
			if r.Float64() < covered {
				x.last = when()
			}
			if r.Float64() < covered {
				day := when()
				known := day + int(r.ExpFloat64()*2)
				x.said = []said{{known, day}}
				switch r.IntN(25) {
				case 0: // withdrawn
					x.said = append(x.said, said{known + 1 + r.IntN(8), never})
				case 1: // it was another day
					x.said = append(x.said, said{known + 1 + r.IntN(8), max(0, day+r.IntN(7)-3)})
				}
			}
			c.residents, added = append(c.residents, x), append(added, x)
		}
		return added
	}
	small := func() int {
		if r.IntN(8) == 0 {
			return r.IntN(3) * 5
		}
		return int(math.Exp(1.3 + r.Float64()*3.4)) // 4 to 110
	}
	willing := func() float64 {
		if r.IntN(4) == 0 {
			return 1
		}
		return 0.35 + 0.6*r.Float64()
	}
	random := func(in []home) {
		for q := range 6 {
			n := small()
			if q == 0 {
				n /= 5
			}
			group(in, q, n, willing(), 0.1+r.Float64()/2)
		}
	}
	sizeable := func(in []home, quintile, n int) []*resident { return group(in, quintile, n, 0.6, 0.15) }

	random(neighbourhoods("X07000000", "X54000001", 4))
	for _, h := range neighbourhoods("X07000001", "X54000001", 7) {
		for i, x := range group([]home{h}, 1, 4, 0, 0) {
			if day := [...]int{0, 13, never, never}[i]; day != never {
				x.said = []said{{day + i, day}}
			}
		}
	}
	for place, hoods := range map[string][]home{"X07000002": neighbourhoods("X07000002", "X54000001", 3), "X07000003": neighbourhoods("X07000003", "X54000001", 3)} {
		for q := 1; q <= 5; q++ {
			added := sizeable(hoods, q, 44)
			for i, x := range added {
				x.newcomer = place == "X07000002" && q == 1 && i >= 4
			}
		}
	}
	unknown := neighbourhoods("X07000003", "X54000001", 1)
	for _, x := range group(unknown, 0, 6, 1, 0) {
		x.said = []said{{0, 0}}
	}
	group(unknown, 0, 8, 0, 0)
	random(neighbourhoods("X07000004", "X54000001", 3))
	across := neighbourhoods("X07000004", "X54000002", 2)
	big := neighbourhoods("X07000005", "X54000002", 4)
	for q := 1; q <= 5; q++ {
		sizeable(across, q, 60+r.IntN(40))
		n := 0
		for _, x := range sizeable(big, q, 120+r.IntN(60)) {
			if x.last != never {
				x.last = r.IntN(4) // the others led
			}
			if x.last != never && q == 1 {
				if n++; n > 5 {
					x.last = 4 + r.IntN(3)
				}
			}
		}
	}
	// People of whom less is known: place but no quintile, no neighbourhood, system but no place, nothing.
	group([]home{big[0]}, 0, 6, 1, 0.3)
	group([]home{{place: "X07000000", system: "X54000001"}}, 2, 5, 1, 0.3)
	group([]home{{system: "X54000001"}}, 1, 4, 1, 0.3)
	group([]home{{system: "X54000001"}}, 0, 9, 0.8, 0.3)
	group([]home{{}}, 0, 30, 0.7, 0.3)
	return c
}

// grid is the exact counts of a group by vintage and day; the season before has one vintage.
type grid [][]inequality.Count

// monotone tells whether no day of a vintage has fewer covered people than in the vintage before.
func (g grid) monotone(vintage int) bool {
	for d, n := range g[vintage-1] {
		if n.Covered > g[vintage][d].Covered {
			return false
		}
	}
	return true
}

// tally counts groups of residents by what of says they are in; false is none.
func tally[K comparable](c *country, season string, of func(*resident) (K, bool)) map[K]grid {
	n := vintages
	if season == before {
		n = 1
	}
	groups := map[K]grid{}
	for _, x := range c.residents {
		key, ok := of(x)
		if !ok || season == before && x.newcomer {
			continue
		}
		g := groups[key]
		if g == nil {
			g = make(grid, n)
			for v := range g {
				days := min(v+1, seasonDays)
				if season == before {
					days = seasonDays
				}
				g[v] = make([]inequality.Count, days)
			}
			groups[key] = g
		}
		for v := range g {
			day := x.day(season, v)
			for d := range g[v] {
				g[v][d].Eligible++
				if day <= d {
					g[v][d].Covered++
				}
			}
		}
	}
	return groups
}

// rollup writes the cells of a country as the roll-up does.
type rollup struct {
	t       *testing.T
	url     string
	conn    driver.Conn
	country *country
	id      uint64
	written map[cell]uint32
}

// cell is the key of prevention.uptake_months.
type cell struct {
	season, place, system, level, code string
	quintile                           uint8
	day                                int
}

// cells are the cells that a resident is in, without a day.
func (r *resident) cells(season string) [5]cell {
	at := cell{season: season, place: r.place, system: r.system, quintile: uint8(r.quintile)}
	all := [5]cell{at, at, at, at, at}
	for i, level := range [...][2]string{{"neighbourhood", r.neighbourhood}, {"pcn", r.pcn}, {"ethnicity", r.ethnicity}, {"place fifth", r.placeFifth}, {"system fifth", r.systemFifth}} {
		all[i].level, all[i].code = level[0], level[1]
	}
	return all
}

func newRollup(t *testing.T, c *country) *rollup {
	t.Helper()
	w := &rollup{t: t, url: enginetest.New(t).URL(), country: c, written: map[cell]uint32{}}
	if err := store.Migrate(t.Context(), w.url); err != nil {
		t.Fatal(err)
	}
	conn, err := store.Open(w.url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	w.conn = conn
	if err := reporting.WriteProgrammes(t.Context(), conn, programme.NewSet(2025, shortSeasons()), time.Now()); err != nil {
		t.Fatal(err)
	}
	for _, query := range []string{
		`INSERT INTO prevention.loads (load, batch, kind, key, sha256) VALUES (1, 1, 'areas', '', 'x'), (1, 2, 'interventions', 'flu', 'x')`,
		`INSERT INTO prevention.interventions (batch, programme, geography, from_day, to_day, label) VALUES (2, 'flu', 'X07000002', toDate32('` + (starts[now] + 14).String() + `'), toDate32('2299-12-31'), 'bus')`,
	} {
		if err := conn.Exec(t.Context(), query); err != nil {
			t.Fatal(err)
		}
	}
	areas := w.batch("areas (batch, lsoa, neighbourhood, place, system, region, quintile_2019, quintile_2025, rank_2025)")
	for i, h := range c.homes {
		w.check(areas.Append(uint32(1), fmt.Sprintf("X010000%02d", i), h.neighbourhood, h.place, h.system, regionOf(h.place), uint8(1), uint8(1), uint32(1)))
	}
	w.check(areas.Send())
	eligible := map[cell]uint32{}
	for _, season := range []string{before, now} {
		for _, x := range c.residents {
			if season == before && x.newcomer {
				continue
			}
			for _, at := range x.cells(season) {
				eligible[at]++
			}
		}
	}
	cells := w.batch("eligible_cells (programme, season, valid_from, place, system, level, code, quintile, generation, eligible)")
	for at, n := range eligible {
		w.check(cells.Append("flu", at.season, starts[at.season].Time(), at.place, at.system, at.level, at.code, at.quintile, uint32(1), n))
	}
	w.check(cells.Send())
	return w
}

func (w *rollup) check(err error) {
	if err != nil {
		w.t.Helper()
		w.t.Fatal(err)
	}
}

func (w *rollup) batch(into string) driver.Batch {
	w.t.Helper()
	b, err := w.conn.PrepareBatch(context.Background(), "INSERT INTO prevention."+into)
	w.check(err)
	return b
}

// publish writes the cells that a vintage changes and publishes them.
func (w *rollup) publish(vintage int) {
	w.t.Helper()
	w.id++
	base := new(big.Int).Or(new(big.Int).Lsh(big.NewInt(1<<44|1), 64), big.NewInt(1))
	id := new(big.Int).Add(base, new(big.Int).SetUint64(w.id))
	newly := map[cell]uint32{}
	for at := range w.written {
		newly[at] = 0
	}
	slices := map[[2]string]bool{}
	for _, x := range w.country.residents {
		for _, season := range []string{before, now} {
			slices[[2]string{season, x.place}] = true
			day := x.day(season, vintage)
			if day >= seasonDays || season == before && x.newcomer {
				continue
			}
			for _, at := range x.cells(season) {
				at.day = day
				newly[at]++
			}
		}
	}
	cells := w.batch(months)
	for at, n := range newly {
		if had, ok := w.written[at]; ok && had == n {
			continue
		}
		w.written[at] = n
		w.check(appendCell(cells, starts[at.season]+calendar.Day(at.day), n, "flu", at.season, at.place, at.system, at.level, at.code, at.quintile, id))
	}
	w.check(cells.Send())
	published := w.batch("published (programme, season, place, id, base)")
	for s := range slices {
		w.check(published.Append("flu", s[0], s[1], id, base))
	}
	w.check(published.Append("flu", "", "", id, base))
	w.check(published.Send())
}

// keeper is a keeper whose clock stands at noon of the day that clock says.
func (w *rollup) keeper(clock *int) *gap.Keeper {
	w.t.Helper()
	k, err := gap.New(gap.Config{ClickHouse: w.conn, Programmes: programme.NewSet(2025, shortSeasons()), Settle: -1, National: true,
		Now: func() time.Time { return (starts[now] + calendar.Day(*clock)).Time().Add(12 * time.Hour) }})
	w.check(err)
	return k
}
