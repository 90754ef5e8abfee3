package provision

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"gapwatch/services/internal/grafana"
)

// Action is what is done about one item.
type Action string

// The actions. Those before Unchanged change something.
const (
	Create    Action = "create"    // it is not there, or was deleted
	Update    Action = "update"    // we have a newer one, or other settings
	PutBack   Action = "put back"  // somebody else changed it
	Prune     Action = "prune"     // ours, and no longer wanted
	Unchanged Action = "unchanged" // as wanted
	Leave     Action = "leave"     // not as wanted, and not ours to change
)

// Item is one thing in Grafana and what is done about it.
type Item struct {
	Action Action
	Kind   string // "dashboard", "alert rule", ...
	Name   string // as people see it
	UID    string
	Why    string // a plain sentence without secrets
}

func (i Item) changes() bool { return i.Action != Unchanged && i.Action != Leave }

func (i Item) String() string {
	return fmt.Sprintf("%-9s  %s %q (%s): %s", i.Action, i.Kind, i.Name, i.UID, i.Why)
}

// Plan is everything that is wanted and what would be done to get there.
type Plan struct {
	Grafana string // where, and its version
	Items   []Item
	Notes   []string // what whoever reads the plan should know

	steps    []step
	have     []string // permissions; nil if Grafana does not say
	noFolder bool
}

// step is one change in Grafana, of one or several items.
type step struct {
	needs needs
	do    func(context.Context) error
}

// needs are alternatives of permissions, each a list of which all are needed.
type needs [][]string

func (p *Plan) add(i Item, n needs, do func(context.Context) error) {
	p.Items = append(p.Items, i)
	if i.changes() {
		p.steps = append(p.steps, step{n, do})
	}
}

// Changes is how many items are not as wanted and would be changed.
func (p *Plan) Changes() int {
	n := 0
	for _, i := range p.Items {
		if i.changes() {
			n++
		}
	}
	return n
}

// Write writes the plan for people, a line for each item.
func (p *Plan) Write(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintln(&b, p.Grafana)
	for _, i := range p.Items {
		fmt.Fprintln(&b, i)
	}
	for _, n := range p.Notes {
		fmt.Fprintln(&b, "note: "+n)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// forbidden names the permissions that the steps need and that we do not have.
func (p *Plan) forbidden() error {
	have := p.have
	if have == nil {
		return nil // Grafana does not say: it will, step by step
	}
	lacks := func(all []string) []string {
		return slices.DeleteFunc(slices.Clone(all), func(one string) bool { return slices.Contains(have, one) })
	}
	var missing []string
	for _, s := range p.steps {
		best := slices.MinFunc(s.needs, func(a, b []string) int { return cmp.Compare(len(lacks(a)), len(lacks(b))) })
		missing = append(missing, lacks(best)...)
	}
	if len(missing) == 0 {
		return nil
	}
	slices.Sort(missing)
	names := strings.Join(slices.Compact(missing), ", ")
	return &grafana.Error{What: "change what differs", Do: grafana.Stop, Missing: names, Message: "these permissions are missing: " + names,
		Advice: "give the service account the role Admin of the organisation, or these permissions"}
}
