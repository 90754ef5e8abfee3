package attack_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"gapwatch/services/internal/disclosure/attack"
)

func TestSumGivesBackTheSuppressed(t *testing.T) {
	var a attack.Attack
	x := a.Unknown("suppressed", 1, 7)
	y := a.Unknown("shown as 30", 28, 32)
	total := a.Unknown("total shown as 40", 38, 42)
	a.Sum(total, x, y)
	if err := a.Solve(); err != nil {
		t.Fatal(err)
	}
	if got := a.Values(x, 10); !slices.Equal(got, []int64{6, 7}) {
		t.Errorf("the suppressed count can be %v, want 6 or 7", got)
	}
}

func TestContradictionIsAnError(t *testing.T) {
	var a attack.Attack
	x, y := a.Unknown("x", 5, 9), a.Unknown("y", 1, 4)
	a.NoMore(x, y)
	if a.Solve() == nil {
		t.Error("5 or more is taken to be no more than 4")
	}
}

func TestOrderInTimeIsUsed(t *testing.T) {
	var a attack.Attack
	first, second, third := a.Unknown("first", 3, 7), a.Unknown("second", 1, 7), a.Unknown("third", 1, 4)
	a.NoMore(first, second)
	a.NoMore(second, third)
	if err := a.Solve(); err != nil {
		t.Fatal(err)
	}
	for _, u := range []attack.Unknown{first, second, third} {
		if got := a.Values(u, 10); !slices.Equal(got, []int64{3, 4}) {
			t.Errorf("%s can be %v, want 3 or 4", a.Name(u), got)
		}
	}
}

func TestGapIsUsed(t *testing.T) {
	var a attack.Attack
	c1, e1 := a.Unknown("covered 1", 1, 7), a.Unknown("eligible 1", 100, 100)
	c5, e5 := a.Unknown("covered 5", 50, 50), a.Unknown("eligible 5", 100, 100)
	a.Gaps(0.05, e1, e5, attack.Gap{Points: 46, Worst: c1, Best: c5})
	if err := a.Solve(); err != nil {
		t.Fatal(err)
	}
	if got := a.Values(c1, 10); !slices.Equal(got, []int64{4}) {
		t.Errorf("covered can be %v, want 4", got)
	}
}

// One gap of a small place says little, thirty of them say who is eligible and, from that, who is covered.
func TestManyGapsTellMoreThanOne(t *testing.T) {
	var a attack.Attack
	e1, e5 := a.Unknown("eligible 1", 98, 102), a.Unknown("eligible 5", 148, 152)
	var of []attack.Gap
	for day := range int64(30) {
		c1, c5 := 10+2*day, 15+3*day+day%5
		shown := func(n int64) int64 { return (n + 2) / 5 * 5 }
		points := math.Round(1000*(float64(c5)/151-float64(c1)/101)) / 10
		of = append(of, attack.Gap{Points: points, Worst: a.Shown("covered 1", shown(c1)), Best: a.Shown("covered 5", shown(c5))})
	}
	a.Gaps(0.05, e1, e5, of...)
	if err := a.Solve(); err != nil {
		t.Fatal(err)
	}
	if got := a.Values(e1, 10); !slices.Equal(got, []int64{101}) {
		t.Errorf("eligible can be %v, want 101", got)
	}
}

// The solver is held against trying everything: it must never lose a value that is possible, and must find what sums
// and orders give.
func TestNeverRulesOutWhatIsPossible(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	exact, all := 0, 0
	for range 300 {
		const n = 5
		truth, low, high := make([]int64, n), make([]int64, n), make([]int64, n)
		for i := range n {
			truth[i] = 1 + r.Int64N(9)
			low[i] = max(1, truth[i]-r.Int64N(5))
			high[i] = truth[i] + r.Int64N(5)
		}
		var a attack.Attack
		u := make([]attack.Unknown, n)
		for i := range n {
			u[i] = a.Unknown("", low[i], high[i])
		}
		type rule struct {
			by      []int64
			min, mx int64
		}
		var rules []rule
		for range 3 {
			by, sum := make([]int64, n), int64(0)
			for i := range n {
				by[i] = r.Int64N(4) - 1
				sum += by[i] * truth[i]
			}
			x := rule{by, sum - r.Int64N(3), sum + r.Int64N(3)}
			rules = append(rules, x)
			a.Linear(x.min, x.mx, u, by)
		}
		points := math.Round(1000*(float64(truth[2])/float64(truth[3])-float64(truth[0])/float64(truth[1]))) / 10
		a.Gaps(0.05, u[1], u[3], attack.Gap{Points: points, Worst: u[0], Best: u[2]})
		if err := a.Solve(); err != nil {
			t.Fatal(err)
		}
		possible := make([]map[int64]bool, n)
		for i := range possible {
			possible[i] = map[int64]bool{}
		}
		x := slices.Clone(low)
		for {
			ok := math.Abs(100*(float64(x[2])/float64(x[3])-float64(x[0])/float64(x[1]))-points) <= 0.05+1e-7
			for _, rule := range rules {
				sum := int64(0)
				for i := range n {
					sum += rule.by[i] * x[i]
				}
				ok = ok && rule.min <= sum && sum <= rule.mx
			}
			if ok {
				for i := range n {
					possible[i][x[i]] = true
				}
			}
			at := 0
			for at < n {
				if x[at]++; x[at] <= high[at] {
					break
				}
				x[at] = low[at]
				at++
			}
			if at == n {
				break
			}
		}
		for i := range n {
			got := a.Values(u[i], math.MaxInt)
			for v := range possible[i] {
				if !slices.Contains(got, v) {
					t.Fatalf("%d is possible and was ruled out, leaving %v", v, got)
				}
			}
			all++
			if len(got) == len(possible[i]) {
				exact++
			}
		}
	}
	if exact*10 < all*6 {
		t.Errorf("the solver found exactly the possible values of %d of %d unknowns only", exact, all)
	}
	t.Logf("exactly the possible values of %d of %d unknowns", exact, all)
}
