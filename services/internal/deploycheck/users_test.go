package deploycheck_test

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"gapwatch/services/internal/deploycheck"
	"gapwatch/services/internal/engine/enginetest"
	"gapwatch/services/internal/settings"
	"gapwatch/services/internal/store"
)

// migrated is a folder with the schema, made as the services' user.
func migrated(t *testing.T, users string) string {
	t.Helper()
	data := t.TempDir()
	engine := engineAs(t, data, "gapwatch", users)
	if err := store.Migrate(t.Context(), engine.URL()); err != nil {
		t.Fatal(err)
	}
	engine.Stop()
	return data
}

// copyAs runs an engine as a user on a copy of a folder and returns its address.
func copyAs(t *testing.T, data, user, users string) string {
	t.Helper()
	copied := t.TempDir()
	if err := os.CopyFS(copied, os.DirFS(data)); err != nil {
		t.Fatal(err)
	}
	return engineAs(t, copied, user, users).URL()
}

// check runs the check on copies of a folder.
func check(t *testing.T, data, users string) (string, error) {
	t.Helper()
	var out bytes.Buffer
	err := deploycheck.Check(t.Context(), deploycheck.Settings{
		ClickHouse: settings.ClickHouse{ClickHouseURL: copyAs(t, data, "gapwatch", users)},
		ReaderURL:  copyAs(t, data, "gapwatch_reader", users),
	}, &out)
	return out.String(), err
}

// The users as they are shipped: the services' user may make the schema, and the reader keeps to its limits.
func TestTheReadersLimitsHold(t *testing.T) {
	users := read(t, "deploy/clickhouse/users.xml")
	data := migrated(t, users)
	definedBy(t, data, "gapwatch")
	out, err := check(t, data, users)
	if err != nil {
		t.Error(err)
	}
	if strings.Contains(out, "WRONG") || !strings.Contains(out, "ok    cannot read prevention.events") || !strings.Contains(out, "ok    reads reporting.gap") {
		t.Error(out)
	}
	t.Logf("%d attempts", strings.Count(out, "ok    "))
}

// The check finds users and definers that are not as they are shipped.
func TestTheCheckFindsWhatIsWrong(t *testing.T) {
	users := read(t, "deploy/clickhouse/users.xml")
	data := migrated(t, users)
	out, err := check(t, data, users) // the definer is default
	if !errors.Is(err, deploycheck.ErrPromise) || !strings.Contains(out, "WRONG definer of reporting.gap: is default") {
		t.Errorf("views of another definer: %v\n%s", err, out)
	}
	definedBy(t, data, "gapwatch")
	loose := users
	for _, change := range [][2]string{
		{"GRANT SELECT ON reporting.*</query>\n            </grants>\n        </gapwatch_reader>", "GRANT SELECT ON *.*</query><query>GRANT CREATE TEMPORARY TABLE ON *.*</query></grants></gapwatch_reader>"},
		{"<max_execution_time><min>1</min><max>65</max><changeable_in_readonly/></max_execution_time>", "<max_execution_time><changeable_in_readonly/></max_execution_time><final><changeable_in_readonly/></final>"},
		{"<max_result_rows>200000</max_result_rows>", ""},
	} {
		if !strings.Contains(loose, change[0]) {
			t.Fatalf("users.xml has no %s", change[0])
		}
		loose = strings.Replace(loose, change[0], change[1], 1)
	}
	out, err = check(t, data, loose)
	if !errors.Is(err, deploycheck.ErrPromise) {
		t.Errorf("loose users: %v", err)
	}
	for _, want := range []string{
		"WRONG cannot read prevention.events: is allowed", "WRONG has one grant", "WRONG sees no table", "WRONG can change nothing: not tried",
		"WRONG cannot set max_execution_time = 0", "WRONG cannot set max_execution_time = 3600", "WRONG cannot set final = 1", "WRONG a result has a limit",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("not found: %s", want)
		}
	}
	if strings.Contains(out, "cannot insert") || strings.Contains(out, "WRONG cannot set additional_table_filters") {
		t.Errorf("what holds is called wrong:\n%s", out)
	}
}

// Both files are XML, the grants are ClickHouse's SQL, every setting of a profile exists, and passwords come from the
// environment that docker-compose.yml gives.
func TestClickHouseFiles(t *testing.T) {
	for _, file := range []string{"users.xml", "config.xml"} {
		var document struct {
			Inner string `xml:",innerxml"`
		}
		if err := xml.Unmarshal([]byte(read(t, "deploy/clickhouse/"+file)), &document); err != nil {
			t.Errorf("%s: %v", file, err)
		}
	}
	users := comments.ReplaceAllString(read(t, "deploy/clickhouse/users.xml"), "")
	conn, err := store.Open(enginetest.URL(t))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close() //nolint:errcheck // nothing was left unwritten
	grants := regexp.MustCompile(`<query>(.*?)</query>`).FindAllStringSubmatch(users, -1)
	if len(grants) != 3 {
		t.Errorf("%d grants", len(grants))
	}
	for _, m := range grants {
		rows, err := conn.Query(context.Background(), "EXPLAIN AST "+m[1]+" TO somebody")
		if err != nil {
			t.Errorf("%s: %v", m[1], err)
			continue
		}
		if !rows.Next() {
			t.Errorf("%s: not parsed", m[1])
		}
		_ = rows.Close()
	}
	known := map[string]bool{}
	for _, name := range settingNames(t) {
		known[name] = true
	}
	profiles := users[strings.Index(users, "<profiles>")+len("<profiles>") : strings.Index(users, "</profiles>")]
	for _, m := range regexp.MustCompile(`<(\w+)>`).FindAllStringSubmatch(profiles, -1) {
		switch name := m[1]; name {
		case "gapwatch_writer", "gapwatch_reader", "constraints", "min", "max":
		default:
			if !known[name] {
				t.Errorf("%s is no setting of ClickHouse", name)
			}
		}
	}
	env := values(compose(t).Services["clickhouse"])
	for _, m := range regexp.MustCompile(`from_env="([A-Z_]+)"`).FindAllStringSubmatch(users, -1) {
		if env[m[1]] == "" {
			t.Errorf("docker-compose.yml does not give ClickHouse %s", m[1])
		}
		delete(env, m[1])
	}
	if delete(env, "CLICKHOUSE_SKIP_USER_SETUP"); len(env) > 0 {
		t.Error(fmt.Sprint("not used: ", env))
	}
}
