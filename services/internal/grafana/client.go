package grafana

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/grafana-tools/sdk"
)

// Config says where Grafana is and who is asking.
type Config struct {
	URL     string   // http(s)://host:port, with the sub-path if Grafana has one; user:password@ for basic authentication
	Token   string   // of a service account, used instead of a user in the URL; see the package's Least rights
	CA      string   // path of a PEM file with authorities to trust besides the system's; empty for none
	Secrets []string // what must not be shown when Grafana repeats it in an error
}

// Client is a connection to one organisation of one Grafana. It may be used by several goroutines.
type Client struct {
	base          *url.URL
	http          *http.Client
	sdk           *sdk.Client
	authorization string
}

// New makes a client and connects to nothing yet. An error names the setting that is wrong: stop.
func New(c Config) (*Client, error) {
	base, err := url.Parse(strings.TrimRight(strings.TrimSpace(c.URL), "/"))
	if err != nil || (base.Scheme != "http" && base.Scheme != "https") || base.Host == "" || base.RawQuery != "" || base.Fragment != "" {
		return nil, errors.New("GAPWATCH_GRAFANA_URL is not http://host:port or https://host/path") // the value may hold a password
	}
	client := &Client{}
	secrets := append([]string{c.Token}, c.Secrets...)
	if base.User != nil {
		password, _ := base.User.Password()
		secrets = append(secrets, password)
		client.authorization = "Basic " + base64.StdEncoding.EncodeToString([]byte(base.User.Username()+":"+password))
		base.User = nil
	}
	if token := strings.TrimSpace(c.Token); token != "" {
		if strings.ContainsAny(token, " \r\n\t") {
			return nil, errors.New("GAPWATCH_GRAFANA_TOKEN has spaces or line breaks in it")
		}
		client.authorization = "Bearer " + token
	}
	if client.authorization == "" {
		return nil, errors.New("GAPWATCH_GRAFANA_TOKEN must be set to the token of a service account, or GAPWATCH_GRAFANA_URL must have user:password@")
	}
	next, err := newTransport(c.CA)
	if err != nil {
		return nil, err
	}
	client.base = base
	client.http = &http.Client{
		Transport:     &transport{next: next, authorization: client.authorization, secrets: secrets},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Timeout:       90 * time.Second,
	}
	if client.sdk, err = sdk.NewClient(base.String(), "", client.http); err != nil {
		return nil, err
	}
	return client, nil
}

// URL is where Grafana is, without user and password.
func (c *Client) URL() string { return c.base.String() }

// Credential is what the client proves itself with. It must not be shown or stored.
func (c *Client) Credential() string { return c.authorization }

// call sends in as JSON, unless it is nil, and reads the answer into out, unless that is nil. path is escaped already.
func (c *Client) call(ctx context.Context, what, method, path string, in, out any) error {
	var body io.Reader
	if in != nil {
		text, err := json.Marshal(in)
		if err != nil {
			return &Error{What: what, Message: err.Error(), Do: Reject, cause: err}
		}
		body = bytes.NewReader(text)
	}
	request, err := http.NewRequestWithContext(ctx, method, c.base.String()+path, body)
	if err != nil {
		return &Error{What: what, Message: err.Error(), Do: Reject, cause: err}
	}
	request.Header.Set("Accept", "application/json")
	request.Header.Set("X-Grafana-NoCache", "true") // or a data source's health is that of its settings of 5 seconds ago
	if in != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	response, err := c.http.Do(request)
	if err != nil {
		return named(what, err)
	}
	defer response.Body.Close()
	if out == nil {
		return nil
	}
	if err := json.NewDecoder(response.Body).Decode(out); err != nil {
		return named(what, err)
	}
	return nil
}

// Health asks whether Grafana is up, and for its version. A Grafana that is starting or has lost its database is Retry.
func (c *Client) Health(ctx context.Context) (version string, err error) {
	health, err := c.sdk.GetHealth(ctx)
	if err != nil {
		return "", named("ask Grafana for its health", err)
	}
	if health.Database != "ok" {
		return "", &Error{What: "ask Grafana for its health", Do: Retry, Message: fmt.Sprintf("its database is %q", health.Database)}
	}
	return health.Version, nil
}

// Namespace is the name of the organisation that the client belongs to in the newer parts of the API.
func (c *Client) Namespace(ctx context.Context) (string, error) {
	org, err := c.sdk.GetActualOrg(ctx)
	if err != nil {
		return "", named("ask which organisation this is", err)
	}
	if org.ID == 1 {
		return "default", nil
	}
	return fmt.Sprintf("org-%d", org.ID), nil
}

// Permissions are the actions that the client may do, each on something at least. No error and none at all mean that
// Grafana does not say.
func (c *Client) Permissions(ctx context.Context) ([]string, error) {
	var scopes map[string][]string
	err := c.call(ctx, "ask what we may do", http.MethodGet, "/api/access-control/user/permissions", nil, &scopes)
	if NotFound(err) {
		return nil, nil
	}
	actions := make([]string, 0, len(scopes))
	for action := range scopes {
		actions = append(actions, action)
	}
	slices.Sort(actions)
	return actions, err
}

// Plugin is the version of an installed plugin; found is false where there is none of that id.
func (c *Client) Plugin(ctx context.Context, id string) (version string, found bool, err error) {
	var plugin struct {
		Info struct {
			Version string `json:"version"`
		} `json:"info"`
	}
	err = c.call(ctx, "look for the plugin "+id, http.MethodGet, "/api/plugins/"+url.PathEscape(id)+"/settings", nil, &plugin)
	if NotFound(err) {
		return "", false, nil
	}
	return plugin.Info.Version, err == nil, err
}

// Query runs queries of data sources, as a panel does, and gives the answer as it is: errors of single queries stand in
// it. A query that failed makes Grafana answer with its status, which is an [Error] here.
func (c *Client) Query(ctx context.Context, queries []json.RawMessage, from, to time.Time) (json.RawMessage, error) {
	var answer json.RawMessage
	err := c.call(ctx, "run queries", http.MethodPost, "/api/ds/query", map[string]any{
		"queries": queries, "from": fmt.Sprint(from.UnixMilli()), "to": fmt.Sprint(to.UnixMilli()),
	}, &answer)
	return answer, err
}
