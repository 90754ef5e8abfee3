package provision

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"gapwatch/services/internal/grafana"
)

var needsPoints = needs{{"alert.provisioning:write"}, {"alert.notifications.provisioning:write"},
	{"alert.notifications:write", "alert.provisioning.provenance:write"}}

// receiver decides where alerts go, and plans the contact point that this takes:
//
//   - GAPWATCH_ALERT_WEBHOOK: a contact point of our own, which every rule names;
//   - GAPWATCH_ALERT_RECEIVER: one that the Grafana has already, which every rule names;
//   - neither: rules name none, so Grafana's notification policy decides, as it does for every other alert there. A rule
//     that named the policy's default receiver would pass by the branches that an administrator made for such labels.
//
// The notification policy is only ever read.
func (p *Provisioner) receiver(ctx context.Context, plan *Plan) (name string, err error) {
	if p.Webhook != "" {
		return p.Names.ContactPointTitle, p.planWebhook(ctx, plan)
	}
	receivers, err := p.Grafana.Receivers(ctx)
	if err != nil {
		return "", err
	}
	if p.Receiver != "" {
		if _, ok := find(receivers, p.Receiver); ok {
			plan.Notes = append(plan.Notes, fmt.Sprintf("alerts go to the receiver %q that this Grafana has", p.Receiver))
			return p.Receiver, nil
		}
		names := make([]string, len(receivers))
		for i, r := range receivers {
			names[i] = fmt.Sprintf("%q", r.Name)
		}
		return "", &grafana.Error{What: "find the receiver of GAPWATCH_ALERT_RECEIVER", Do: grafana.Stop,
			Message: fmt.Sprintf("this Grafana has no contact point %q; it has %s", p.Receiver, strings.Join(names, ", "))}
	}
	to, err := p.Grafana.DefaultReceiver(ctx)
	if err != nil {
		return "", err
	}
	note := fmt.Sprintf("neither GAPWATCH_ALERT_WEBHOOK nor GAPWATCH_ALERT_RECEIVER is set: alerts go where this Grafana's notification policy sends them, by default to %q", to)
	if r, ok := find(receivers, to); ok && len(r.Integrations) == 0 {
		note += ", which sends to nobody"
	}
	plan.Notes = append(plan.Notes, note)
	return "", nil
}

func find(receivers []grafana.Receiver, name string) (grafana.Receiver, bool) {
	i := slices.IndexFunc(receivers, func(r grafana.Receiver) bool { return r.Name == name })
	if i < 0 {
		return grafana.Receiver{}, false
	}
	return receivers[i], true
}

func (p *Provisioner) planWebhook(ctx context.Context, plan *Plan) error {
	wanted := grafana.ContactPoint{UID: p.Names.ContactPoint, Name: p.Names.ContactPointTitle, Type: "webhook",
		Settings: object{"url": p.Webhook, "httpMethod": "POST"}}
	points, err := p.Grafana.ContactPoints(ctx)
	if err != nil {
		return err
	}
	item := Item{Kind: "contact point", Name: wanted.Name, UID: wanted.UID, Action: Create, Why: "is not there"}
	i := slices.IndexFunc(points, func(c grafana.ContactPoint) bool { return c.UID == wanted.UID })
	if i < 0 {
		if slices.ContainsFunc(points, func(c grafana.ContactPoint) bool { return c.Name == wanted.Name }) {
			return &grafana.Error{What: "make the contact point", Do: grafana.Stop,
				Message: fmt.Sprintf("this Grafana has a contact point %q that is not ours, and ours would become a part of it", wanted.Name),
				Advice:  "rename that one, or use it: GAPWATCH_ALERT_RECEIVER=" + wanted.Name + " instead of GAPWATCH_ALERT_WEBHOOK"}
		}
		plan.add(item, needsPoints, func(ctx context.Context) error { return p.Grafana.CreateContactPoint(ctx, wanted) })
		return nil
	}
	stored := points[i]
	switch fields := differences(stored.Settings, wanted.Settings); {
	case stored.Name != wanted.Name:
		item.Action, item.Why = PutBack, fmt.Sprintf("was renamed to %q", stored.Name)
	case stored.Type != wanted.Type || stored.DisableResolveMessage:
		item.Action, item.Why = PutBack, "edited by hand (type, resolve message)"
	case len(fields) > 0: // values may be secret
		item.Action, item.Why = PutBack, "the settings say something else, or it was edited by hand ("+strings.Join(fields, ", ")+")"
	case stored.Provenance != grafana.Provenance:
		item.Action, item.Why = PutBack, "was opened for editing by hand"
	default:
		item.Action, item.Why = Unchanged, "as wanted"
	}
	plan.add(item, needsPoints, func(ctx context.Context) error { return p.Grafana.UpdateContactPoint(ctx, wanted) })
	return nil
}

// planOldWebhook prunes our contact point where alerts no longer go to it, unless somebody else sends to it: a part of
// the notification policy, or a rule that is not ours.
func (p *Provisioner) planOldWebhook(ctx context.Context, plan *Plan, rules []grafana.Rule) error {
	if p.Webhook != "" {
		return nil
	}
	points, err := p.Grafana.ContactPoints(ctx)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(points, func(c grafana.ContactPoint) bool { return c.UID == p.Names.ContactPoint })
	if i < 0 || points[i].Name == p.Receiver {
		return nil
	}
	item := Item{Prune, "contact point", points[i].Name, points[i].UID, "the settings no longer have a webhook"}
	policy, err := p.Grafana.Policy(ctx)
	if err != nil {
		return err
	}
	if sendsTo(policy, points[i].Name) {
		item.Action, item.Why = Leave, "the notification policy sends to it"
	}
	for _, r := range rules {
		if settings, _ := r["notification_settings"].(object); settings["receiver"] == points[i].Name && !p.ours(r) {
			item.Action, item.Why = Leave, fmt.Sprintf("the alert rule %q sends to it", r.Text("title"))
		}
	}
	plan.add(item, needsPoints, func(ctx context.Context) error { return p.Grafana.DeleteContactPoint(ctx, item.UID) })
	return nil
}

// sendsTo tells whether a route or one below it names a receiver.
func sendsTo(route object, name string) bool {
	below, _ := route["routes"].([]any)
	return route["receiver"] == name || slices.ContainsFunc(below, func(r any) bool {
		child, _ := r.(object)
		return sendsTo(child, name)
	})
}

// TestNotification sends one notification through each integration of the receiver that alerts go to; with a policy that
// decides, the default one. It changes nothing. The error says what was not delivered.
func (p *Provisioner) TestNotification(ctx context.Context) (sent []string, err error) {
	receivers, err := p.Grafana.Receivers(ctx)
	if err != nil {
		return nil, err
	}
	name := p.Receiver
	if p.Webhook != "" {
		name = p.Names.ContactPointTitle
	}
	if name == "" {
		if name, err = p.Grafana.DefaultReceiver(ctx); err != nil {
			return nil, err
		}
	}
	r, ok := find(receivers, name)
	if !ok {
		return nil, fmt.Errorf("this Grafana has no contact point %q yet: run the provisioner with --once first", name)
	}
	if len(r.Integrations) == 0 {
		return nil, fmt.Errorf("the receiver %q sends to nobody: set GAPWATCH_ALERT_WEBHOOK, or GAPWATCH_ALERT_RECEIVER to another one", name)
	}
	labels := map[string]string{"alertname": "Gapwatch test", "severity": "test"}
	annotations := map[string]string{"summary": "A test of Gapwatch's alerts. Nothing has happened; if you read this, they reach you."}
	for _, integration := range r.Integrations {
		kind := fmt.Sprint(integration["type"])
		took, failure, err := p.Grafana.TestReceiver(ctx, r, integration, labels, annotations)
		if err != nil {
			return sent, err
		}
		if failure != "" {
			return sent, fmt.Errorf("the %s of %q did not take the test notification: %s", kind, name, failure)
		}
		sent = append(sent, fmt.Sprintf("the %s of %q took the test notification in %s", kind, name, took))
	}
	return sent, nil
}

// decoded are groups of rules as the JSON of another package.
func decoded(raw []json.RawMessage) []Rule {
	rules := make([]Rule, len(raw))
	for i, r := range raw {
		rules[i] = r
	}
	return rules
}
