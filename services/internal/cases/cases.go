// Package cases reads schemas/cases, the examples that define the numbers, for the tests that run them.
package cases

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"

	yaml "go.yaml.in/yaml/v4"

	"gapwatch/schemas"
	"gapwatch/services/internal/area"
	"gapwatch/services/internal/calendar"
	"gapwatch/services/internal/event"
	"gapwatch/services/internal/programme"
)

// Case is one example: events in, counts out.
type Case struct {
	File      string `yaml:"-"`
	Title     string
	Programme string
	Events    []Event
	Eligible  []Eligible
	Counts    []Count
}

// Event is an event as an analyst writes it; schemas/cases/README.md explains the fields.
type Event struct {
	Programme, Record, From, Made, Person, Key, Also, On, Area, Status, Cohort, Ethnicity, Practice string
	Dose                                                                                            uint8
	Correction                                                                                      bool
}

// Eligible is a number of eligible people from a day on.
type Eligible struct {
	Season, Since, Area, Practice, Ethnicity string
	People                                   uint32
}

// Count is what is expected of a group of people on a day; what is nil is not checked.
type Count struct {
	Programme, On, Season, Place, Neighbourhood, System, PCN, Ethnicity string
	Quintile                                                            *uint8
	PlaceFifth                                                          *uint8 `yaml:"place_fifth"`
	SystemFifth                                                         *uint8 `yaml:"system_fifth"`
	Covered, Newly, Lapsed, Eligible                                    *int64
	MovedIn                                                             *int64 `yaml:"moved_in"`
	MovedOut                                                            *int64 `yaml:"moved_out"`
}

// Country is the little geography that the cases are set in.
type Country struct {
	Areas map[string]struct {
		LSOA, Neighbourhood, Place, System string
		Quintile                           uint8
		Rank                               uint32
	}
	Practices map[string]string // PCN by practice
}

// Index is what the look-ups know of the country.
func (c *Country) Index() *area.Index {
	areas := map[string]area.Area{}
	for _, a := range c.Areas {
		if at := (area.Area{Neighbourhood: a.Neighbourhood, Place: a.Place, System: a.System, Quintile: a.Quintile, Rank: a.Rank}); at != (area.Area{}) {
			areas[a.LSOA] = at
		}
	}
	return area.NewIndex(areas, c.Practices)
}

// Read reads all cases and the country they are set in. An error names the file.
func Read() ([]Case, *Country, error) {
	var country Country
	if err := read("cases/areas.yaml", &country); err != nil {
		return nil, nil, err
	}
	files, err := fs.Glob(schemas.Files, "cases/[0-9]*.yaml")
	if err != nil {
		return nil, nil, err
	}
	var all []Case
	for _, file := range files {
		var some []Case
		if err := read(file, &some); err != nil {
			return nil, nil, err
		}
		for i := range some {
			some[i].File = file
		}
		all = append(all, some...)
	}
	if len(all) == 0 {
		return nil, nil, errors.New("schemas/cases holds no case")
	}
	return all, &country, nil
}

func read(file string, into any) error {
	data, err := schemas.Files.ReadFile(file)
	if err != nil {
		return err
	}
	loader, err := yaml.NewLoader(bytes.NewReader(data), yaml.WithKnownFields())
	if err != nil {
		return err
	}
	if err := loader.Load(into); err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	return nil
}

// Pseudonym is the pseudonym of a person of the cases.
func Pseudonym(name string) event.Pseudonym {
	sum := sha256.Sum256([]byte("case person " + name))
	return event.Pseudonym(sum[:16])
}

// Message is an event as a sender would publish it.
func (c *Case) Message(country *Country, set *programme.Set, i int) (subject, id string, payload []byte, err error) {
	e := c.Events[i]
	p, ok := set.Get(or(e.Programme, c.Programme))
	if !ok {
		return "", "", nil, fmt.Errorf("%s: no programme %q", c.Title, or(e.Programme, c.Programme))
	}
	day, err := calendar.Parse(e.On)
	if err != nil {
		return "", "", nil, fmt.Errorf("%s: %w", c.Title, err)
	}
	made := day.Time().Add(12 * 3600e9)
	if e.Made != "" {
		if err := made.UnmarshalText([]byte(e.Made)); err != nil {
			return "", "", nil, fmt.Errorf("%s: %w", c.Title, err)
		}
	}
	statuses := map[string]event.Status{"": event.Completed, "completed": event.Completed, "not-done": event.NotDone, "entered-in-error": event.EnteredInError}
	status, ok := statuses[e.Status]
	if !ok {
		return "", "", nil, fmt.Errorf("%s: status %q", c.Title, e.Status)
	}
	lsoa := ""
	if e.Area != "" {
		at, ok := country.Areas[e.Area]
		if !ok {
			return "", "", nil, fmt.Errorf("%s: no area %q", c.Title, e.Area)
		}
		lsoa = at.LSOA
	}
	full := event.Event{
		ID: fmt.Sprintf("%x", sha256.Sum256(fmt.Appendf(nil, "%s %d", c.Title, i)))[:16], Source: "urn:case:" + or(e.From, "gp"),
		Type: p.EventType, Time: made, Record: e.Record, Status: status, Correction: e.Correction,
		Person: Pseudonym(e.Person), PersonKey: or(e.Key, "k1"), Programme: p.ID, Day: day, Dose: e.Dose, LSOA: lsoa,
		Ethnicity: e.Ethnicity, Practice: e.Practice, Cohort: e.Cohort,
	}
	if e.Also != "" {
		full.Previous = Pseudonym(e.Also)
	}
	return event.Subject(&full), event.MsgID(&full), event.Encode(&full), nil
}

func or(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

// Programmes are those that the case is about: its own, and those that its events and counts name.
func (c *Case) Programmes() []string {
	ids := []string{c.Programme}
	add := func(id string) {
		if id != "" && !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	for i := range c.Events {
		add(c.Events[i].Programme)
	}
	for i := range c.Counts {
		add(c.Counts[i].Programme)
	}
	return ids
}

// Orders are the orders in which the events of a case are sent: as written, backwards, and rotated.
func (c *Case) Orders() [][]int {
	written := make([]int, len(c.Events))
	for i := range written {
		written[i] = i
	}
	orders := [][]int{written}
	backwards := slices.Clone(written)
	slices.Reverse(backwards)
	orders = append(orders, backwards)
	if len(written) > 2 {
		orders = append(orders, append(slices.Clone(written[1:]), written[0]))
	}
	return orders
}

// Counts are what one cell says of one day: how many are covered then, and whose cover changed on it.
type Counts struct {
	Covered, Newly, Lapsed, MovedIn, MovedOut, Eligible int64
}

// Check compares the counts of a case with what was counted. ask answers for a group of a programme and a day; level is
// neighbourhood, pcn, ethnicity, place fifth or system fifth.
func (c *Case) Check(set *programme.Set, ask func(programme, level, season string, day calendar.Day, want Count) Counts) error {
	var wrong []string
	for _, want := range c.Counts {
		p, ok := set.Get(or(want.Programme, c.Programme))
		if !ok {
			return fmt.Errorf("%s: %s: no programme %q", c.File, c.Title, or(want.Programme, c.Programme))
		}
		day, err := calendar.Parse(want.On)
		if err != nil {
			return err
		}
		season := want.Season
		if season == "" {
			s, ok := p.SeasonOn(day)
			if !ok {
				return fmt.Errorf("%s: %s: %s is in no season", c.File, c.Title, want.On)
			}
			season = s.ID
		}
		level := "neighbourhood"
		switch {
		case want.PCN != "":
			level = "pcn"
		case want.Ethnicity != "":
			level = "ethnicity"
		case want.PlaceFifth != nil:
			level = "place fifth"
		case want.SystemFifth != nil:
			level = "system fifth"
		}
		got := ask(p.ID, level, season, day, want)
		for _, n := range []struct {
			name string
			want *int64
			got  int64
		}{{"covered", want.Covered, got.Covered}, {"newly", want.Newly, got.Newly}, {"lapsed", want.Lapsed, got.Lapsed},
			{"moved_in", want.MovedIn, got.MovedIn}, {"moved_out", want.MovedOut, got.MovedOut}, {"eligible", want.Eligible, got.Eligible}} {
			if n.want != nil && *n.want != n.got {
				wrong = append(wrong, fmt.Sprintf("on %s %s: %s %d, want %d", want.On, want.group(), n.name, n.got, *n.want))
			}
		}
	}
	if len(wrong) > 0 {
		return fmt.Errorf("%s: %s:\n  %s", c.File, c.Title, strings.Join(wrong, "\n  "))
	}
	return nil
}

func (w Count) group() string {
	var b strings.Builder
	for _, f := range [][2]string{{"programme", w.Programme}, {"season", w.Season}, {"place", w.Place}, {"neighbourhood", w.Neighbourhood}, {"system", w.System}, {"pcn", w.PCN}, {"ethnicity", w.Ethnicity}} {
		if f[1] != "" {
			fmt.Fprintf(&b, "%s=%s ", f[0], f[1])
		}
	}
	for _, f := range []struct {
		name string
		of   *uint8
	}{{"quintile", w.Quintile}, {"place_fifth", w.PlaceFifth}, {"system_fifth", w.SystemFifth}} {
		if f.of != nil {
			fmt.Fprintf(&b, "%s=%d ", f.name, *f.of)
		}
	}
	return b.String()
}

// Matches tells whether a cell belongs to the group that is asked for. fifth is the local one of its level, empty = unknown.
func (w Count) Matches(place, system, neighbourhood, pcn, ethnicity, fifth string, quintile uint8) bool {
	is := func(want, got string) bool { return want == "" || want == got || want == "unknown" && got == "" }
	local := func(want *uint8, got string) bool {
		return want == nil || *want == 0 && got == "" || got == strconv.Itoa(int(*want))
	}
	return is(w.Place, place) && is(w.System, system) && is(w.Neighbourhood, neighbourhood) && is(w.PCN, pcn) &&
		is(w.Ethnicity, ethnicity) && local(w.PlaceFifth, fifth) && local(w.SystemFifth, fifth) && (w.Quintile == nil || *w.Quintile == quintile)
}
