package gap

import (
	"cmp"
	"context"
	"maps"
	"slices"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"gapwatch/services/internal/area"
	"gapwatch/services/internal/reference"
)

// England is the code of England.
const England = "E92000001"

// geography is what lies in what, and how it is called.
type geography struct {
	names    map[string]string
	regionOf map[string]string // of a place
	systemOf map[string]string // of a place: the one most of its LSOAs lie in
}

func (g *geography) name(code string) string {
	if code == England {
		return "England"
	}
	return cmp.Or(g.names[code], code)
}

// tallied says how much there is of each value.
type tallied map[string]int

// most is the value that there is most of; of equals the least.
func (t tallied) most() string {
	most := ""
	for _, v := range slices.Sorted(maps.Keys(t)) {
		if v != "" && (most == "" || t[v] > t[most]) {
			most = v
		}
	}
	return most
}

// readAreas brings the look-ups up to date and stores what lies in what for the views.
func (k *Keeper) readAreas(ctx context.Context) error {
	var newest, areas uint32
	if err := k.each(ctx, "areas", nil, func(rows driver.Rows) error { return rows.Scan(&newest, &areas) }); err != nil {
		return err
	}
	if k.areas != nil && newest == k.areasAt {
		return nil
	}
	index, err := reference.Areas(ctx, k.config.ClickHouse, k.config.Programmes.Edition)
	if err != nil {
		return err
	}
	names, err := reference.Names(ctx, k.config.ClickHouse)
	if err != nil {
		return err
	}
	type inside struct{ place, system, region tallied }
	in := map[[2]string]*inside{} // by level and code
	note := func(level, code string, a area.Resolved) {
		if code == "" {
			return
		}
		at := in[[2]string{level, code}]
		if at == nil {
			at = &inside{tallied{}, tallied{}, tallied{}}
			in[[2]string{level, code}] = at
		}
		at.place[a.Place]++
		at.system[a.System]++
		at.region[a.Region]++
	}
	if err := reference.Resolved(ctx, k.config.ClickHouse, func(a area.Resolved) error {
		note("neighbourhood", a.Neighbourhood, a)
		note("place", a.Place, a)
		note("system", a.System, a)
		note("region", a.Region, a)
		return nil
	}); err != nil {
		return err
	}
	pcns, err := k.readPCNs(ctx, index)
	if err != nil {
		return err
	}
	places := &geography{names: names, regionOf: map[string]string{}, systemOf: map[string]string{}}
	var rows [][]any
	add := func(level, code, place, system, region string) {
		rows = append(rows, []any{level, code, places.name(code), place, system, region, newest})
	}
	for key, at := range in {
		level, code := key[0], key[1]
		switch level {
		case "neighbourhood":
			add(level, code, at.place.most(), at.system.most(), at.region.most())
		case "place":
			places.systemOf[code], places.regionOf[code] = at.system.most(), at.region.most()
			add(level, code, code, at.system.most(), at.region.most())
		case "system":
			add(level, code, "", code, at.region.most())
		case "region":
			add(level, code, "", "", code)
		}
	}
	for pcn, live := range pcns {
		place := live.most()
		add("pcn", pcn, place, places.systemOf[place], places.regionOf[place])
	}
	if k.config.National {
		add("england", England, "", "", "")
	}
	if err := k.insert(ctx, "geographies (level, code, name, place, system, region, generation)", "", len(rows), func(i int) []any { return rows[i] }); err != nil {
		return err
	}
	k.areas, k.places, k.areasAt, k.areasLoad = index, places, newest, areas
	clear(k.seasons) // names and regions may have changed
	return nil
}

// readPCNs are the PCNs and, by place, how many eligible people of theirs live there. A PCN is where its practices are,
// and no look-up says where that is: it is taken to lie in the place that most of its people live in.
func (k *Keeper) readPCNs(ctx context.Context, index *area.Index) (map[string]tallied, error) {
	live := map[string]tallied{}
	for practice := range index.Practices() {
		if pcn := index.PCN(practice); pcn != "" && live[pcn] == nil {
			live[pcn] = tallied{}
		}
	}
	for _, p := range k.config.Programmes.Programmes {
		if err := reference.Eligible(ctx, k.config.ClickHouse, p.ID, func(row reference.EligibleRow) error {
			if of := live[index.PCN(row.Practice)]; of != nil {
				of[index.Find(row.LSOA).Place] += int(row.Eligible)
			}
			return nil
		}); err != nil {
			return nil, err
		}
	}
	return live, nil
}

func (k *Keeper) programmeArgs(s *season) []any {
	return []any{clickhouse.Named("programme", s.programme.ID), clickhouse.Named("season", s.season.ID)}
}
