package deploycheck_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/types"
	"github.com/nats-io/nats-server/v2/server"

	"gapwatch/services/internal/aggregate"
	"gapwatch/services/internal/collect"
	"gapwatch/services/internal/intake"
	"gapwatch/services/internal/programme"
	"gapwatch/services/internal/provision"
	"gapwatch/services/internal/settings"
)

// ours tells the services that run a program of this repository.
func ours(s types.ServiceConfig) bool { return s.Build != nil }

// tool tells those that somebody runs now and then: docker compose up leaves them alone.
func tool(s types.ServiceConfig) bool { return slices.Equal(s.Profiles, []string{"tools"}) }

// long tells those that run until they are told to stop.
func long(s types.ServiceConfig) bool { return !tool(s) && !strings.HasPrefix(s.Restart, "on-failure") }

// program is the one of this repository that a service runs.
func program(s types.ServiceConfig) string { return slices.Concat(s.Entrypoint, s.Command)[0] }

func TestComposeServices(t *testing.T) {
	project := compose(t)
	want := []string{"aggregator", "clickhouse", "collector", "deadletters", "grafana", "intake", "loader", "nats", "provisioner", "reference", "simulator"}
	if names := project.ServiceNames(); !slices.Equal(names, want) {
		t.Errorf("services %v, want %v", names, want)
	}
	pinned := regexp.MustCompile(`^[a-z/-]+:\d+\.\d+\.\d+[\w.-]*$`)
	for name, s := range project.Services {
		check := func(ok bool, rule string) {
			t.Helper()
			if !ok {
				t.Errorf("%s: %s", name, rule)
			}
		}
		check(s.Restart == "unless-stopped" || !long(s), "no restart policy")
		check(!tool(s) || s.Restart == "no", "comes back by itself")
		check(s.CPUS > 0 && s.MemLimit >= 128<<20, "no limits of processors and memory")
		check(s.Logging != nil && s.Logging.Options["max-size"] != "" && s.Logging.Options["max-file"] != "", "its log grows without end")
		for _, port := range s.Ports {
			check(port.HostIP == "127.0.0.1", "publishes a port beyond loopback")
		}
		if !ours(s) {
			check(pinned.MatchString(s.Image), "image "+s.Image+" is not pinned to a version")
			check(s.HealthCheck != nil, "no health check")
			check(slices.ContainsFunc(s.Volumes, func(v types.ServiceVolumeConfig) bool { return v.Type == types.VolumeTypeVolume }), "keeps nothing")
			continue
		}
		check(len(s.Ports) == 0 || name == "intake", "publishes a port")
		check(s.ReadOnly && slices.Equal(s.CapDrop, []string{"ALL"}) && slices.Contains(s.SecurityOpt, "no-new-privileges:true"), "may do more than it needs")
		check(s.HealthCheck != nil || s.Environment["GAPWATCH_METRICS_LISTEN"] == nil, "no health check")
		check(s.User == "", "another user than the image's")
		_, err := os.Stat(filepath.Join(root, "services", program(s), "main.go"))
		check(err == nil, fmt.Sprint("no such program: ", err))
		for variable := range s.Environment {
			check(!strings.HasPrefix(variable, "GAPWATCH_") || settings.Known(variable), variable+" is no setting")
			check(strings.HasPrefix(variable, "GAPWATCH_"), variable+" is no setting of ours")
		}
	}
	for name, prefix := range map[string]string{"clickhouse": "clickhouse/clickhouse-server:26.", "grafana": "grafana/grafana:12.4.",
		"nats": "nats:" + server.VERSION[:strings.LastIndex(server.VERSION, ".")+1]} {
		if image := project.Services[name].Image; !strings.HasPrefix(image, prefix) {
			t.Errorf("%s runs %s, not %s...", name, image, prefix)
		}
	}
	grafana := values(project.Services["grafana"])
	if grafana["GF_PLUGINS_PREINSTALL_SYNC"] != "grafana-clickhouse-datasource@4.14.1" || grafana["GF_AUTH_ANONYMOUS_ENABLED"] != "false" {
		t.Errorf("Grafana: %v", grafana)
	}
}

// Every setting of the services that run for long can be set, but for those that need files of one's own and the other way into Grafana; one that is
// not set is not passed on as an empty value, which would be one.
func TestComposePassesSettingsOn(t *testing.T) {
	project := compose(t, "GAPWATCH_DISCLOSURE=none")
	for name, spec := range map[string]any{"collector": new(struct {
		settings.Service
		collect.Settings
	}), "aggregator": new(aggregate.Settings), "provisioner": new(provision.Settings), "intake": new(intake.Settings)} {
		environment := project.Services[name].Environment
		for _, variable := range variables(reflect.TypeOf(spec).Elem()) {
			value, there := environment[variable]
			switch {
			case slices.Contains([]string{"GAPWATCH_NATS_CREDENTIALS", "GAPWATCH_NATS_CA", "GAPWATCH_NATS_CERTIFICATE", "GAPWATCH_NATS_KEY", "GAPWATCH_CLICKHOUSE_CA", "GAPWATCH_GRAFANA_CA", "GAPWATCH_GRAFANA_TOKEN",
				"GAPWATCH_INTAKE_TLS_CERTIFICATE", "GAPWATCH_INTAKE_TLS_KEY", "GAPWATCH_PSEUDONYM_KEYS_FILE"}, variable):
			case !there:
				t.Errorf("%s: %s cannot be set", name, variable)
			case value != nil && *value == "":
				t.Errorf("%s: %s is set to nothing", name, variable)
			}
		}
	}
	if value := project.Services["aggregator"].Environment["GAPWATCH_DISCLOSURE"]; value == nil || *value != "none" {
		t.Error("what .env says is not passed on")
	}
}

// variables are the names of a settings struct.
func variables(spec reflect.Type) (names []string) {
	for i := range spec.NumField() {
		if field := spec.Field(i); field.Anonymous {
			names = append(names, variables(field.Type)...)
		} else {
			names = append(names, field.Tag.Get("envconfig"))
		}
	}
	return names
}

// What is waited for can come, and what is mounted is there.
func TestComposeDependenciesAndVolumes(t *testing.T) {
	project := compose(t)
	used := map[string]bool{}
	for name, s := range project.Services {
		for other, on := range s.DependsOn {
			it := project.Services[other]
			switch on.Condition {
			case types.ServiceConditionHealthy:
				if it.HealthCheck == nil || len(it.HealthCheck.Test) < 2 {
					t.Errorf("%s waits for the health of %s, which says nothing of it", name, other)
				}
			case types.ServiceConditionCompletedSuccessfully:
				if long(it) {
					t.Errorf("%s waits for the end of %s, which has none", name, other)
				}
			default:
				t.Errorf("%s: on %s by %s", name, other, on.Condition)
			}
		}
		for _, volume := range s.Volumes {
			switch volume.Type {
			case types.VolumeTypeBind:
				if _, err := os.Stat(volume.Source); err != nil || !volume.ReadOnly {
					t.Errorf("%s: %s: %v, read only %v", name, volume.Source, err, volume.ReadOnly)
				}
			default:
				used[volume.Source] = true
			}
		}
	}
	for name := range project.Volumes {
		if !used[name] {
			t.Errorf("volume %s is not used", name)
		}
	}
}

// Each secret must be set, is in the example, which holds none, and is given to those alone whom it concerns.
func TestComposeSecrets(t *testing.T) {
	needed := secrets(t)
	all := environment(t)
	for _, name := range needed {
		without := slices.DeleteFunc(slices.Clone(all), func(entry string) bool { return strings.HasPrefix(entry, name+"=") })
		if _, err := loadCompose(without); err == nil || !strings.Contains(err.Error(), "deploy/secrets.sh") {
			t.Errorf("without %s: %v", name, err)
		}
	}
	text := read(t, "docker-compose.yml")
	for _, m := range regexp.MustCompile(`\$\{(\w+)`).FindAllStringSubmatch(text, -1) {
		if !slices.Contains(needed, m[1]) && !settings.Known(m[1]) {
			t.Errorf("%s is neither a secret of the example nor a setting", m[1])
		}
	}
	holders := map[string][]string{}
	for name, s := range compose(t).Services {
		for _, value := range values(s) {
			for _, entry := range all {
				secret, password, _ := strings.Cut(entry, "=")
				if strings.Contains(value, password) && !slices.Contains(holders[secret], name) {
					holders[secret] = append(holders[secret], name)
				}
			}
		}
	}
	want := map[string]string{
		"CLICKHOUSE_PASSWORD_WRITER": "aggregator clickhouse collector deadletters loader", "CLICKHOUSE_PASSWORD_READER": "clickhouse provisioner",
		"NATS_PASSWORD_COLLECTOR": "collector nats", "NATS_PASSWORD_AGGREGATOR": "aggregator nats", "NATS_PASSWORD_INTAKE": "intake nats",
		"NATS_PASSWORD_SIMULATOR": "nats simulator", "NATS_PASSWORD_DEADLETTERS": "deadletters nats", "NATS_PASSWORD_MONITORING": "nats", "NATS_PASSWORD_ERASE": "nats",
		"GRAFANA_ADMIN_PASSWORD": "grafana provisioner", "PSEUDONYM_KEY_RECORD": "intake", "PSEUDONYM_KEY_CURRENT": "intake",
	}
	for _, name := range needed {
		slices.Sort(holders[name])
		if got := strings.Join(holders[name], " "); got != want[name] {
			t.Errorf("%s is given to %q, want %q", name, got, want[name])
		}
	}
}

// The script makes an .env of its own, and completes one that is there.
func TestSecretsScript(t *testing.T) {
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "deploy/intake"), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"deploy/secrets.sh", "deploy/compose.env.example", "deploy/intake/senders.example.yaml"} {
		write(t, filepath.Join(dir, name), read(t, name))
	}
	write(t, filepath.Join(dir, ".env"), "GAPWATCH_LOG=text\nNATS_PASSWORD_INTAKE=kept\nGRAFANA_ADMIN_PASSWORD=") // no line end
	var last string
	for range 2 {
		if out, err := exec.CommandContext(t.Context(), "sh", filepath.Join(dir, "deploy/secrets.sh")).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		text, err := os.ReadFile(filepath.Join(dir, ".env"))
		if err != nil {
			t.Fatal(err)
		}
		if last != "" && string(text) != last {
			t.Errorf("the second run changed it:\n%s", text)
		}
		last = string(text)
	}
	entries := strings.Split(strings.TrimSpace(last), "\n")
	if _, err := loadCompose(entries); err != nil {
		t.Errorf("%v in\n%s", err, last)
	}
	if !slices.Contains(entries, "GAPWATCH_LOG=text") || !slices.Contains(entries, "NATS_PASSWORD_INTAKE=kept") {
		t.Errorf("what was there is gone:\n%s", last)
	}
	senders, token := filepath.Join(dir, "deploy/intake/senders.yaml"), filepath.Join(dir, "deploy/intake/token")
	programmes, err := programme.Load("")
	if err != nil {
		t.Fatal(err)
	}
	who, err := intake.LoadSenders(senders, programmes)
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(token)
	if err != nil || who.Find(strings.TrimSpace(string(text))) == nil {
		t.Errorf("the token is nobody's: %v", err)
	}
	for path, mode := range map[string]os.FileMode{senders: 0o644, token: 0o600} {
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != mode {
			t.Errorf("%s: %v, %v", path, info.Mode(), err)
		}
	}
	random := map[string]bool{}
	for _, m := range regexp.MustCompile(`(?m)^[A-Z_]+=([0-9a-f]{48})$`).FindAllStringSubmatch(last, -1) {
		random[m[1]] = true
	}
	if len(random) != len(secrets(t))-1 {
		t.Errorf("%d different random values for %d secrets", len(random), len(secrets(t))-1)
	}
}

// The image is pinned, runs as nobody special, holds every program that the compose file starts, and is made from files
// that are there and are let through to Docker.
func TestDockerfile(t *testing.T) {
	text := strings.ReplaceAll(read(t, "deploy/Dockerfile"), "\\\n", " ")
	ignore := read(t, "deploy/Dockerfile.dockerignore")
	user := ""
	for line := range strings.Lines(text) {
		words := strings.Fields(line)
		if len(words) == 0 {
			continue
		}
		switch words[0] {
		case "FROM":
			if !regexp.MustCompile(`^[a-z]+:\d+\.\d+\.\d+`).MatchString(words[1]) {
				t.Errorf("%s is not pinned", words[1])
			}
			user = ""
		case "USER":
			user = words[1]
		case "COPY":
			for _, source := range words[1 : len(words)-1] {
				if strings.HasPrefix(source, "--") || strings.HasPrefix(source, "/") {
					continue
				}
				if _, err := os.Stat(filepath.Join(root, source)); err != nil {
					t.Error(err)
				}
				if !strings.Contains(ignore, "\n!"+source+"\n") {
					t.Errorf("%s is ignored", source)
				}
			}
		}
	}
	if !regexp.MustCompile(`^[1-9]\d*:[1-9]\d*$`).MatchString(user) {
		t.Errorf("runs as %q", user)
	}
	programs := packages(t)
	list := exec.CommandContext(t.Context(), "go", append([]string{"list", "-e", "-deps", "-f", "{{with .Error}}{{.}}{{end}}{{join .CgoFiles \" \"}}"}, programs...)...)
	list.Dir, list.Env = root, append(os.Environ(), "CGO_ENABLED=0")
	if out, err := list.CombinedOutput(); err != nil || strings.TrimSpace(string(out)) != "" {
		t.Errorf("without cgo: %v\n%s", err, out)
	}
	for name, s := range compose(t).Services {
		if ours(s) && !slices.Contains(programs, "./services/"+program(s)) {
			t.Errorf("%s: the image has no %s", name, program(s))
		}
	}
}

// packages are those that the Dockerfile builds.
func packages(t testing.TB) []string {
	t.Helper()
	m := regexp.MustCompile(`CGO_ENABLED=0 go build (.*)`).FindStringSubmatch(strings.ReplaceAll(read(t, "deploy/Dockerfile"), "\\\n", " "))
	if m == nil {
		t.Fatal("the Dockerfile builds nothing, or not statically")
	}
	return slices.DeleteFunc(strings.Fields(m[1]), func(word string) bool { return !strings.HasPrefix(word, "./") })
}
