package deploycheck_test

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/compose-spec/compose-go/v2/types"
	"github.com/nats-io/nats-server/v2/server"

	"gapwatch/services/internal/engine"
	"gapwatch/services/internal/engine/enginetest"
	"gapwatch/services/internal/store"
)

func TestMain(m *testing.M) { enginetest.Main(m) }

const root = "../../.."

func read(t testing.TB, path string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, path))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func write(t testing.TB, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// secrets are the names that the example of secrets lists.
func secrets(t testing.TB) []string {
	t.Helper()
	var names []string
	for _, m := range regexp.MustCompile(`(?m)^([A-Z_]+)=$`).FindAllStringSubmatch(read(t, "deploy/compose.env.example"), -1) {
		names = append(names, m[1])
	}
	return names
}

// environment is what an .env would say: every secret, which begins with digits as random ones do, and more.
func environment(t testing.TB, more ...string) []string {
	t.Helper()
	env := more
	for i, name := range secrets(t) {
		if slices.ContainsFunc(more, func(entry string) bool { return strings.HasPrefix(entry, name+"=") }) {
			continue
		}
		if strings.HasPrefix(name, "PSEUDONYM_KEY_") {
			env = append(env, fmt.Sprintf("%s=%048x", name, 0xabcdef01234567+i)) // as deploy/secrets.sh makes them
			continue
		}
		env = append(env, fmt.Sprintf("%s=1%02d5e3secret%02d", name, i, i))
	}
	return env
}

func loadCompose(env []string) (*types.Project, error) {
	options, err := cli.NewProjectOptions([]string{filepath.Join(root, "docker-compose.yml")},
		cli.WithEnv(env), cli.WithProfiles([]string{"tools"}), cli.WithResolvedPaths(true), cli.WithConsistency(true))
	if err != nil {
		return nil, err
	}
	return options.LoadProject(context.Background())
}

func compose(t testing.TB, more ...string) *types.Project {
	t.Helper()
	project, err := loadCompose(environment(t, more...))
	if err != nil {
		t.Fatal(err)
	}
	return project
}

// values are the environment of a service, without what nobody has set.
func values(service types.ServiceConfig) map[string]string {
	env := make(map[string]string)
	for name, value := range service.Environment {
		if value != nil {
			env[name] = *value
		}
	}
	return env
}

// natsServer runs the server that docker-compose.yml configures, by the server's own reading of deploy/nats/nats.conf;
// only addresses and folder are of this machine.
func natsServer(t testing.TB, project *types.Project) *server.Server {
	t.Helper()
	for name, value := range values(project.Services["nats"]) {
		t.Setenv(name, value)
	}
	options, err := server.ProcessConfigFile(filepath.Join(root, "deploy/nats/nats.conf"))
	if err != nil {
		t.Fatal(err)
	}
	options.Host, options.Port, options.HTTPPort = "127.0.0.1", server.RANDOM_PORT, server.RANDOM_PORT
	options.StoreDir, options.NoSigs, options.NoLog = t.TempDir(), true, true
	s, err := server.NewServer(options)
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	t.Cleanup(func() {
		s.Shutdown()
		s.WaitForShutdown()
	})
	if !s.ReadyForConnections(30 * time.Second) {
		t.Fatal("NATS does not start")
	}
	return s
}

// engineAs runs the embedded engine on a folder as one of the users of deploy/clickhouse/users.xml. Everybody who asks
// an embedded engine is its user default, so this user gets the rights and the profile of the one that is wanted. The
// definers in the folder are left as they are.
func engineAs(t testing.TB, data, user, users string) *engine.Process {
	t.Helper()
	library, err := enginetest.Library()
	if err != nil {
		t.Fatal(err)
	}
	// What lies in conf.d beside its own configuration, which it writes into the folder, the engine reads as well.
	users, config := embedded(t, users, user), filepath.Join(data, "conf.d")
	if err := os.MkdirAll(config, 0o700); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "users.xml")
	write(t, file, users)
	write(t, filepath.Join(config, "users.xml"), "<clickhouse><users_config>"+file+"</users_config></clickhouse>")
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	process, err := engine.Start(ctx, engine.Options{DataDir: data, LibPath: library})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(process.Stop)
	return process
}

var (
	comments    = regexp.MustCompile(`(?s)<!--.*?-->`)
	defaultUser = regexp.MustCompile(`(?s)<default>.*?</default>`)
	passwords   = regexp.MustCompile(`<password from_env="[A-Z_]+"/>`)
	changeable  = regexp.MustCompile(`<(\w+)>((?:<min>\d+</min><max>\d+</max>)?)<changeable_in_readonly/></\w+>`)
)

// embedded is users.xml as the embedded engine can take it: without passwords, and with one of its users called default.
//
// The engine does not read the server setting without which readonly = 1 cannot have exceptions, and its own HTTP handler
// sets two settings itself. So readonly = 1 becomes readonly = 2, under which settings may change, with every single
// setting of the engine made constant that users.xml does not except. That is the same, spelt out.
func embedded(t testing.TB, users, as string) string {
	t.Helper()
	users = comments.ReplaceAllString(users, "")
	users = defaultUser.ReplaceAllString(users, "")
	users = passwords.ReplaceAllString(users, "<no_password/>")
	if !strings.Contains(users, "<"+as+">") {
		t.Fatalf("users.xml has no %s", as)
	}
	for _, tag := range []string{"<" + as + ">", "</" + as + ">"} { // the last pair: profiles come first
		at := strings.LastIndex(users, tag)
		users = users[:at] + strings.Replace(tag, as, "default", 1) + users[at+len(tag):]
	}
	users = strings.Replace(users, "<profiles>", "<profiles><default/>", 1)
	users = strings.Replace(users, "<users>", "<quotas><default/></quotas><users>", 1)

	except := map[string]bool{"readonly": true, "implicit_select": true, "log_comment": true}
	for _, m := range changeable.FindAllStringSubmatch(users, -1) {
		except[m[1]] = true
	}
	var constant strings.Builder
	for _, name := range settingNames(t) {
		if !except[name] {
			fmt.Fprintf(&constant, "<%s><const/></%s>", name, name)
		}
	}
	users = changeable.ReplaceAllString(users, "<$1>$2</$1>")
	users = regexp.MustCompile(`<(\w+)></\w+>`).ReplaceAllString(users, "")
	users = strings.Replace(users, "<readonly>1</readonly>", "<readonly>2</readonly>", 1)
	return strings.Replace(users, "<constraints>", "<constraints>"+constant.String(), 1)
}

// settingNames are all settings that the engine knows.
func settingNames(t testing.TB) []string {
	t.Helper()
	conn, err := store.Open(enginetest.URL(t))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close() //nolint:errcheck // nothing was left unwritten
	var names []string
	if err := conn.QueryRow(t.Context(), "SELECT groupArray(name) FROM system.settings WHERE alias_for = ''").Scan(&names); err != nil {
		t.Fatal(err)
	}
	return names
}

// definedBy makes a user the definer of all views in a stopped engine's folder whose definer is default.
func definedBy(t testing.TB, data, user string) {
	t.Helper()
	changed := 0
	err := filepath.WalkDir(data, func(path string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() || filepath.Ext(path) != ".sql" {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil || !strings.Contains(string(text), "DEFINER = default") {
			return err
		}
		changed++
		return os.WriteFile(path, []byte(strings.ReplaceAll(string(text), "DEFINER = default", "DEFINER = "+user)), 0o600)
	})
	if err != nil {
		t.Fatal(err)
	}
	if changed == 0 {
		t.Fatal("no view has a definer")
	}
}

func host(t testing.TB, address string) string {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	return u.Host
}
