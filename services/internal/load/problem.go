package load

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Problem is one thing that is wrong with a file. It never repeats a value: a file given by mistake may hold a person's.
type Problem struct {
	File   string
	Row    int    // line of the file that the row begins on; the header is line 1; 0 = the file as a whole
	Column string // as the file calls it; empty = the row as a whole
	Rule   string // what is asked for
}

func (p Problem) String() string {
	at := p.File
	if p.Row > 0 {
		at = fmt.Sprintf("%s: row %d", at, p.Row)
	}
	if p.Column != "" {
		at = fmt.Sprintf("%s: column %s", at, p.Column)
	}
	return at + ": " + p.Rule
}

// Shown is how many problems an error lists; of the others it gives the number.
const Shown = 20

// Problems is the error of files that must not be loaded. Only other files help: trying again does not.
type Problems struct {
	List []Problem // the first ones, at most Shown
	More int       // how many there are besides
}

func (p *Problems) Error() string {
	lines := make([]string, 0, len(p.List)+1)
	for _, problem := range p.List {
		lines = append(lines, problem.String())
	}
	if p.More > 0 {
		lines = append(lines, fmt.Sprintf("and %d more", p.More))
	}
	return strings.Join(lines, "\n")
}

// err is nil if there is no problem.
func (p *Problems) err() error {
	if p.empty() {
		return nil
	}
	return p
}

func (p *Problems) empty() bool { return len(p.List) == 0 }

func (p *Problems) add(problem Problem) {
	if len(p.List) == Shown {
		p.More++
		return
	}
	p.List = append(p.List, problem)
}

// addSorted adds what was found after the rows were read, in the order of the rows.
func (p *Problems) addSorted(found []Problem) {
	slices.SortStableFunc(found, func(a, b Problem) int { return cmp.Compare(a.Row, b.Row) })
	for _, problem := range found {
		p.add(problem)
	}
}
