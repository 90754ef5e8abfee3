package provision

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"gapwatch/services/internal/grafana"
)

// theirs are settings of a data source that an administrator may add in Grafana, for a ClickHouse behind TLS of their
// own or a proxy, and that stay.
var theirs = []string{"tlsSkipVerify", "tlsAuth", "tlsAuthWithCACert", "enableSecureSocksProxy", "secureSocksProxyUsername"}

// planDataSource. Grafana never gives a password back, so how do we know that it has ours? The data source carries a
// fingerprint: its version and, keyed with what we prove ourselves to Grafana with, a hash of version and password. Every
// save in Grafana makes another version, so a save by anybody else shows, whether or not it changed the password, and
// another password in our settings shows. Somebody who may look at the data source but does not know the key cannot try
// passwords on it.
func (p *Provisioner) planDataSource(ctx context.Context, plan *Plan) error {
	n := p.Names
	stored, found, err := p.Grafana.DataSource(ctx, n.DataSource)
	if err != nil {
		return err
	}
	name, err := p.freeName(ctx)
	if err != nil {
		return err
	}
	item := Item{Kind: "data source", Name: name, UID: n.DataSource, Action: Create, Why: "is not there yet"}
	if !found {
		plan.add(item, needs{{"datasources:create"}}, func(ctx context.Context) error {
			wanted := p.dataSource(grafana.DataSource{"uid": n.DataSource, "isDefault": false}, name, 1)
			return p.Grafana.CreateDataSource(ctx, wanted)
		})
		return nil
	}
	if stored.ReadOnly() {
		item.Action, item.Why = Leave, "Grafana takes it from a file of its own; that must be right"
		plan.add(item, nil, nil)
		return nil
	}
	wanted := p.dataSource(stored, name, stored.Version())
	storedData, _ := stored["jsonData"].(object)
	wantedData := wanted["jsonData"].(object)
	saved, _, marked := strings.Cut(fmt.Sprint(storedData[mark]), ":")
	byHand := marked && saved != fmt.Sprint(stored.Version())
	fields := differences(without(storedData, mark), without(wantedData, mark))
	for _, field := range []string{"name", "type", "access", "url"} {
		if stored.Text(field) != wanted.Text(field) {
			fields = append(fields, field)
		}
	}
	switch what := strings.Join(fields, ", "); {
	case byHand && what != "":
		item.Action, item.Why = PutBack, "saved by hand ("+what+")"
	case byHand:
		item.Action, item.Why = PutBack, "saved by hand; its password may be another one, so it is written again"
	case what != "":
		item.Action, item.Why = Update, "the settings say something else ("+what+")"
	case storedData[mark] != wantedData[mark]:
		item.Action, item.Why = Update, "the settings have another password, for ClickHouse or for Grafana, so it is written again"
	default:
		item.Action, item.Why = Unchanged, "as wanted"
	}
	plan.add(item, needs{{"datasources:write"}}, func(ctx context.Context) error {
		next := p.dataSource(stored, name, stored.Version()+1)
		next["version"] = stored.Version() // refused if somebody saved it since
		return p.Grafana.UpdateDataSource(ctx, next)
	})
	return nil
}

// freeName is the name of the data source: another one where somebody else's has ours, since names are unique.
func (p *Provisioner) freeName(ctx context.Context) (string, error) {
	uid, err := p.Grafana.DataSourceNamed(ctx, p.Names.DataSourceName)
	if err != nil || uid == "" || uid == p.Names.DataSource {
		return p.Names.DataSourceName, err
	}
	return p.Names.DataSourceName + " (" + p.Names.DataSource + ")", nil
}

// dataSource is stored made as it is wanted, with the fingerprint for a version.
func (p *Provisioner) dataSource(stored grafana.DataSource, name string, version int) grafana.DataSource {
	wanted := maps.Clone(stored)
	protocol := protocols[p.ClickHouse.Scheme]
	password, _ := p.ClickHouse.User.Password()
	data := object{
		"host": p.ClickHouse.Hostname(), "port": float64(port(p.ClickHouse)), "protocol": protocol.name, "secure": protocol.secure,
		"username": p.ClickHouse.User.Username(), "defaultDatabase": "reporting",
		mark: fmt.Sprintf("%d:%s", version, p.fingerprint(version, password)),
	}
	if path := strings.Trim(p.ClickHouse.Path, "/"); path != "" && protocol.name == "http" {
		data["path"] = path
	}
	old, _ := stored["jsonData"].(object)
	for key, value := range old {
		if slices.Contains(theirs, key) {
			data[key] = value
		}
	}
	maps.Copy(wanted, grafana.DataSource{"name": name, "type": Plugin, "access": "proxy", "url": "", "jsonData": data,
		"secureJsonData": object{"password": password}})
	return wanted
}

func (p *Provisioner) fingerprint(version int, password string) string {
	sum := hmac.New(sha256.New, []byte(p.Grafana.Credential()))
	fmt.Fprintf(sum, "%d\x00%s", version, password)
	return hex.EncodeToString(sum.Sum(nil)[:16])
}

func without(o object, key string) object {
	copied := maps.Clone(o)
	delete(copied, key)
	return copied
}

// checkDataSource asks the data source itself whether it works: nil, or what is wrong in words.
func (p *Provisioner) checkDataSource(ctx context.Context) error {
	ok, message, err := p.Grafana.DataSourceHealth(ctx, p.Names.DataSource)
	if err != nil || ok {
		return err
	}
	return &UnhealthyError{Message: message, Here: p.reachClickHouse(ctx)}
}

// UnhealthyError is a data source that does not reach its database, in a Grafana that is otherwise as wanted.
type UnhealthyError struct {
	Message string // of the data source's own health check
	Here    string // what came of the same from here
}

func (e *UnhealthyError) Error() string {
	return fmt.Sprintf("Grafana does not reach ClickHouse: its data source says %q; %s (check GAPWATCH_GRAFANA_CLICKHOUSE_URL as Grafana's machine sees it: address, user, password, database reporting; Grafana's log has the reason)", e.Message, e.Here)
}

// reachClickHouse tries the data source's address, user and password from here: the plugin keeps the reason to itself.
func (p *Provisioner) reachClickHouse(ctx context.Context) string {
	if protocols[p.ClickHouse.Scheme].name != "http" {
		return "the native protocol was not tried from here"
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	address := *p.ClickHouse
	address.User = nil
	address.Host = fmt.Sprintf("%s:%d", p.ClickHouse.Hostname(), port(p.ClickHouse))
	address.RawQuery = url.Values{"query": {"SELECT 1"}, "database": {"reporting"}}.Encode()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address.String(), nil)
	if err != nil {
		return "it could not be tried from here"
	}
	if user := p.ClickHouse.User; user != nil {
		password, _ := user.Password()
		request.SetBasicAuth(user.Username(), password)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return "from here it cannot be reached either: " + err.Error()
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, 300))
	if err != nil || response.StatusCode != http.StatusOK {
		return fmt.Sprintf("from here it answers HTTP %d: %s", response.StatusCode, strings.TrimSpace(string(body)))
	}
	return "from here it works"
}
