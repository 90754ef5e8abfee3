package power

import (
	"encoding/json"
	"fmt"
	"io"
	"text/tabwriter"

	"gapwatch/services/internal/verdict"
)

// Row is a setting with its result.
type Row struct {
	World      string             `json:"world"`
	Comparator verdict.Comparator `json:"comparator"`
	Eligible   int                `json:"eligible_per_quintile"`
	Phi        float64            `json:"phi"`
	Weekly     bool               `json:"weekly_shocks"`
	Learnt     bool               `json:"learnt"`
	Points     float64            `json:"widening_points,omitempty"`
	Start      int                `json:"widening_start_day,omitempty"` // -1: any
	Result
	Rate  float64 `json:"rate"`           // share of the runs in which widening was called
	Error float64 `json:"standard_error"` // of Rate
}

// Report is what the simulations show.
type Report struct {
	Seed uint64 `json:"seed"`
	Runs int    `json:"runs"`
	// Alarms: nothing changes. Fewer than 1 in 100 place-seasons may ever be called widening.
	Alarms []Row `json:"alarms"`
	// Marks: 5 points at 10,000 eligible in each quintile and 3 points at 20,000 are to be called in 9 of 10 runs.
	Marks []Row `json:"marks"`
	// Power: how often widenings of other sizes are called while they build up.
	Power []Row `json:"power"`
}

// Sizes and Points are those of the power table: people in each quintile, percentage points.
var (
	Sizes  = []int{500, 1000, 2000, 5000, 10000, 20000}
	Points = []float64{2, 3, 5, 8}
)

// Make runs all simulations: so many runs for alarms, half as many for the marks and a tenth for each cell of the power
// table. progress is told each row as it is done.
func Make(runs int, seed uint64, progress func(Row)) Report {
	report := Report{Seed: seed, Runs: runs}
	known := map[Setting]verdict.Scatter{}
	one := func(rows *[]Row, s Setting, runs int) {
		key := Setting{World: s.World, Eligible: s.Eligible, Phi: s.Phi, Weekly: s.Weekly, Learnt: s.Learnt}
		if _, ok := known[key]; !ok {
			known[key] = peers(key, others(report.Runs), seed)
		}
		result := run(s, known[key], runs, seed)
		rate, standardError := result.Rate(result.Widening)
		row := Row{s.World.Name, s.World.Comparator, s.Eligible, s.Phi, s.Weekly, s.Learnt, s.Points, s.Start, result, rate, standardError}
		*rows = append(*rows, row)
		progress(row)
	}
	for i := range Worlds {
		each(&Worlds[i], func(phi float64, learnt bool) {
			for _, n := range []int{500, 2000, 10000, 20000} {
				one(&report.Alarms, Setting{World: &Worlds[i], Eligible: n, Phi: phi, Learnt: learnt}, runs)
			}
		})
		if Worlds[i].validity == 0 {
			one(&report.Alarms, Setting{World: &Worlds[i], Eligible: 10000, Phi: 2, Weekly: true, Learnt: true}, runs)
		}
	}
	for i := range Worlds {
		w := &Worlds[i]
		each(w, func(phi float64, learnt bool) {
			for _, start := range []int{-1, 14, 28, 42, 60, 90} {
				if start >= 0 && (start < w.First || w.validity > 0) {
					continue // a rolling programme's days are all alike
				}
				one(&report.Marks, Setting{World: w, Eligible: 10000, Phi: phi, Learnt: learnt, Points: 5, Start: start}, runs/2)
				one(&report.Marks, Setting{World: w, Eligible: 20000, Phi: phi, Learnt: learnt, Points: 3, Start: start}, runs/2)
			}
		})
	}
	for i := range Worlds {
		each(&Worlds[i], func(phi float64, learnt bool) {
			for _, n := range Sizes {
				for _, points := range Points {
					one(&report.Power, Setting{World: &Worlds[i], Eligible: n, Phi: phi, Learnt: learnt, Points: points, Start: -1}, runs/10)
				}
			}
		})
	}
	return report
}

// each calls f for what may be true of a world and known of it. Where there is a last season, its scatter is known.
func each(w *World, f func(phi float64, learnt bool)) {
	f(1, true)
	f(2, true)
	if w.Comparator != verdict.LastSeason {
		f(1, false)
		f(2, false)
	}
}

// JSON writes the report as one JSON object.
func (r Report) JSON(to io.Writer) error {
	encoder := json.NewEncoder(to)
	encoder.SetIndent("", "  ")
	return encoder.Encode(r)
}

// Text writes the report as tables.
func (r Report) Text(to io.Writer) error {
	out := tabwriter.NewWriter(to, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(out, "Seed %d, %d runs for each row of the first table.\n\n", r.Seed, r.Runs)
	fmt.Fprint(out, "1. Nothing changes: percent of place-seasons that are ever called widening (± standard error), narrowing, either.\n\n")
	fmt.Fprint(out, "world\tphi\tshared for a\tlearnt\teligible\twidening\t±\tnarrowing\teither\tphi allowed for\t\n")
	for _, row := range r.Alarms {
		narrowing, _ := row.Result.Rate(row.Narrowing)
		either, _ := row.Result.Rate(row.Either)
		shared := "day"
		if row.Weekly {
			shared = "week"
		}
		fmt.Fprintf(out, "%s\t%g\t%s\t%v\t%d\t%.2f\t%.2f\t%.2f\t%.2f\t%.2f\t\n", row.World, row.Phi, shared, row.Learnt, row.Eligible,
			row.Rate*100, row.Error*100, narrowing*100, either*100, row.Result.Phi)
	}
	if err := out.Flush(); err != nil {
		return err
	}
	fmt.Fprint(out, "\n2. The marks: percent of widenings called within their 14 days; 90 are wanted.\n\n")
	fmt.Fprint(out, "world\tphi\tlearnt\tstart day\t5 points at 10,000\t±\t3 points at 20,000\t±\t\n")
	for i := 0; i+1 < len(r.Marks); i += 2 {
		a, b := r.Marks[i], r.Marks[i+1]
		fmt.Fprintf(out, "%s\t%g\t%v\t%s\t%.1f\t%.1f\t%.1f\t%.1f\t\n", a.World, a.Phi, a.Learnt, start(a.Start),
			a.Rate*100, a.Error*100, b.Rate*100, b.Error*100)
	}
	if err := out.Flush(); err != nil {
		return err
	}
	fmt.Fprint(out, "\n3. Power: percent of widenings called within their 14 days, by people in each of quintiles 1 and 5;\nneeded: change in points that a verdict takes there, on average.\n\n")
	fmt.Fprint(out, "world\tphi\tlearnt\teligible\t")
	for _, points := range Points {
		fmt.Fprintf(out, "%g points\t", points)
	}
	fmt.Fprint(out, "needed\t\n")
	for i := 0; i+len(Points) <= len(r.Power); i += len(Points) {
		first := r.Power[i]
		fmt.Fprintf(out, "%s\t%g\t%v\t%d\t", first.World, first.Phi, first.Learnt, first.Eligible)
		for _, row := range r.Power[i : i+len(Points)] {
			fmt.Fprintf(out, "%.0f\t", row.Rate*100)
		}
		fmt.Fprintf(out, "%.1f\t\n", first.Needed)
	}
	return out.Flush()
}

func start(day int) string {
	if day < 0 {
		return "any"
	}
	return fmt.Sprint(day)
}
