package provision

import (
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"gapwatch/dashboards"
	"gapwatch/services/internal/grafana"
)

// Settings are the provisioner's part of the environment.
type Settings struct {
	GrafanaURL           string        `envconfig:"GAPWATCH_GRAFANA_URL"`
	GrafanaToken         string        `envconfig:"GAPWATCH_GRAFANA_TOKEN"`
	GrafanaCA            string        `envconfig:"GAPWATCH_GRAFANA_CA"`
	GrafanaClickHouseURL string        `envconfig:"GAPWATCH_GRAFANA_CLICKHOUSE_URL"`
	GrafanaPublicURL     string        `envconfig:"GAPWATCH_GRAFANA_PUBLIC_URL"`
	GrafanaEvery         time.Duration `envconfig:"GAPWATCH_GRAFANA_EVERY" default:"10m"`
	RunbookURL           string        `envconfig:"GAPWATCH_RUNBOOK_URL"`
	AlertWebhook         string        `envconfig:"GAPWATCH_ALERT_WEBHOOK"`
	AlertReceiver        string        `envconfig:"GAPWATCH_ALERT_RECEIVER"`
}

// Names are the fixed names by which a provisioner knows its own things. Tests take others, to run beside a real one.
type Names struct {
	Folder, FolderTitle             string // uid and title
	DataSource, DataSourceName      string // uid and name
	ContactPoint, ContactPointTitle string // uid and name
	Tag                             string // of every dashboard
	Prefix                          string // of the uid of every dashboard and rule
}

// Standard are the names that everything else of Gapwatch (links, queries, documents) uses.
var Standard = Names{
	Folder: "gapwatch", FolderTitle: "Gapwatch", DataSource: "gapwatch-clickhouse", DataSourceName: "Gapwatch",
	ContactPoint: "gapwatch", ContactPointTitle: "Gapwatch", Tag: "gapwatch", Prefix: "gapwatch-",
}

// Plugin is the data source plugin that everything is made for.
const Plugin = "grafana-clickhouse-datasource"

// Group is a group of alert rules in the JSON of Grafana's provisioning API.
type Group struct {
	Name     string
	Interval time.Duration // between evaluations, a multiple of 10 s
	Rules    []Rule
}

// Rule is one rule of a group. Its uid begins with the prefix of [Names].
type Rule = []byte

// Config is what a [Provisioner] works with.
type Config struct {
	Grafana    *grafana.Client
	ClickHouse *url.URL // as Grafana reaches it; http(s):// or, for the native protocol, clickhouse(s)://
	Names      Names
	Dashboards []dashboards.Dashboard
	// Groups gives the alert rules for a receiver; the empty one leaves it to Grafana's notification policy.
	Groups func(receiver string) ([]Group, error)

	Webhook  string // address that alerts are sent to; empty for none
	Receiver string // name of a receiver that the Grafana already has; empty for none

	Every    time.Duration                        // between two passes of Keep
	Patience time.Duration                        // how long one pass waits for a Grafana that does not answer
	After    func(time.Duration) <-chan time.Time // nil for time.After
	Log      *slog.Logger                         // nil for silence
	Registry prometheus.Registerer                // nil for no metrics
}

// Config is what the settings say; clickHouse is where the services of Gapwatch find it, which Grafana uses too when it
// is told no other. An error names the variable: stop at start.
func (s Settings) Config(clickHouse string) (c Config, err error) {
	c = Config{Names: Standard, Webhook: strings.TrimSpace(s.AlertWebhook), Receiver: strings.TrimSpace(s.AlertReceiver), Every: s.GrafanaEvery, Patience: 2 * time.Minute}
	if s.GrafanaURL == "" {
		return c, errors.New("GAPWATCH_GRAFANA_URL must be set: http://host:3000")
	}
	if c.Webhook != "" && c.Receiver != "" {
		return c, errors.New("set GAPWATCH_ALERT_WEBHOOK or GAPWATCH_ALERT_RECEIVER, not both")
	}
	if u, err := url.Parse(c.Webhook); c.Webhook != "" && (err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "") {
		return c, errors.New("GAPWATCH_ALERT_WEBHOOK is not an address such as https://host/path") // it may hold a secret
	}
	if c.Every < time.Second {
		return c, errors.New("GAPWATCH_GRAFANA_EVERY must be a second at least")
	}
	if c.ClickHouse, err = clickHouseOf(s.GrafanaClickHouseURL, clickHouse); err != nil {
		return c, err
	}
	password, _ := c.ClickHouse.User.Password()
	c.Grafana, err = grafana.New(grafana.Config{URL: s.GrafanaURL, Token: s.GrafanaToken, CA: s.GrafanaCA, Secrets: []string{password, c.Webhook}})
	return c, err
}

// clickHouseOf is where Grafana finds ClickHouse. The services' own address is taken only if it names no user: theirs
// may read and write everything, and Grafana's may read the database reporting only.
func clickHouseOf(grafanas, services string) (*url.URL, error) {
	const name = "GAPWATCH_GRAFANA_CLICKHOUSE_URL"
	address := grafanas
	if address == "" {
		address = services
	}
	u, err := url.Parse(strings.TrimSpace(address))
	if err != nil || u.Hostname() == "" {
		return nil, fmt.Errorf("%s is not http://user:password@host:8123 or clickhouse://user:password@host:9000", name)
	}
	if _, ok := protocols[u.Scheme]; !ok {
		return nil, fmt.Errorf("%s begins with %s://, not with http://, https://, clickhouse:// or clickhouses:// (native, with TLS)", name, u.Scheme)
	}
	if grafanas == "" && u.User != nil {
		return nil, fmt.Errorf("%s must be set to the user that may read the database reporting only; the user of GAPWATCH_CLICKHOUSE_URL may do more", name)
	}
	return u, nil
}

type protocol struct {
	name   string
	secure bool
	port   int
}

var protocols = map[string]protocol{
	"http": {"http", false, 8123}, "https": {"http", true, 8443}, "clickhouse": {"native", false, 9000}, "clickhouses": {"native", true, 9440},
}

// port is the one in an address, or the usual one of its protocol.
func port(u *url.URL) int {
	if number, err := strconv.Atoi(u.Port()); err == nil {
		return number
	}
	return protocols[u.Scheme].port
}

// withDefaultUser is an address with the user that a Grafana has at first, unless it names one.
func withDefaultUser(address string) string {
	u, err := url.Parse(address)
	if err != nil || u.User != nil {
		return address
	}
	u.User = url.UserPassword("admin", "admin")
	return u.String()
}
