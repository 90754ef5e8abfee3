package provision

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"gapwatch/services/internal/grafana"
)

func (p *Provisioner) planFolder(ctx context.Context, plan *Plan) error {
	wanted := grafana.Folder{UID: p.Names.Folder, Title: p.Names.FolderTitle}
	stored, found, err := p.Grafana.Folder(ctx, wanted.UID)
	if grafana.Forbidden(err) && slices.Contains(plan.have, "folders:read") {
		found, err = false, nil // what Grafana says of one that is not there to all but its administrators
	}
	if err != nil {
		return err
	}
	plan.noFolder = !found
	item := Item{Kind: "folder", Name: wanted.Title, UID: wanted.UID, Action: Unchanged, Why: "as wanted"}
	switch {
	case !found:
		item.Action, item.Why = Create, "is not there yet"
		plan.add(item, needs{{"folders:create"}}, func(ctx context.Context) error { return p.Grafana.CreateFolder(ctx, wanted) })
	case stored != wanted:
		item.Action, item.Why = PutBack, fmt.Sprintf("was renamed to %q", stored.Title)
		plan.add(item, needs{{"folders:write"}}, func(ctx context.Context) error { return p.Grafana.RenameFolder(ctx, wanted) })
	default:
		plan.add(item, nil, nil)
	}
	return nil
}

func (p *Provisioner) planDashboards(ctx context.Context, plan *Plan) error {
	wanted := map[string]bool{}
	for _, d := range p.Dashboards {
		wanted[d.UID] = true
		if err := p.planDashboard(ctx, plan, d.UID, d.Title, d.JSON); err != nil {
			return err
		}
	}
	tagged, err := p.Grafana.Tagged(ctx, p.Names.Tag)
	if err != nil {
		return err
	}
	for _, d := range tagged {
		// A copy that somebody made keeps the tag, but Grafana gives it a uid of its own.
		if wanted[d.UID] || d.FolderUID != p.Names.Folder || !strings.HasPrefix(d.UID, p.Names.Prefix) {
			continue
		}
		plan.add(Item{Prune, "dashboard", d.Title, d.UID, "Gapwatch no longer has it"}, needs{{"dashboards:delete"}}, func(ctx context.Context) error {
			return p.Grafana.DeleteDashboard(ctx, d.UID)
		})
	}
	return nil
}

func (p *Provisioner) planDashboard(ctx context.Context, plan *Plan, uid, title string, raw []byte) error {
	tree, err := parse(raw)
	if err != nil {
		return fmt.Errorf("dashboard %s: %w", uid, err)
	}
	wanted, _ := board(tree)
	stored, found, err := p.Grafana.Dashboard(ctx, uid)
	if err != nil {
		return err
	}
	item := Item{Kind: "dashboard", Name: title, UID: uid, Action: Create, Why: "is not there"}
	if found {
		if tree, err = parse(stored.JSON); err != nil {
			return fmt.Errorf("dashboard %s as Grafana has it: %w", uid, err)
		}
		content, shipped := board(tree)
		item.Action, item.Why = judged(content, shipped, wanted)
		if stored.FolderUID != p.Names.Folder {
			item.Action, item.Why = PutBack, "was moved to another folder"
		}
	}
	plan.add(item, needs{{"dashboards:write"}, {"dashboards:create"}}, func(ctx context.Context) error {
		body := maps.Clone(wanted)
		body[mark] = digest(wanted)
		text, err := json.Marshal(body)
		if err != nil {
			return err
		}
		return p.Grafana.SaveDashboard(ctx, uid, grafana.Dashboard{FolderUID: p.Names.Folder, Version: stored.Version, JSON: text})
	})
	return nil
}
