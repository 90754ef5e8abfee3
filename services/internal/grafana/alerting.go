package grafana

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"time"
)

// Provenance is what Grafana notes of rules and contact points that come through this client. It never sends
// X-Disable-Provenance (which counts by its presence, whatever its value), so that they cannot be edited on Grafana's
// pages, which say that they are provisioned: an edit there would be undone within minutes, and a pause forgotten. The API
// lets an edit through, with or without the header (seen), so there still can be some.
const Provenance = "api"

// Rule is an alert rule as the provisioning API gives it: uid, folderUID, ruleGroup, title, condition, data, for, ...
type Rule map[string]any

// Text is a field that is a text, empty where there is none.
func (r Rule) Text(field string) string {
	text, _ := r[field].(string)
	return text
}

// RuleGroup is a group of rules that are evaluated together, replaced as a whole.
type RuleGroup struct {
	Title     string `json:"title"`
	FolderUID string `json:"folderUid"`
	Interval  int64  `json:"interval"` // seconds, a multiple of 10
	Rules     []Rule `json:"rules"`
}

// Rules reads every rule of the organisation. Only here, not in its group, a rule has its provenance.
func (c *Client) Rules(ctx context.Context) ([]Rule, error) {
	var rules []Rule
	err := c.call(ctx, "read alert rules", http.MethodGet, "/api/v1/provisioning/alert-rules", nil, &rules)
	return rules, err
}

// RuleGroup reads a group; found is false where there is none of that name in the folder.
func (c *Client) RuleGroup(ctx context.Context, folder, name string) (g RuleGroup, found bool, err error) {
	err = c.call(ctx, fmt.Sprintf("read rule group %q", name), http.MethodGet, groupPath(folder, name), nil, &g)
	if NotFound(err) {
		return g, false, nil
	}
	return g, err == nil, err
}

// SaveRuleGroup replaces a group: rules of it that are missing are deleted, rules that are in another group or folder
// are moved. Without any rule nothing happens (seen), so an empty group is Reject here. A folder or receiver that is not
// there is Reject (seen as 400), a rule that is changed meanwhile Reread (409).
func (c *Client) SaveRuleGroup(ctx context.Context, g RuleGroup) error {
	what := fmt.Sprintf("save rule group %q", g.Title)
	if len(g.Rules) == 0 || g.Interval <= 0 || g.Interval%10 != 0 {
		return &Error{What: what, Do: Reject, Message: "it has no rules, or its interval is no multiple of 10 seconds"}
	}
	return c.call(ctx, what, http.MethodPut, groupPath(g.FolderUID, g.Title), g, nil)
}

func groupPath(folder, name string) string {
	return "/api/v1/provisioning/folder/" + url.PathEscape(folder) + "/rule-groups/" + url.PathEscape(name)
}

// SaveRule saves one rule, into the group and folder that it names, and leaves the others of its group alone, which
// SaveRuleGroup does not: it notes its own provenance on rules that only change their place in the group (seen).
func (c *Client) SaveRule(ctx context.Context, r Rule) error {
	const path = "/api/v1/provisioning/alert-rules"
	what := "save alert rule " + r.Text("uid")
	err := c.call(ctx, what, http.MethodPut, path+"/"+url.PathEscape(r.Text("uid")), r, nil)
	if NotFound(err) {
		err = c.call(ctx, what, http.MethodPost, path, r, nil)
	}
	return err
}

// DeleteRule deletes a rule; one that is not there is no error.
func (c *Client) DeleteRule(ctx context.Context, uid string) error {
	err := c.call(ctx, "delete alert rule "+uid, http.MethodDelete, "/api/v1/provisioning/alert-rules/"+url.PathEscape(uid), nil, nil)
	if NotFound(err) {
		return nil
	}
	return err
}

// ContactPoint is one integration, such as a webhook; those that share a name are one receiver.
type ContactPoint struct {
	UID                   string         `json:"uid"`
	Name                  string         `json:"name"`
	Type                  string         `json:"type"`
	Settings              map[string]any `json:"settings"` // secrets are given as "[REDACTED]"
	DisableResolveMessage bool           `json:"disableResolveMessage"`
	Provenance            string         `json:"provenance,omitempty"`
}

// ContactPoints reads all of them.
func (c *Client) ContactPoints(ctx context.Context) ([]ContactPoint, error) {
	var points []ContactPoint
	err := c.call(ctx, "read contact points", http.MethodGet, "/api/v1/provisioning/contact-points", nil, &points)
	return points, err
}

// CreateContactPoint makes a contact point; a uid that is taken is Reread (seen as 409). Where one of that name is
// there, it becomes a part of it.
func (c *Client) CreateContactPoint(ctx context.Context, p ContactPoint) error {
	p.Provenance = ""
	return c.call(ctx, "make contact point "+p.Name, http.MethodPost, "/api/v1/provisioning/contact-points", p, nil)
}

// UpdateContactPoint saves a contact point by its uid. Under another name it leaves its receiver, and rules that named
// the receiver follow when it was the only one (seen).
func (c *Client) UpdateContactPoint(ctx context.Context, p ContactPoint) error {
	p.Provenance = ""
	return c.call(ctx, "save contact point "+p.Name, http.MethodPut, "/api/v1/provisioning/contact-points/"+url.PathEscape(p.UID), p, nil)
}

// DeleteContactPoint deletes a contact point; one that is not there is no error (seen), one that a rule or the
// notification policy names is Reread (seen as 409).
func (c *Client) DeleteContactPoint(ctx context.Context, uid string) error {
	return c.call(ctx, "delete contact point "+uid, http.MethodDelete, "/api/v1/provisioning/contact-points/"+url.PathEscape(uid), nil, nil)
}

// Policy reads the notification policy, a tree: receiver, routes with the same below. This client never writes it.
func (c *Client) Policy(ctx context.Context) (map[string]any, error) {
	var policy map[string]any
	err := c.call(ctx, "read the notification policy", http.MethodGet, "/api/v1/provisioning/policies", nil, &policy)
	return policy, err
}

// DefaultReceiver is the receiver at the root of the notification policy: where alerts go that no branch takes.
func (c *Client) DefaultReceiver(ctx context.Context) (string, error) {
	policy, err := c.Policy(ctx)
	name, _ := policy["receiver"].(string)
	return name, err
}

// Receiver is where alerts are sent: a name and its integrations, of which there may be none ("empty", the default of
// Grafana 12.4).
type Receiver struct {
	ID           string // for TestReceiver
	Name         string
	Integrations []map[string]any // as a test takes them, without secrets
}

// Receivers reads all receivers, also those without an integration, which ContactPoints leaves out.
func (c *Client) Receivers(ctx context.Context) ([]Receiver, error) {
	namespace, err := c.Namespace(ctx)
	if err != nil {
		return nil, err
	}
	var list struct {
		Items []struct {
			Metadata struct {
				Name string `json:"name"`
			} `json:"metadata"`
			Spec struct {
				Title        string           `json:"title"`
				Integrations []map[string]any `json:"integrations"`
			} `json:"spec"`
		} `json:"items"`
	}
	if err := c.call(ctx, "read receivers", http.MethodGet, receiversPath(namespace), nil, &list); err != nil {
		return nil, err
	}
	all := make([]Receiver, len(list.Items))
	for i, item := range list.Items {
		all[i] = Receiver{ID: item.Metadata.Name, Name: item.Spec.Title, Integrations: item.Spec.Integrations}
	}
	return all, nil
}

func receiversPath(namespace string) string {
	return "/apis/notifications.alerting.grafana.app/v0alpha1/namespaces/" + url.PathEscape(namespace) + "/receivers"
}

// TestReceiver sends one notification through an integration of a receiver, with the secrets that Grafana has. failure
// is what went wrong in sending, with addresses blacked out by Grafana; empty when it was delivered.
func (c *Client) TestReceiver(ctx context.Context, r Receiver, integration map[string]any, labels, annotations map[string]string) (took time.Duration, failure string, err error) {
	namespace, err := c.Namespace(ctx)
	if err != nil {
		return 0, "", err
	}
	var answer struct{ Status, Duration, Error string }
	err = c.call(ctx, "send a test notification through "+r.Name, http.MethodPost, receiversPath(namespace)+"/"+url.PathEscape(r.ID)+"/test",
		map[string]any{"integration": integration, "alert": map[string]any{"labels": labels, "annotations": annotations}}, &answer)
	if err != nil {
		return 0, "", err
	}
	took, _ = time.ParseDuration(answer.Duration)
	if answer.Status != "success" && answer.Error == "" {
		answer.Error = answer.Status
	}
	return took, answer.Error, nil
}
