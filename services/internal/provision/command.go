package provision

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"gapwatch/dashboards"
	"gapwatch/services/internal/alerting"
	"gapwatch/services/internal/grafana"
	"gapwatch/services/internal/settings"
	"gapwatch/services/internal/telemetry"
)

// Usage of the command.
const Usage = `usage: provisioner [--once | --plan | --check | --check-demo | --test-notification]

Brings a Grafana to the state that Gapwatch wants: folder, data source, dashboards, alert rules, contact point.

                       keeps it there: looks every GAPWATCH_GRAFANA_EVERY until it is told to stop
  --once               once
  --plan               prints what would be changed, item by item, and changes nothing
  --check              once, runs the query of every panel and rule there, and sees that a second time changes nothing
  --check-demo         the same, and of the demo's places only the one that is made to widen may raise the alert
  --test-notification  sends one notification to where alerts go

Ends with
  0  Grafana is as wanted; with --plan: nothing would be changed
  1  something must be repaired first: a setting, the token, a permission, the plugin; a check failed
  2  with --plan: something would be changed
  3  Grafana did not answer, or was in trouble, for two minutes
  4  Grafana is as wanted but does not reach ClickHouse
`

// Exit codes of the command.
const (
	ExitWanted = iota
	ExitRepair
	ExitDiffers
	ExitAway
	ExitUnhealthy
)

// errDiffers is a plan with changes.
var errDiffers = errors.New("not as wanted")

// errUsage is arguments that make no sense.
var errUsage = errors.New(strings.TrimSpace(Usage))

// ExitCode is what the command ends with after an error, or none.
func ExitCode(err error) int {
	var unhealthy *UnhealthyError
	var call *grafana.Error
	switch {
	case err == nil:
		return ExitWanted
	case errors.Is(err, errDiffers):
		return ExitDiffers
	case errors.As(err, &unhealthy):
		return ExitUnhealthy
	case errors.As(err, &call) && (call.Do == grafana.Retry || call.Do == grafana.Reread):
		return ExitAway
	}
	return ExitRepair
}

// Command is what the command works with.
type Command struct {
	Settings Settings
	Service  settings.Service
	// ClickHouse is where the services find ClickHouse.
	ClickHouse string
	// Check runs every query of dashboards and rules in a Grafana that is as wanted.
	Check          func(context.Context, Checked) error
	Stdout, Stderr io.Writer
}

// Checked is what a check looks at.
type Checked struct {
	Grafana    *grafana.Client
	DataSource string // uid
	Dashboards []dashboards.Dashboard
	Groups     []alerting.Group
	Demo       bool // the data is the demo's
	Out        io.Writer
}

// Run does what the arguments say. The error is for [ExitCode].
func (c Command) Run(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("provisioner", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	once, plan := flags.Bool("once", false, ""), flags.Bool("plan", false, "")
	check, demo := flags.Bool("check", false, ""), flags.Bool("check-demo", false, "")
	notify := flags.Bool("test-notification", false, "")
	err := flags.Parse(args)
	if errors.Is(err, flag.ErrHelp) {
		_, err = io.WriteString(c.Stdout, Usage)
		return err
	}
	if err != nil || flags.NArg() > 0 || flags.NFlag() > 1 {
		return errUsage
	}
	if (*check || *demo) && c.Settings.GrafanaToken == "" {
		c.Settings.GrafanaURL = withDefaultUser(c.Settings.GrafanaURL)
	}
	config, err := c.Settings.Wanted(c.ClickHouse)
	if err != nil {
		return err
	}
	if config.Log, err = c.Service.Logger(c.Stderr); err != nil {
		return err
	}
	tel := telemetry.New()
	config.Registry = tel.Registry
	p, err := New(config)
	if err != nil {
		return err
	}
	switch {
	case *once:
		return p.once(ctx, c.Stdout)
	case *plan:
		return p.plan(ctx, c.Stdout)
	case *check, *demo:
		return c.check(ctx, p, *demo)
	case *notify:
		sent, err := p.TestNotification(ctx)
		for _, line := range sent {
			fmt.Fprintln(c.Stdout, line)
		}
		return err
	}
	defer tel.Ready("provisioner", p.Ready)()
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return tel.Serve(ctx, c.Service.MetricsListen) })
	group.Go(func() error { return p.Keep(ctx) })
	return group.Wait()
}

// Wanted is the whole configuration: the settings, and the dashboards and alert rules of this version of Gapwatch.
func (s Settings) Wanted(clickHouse string) (c Config, err error) {
	if c, err = s.Config(clickHouse); err != nil {
		return c, err
	}
	if c.Dashboards, err = dashboards.Load(); err != nil {
		return c, err
	}
	names := c.Names
	c.Groups = func(receiver string) ([]Group, error) {
		loaded, err := s.rules(names, receiver)
		if err != nil {
			return nil, err
		}
		groups := make([]Group, len(loaded))
		for i, g := range loaded {
			groups[i] = Group{Name: g.Name, Interval: g.Interval, Rules: decoded(g.Rules)}
		}
		return groups, nil
	}
	return c, nil
}

func (s Settings) rules(names Names, receiver string) ([]alerting.Group, error) {
	return alerting.Load(alerting.Settings{Receiver: receiver, DataSourceUID: names.DataSource, FolderUID: names.Folder,
		PublicURL: s.GrafanaPublicURL, RunbookURL: s.RunbookURL})
}

func (p *Provisioner) once(ctx context.Context, out io.Writer) error {
	started := time.Now()
	plan, err := p.Reconcile(ctx)
	if plan != nil {
		if err := plan.Write(out); err != nil {
			return err
		}
	}
	if err == nil {
		fmt.Fprintf(out, "Grafana is as wanted: %d of %d items changed in %s\n", plan.Changes(), len(plan.Items), time.Since(started).Round(time.Millisecond))
	}
	return err
}

func (p *Provisioner) plan(ctx context.Context, out io.Writer) error {
	plan, err := p.patiently(ctx, p.Plan)
	if err != nil {
		return err
	}
	if err := plan.Write(out); err != nil {
		return err
	}
	if n := plan.Changes(); n > 0 {
		return fmt.Errorf("%w: %d of %d items would be changed", errDiffers, n, len(plan.Items))
	}
	return p.checkDataSource(ctx)
}

func (c Command) check(ctx context.Context, p *Provisioner, demo bool) error {
	if c.Check == nil {
		return errors.New("--check is not built into this program")
	}
	if err := p.once(ctx, c.Stdout); err != nil {
		return err
	}
	groups, err := c.Settings.rules(p.Names, p.Receiver)
	if err != nil {
		return err
	}
	if err := c.Check(ctx, Checked{Grafana: p.Grafana, DataSource: p.Names.DataSource, Dashboards: p.Dashboards, Groups: groups, Demo: demo, Out: c.Stdout}); err != nil {
		return err
	}
	second, err := p.Reconcile(ctx)
	if err != nil {
		return err
	}
	if second.Changes() > 0 {
		return fmt.Errorf("a second pass changed Grafana again: %s", firstChange(second))
	}
	_, err = fmt.Fprintln(c.Stdout, "a second pass changed nothing")
	return err
}
