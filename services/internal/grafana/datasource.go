package grafana

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
)

// DataSource is a data source as Grafana gives it: id, uid, name, type, access, jsonData, version, readOnly, ... It never
// gives secrets, only the names of those that are set (secureJsonFields).
type DataSource map[string]any

// Text is a field that is a text, empty where there is none.
func (d DataSource) Text(field string) string {
	text, _ := d[field].(string)
	return text
}

// Version grows with each save; the first is 1.
func (d DataSource) Version() int {
	version, _ := d["version"].(float64)
	return int(version)
}

// ReadOnly tells whether Grafana takes it from a file of its own and refuses to change it (seen in its source: 403
// "Cannot update read-only data source").
func (d DataSource) ReadOnly() bool {
	readOnly, _ := d["readOnly"].(bool)
	return readOnly
}

// DataSource reads a data source; found is false where there is none of that uid.
func (c *Client) DataSource(ctx context.Context, uid string) (d DataSource, found bool, err error) {
	err = c.call(ctx, "read data source "+uid, http.MethodGet, "/api/datasources/uid/"+url.PathEscape(uid), nil, &d)
	if NotFound(err) {
		return nil, false, nil
	}
	return d, err == nil, err
}

// DataSourceNamed is the uid of the data source of that name, empty where there is none.
func (c *Client) DataSourceNamed(ctx context.Context, name string) (uid string, err error) {
	got, err := c.sdk.GetDatasourceByName(ctx, name)
	if err = named(fmt.Sprintf("look for a data source named %q", name), err); NotFound(err) {
		return "", nil
	}
	return got.UID, err
}

// CreateDataSource makes a data source. A uid or name that is taken meanwhile is Reread (seen as 409). The first of a
// Grafana becomes its default, whatever isDefault says. A plugin that is not there is no error to Grafana.
func (c *Client) CreateDataSource(ctx context.Context, d DataSource) error {
	return c.call(ctx, "make data source "+d.Text("uid"), http.MethodPost, "/api/datasources", d, nil)
}

// UpdateDataSource saves a data source over the version that it names; one that was saved since then is Reread (seen as
// 409). Secrets that secureJsonData does not name stay.
func (c *Client) UpdateDataSource(ctx context.Context, d DataSource) error {
	return c.call(ctx, "save data source "+d.Text("uid"), http.MethodPut, "/api/datasources/uid/"+url.PathEscape(d.Text("uid")), d, nil)
}

// DataSourceHealth asks the data source's plugin whether it reaches its database, and what it says. The ClickHouse plugin
// 4.14 says "failed to create ClickHouse client" when it cannot connect, whatever the reason is (seen for a closed port, a
// wrong password, a database that does not exist), and passes on the reason of a connection that worked before.
func (c *Client) DataSourceHealth(ctx context.Context, uid string) (ok bool, message string, err error) {
	var answer struct{ Status, Message string }
	err = c.call(ctx, "check data source "+uid, http.MethodGet, "/api/datasources/uid/"+url.PathEscape(uid)+"/health", nil, &answer)
	var e *Error
	if errors.As(err, &e) && e.Status == http.StatusBadRequest && e.Do == Reject { // how an unhealthy one answers
		return false, e.Message, nil
	}
	return answer.Status == "OK", answer.Message, err
}
