// Command provisioner brings a Grafana to the state that Gapwatch wants, and keeps it there: see provision.Usage for its
// flags and exit codes, and package grafana for the permissions that its token needs.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"gapwatch/services/internal/calendar"
	"gapwatch/services/internal/grafanacheck"
	"gapwatch/services/internal/provision"
	"gapwatch/services/internal/settings"
)

type config struct {
	settings.Service
	settings.ClickHouse
	provision.Settings
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:])
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "provisioner:", err)
	}
	os.Exit(provision.ExitCode(err))
}

func run(ctx context.Context, args []string) error {
	var c config
	if err := settings.Load(&c); err != nil {
		return err
	}
	return provision.Command{Settings: c.Settings, Service: c.Service, ClickHouse: c.ClickHouseURL, Check: check, Stdout: os.Stdout, Stderr: os.Stderr}.Run(ctx, args)
}

func check(ctx context.Context, c provision.Checked) error {
	o := grafanacheck.Options{Grafana: c.Grafana, DataSourceUID: c.DataSource, Dashboards: c.Dashboards, Groups: c.Groups, Out: c.Out}
	if c.Demo {
		expected := grafanacheck.Demo(calendar.Of(time.Now()))
		o.Expected = &expected
	}
	return grafanacheck.Run(ctx, o)
}
