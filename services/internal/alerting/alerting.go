// Package alerting turns the rules of dashboards/alerts into rule groups as Grafana's provisioning API takes them
// (PUT /api/v1/provisioning/folder/:folder/rule-groups/:group), and checks them first: Grafana 12.4 stores the other rules of a
// group although one of them could not be read.
//
// A rule is one query and one threshold. Each row of the query is an alert of its own: text columns become its labels, the one
// number is compared. Labels are what an alert is told apart by, so a text that changes from day to day must not be one, or
// the alert would end and begin anew each day. Therefore each rule declares the label "sentence" itself, empty: a label of the
// rule goes before a column of the query, while annotations still see the column. So the sentence of the query stands in the
// annotation "summary" and in no label (Grafana 12.4, pkg/services/ngalert/state/cache.go; tried on it).
package alerting

import (
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"gapwatch/dashboards/alerts"
)

// Settings say where rules go and what they point to.
type Settings struct {
	Receiver      string // contact point that the rules name; empty: none, so that Grafana's own notification policies decide
	DataSourceUID string
	FolderUID     string
	PublicURL     string // where people find Grafana, for links; empty: what Grafana takes itself to be (its root_url)
	RunbookURL    string // where people find deploy/RUNBOOK.md; empty: alerts name the section, without a link
}

// Group is a rule group.
type Group struct {
	Name     string
	Interval time.Duration     // between evaluations
	Rules    []json.RawMessage // ProvisionedAlertRule of Grafana's API, in order of their uids
}

// Load gives all rule groups in order of their names, checked. An error means that this program was built from wrong rules or
// that a setting is wrong: stop.
func Load(s Settings) ([]Group, error) {
	rules, err := Read(alerts.Files)
	if err != nil {
		return nil, err
	}
	return Render(rules, s)
}

// Render makes rule groups of rules and checks them.
func Render(rules []Rule, s Settings) ([]Group, error) {
	if err := s.validate(); err != nil {
		return nil, err
	}
	var groups []Group
	for _, r := range rules {
		i := slices.IndexFunc(groups, func(g Group) bool { return g.Name == r.Group })
		if i < 0 {
			i, groups = len(groups), append(groups, Group{Name: r.Group, Interval: r.Every})
		}
		if groups[i].Interval != r.Every {
			return nil, fmt.Errorf("%s: every %v, but other rules of group %s have %v", r.File, r.Every, r.Group, groups[i].Interval)
		}
		rule, err := json.Marshal(r.render(s))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", r.File, err)
		}
		groups[i].Rules = append(groups[i].Rules, rule)
	}
	slices.SortFunc(groups, func(a, b Group) int { return strings.Compare(a.Name, b.Name) })
	for _, g := range groups {
		if err := Validate(g); err != nil {
			return nil, err
		}
	}
	return groups, nil
}

func (s Settings) validate() error {
	if s.DataSourceUID == "" || s.FolderUID == "" {
		return fmt.Errorf("alert rules: uid of the data source (%q) or of the folder (%q) is missing", s.DataSourceUID, s.FolderUID)
	}
	for _, a := range []struct{ what, address string }{{"public URL of Grafana", s.PublicURL}, {"URL of the runbook", s.RunbookURL}} {
		if a.address == "" {
			continue
		}
		u, err := url.Parse(a.address)
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || strings.Contains(a.address, "{{") {
			return fmt.Errorf("%s: %q must begin with http:// or https:// and name a host", a.what, a.address)
		}
	}
	return nil
}
