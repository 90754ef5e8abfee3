package provision

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/prometheus/common/model"
)

type object = map[string]any

// mark is the field in which we note what we shipped: the digest of the rest. A stored thing that fits its own mark was
// last written by us, so it differs from what is wanted because we have something newer; one that does not was edited.
const mark = "gapwatch"

func parse(raw []byte) (object, error) {
	var tree object
	err := json.Unmarshal(raw, &tree) // numbers become floats, as Grafana makes them
	if err == nil && tree == nil {
		err = fmt.Errorf("not an object")
	}
	return tree, err
}

// digest is of the canonical form: keys in order, no spaces.
func digest(tree any) string {
	text, err := json.Marshal(tree)
	if err != nil {
		return ""
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:16])
}

// differences are the fields that are not the same in both, in order.
func differences(a, b object) []string {
	keys := maps.Clone(a)
	maps.Copy(keys, b)
	var all []string
	for _, key := range slices.Sorted(maps.Keys(keys)) {
		x, inA := a[key]
		y, inB := b[key]
		if inA != inB || digest(x) != digest(y) {
			all = append(all, key)
		}
	}
	return all
}

// board splits a dashboard into what people made and its mark. Grafana sets id and version.
func board(tree object) (content object, shipped string) {
	content = maps.Clone(tree)
	shipped, _ = content[mark].(string)
	for _, field := range []string{"id", "version", mark} {
		delete(content, field)
	}
	return content, shipped
}

// rule splits an alert rule, in the form of Grafana's provisioning API, into what people made and its mark, which is in
// the first query, since a rule has no room for one and keeps its queries as they are. What Grafana adds, and defaults
// that it spells out, are taken away: seen on 12.4.0, 2026-11-22.
func rule(tree object) (content object, shipped string) {
	content = clone(tree)
	for _, field := range []string{"id", "updated", "orgID", "provenance"} {
		delete(content, field)
	}
	for _, field := range []string{"for", "keep_firing_for"} {
		duration(content, field)
	}
	defaults := object{"isPaused": false, "record": nil, "notification_settings": nil, "for": "0s", "keep_firing_for": "0s", "missingSeriesEvalsToResolve": nil,
		"labels": object{}, "annotations": object{}}
	for field, value := range defaults {
		if digest(content[field]) == digest(value) || content[field] == nil {
			delete(content, field)
		}
	}
	if settings, ok := content["notification_settings"].(object); ok {
		for _, field := range []string{"group_wait", "group_interval", "repeat_interval"} {
			duration(settings, field)
		}
		maps.DeleteFunc(settings, func(_ string, value any) bool { return value == nil || digest(value) == digest([]any{}) })
	}
	queries, _ := content["data"].([]any)
	for i, one := range queries {
		query, _ := one.(object)
		inner, _ := query["model"].(object)
		if query == nil || inner == nil {
			continue
		}
		query["queryType"], _ = inner["queryType"].(string)
		for field, value := range map[string]float64{"intervalMs": 1000, "maxDataPoints": 43200} {
			if inner[field] == value {
				delete(inner, field)
			}
		}
		if i == 0 {
			shipped, _ = inner[mark].(string)
			delete(inner, mark)
		}
	}
	return content, shipped
}

// duration writes 7d and 1w, 60s and 1m the same way.
func duration(o object, field string) {
	text, _ := o[field].(string)
	if d, err := model.ParseDuration(text); err == nil {
		o[field] = d.String()
	}
}

func clone(tree object) object {
	text, err := json.Marshal(tree)
	if err != nil {
		return object{}
	}
	copied, err := parse(text)
	if err != nil {
		return object{}
	}
	return copied
}

// judged says why stored is not wanted: because we have something newer, or because it was edited.
func judged(stored object, shipped string, wanted object) (Action, string) {
	fields := differences(stored, wanted)
	switch {
	case len(fields) == 0:
		return Unchanged, "as wanted"
	case shipped == digest(stored):
		return Update, "Gapwatch has a newer one, or other settings (" + strings.Join(fields, ", ") + ")"
	default:
		return PutBack, "edited by hand (" + strings.Join(fields, ", ") + ")"
	}
}
