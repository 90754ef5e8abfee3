// Package provision brings a Grafana, empty or in use by others, to the state that Gapwatch wants, and keeps it there:
// a folder, the data source, dashboards, alert rules and, if there is a webhook, a contact point.
//
// Everything has a fixed uid. A pass reads what is there, compares it in a canonical form, and writes only what differs,
// so that a second pass changes nothing and makes no new version. What somebody edited, moved or deleted is put back. What
// Gapwatch no longer has is pruned: dashboards by tag, uid prefix and folder, rules by uid prefix and folder. Nothing
// else is ever changed: other people's folders (also one of the same title), dashboards (also in our folder), rules (also
// in our groups), data sources, contact points and the notification policy. Which permissions it takes: package grafana.
package provision

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/prometheus/client_golang/prometheus"

	"gapwatch/services/internal/grafana"
)

// Provisioner works on one Grafana.
type Provisioner struct {
	Config
	metrics *metrics
	state   state
}

// New checks nothing in Grafana yet.
func New(c Config) (*Provisioner, error) {
	if c.Grafana == nil || c.ClickHouse == nil || c.Groups == nil || len(c.Dashboards) == 0 || c.Names == (Names{}) {
		return nil, errors.New("provision: Grafana, ClickHouse, Names, Dashboards and Groups must be set")
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.After == nil {
		c.After = time.After
	}
	if c.Registry == nil {
		c.Registry = prometheus.NewRegistry()
	}
	p := &Provisioner{Config: c, metrics: newMetrics(c.Registry)}
	p.state.set(errors.New("has not looked at Grafana yet"))
	return p, nil
}

// Plan reads everything and changes nothing.
func (p *Provisioner) Plan(ctx context.Context) (*Plan, error) {
	version, err := p.Grafana.Health(ctx)
	if err != nil {
		return nil, err
	}
	plugin, found, err := p.Grafana.Plugin(ctx, Plugin)
	if err != nil {
		return nil, err
	}
	if !found {
		return nil, &grafana.Error{What: "look for the ClickHouse plugin", Do: grafana.Stop, Message: "this Grafana does not have " + Plugin,
			Advice: "install it and restart Grafana: grafana cli plugins install " + Plugin + ", or GF_PLUGINS_PREINSTALL_SYNC=" + Plugin + " for the container image"}
	}
	plan := &Plan{Grafana: fmt.Sprintf("Grafana %s at %s, ClickHouse plugin %s", version, p.Grafana.URL(), plugin)}
	if plan.have, err = p.Grafana.Permissions(ctx); err != nil {
		return nil, err
	}
	if err := p.planFolder(ctx, plan); err != nil {
		return nil, err
	}
	if err := p.planDataSource(ctx, plan); err != nil {
		return nil, err
	}
	receiver, err := p.receiver(ctx, plan)
	if err != nil {
		return nil, err
	}
	groups, err := p.Groups(receiver)
	if err != nil {
		return nil, err
	}
	if err := p.planDashboards(ctx, plan); err != nil {
		return nil, err
	}
	rules, err := p.Grafana.Rules(ctx)
	if err != nil {
		return nil, err
	}
	if err := p.planRules(ctx, plan, groups, rules); err != nil {
		return nil, err
	}
	return plan, p.planOldWebhook(ctx, plan, rules)
}

// apply takes the steps of a plan in order. What Grafana rejects holds up nothing else; any other error ends it.
func (p *Provisioner) apply(ctx context.Context, plan *Plan) error {
	if err := plan.forbidden(); err != nil {
		return err
	}
	var rejected []error
	for _, s := range plan.steps {
		err := s.do(ctx)
		if err != nil && grafana.Judge(err) != grafana.Reject {
			return err
		}
		rejected = append(rejected, err)
	}
	return errors.Join(rejected...)
}

// Rounds of changing and looking again before a pass gives up: somebody else keeps changing the same things.
const rounds = 6

// Reconcile brings Grafana to the wanted state and looks again that it is there. It gives the plan it began with, and
// waits up to Config.Patience for a Grafana that is away, starting or in trouble, and for somebody else, another
// provisioner perhaps, who changes the same things. The error says what to do: an [UnhealthyError] after everything else
// is as wanted, [grafana.Judge] for others.
func (p *Provisioner) Reconcile(ctx context.Context) (first *Plan, err error) {
	changed := 0
	_, err = p.patiently(ctx, func(ctx context.Context) (*Plan, error) {
		for {
			plan, err := p.Plan(ctx)
			if err != nil {
				return nil, err
			}
			if first == nil {
				first = plan
			}
			if plan.Changes() == 0 {
				return plan, nil
			}
			if changed++; changed > rounds {
				return nil, fmt.Errorf("%d of ours in Grafana differ again as soon as they are put right, such as %s; another provisioner with other settings?", plan.Changes(), firstChange(plan))
			}
			if err := p.apply(ctx, plan); err != nil {
				return nil, err
			}
		}
	})
	if err != nil {
		return first, err
	}
	return first, p.checkDataSource(ctx)
}

// patiently tries again what may come right by itself, until Config.Patience is over.
func (p *Provisioner) patiently(ctx context.Context, work func(context.Context) (*Plan, error)) (*Plan, error) {
	wait := backoff.NewExponentialBackOff()
	wait.InitialInterval, wait.MaxInterval = 100*time.Millisecond, 10*time.Second
	return backoff.Retry(ctx, func() (*Plan, error) {
		plan, err := work(ctx)
		if do := grafana.Judge(err); err != nil && do != grafana.Retry && do != grafana.Reread {
			err = backoff.Permanent(err)
		}
		return plan, err
	}, backoff.WithBackOff(wait), backoff.WithMaxElapsedTime(p.Patience), backoff.WithNotify(func(err error, next time.Duration) {
		p.Log.Warn("will try again", "in", next.Round(time.Millisecond), "error", err)
	}))
}

func firstChange(plan *Plan) string {
	for _, i := range plan.Items {
		if i.changes() {
			return i.String()
		}
	}
	return ""
}
