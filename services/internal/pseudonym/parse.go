package pseudonym

import (
	"encoding/base64"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"

	"gapwatch/services/internal/event"
)

// Parse reads the keys of a deployment, YAML:
//
//	record: <base64 of at least 32 random bytes>          names records; never changes
//	current: {id: 2026-1, key: <base64, the same>}        makes pseudonyms
//	previous: {id: 2025-1, key: <base64, the same>}       only during a key change
//
// file is its name for errors. An error is for stopping at start. It names file, field and rule, never a key.
func Parse(file string, data []byte) (Keys, error) {
	var document yaml.Node
	if err := yaml.Load(data, &document); err != nil {
		// What the reader of YAML says may hold what stands there.
		line := 1
		var at *yaml.LoadError
		if errors.As(err, &at) {
			line = max(line, at.Mark.Line)
		}
		return Keys{}, fmt.Errorf("%s:%d: must be one YAML document", file, line)
	}
	r := reader{file: file, seen: map[string]string{}}
	root := &document
	if document.Kind == yaml.DocumentNode && len(document.Content) > 0 {
		root = document.Content[0]
	}
	fields := r.fields(root, "", "record", "current", "previous")
	if fields == nil {
		return Keys{}, errors.Join(r.errs...)
	}
	var keys Keys
	if secret := r.secret(fields, "record", "record"); secret != nil {
		keys.record = newKey("", secret)
	}
	keys.current = r.key(fields, "current")
	if fields["previous"] != nil {
		keys.previous = r.key(fields, "previous")
	}
	if keys.current != nil && keys.previous != nil && keys.current.id == keys.previous.id {
		r.fail("previous.id", "must be another id than current.id")
	}
	if len(r.errs) > 0 {
		return Keys{}, errors.Join(r.errs...)
	}
	return keys, nil
}

type reader struct {
	file string
	errs []error
	seen map[string]string // field by key
}

func (r *reader) fail(field, rule string) {
	r.errs = append(r.errs, fmt.Errorf("%s: %s: %s", r.file, field, rule))
}

// fields is the mapping at a node, nil if there is none. What is no known name is not repeated: it may be a key.
func (r *reader) fields(n *yaml.Node, path string, known ...string) map[string]*yaml.Node {
	in := strings.TrimSuffix(path, ".")
	if in == "" {
		in = "file"
	}
	if n.Kind != yaml.MappingNode {
		r.fail(in, "must be a mapping with the keys "+strings.Join(known, ", "))
		return nil
	}
	fields := map[string]*yaml.Node{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		name := n.Content[i].Value
		switch {
		case !slices.Contains(known, name):
			r.fail(in, fmt.Sprintf("unknown key on line %d; known are %s", n.Content[i].Line, strings.Join(known, ", ")))
		case fields[name] != nil:
			r.fail(path+name, "is given twice")
		default:
			fields[name] = n.Content[i+1]
		}
	}
	return fields
}

// idRule is that of data.personKey.
var idRule = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)

func (r *reader) key(fields map[string]*yaml.Node, name string) *key {
	n := fields[name]
	if n == nil {
		r.fail(name, "is missing")
		return nil
	}
	inner := r.fields(n, name+".", "id", "key")
	if inner == nil {
		return nil
	}
	id := inner["id"]
	switch {
	case id == nil:
		r.fail(name+".id", "is missing")
	case id.Kind != yaml.ScalarNode || !idRule.MatchString(id.Value):
		r.fail(name+".id", "must be 1 to 64 letters, digits, dots, hyphens and underscores, a letter or digit first")
		id = nil
	case event.HoldsNHSNumber([]byte(id.Value)):
		r.fail(name+".id", "must not hold ten digits that pass for an NHS number")
		id = nil
	}
	secret := r.secret(inner, "key", name+".key")
	if id == nil || secret == nil {
		return nil
	}
	return newKey(id.Value, secret)
}

func (r *reader) secret(fields map[string]*yaml.Node, name, path string) []byte {
	n := fields[name]
	if n == nil {
		r.fail(path, "is missing")
		return nil
	}
	secret, err := base64.StdEncoding.DecodeString(n.Value)
	switch {
	case n.Kind != yaml.ScalarNode || err != nil:
		r.fail(path, "must be base64 (RFC 4648, with padding)")
		return nil
	case len(secret) < KeyBytes:
		r.fail(path, fmt.Sprintf("must have at least %d bytes", KeyBytes))
		return nil
	case oneByte(secret):
		r.fail(path, "must be random: it is one byte again and again")
		return nil
	}
	if before, again := r.seen[string(secret)]; again {
		r.fail(path, "must be another key than "+before)
		return nil
	}
	r.seen[string(secret)] = path
	return secret
}

func oneByte(secret []byte) bool {
	for _, b := range secret {
		if b != secret[0] {
			return false
		}
	}
	return true
}
