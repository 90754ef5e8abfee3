package provision

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"gapwatch/services/internal/grafana"
)

// ours tells whether a rule is one that we made: by its uid, in our folder.
func (p *Provisioner) ours(r grafana.Rule) bool {
	return strings.HasPrefix(r.Text("uid"), p.Names.Prefix) && r.Text("folderUID") == p.Names.Folder
}

var needsRules = needs{{"alert.provisioning:write"}, {"alert.rules.provisioning:write"},
	{"alert.rules:read", "alert.rules:create", "alert.rules:write", "alert.rules:delete", "alert.provisioning.provenance:write"}}

func (p *Provisioner) planRules(ctx context.Context, plan *Plan, groups []Group, stored []grafana.Rule) error {
	byUID := map[string]grafana.Rule{}
	for _, r := range stored {
		byUID[r.Text("uid")] = r
	}
	wanted := map[string]bool{}
	for _, g := range groups {
		uids, err := p.planGroup(ctx, plan, g, byUID)
		if err != nil {
			return err
		}
		for _, uid := range uids {
			wanted[uid] = true
		}
	}
	for _, r := range stored {
		uid := r.Text("uid")
		if wanted[uid] || !p.ours(r) {
			continue
		}
		plan.add(Item{Prune, "alert rule", r.Text("title"), uid, "Gapwatch no longer has it"}, needsRules, func(ctx context.Context) error {
			return p.Grafana.DeleteRule(ctx, uid)
		})
	}
	return nil
}

// planGroup plans an item for each rule of a group, and one step for all of them, since Grafana replaces whole groups.
// Where somebody else has put rules of their own into the group, each of ours is a step.
func (p *Provisioner) planGroup(ctx context.Context, plan *Plan, g Group, stored map[string]grafana.Rule) (uids []string, err error) {
	folder := p.Names.Folder
	var current grafana.RuleGroup
	found := false
	if !plan.noFolder {
		if current, found, err = p.Grafana.RuleGroup(ctx, folder, g.Name); err != nil {
			return nil, err
		}
	}
	next := grafana.RuleGroup{Title: g.Name, FolderUID: folder, Interval: int64(g.Interval.Seconds())}
	shared := slices.ContainsFunc(current.Rules, func(r grafana.Rule) bool { return !strings.HasPrefix(r.Text("uid"), p.Names.Prefix) })
	var changed []grafana.Rule
	for _, raw := range g.Rules {
		tree, err := parse(raw)
		if err != nil {
			return nil, fmt.Errorf("rule group %s: %w", g.Name, err)
		}
		r := grafana.Rule(tree)
		r["folderUID"], r["ruleGroup"] = folder, g.Name
		wanted, _ := rule(tree)
		uid := r.Text("uid")
		item := Item{Kind: "alert rule", Name: r.Text("title"), UID: uid, Action: Create, Why: "is not there"}
		if old, ok := stored[uid]; ok {
			item.Action, item.Why = judgedRule(old, wanted, r)
			if item.Action == Unchanged && found && !shared && current.Interval != next.Interval {
				item.Action, item.Why = PutBack, fmt.Sprintf("its group is evaluated every %d s, not %d s", current.Interval, next.Interval)
			}
		}
		if item.changes() {
			changed = append(changed, sent(wanted))
		}
		plan.Items = append(plan.Items, item)
		next.Rules, uids = append(next.Rules, sent(wanted)), append(uids, uid)
	}
	if !shared && len(changed) > 0 {
		plan.steps = append(plan.steps, step{needsRules, func(ctx context.Context) error { return p.Grafana.SaveRuleGroup(ctx, next) }})
		return uids, nil
	}
	for _, r := range changed {
		plan.steps = append(plan.steps, step{needsRules, func(ctx context.Context) error { return p.Grafana.SaveRule(ctx, r) }})
	}
	return uids, nil
}

// judgedRule says what is to be done about a stored rule.
func judgedRule(stored grafana.Rule, content object, wanted grafana.Rule) (Action, string) {
	storedContent, shipped := rule(object(stored))
	action, why := judged(storedContent, shipped, content)
	switch {
	case stored.Text("folderUID") != wanted.Text("folderUID") || stored.Text("ruleGroup") != wanted.Text("ruleGroup"):
		return PutBack, "was moved to another folder or group"
	case stored["isPaused"] == true && wanted["isPaused"] != true:
		return PutBack, "was paused; to quieten an alert for a while, silence it"
	case action == Unchanged && stored.Text("provenance") != grafana.Provenance:
		return PutBack, "was opened for editing by hand"
	}
	return action, why
}

// sent is a rule as it is sent: what it is compared by, with its mark. That leaves out the model's intervalMs, which Grafana
// adds, so that it takes the rule for changed also where only its provenance is to change (seen).
func sent(wanted object) grafana.Rule {
	body := clone(wanted)
	body["orgID"] = 1 // Grafana takes the client's own
	queries, _ := body["data"].([]any)
	if len(queries) == 0 {
		return body
	}
	query, _ := queries[0].(object)
	if model, ok := query["model"].(object); ok {
		model[mark] = digest(wanted)
	}
	return body
}
