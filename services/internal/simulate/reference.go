package simulate

import (
	"cmp"
	"encoding/csv"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"gapwatch/services/internal/calendar"
	"gapwatch/services/internal/programme"
)

// eligibleRow is the size of an eligible group from a day on.
type eligibleRow struct {
	programme, season uint8
	from              calendar.Day
	group             group
	people            uint32
}

// countEligible counts the eligible people of every season that is told. Most groups change once in it, when the
// newcomers join; those of rolling programmes every other year.
func (b *builder) countEligible() {
	for i, p := range b.set.Programmes {
		at := uint8(i)
		switch p.Kind {
		case programme.Rolling:
			season, _ := p.Season(programme.RollingSeason)
			for from := p.HistoryFrom; from <= b.today; from = from.AddMonths(24) {
				b.count(at, 0, from, func(someone *person) bool { return eligible(p, season, someone, from) })
			}
		case programme.Cohort:
			for s, season := range p.Seasons {
				if season.Start <= b.today {
					b.count(at, uint8(s), season.Start, func(someone *person) bool { return eligible(p, season, someone, season.End) })
				}
			}
		default:
			first, last := b.told(p)
			for s := first; s <= last; s++ {
				season := p.Seasons[s]
				b.count(at, uint8(s), season.Start, func(someone *person) bool {
					return !someone.has(newcomer) && eligible(p, season, someone, season.End)
				})
				if join := season.Start + newcomers; join <= min(b.today, season.End) {
					b.count(at, uint8(s), join, func(someone *person) bool { return eligible(p, season, someone, season.End) })
				}
			}
		}
	}
}

// count adds a version of a denominator. Registers name a practice and an ethnic category for everybody, if only Z, not
// stated.
func (b *builder) count(at, season uint8, from calendar.Day, in func(*person) bool) {
	notStated := uint8(len(ethnicCodes) - 1)
	var keys []uint64
	for i := range b.people {
		someone := &b.people[i]
		if !in(someone) {
			continue
		}
		practice, ethnicity := someone.practice, someone.ethnicity
		if practice == noPractice {
			practice = b.land.unlistedPractice()
		}
		if ethnicity == 0 {
			ethnicity = notStated
		}
		keys = append(keys, uint64(someone.home)<<32|uint64(practice)<<8|uint64(ethnicity))
	}
	slices.Sort(keys)
	for i, key := range keys {
		if i > 0 && key == keys[i-1] {
			b.eligible[len(b.eligible)-1].people++
			continue
		}
		g := group{spot: uint16(key >> 32), practice: uint16(key >> 8 & 0xffff), ethnicity: uint8(key)}
		b.eligible = append(b.eligible, eligibleRow{at, season, from, g, 1})
	}
}

// EligibleRows is the number of rows of eligible.csv.
func (h *History) EligibleRows() int { return len(h.eligible) }

// WriteReference writes the look-ups, the eligible people, interventions and area flags into a folder, which is made if
// it is not there, in the layouts of the files that real deployments load. Errors are of the file system.
func (h *History) WriteReference(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	l := h.land
	write := func(name string, header []string, rows func(put func(cells ...string))) error {
		return writeTable(filepath.Join(dir, name), header, rows)
	}
	number := func(n int) string { return strconv.Itoa(n) }
	files := []func() error{
		func() error {
			return write("imd2025.csv", []string{"lsoa21_code", "imd_rank", "imd_decile"}, func(put func(...string)) {
				for _, a := range l.lsoas {
					put(a.code, number(a.rank2025), number(decile(a.rank2025, england2025)))
				}
			})
		},
		func() error {
			return write("imd2019.csv", []string{"lsoa11_code", "imd_rank", "imd_decile"}, func(put func(...string)) {
				for _, o := range l.old {
					put(o.code, number(o.rank2019), number(decile(o.rank2019, england2019)))
				}
			})
		},
		func() error {
			return write("lsoa11_lsoa21.csv", []string{"lsoa11_code", "change_code", "lsoa21_code"}, func(put func(...string)) {
				for _, o := range l.old {
					for _, p := range o.parts {
						put(o.code, o.change, l.lsoas[p].code)
					}
				}
			})
		},
		func() error {
			return write("lsoa21_msoa21.csv", []string{"lsoa21_code", "msoa21_code", "msoa21_name"}, func(put func(...string)) {
				for _, a := range l.lsoas {
					n := l.neighbourhoods[a.neighbourhood-1]
					put(a.code, n.code, n.name)
				}
			})
		},
		func() error {
			return write("lsoa21_ltla24.csv", []string{"lsoa21_code", "ltla24_code", "ltla24_name"}, func(put func(...string)) {
				for _, a := range l.lsoas {
					n := l.places[a.place-1]
					put(a.code, n.code, n.name)
				}
			})
		},
		func() error {
			return write("lsoa21_icb24.csv", []string{"lsoa21_code", "icb24_code", "icb24_name"}, func(put func(...string)) {
				for _, a := range l.lsoas {
					n := l.systems[a.system-1]
					put(a.code, n.code, n.name)
				}
			})
		},
		func() error {
			return write("ltla24_region24.csv", []string{"ltla24_code", "region24_code", "region24_name"}, func(put func(...string)) {
				for _, p := range l.places {
					put(p.code, l.region.code, l.region.name)
				}
			})
		},
		func() error {
			return write("practices.csv", []string{"practice_code", "pcn_code", "pcn_name"}, func(put func(...string)) {
				for i, code := range l.practices {
					if pcn := l.practicePCN[i+1]; pcn != 0 {
						put(code, l.pcns[pcn-1].code, l.pcns[pcn-1].name)
					}
				}
			})
		},
		func() error {
			header := []string{"programme", "season", "lsoa", "practice", "ethnicity", "valid_from", "eligible"}
			return write("eligible.csv", header, func(put func(...string)) {
				for _, e := range h.eligible {
					p := h.set.Programmes[e.programme]
					practice := ""
					if e.group.practice != noPractice {
						practice = l.practices[e.group.practice-1]
					}
					put(p.ID, seasonID(p, e.season), l.spots[e.group.spot].code, practice, ethnicCodes[e.group.ethnicity],
						e.from.String(), number(int(e.people)))
				}
			})
		},
	}
	invented := []func() error{
		func() error {
			return write("interventions.csv", []string{"programme", "geography", "from", "to", "label"}, func(put func(...string)) {
				for _, c := range h.campaigns {
					to := c.to.String()
					if c.goesOn {
						to = ""
					}
					put(c.programme, l.places[c.place-1].code, c.from.String(), to, c.label)
				}
			})
		},
		func() error {
			return write("flags.csv", []string{"code", "label", "source", "from", "to"}, func(put func(...string)) {
				for _, n := range h.leftBehind() {
					put(n.code, "left behind", "invented for the synthetic system", "2020-01-01", "")
				}
			})
		},
	}
	if h.yaml == nil {
		files = append(files, invented...)
	} else { // a replay: nothing is invented beside what was published
		files = append(files, func() error { return os.WriteFile(filepath.Join(dir, "programmes.yaml"), h.yaml, 0o644) })
	}
	for _, file := range files {
		if err := file(); err != nil {
			return err
		}
	}
	return nil
}

// leftBehind are the five neighbourhoods with the most deprived LSOAs on average.
func (h *History) leftBehind() []named {
	ranks := make([]int, len(h.land.neighbourhoods))
	order := make([]int, len(ranks))
	for _, a := range h.land.lsoas {
		ranks[a.neighbourhood-1] += a.rank2025
	}
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(ranks[a], ranks[b]) })
	var worst []named
	for _, i := range order[:5] {
		worst = append(worst, h.land.neighbourhoods[i])
	}
	return worst
}

func writeTable(path string, header []string, rows func(put func(cells ...string))) error {
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	w := csv.NewWriter(file)
	put := func(cells ...string) { _ = w.Write(cells) } // the writer keeps its first error
	put(header...)
	rows(put)
	w.Flush()
	if err := w.Error(); err != nil {
		_ = file.Close() // the first error counts
		return fmt.Errorf("write %s: %w", path, err)
	}
	return file.Close()
}
