package grafanatest

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"
)

func (s *Server) handleDashboards(handle handle) {
	handle("GET /api/folders/{uid}", "folders:read", func(q *request) (int, any) {
		if f, ok := s.folders[q.PathValue("uid")]; ok {
			return 200, f
		}
		if q.role != "Admin" { // whose rights do not reach a folder that is not there
			return denied("folders:read")
		}
		return 404, object{"message": "folder not found", "status": "not-found"}
	})
	// Folders may share a title, not a uid.
	handle("POST /api/folders", "folders:create", func(q *request) (int, any) {
		uid := text(q.body, "uid")
		if _, ok := s.folders[uid]; ok {
			return 412, message("the folder has been changed by someone else")
		}
		s.folders[uid] = object{"id": s.id(), "uid": uid, "orgId": 1, "title": q.body["title"], "url": "/dashboards/f/" + uid + "/t",
			"created": "2026-11-22T08:01:53Z", "updated": "2026-11-22T08:01:53Z", "version": 1.0}
		return 200, s.folders[uid]
	})
	handle("PUT /api/folders/{uid}", "folders:write", func(q *request) (int, any) {
		f, ok := s.folders[q.PathValue("uid")]
		if !ok {
			return 404, object{"message": "folder not found", "status": "not-found"}
		}
		if q.body["overwrite"] != true && q.body["version"] != f["version"] {
			return 412, message("The dashboard has been changed by someone else")
		}
		f["title"], f["version"] = q.body["title"], f["version"].(float64)+1
		return 200, f
	})
	handle("DELETE /api/folders/{uid}", "folders:delete", s.deleteFolder)
	handle("GET /api/search", "dashboards:read", s.search)
	handle("GET /api/dashboards/uid/{uid}", "dashboards:read", func(q *request) (int, any) {
		b, ok := s.dashboards[q.PathValue("uid")]
		if !ok {
			return 404, message("Dashboard not found")
		}
		tree := copied(b.tree)
		tree["version"] = b.version
		meta := object{"type": "db", "version": b.version, "folderUid": b.folder, "folderTitle": "General", "folderUrl": "", "provisioned": false,
			"created": "2026-11-22T08:01:53Z", "updated": "2026-11-22T08:01:53Z", "expires": "0001-01-01T00:00:00Z", "updatedBy": "admin"}
		if f, ok := s.folders[b.folder]; ok {
			meta["folderTitle"], meta["folderUrl"] = f["title"], f["url"]
		}
		return 200, object{"meta": meta, "dashboard": tree}
	})
	handle("POST /api/dashboards/db", "dashboards:create|dashboards:write", s.saveDashboard)
	handle("DELETE /api/dashboards/uid/{uid}", "dashboards:delete", func(q *request) (int, any) {
		b, ok := s.dashboards[q.PathValue("uid")]
		if !ok {
			return 404, message("Dashboard not found")
		}
		delete(s.dashboards, q.PathValue("uid"))
		return 200, object{"message": "Dashboard " + text(b.tree, "title") + " deleted", "title": b.tree["title"], "uid": q.PathValue("uid")}
	})
}

// A folder with alert rules is deleted only with forceDeleteRules; its dashboards go with it.
func (s *Server) deleteFolder(q *request) (int, any) {
	uid := q.PathValue("uid")
	if _, ok := s.folders[uid]; !ok {
		return 404, object{"message": "folder not found", "status": "not-found"}
	}
	inside := func(r object) bool { return r["folderUID"] == uid }
	if slices.ContainsFunc(s.rules, inside) && q.URL.Query().Get("forceDeleteRules") != "true" {
		return 400, object{"statusCode": 400, "messageId": "folder.not-empty", "message": "Folder cannot be deleted: folder is not empty"}
	}
	s.rules = slices.DeleteFunc(s.rules, inside)
	for id, b := range s.dashboards {
		if b.folder == uid {
			delete(s.dashboards, id)
		}
	}
	delete(s.folders, uid)
	return 200, message("Folder deleted")
}

func (s *Server) search(q *request) (int, any) {
	found := []object{}
	for _, uid := range sortedKeys(s.dashboards) {
		b := s.dashboards[uid]
		tags, _ := b.tree["tags"].([]any)
		tagged := true
		for _, tag := range q.URL.Query()["tag"] {
			tagged = tagged && slices.Contains(tags, any(tag))
		}
		if tagged {
			found = append(found, object{"id": b.tree["id"], "uid": uid, "title": b.tree["title"], "type": "dash-db", "tags": tags, "folderUid": b.folder})
		}
	}
	return 200, found
}

var uidPattern = regexp.MustCompile(`^[a-zA-Z0-9_-]{1,40}$`)

// Saving what is there already makes no new version. JSON comes back with its keys in order, numbers as floats, id and
// version set, and with fields that Grafana does not know.
func (s *Server) saveDashboard(q *request) (int, any) {
	tree, _ := q.body["dashboard"].(object)
	uid, folder := text(tree, "uid"), text(q.body, "folderUid")
	if _, ok := s.folders[folder]; folder != "" && !ok {
		return 400, message("folder not found")
	}
	if strings.TrimSpace(text(tree, "title")) == "" {
		return 400, object{"message": "Dashboard title cannot be empty", "status": "empty-name"}
	}
	if !uidPattern.MatchString(uid) {
		return 400, message("uid contains illegal characters")
	}
	sent, _ := tree["version"].(float64)
	tree = copied(tree)
	delete(tree, "version")
	b, ok := s.dashboards[uid]
	switch {
	case !ok:
		tree["id"] = s.id()
		b = &board{folder: folder, version: 1, tree: tree}
		s.dashboards[uid] = b
	case q.body["overwrite"] != true && sent != b.version:
		return 412, object{"message": "The dashboard has been changed by someone else", "status": "version-mismatch"}
	default:
		tree["id"] = b.tree["id"]
		if !same(tree, b.tree) || folder != b.folder {
			b.tree, b.folder, b.version = tree, folder, b.version+1
		}
	}
	return 200, object{"uid": uid, "status": "success", "version": b.version, "folderUid": b.folder, "id": b.tree["id"], "slug": "t", "url": "/d/" + uid + "/t"}
}

func same(a, b any) bool {
	x, errX := json.Marshal(a)
	y, errY := json.Marshal(b)
	return errX == nil && errY == nil && string(x) == string(y)
}
