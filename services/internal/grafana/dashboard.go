package grafana

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"

	"github.com/grafana-tools/sdk"
)

// Folder is a folder of dashboards and rules.
type Folder struct{ UID, Title string }

// Folder reads a folder; found is false where there is none of that uid. To a Viewer or Editor Grafana says of one that is
// not there that they may not read it (seen).
func (c *Client) Folder(ctx context.Context, uid string) (f Folder, found bool, err error) {
	got, err := c.sdk.GetFolderByUID(ctx, uid)
	if err = named("read folder "+uid, err); NotFound(err) {
		return f, false, nil
	}
	return Folder{got.UID, got.Title}, err == nil, err
}

// CreateFolder makes a folder. One of that uid that is there meanwhile is Reread (seen as 412). Several may have one title.
func (c *Client) CreateFolder(ctx context.Context, f Folder) error {
	_, err := c.sdk.CreateFolder(ctx, sdk.Folder{UID: f.UID, Title: f.Title})
	return named("make folder "+f.UID, err)
}

// RenameFolder gives a folder its title.
func (c *Client) RenameFolder(ctx context.Context, f Folder) error {
	_, err := c.sdk.UpdateFolderByUID(ctx, sdk.Folder{UID: f.UID, Title: f.Title, Overwrite: true})
	return named("rename folder "+f.UID, err)
}

// Dashboard is a dashboard as Grafana keeps it.
type Dashboard struct {
	FolderUID string // empty for none ("General", "Dashboards")
	Version   int    // grows with each save that changes something; 0 for one that is not there yet
	JSON      json.RawMessage
}

// Dashboard reads a dashboard; found is false where there is none of that uid.
func (c *Client) Dashboard(ctx context.Context, uid string) (d Dashboard, found bool, err error) {
	raw, meta, err := c.sdk.GetRawDashboardByUID(ctx, uid)
	if err = named("read dashboard "+uid, err); err != nil {
		if NotFound(err) {
			err = nil
		}
		return d, false, err
	}
	// The SDK knows the folder's address only: [/sub-path]/dashboards/f/<uid>/<title>.
	_, rest, _ := strings.Cut(meta.FolderURL, "/dashboards/f/")
	folder, _, _ := strings.Cut(rest, "/")
	return Dashboard{FolderUID: folder, Version: meta.Version, JSON: raw}, true, nil
}

// SaveDashboard makes a dashboard, or saves one over the version that was read; its JSON names its uid. One that has been
// saved by somebody else since then is Reread (seen as 412), a folder that is not there is Reject (seen as 400). What is
// there already makes no new version.
func (c *Client) SaveDashboard(ctx context.Context, uid string, d Dashboard) error {
	var tree map[string]any
	if err := json.Unmarshal(d.JSON, &tree); err != nil {
		return &Error{What: "save dashboard " + uid, Message: err.Error(), Do: Reject, cause: err}
	}
	tree["uid"], tree["id"] = uid, nil
	delete(tree, "version")
	if d.Version > 0 {
		tree["version"] = d.Version
	}
	return c.call(ctx, "save dashboard "+uid, http.MethodPost, "/api/dashboards/db", map[string]any{
		"dashboard": tree, "folderUid": d.FolderUID, "overwrite": false, "message": "Gapwatch",
	}, nil)
}

// DeleteDashboard deletes a dashboard; one that is not there is no error.
func (c *Client) DeleteDashboard(ctx context.Context, uid string) error {
	err := c.call(ctx, "delete dashboard "+uid, http.MethodDelete, "/api/dashboards/uid/"+url.PathEscape(uid), nil, nil)
	if NotFound(err) {
		return nil
	}
	return err
}

// Found is a dashboard that was searched for.
type Found struct{ UID, Title, FolderUID string }

// Tagged finds the dashboards with a tag, wherever they are.
func (c *Client) Tagged(ctx context.Context, tag string) ([]Found, error) {
	boards, err := c.sdk.Search(ctx, sdk.SearchType(sdk.SearchTypeDashboard), sdk.SearchTag(tag), sdk.SearchLimit(5000))
	if err != nil {
		return nil, named("search for dashboards", err)
	}
	all := make([]Found, len(boards))
	for i, b := range boards {
		all[i] = Found{b.UID, b.Title, b.FolderUID}
	}
	return all, nil
}
