package grafanatest

import (
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/common/model"
)

func (s *Server) handleAlerting(handle handle) {
	const read, write = "alert.provisioning:read|alert.rules:read", "alert.provisioning:write|alert.rules:write"
	const readPoints, writePoints = "alert.provisioning:read|alert.notifications:read", "alert.provisioning:write|alert.notifications:write"
	notFound := object{"statusCode": 404, "messageId": "alerting.alert-rule.notFound", "message": "NotFound"}
	handle("GET /api/v1/provisioning/alert-rules", read, func(*request) (int, any) {
		return 200, append([]object{}, s.rules...)
	})
	handle("GET /api/v1/provisioning/alert-rules/{uid}", read, func(q *request) (int, any) {
		if i := s.rule(q.PathValue("uid")); i >= 0 {
			return 200, s.rules[i]
		}
		return 404, notFound
	})
	// One rule at a time; the others of its group stay as they are.
	handle("PUT /api/v1/provisioning/alert-rules/{uid}", write, func(q *request) (int, any) {
		i := s.rule(q.PathValue("uid"))
		if i < 0 {
			return 404, nil
		}
		q.body["uid"] = q.PathValue("uid")
		r := s.stored(q.body, text(q.body, "folderUID"), text(q.body, "ruleGroup"))
		r["id"], r["updated"], r["provenance"] = s.rules[i]["id"], now(), provenance(q)
		s.rules[i] = r
		return 200, r
	})
	handle("POST /api/v1/provisioning/alert-rules", write, func(q *request) (int, any) {
		r := s.stored(q.body, text(q.body, "folderUID"), text(q.body, "ruleGroup"))
		r["id"], r["updated"], r["provenance"] = s.id(), now(), provenance(q)
		s.rules = append(s.rules, r)
		return 201, r
	})
	handle("DELETE /api/v1/provisioning/alert-rules/{uid}", write, func(q *request) (int, any) {
		if i := s.rule(q.PathValue("uid")); i >= 0 {
			s.rules = slices.Delete(s.rules, i, i+1)
		}
		return 204, nil // also where there is none
	})
	const group = "/api/v1/provisioning/folder/{folder}/rule-groups/{group}"
	// A group's rules come without their provenance.
	handle("GET "+group, read, func(q *request) (int, any) {
		inside := s.inGroup(q.PathValue("folder"), q.PathValue("group"))
		if _, ok := s.folders[q.PathValue("folder")]; !ok && q.role != "Admin" {
			return denied("alert.rules:read, folders:read")
		}
		if len(inside) == 0 {
			return 404, notFound
		}
		rules := make([]object, len(inside))
		for i, r := range inside {
			rules[i] = copied(r)
			delete(rules[i], "provenance")
		}
		return 200, object{"title": q.PathValue("group"), "folderUid": q.PathValue("folder"),
			"interval": s.groups[[2]string{q.PathValue("folder"), q.PathValue("group")}], "rules": rules}
	})
	handle("PUT "+group, write, s.replaceGroup)
	handle("DELETE "+group, write, func(q *request) (int, any) {
		inside := s.inGroup(q.PathValue("folder"), q.PathValue("group"))
		if len(inside) == 0 {
			return 404, notFound
		}
		for _, r := range inside {
			i := s.rule(text(r, "uid"))
			s.rules = slices.Delete(s.rules, i, i+1)
		}
		return 204, nil
	})
	handle("GET /api/v1/provisioning/policies", readPoints, func(*request) (int, any) { return 200, s.policy })
	handle("GET /api/v1/provisioning/contact-points", readPoints, func(*request) (int, any) {
		points := []object{}
		for _, p := range s.points {
			p = copied(p)
			if settings := p["settings"].(object); settings["password"] != nil {
				settings["password"] = "[REDACTED]"
			}
			points = append(points, p)
		}
		return 200, points
	})
	handle("POST /api/v1/provisioning/contact-points", writePoints, func(q *request) (int, any) {
		uid, name := text(q.body, "uid"), text(q.body, "name")
		if i := s.point(uid); i >= 0 {
			return 409, object{"statusCode": 409, "messageId": "alerting.notifications.contact-points.uidInUse", "message": fmt.Sprintf(
				"Receiver configuration with UID '%s' already exists in contact point '%s'. Please use unique identifiers for receivers across all contact points.", uid, text(s.points[i], "name"))}
		}
		if invalid := checkPoint(q.body); invalid != nil {
			return 400, invalid
		}
		s.points = append(s.points, pointOf(q))
		return 202, object{"uid": uid, "name": name, "type": q.body["type"], "settings": q.body["settings"]}
	})
	handle("PUT /api/v1/provisioning/contact-points/{uid}", writePoints, s.updatePoint)
	handle("DELETE /api/v1/provisioning/contact-points/{uid}", writePoints, func(q *request) (int, any) {
		i := s.point(q.PathValue("uid"))
		if i < 0 {
			return 202, message("contactpoint deleted")
		}
		name := text(s.points[i], "name")
		for _, r := range s.rules {
			if receiver(r) == name && s.alone(name) {
				return 409, object{"statusCode": 409, "messageId": "alerting.notifications.contact-points.used-by-rule",
					"message": "Contact point is currently used in the notification settings of one or many alert rules."}
			}
		}
		s.points = slices.Delete(s.points, i, i+1)
		return 202, message("contactpoint deleted")
	})
	const receivers = "/apis/notifications.alerting.grafana.app/v0alpha1/namespaces/default/receivers"
	handle("GET "+receivers, "", func(*request) (int, any) {
		items := []object{receiverOf("empty", nil)}
		for i, p := range s.points {
			name := text(p, "name")
			if !slices.ContainsFunc(s.points[:i], func(o object) bool { return o["name"] == name }) {
				items = append(items, receiverOf(name, s.points))
			}
		}
		return 200, object{"kind": "ReceiverList", "items": items}
	})
	handle("POST "+receivers+"/{id}/test", "alert.notifications.receivers.test:create", func(q *request) (int, any) {
		name, err := base64.RawURLEncoding.DecodeString(q.PathValue("id"))
		if err != nil || !s.has(string(name)) {
			return 404, object{"kind": "Status", "status": "Failure", "message": "Receiver not found", "reason": "NotFound", "code": 404}
		}
		integration, _ := q.body["integration"].(object)
		settings, _ := integration["settings"].(object)
		if failure := post(text(settings, "url")); failure != "" {
			return 200, object{"status": "failure", "duration": "3ms", "error": failure}
		}
		return 200, object{"status": "success", "duration": "11ms"}
	})
}

func (s *Server) rule(uid string) int {
	return slices.IndexFunc(s.rules, func(r object) bool { return r["uid"] == uid })
}

func (s *Server) point(uid string) int {
	return slices.IndexFunc(s.points, func(p object) bool { return p["uid"] == uid })
}

func (s *Server) has(name string) bool {
	return name == "empty" || slices.ContainsFunc(s.points, func(p object) bool { return p["name"] == name })
}

// alone tells whether a receiver has one integration only.
func (s *Server) alone(name string) bool {
	n := 0
	for _, p := range s.points {
		if p["name"] == name {
			n++
		}
	}
	return n == 1
}

func (s *Server) inGroup(folder, group string) []object {
	var inside []object
	for _, r := range s.rules {
		if r["folderUID"] == folder && r["ruleGroup"] == group {
			inside = append(inside, r)
		}
	}
	return inside
}

func receiver(rule object) string {
	settings, _ := rule["notification_settings"].(object)
	return text(settings, "receiver")
}

// provenance counts by the header's presence, whatever its value.
func provenance(q *request) string {
	if _, disabled := q.Header["X-Disable-Provenance"]; disabled {
		return ""
	}
	return "api"
}

// replaceGroup deletes the group's rules that were not sent, moves those that are in another group or folder, and does
// nothing at all when no rules are sent. Rules that only change their place in the group get the provenance of the call too,
// and those whose models come without intervalMs, which the stored ones have: they count as changed each time.
// A condition that names no query is taken. Each query's model gets intervalMs and
// maxDataPoints, its queryType is shown beside it.
func (s *Server) replaceGroup(q *request) (int, any) {
	folder, name := q.PathValue("folder"), q.PathValue("group")
	sent, _ := q.body["rules"].([]any)
	interval, _ := q.body["interval"].(float64)
	if interval <= 0 || int(interval)%10 != 0 {
		return 400, message(fmt.Sprintf("invalid alert rule: interval (%vs) should be non-zero and divided exactly by scheduler interval: 10", interval))
	}
	if _, ok := s.folders[folder]; !ok {
		return 400, message("invalid alert rule: folder does not exist")
	}
	var rules []object
	bare := map[any]bool{}
	for _, r := range sent {
		rule, _ := r.(object)
		switch to := receiver(rule); {
		case to != "" && !s.has(to):
			return 400, message("invalid alert rule\nreceiver " + to + " does not exist")
		case !slices.Contains([]string{"OK", "Alerting", "NoData", "KeepLast"}, text(rule, "noDataState")):
			return 400, message("failed to update alert rules: invalid alert rule: unknown NoData state option " + text(rule, "noDataState"))
		case !uidPattern.MatchString(text(rule, "uid")):
			return 400, message("invalid alert rule: cannot create rule with UID")
		}
		bare[rule["uid"]] = !strings.Contains(string(mustJSON(rule)), `"intervalMs"`)
		rules = append(rules, s.stored(rule, folder, name))
	}
	if len(rules) == 0 {
		return 200, q.body
	}
	before := s.inGroup(folder, name)
	s.rules = slices.DeleteFunc(s.rules, func(r object) bool {
		return r["folderUID"] == folder && r["ruleGroup"] == name &&
			!slices.ContainsFunc(rules, func(n object) bool { return n["uid"] == r["uid"] })
	})
	places := map[any]int{}
	for i, r := range before {
		places[r["uid"]] = i
	}
	for place, rule := range rules {
		i := s.rule(text(rule, "uid"))
		if i < 0 {
			rule["id"], rule["updated"] = s.id(), now()
			if p := provenance(q); p != "" {
				rule["provenance"] = p
			}
			s.rules = append(s.rules, rule)
			continue
		}
		for _, field := range []string{"id", "updated", "provenance"} {
			delete(rule, field)
			if value, ok := s.rules[i][field]; ok {
				rule[field] = value
			}
		}
		if bare[rule["uid"]] || !same(rule, s.rules[i]) || places[rule["uid"]] != place || s.groups[[2]string{folder, name}] != interval {
			rule["updated"] = now()
			delete(rule, "provenance")
			if p := provenance(q); p != "" {
				rule["provenance"] = p
			}
			s.rules[i] = rule
		}
	}
	s.groups[[2]string{folder, name}] = interval
	return 200, q.body
}

func now() string { return time.Now().UTC().Format(time.RFC3339Nano) }

func (s *Server) stored(rule object, folder, group string) object {
	r := copied(rule)
	r["orgID"], r["folderUID"], r["ruleGroup"] = 1.0, folder, group
	defaults := object{"isPaused": false, "record": nil, "notification_settings": nil, "keep_firing_for": "0s"}
	for field, value := range defaults {
		if r[field] == nil {
			r[field] = value
		}
	}
	normal(r, "for")
	normal(r, "keep_firing_for")
	if settings, ok := r["notification_settings"].(object); ok {
		normal(settings, "repeat_interval")
	}
	queries, _ := r["data"].([]any)
	for _, one := range queries {
		query, _ := one.(object)
		inner, _ := query["model"].(object)
		if inner["intervalMs"] == nil {
			inner["intervalMs"] = 1000.0
		}
		if inner["maxDataPoints"] == nil {
			inner["maxDataPoints"] = 43200.0
		}
		query["queryType"] = text(inner, "queryType")
	}
	return r
}

// normal writes a duration as Prometheus does: 7d as 1w, 60s as 1m.
func normal(o object, field string) {
	if d, err := model.ParseDuration(text(o, field)); err == nil {
		o[field] = d.String()
	}
}

func checkPoint(p object) object {
	settings, _ := p["settings"].(object)
	if p["type"] == "webhook" && text(settings, "url") == "" {
		return message(fmt.Sprintf("invalid object specification: failed to validate integration %q (UID %s) of type \"webhook\": required field 'url' is not specified", text(p, "name"), text(p, "uid")))
	}
	return nil
}

func pointOf(q *request) object {
	p := object{"uid": q.body["uid"], "name": q.body["name"], "type": q.body["type"], "settings": q.body["settings"],
		"disableResolveMessage": q.body["disableResolveMessage"] == true}
	if provenance := provenance(q); provenance != "" {
		p["provenance"] = provenance
	}
	return p
}

// updatePoint: under a new name an integration that was alone takes along the rules that named it.
func (s *Server) updatePoint(q *request) (int, any) {
	uid := q.PathValue("uid")
	i := s.point(uid)
	if i < 0 {
		return 404, message("object not found: contact point with uid '" + uid + "' not found")
	}
	q.body["uid"] = uid
	if invalid := checkPoint(q.body); invalid != nil {
		return 400, invalid
	}
	if provenance(q) == "" && s.points[i]["provenance"] == "api" { // unlike rules
		return 500, message("cannot change provenance from 'api' to ''")
	}
	before, after := text(s.points[i], "name"), text(q.body, "name")
	if before != after && s.alone(before) {
		for _, r := range s.rules {
			if receiver(r) == before {
				r["notification_settings"].(object)["receiver"] = after
			}
		}
	}
	s.points[i] = pointOf(q)
	return 202, message("contactpoint updated")
}

func receiverOf(name string, points []object) object {
	integrations := []object{}
	for _, p := range points {
		if p["name"] == name {
			integrations = append(integrations, object{"uid": p["uid"], "type": p["type"], "version": "v1", "settings": p["settings"], "disableResolveMessage": false})
		}
	}
	return object{"metadata": object{"name": base64.RawURLEncoding.EncodeToString([]byte(name))},
		"spec": object{"title": name, "integrations": integrations}}
}

// post sends the notification of a webhook; failures black out the address.
func post(url string) string {
	response, err := http.Post(url, "application/json", strings.NewReader(`{"receiver":"webhook","status":"firing"}`)) //nolint:noctx // of a test
	if err != nil {
		return strings.ReplaceAll(err.Error(), url, "<redacted>")
	}
	defer response.Body.Close()
	_, _ = io.Copy(io.Discard, response.Body)
	if response.StatusCode/100 != 2 {
		return "unexpected status " + response.Status
	}
	return ""
}
