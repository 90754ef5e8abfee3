package deploycheck_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/compose-spec/compose-go/v2/types"

	"gapwatch/dashboards"
	"gapwatch/services/internal/alerting"
	"gapwatch/services/internal/engine"
	"gapwatch/services/internal/grafana/grafanatest"
	"gapwatch/services/internal/grafanacheck"
	"gapwatch/services/internal/intake"
	"gapwatch/services/internal/store"
)

// TestCompose does what docker compose up does, without Docker: it builds the programs as the Dockerfile does and starts
// them with the commands, the environment and in the order of docker-compose.yml, each when what it depends on is healthy
// or has ended. NATS is the embedded server with deploy/nats/nats.conf and its users, ClickHouse the embedded engine with
// the rights of the services' user of deploy/clickhouse/users.xml, Grafana one for tests. Addresses and folders are of this
// machine.
func TestCompose(t *testing.T) {
	const people = 3000
	project := compose(t, fmt.Sprint("GAPWATCH_SIMULATOR_PEOPLE=", people), "GAPWATCH_GAP_SETTLE=0s", "GAPWATCH_SIMULATOR_LIVE=20", "GRAFANA_ADMIN_PASSWORD=admin")
	up := &machine{t: t, project: project, bin: build(t), demo: t.TempDir(), door: free(t), senders: t.TempDir(), processes: map[string]*process{}}
	nats := natsServer(t, project)
	users := read(t, "deploy/clickhouse/users.xml")
	data := t.TempDir()
	clickhouse := engineAs(t, data, "gapwatch", users)
	grafana := grafanatest.New(t)
	grafana.Reach = func(source, secrets map[string]any) bool {
		return source["username"] == "gapwatch_reader" && secrets["password"] == values(project.Services["clickhouse"])["CLICKHOUSE_PASSWORD_READER"]
	}
	up.healthy = map[string]string{"nats": "http://" + nats.MonitorAddr().String(), "clickhouse": clickhouse.URL(), "grafana": grafana.URL}
	up.addresses = strings.NewReplacer("@nats:4222", "@"+host(t, nats.ClientURL()), "@clickhouse:8123", "@"+host(t, clickhouse.URL()),
		"@grafana:3000", "@"+host(t, grafana.URL), "/demo", up.demo, "0.0.0.0:8480", up.door, "/etc/gapwatch", up.senders)
	token := up.sender()

	order := []string{"collector", "aggregator", "intake", "reference", "loader", "simulator", "provisioner"}
	for name, s := range project.Services {
		if up.healthy[name] == "" && !slices.Contains(order, name) && !tool(s) {
			t.Errorf("%s is not started here", name)
		}
	}
	up.start(order...)
	conn := open(t, clickhouse)
	up.until("the history is published", func() (bool, any) {
		data, err := os.ReadFile(filepath.Join(up.demo, "mark.json"))
		return err == nil && strings.Contains(string(data), `"published":true`), err
	})
	var handled uint64
	up.until("live events come in", func() (bool, any) {
		before := handled
		handled = number(t, conn, "SELECT max(sequence) FROM prevention.handled")
		return before > people && handled > before, handled
	})
	// So many, and what came meanwhile, are counted and shown.
	up.until("all of it is counted", func() (bool, any) {
		n := number(t, conn, "SELECT toUInt64(min(at)) FROM (SELECT bitAnd(max(id), toUInt128(18446744073709551615)) AS at FROM prevention.published WHERE season = '' AND place = '' GROUP BY programme)")
		return n >= handled, n
	})
	up.until("the views show it", func() (bool, any) {
		n := number(t, conn, "SELECT count() FROM reporting.gap WHERE covered > 0")
		return n > 0, n
	})
	if n := number(t, conn, "SELECT count() FROM prevention.handled WHERE outcome = 'dead letter'"); n == 0 {
		t.Error("the simulator's invalid events are not among the dead letters")
	}

	// What comes in by the door is stored, and what it refuses can be asked for.
	up.until("intake is ready", func() (bool, any) { return up.health("intake") })
	up.send(token)
	up.until("the door's event is stored", func() (bool, any) {
		n := number(t, conn, "SELECT count() FROM prevention.events WHERE source = 'urn:example:demo'")
		return n == 1, n
	})

	up.until("Grafana is as wanted", func() (bool, any) { return up.health("provisioner") })
	if status := up.get(strings.Replace(grafana.URL, "//", "//admin:admin@", 1) + "/api/dashboards/uid/gapwatch-live-uptake"); status != http.StatusOK {
		t.Errorf("the dashboard: status %d", status)
	}

	// Down and up again: nothing is simulated or loaded anew, and it goes on.
	up.stop("provisioner", "simulator", "intake", "aggregator", "collector")
	loads := number(t, conn, "SELECT count() FROM prevention.loads")
	stored := number(t, conn, "SELECT max(sequence) FROM prevention.handled")
	up.start(order...)
	up.until("live events come in again", func() (bool, any) {
		n := number(t, conn, "SELECT max(sequence) FROM prevention.handled")
		return n > stored, n
	})
	if log := up.processes["simulator"].tail(); strings.Count(log, "messages confirmed") != 1 {
		t.Errorf("the history was published again:\n%s", log)
	}
	if n := number(t, conn, "SELECT max(sequence) FROM prevention.handled"); n > stored+people {
		t.Errorf("%d messages, %d of them after the second start", n, n-stored)
	}
	if n := number(t, conn, "SELECT count() FROM prevention.loads"); n != loads {
		t.Errorf("%d loads after the first start, %d after the second", loads, n)
	}
	up.stop("provisioner", "simulator", "intake", "aggregator", "collector")
	for name, p := range up.processes {
		if log := p.tail(); strings.Contains(strings.ToLower(log), "permission") || strings.Contains(log, "Not enough privileges") {
			t.Errorf("%s may not do its work:\n%s", name, log)
		}
	}
	if err := conn.Close(); err != nil {
		t.Error(err)
	}
	clickhouse.Stop()

	// With data in the store the reader's limits are the same.
	definedBy(t, data, "gapwatch")
	if out, err := check(t, data, users); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	askAsReader(t, copyAs(t, data, "gapwatch_reader", users))
}

// askAsReader runs every query of every dashboard and alert rule. What they show of so few people is nothing to go by, but
// none of them may meet a limit of the reader's.
func askAsReader(t *testing.T, url string) {
	t.Helper()
	boards, err := dashboards.Load()
	if err != nil {
		t.Fatal(err)
	}
	groups, err := alerting.Load(alerting.Settings{Receiver: "x", DataSourceUID: "gapwatch-clickhouse", FolderUID: "gapwatch", PublicURL: "http://localhost:3000"})
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	if err := grafanacheck.Direct(t.Context(), grafanacheck.DirectOptions{ClickHouseURL: url, Dashboards: boards, Groups: groups, Out: &out}); err != nil && !errors.Is(err, grafanacheck.ErrFound) {
		t.Fatal(err)
	}
	asked := 0
	for line := range strings.Lines(out.String()) {
		if strings.Contains(line, "DB::Exception") {
			t.Error(strings.TrimSpace(line))
		}
		_, _ = fmt.Sscanf(line, "%d queries of", &asked)
	}
	if asked < len(boards)*5 {
		t.Errorf("%d queries were run:\n%s", asked, out.String())
	}
}

// build makes the programs that the Dockerfile makes, here as tests are built, which spares compiling everything again.
func build(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	command := exec.CommandContext(t.Context(), "go", append([]string{"build", "-o", dir + "/"}, packages(t)...)...)
	command.Dir = root
	if out, err := command.CombinedOutput(); err != nil {
		t.Fatalf("%v: %v\n%s", command.Args, err, out)
	}
	return dir
}

// machine is where the compose file's services run.
type machine struct {
	t         testing.TB
	project   *types.Project
	bin       string            // folder of the programs
	demo      string            // the volume of that name
	senders   string            // the folder deploy/intake
	door      string            // where intake listens
	addresses *strings.Replacer // of the compose file's network to this machine's
	healthy   map[string]string // services that are there from the start, by where they answer
	processes map[string]*process
}

// process is a running service.
type process struct {
	command *exec.Cmd
	log     string // path
	metrics string // address
	ended   chan struct{}
	told    bool // to stop
}

func (p *process) tail() string {
	text, err := os.ReadFile(p.log)
	if err != nil {
		return err.Error()
	}
	return string(text[max(0, len(text)-4000):])
}

// sender writes the senders' file and returns the token of who is in it.
func (m *machine) sender() string {
	m.t.Helper()
	token, hash := intake.NewToken()
	write(m.t, filepath.Join(m.senders, "senders.yaml"), strings.Replace(read(m.t, "deploy/intake/senders.example.yaml"), "HASH", hash, 1))
	return token
}

// send sends an event and something that is none to intake, and asks for what was refused.
func (m *machine) send(token string) {
	m.t.Helper()
	const jab = `{"specversion":"1.0","id":"1","source":"urn:example:demo","type":"uk.nhs.prevention.vaccination.v1","time":"2025-11-20T09:31:22Z",` +
		`"data":{"record":"jab-1","status":"completed","person":"999 000 0018","programme":"flu-65","occurredAt":"2025-11-20","birthDate":"1950-04-01"}}`
	for _, q := range []struct{ method, path, body, want string }{
		{http.MethodPost, "/v1/events", jab + "\n{}\n", `"accepted":1,"duplicates":0,"noProgramme":0,"rejected":1`},
		{http.MethodGet, "/v1/rejections", "", `"sender":"demo"`},
	} {
		r, err := http.NewRequestWithContext(m.t.Context(), q.method, "http://"+m.door+q.path, strings.NewReader(q.body))
		if err != nil {
			m.t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+token)
		r.Header.Set("Content-Type", "application/x-ndjson")
		response, err := http.DefaultClient.Do(r)
		if err != nil {
			m.t.Fatal(err)
		}
		text, err := io.ReadAll(response.Body)
		_ = response.Body.Close()
		if err != nil || response.StatusCode >= 300 || !strings.Contains(string(text), q.want) {
			m.t.Errorf("%s: %s %s %v", q.path, response.Status, text, err)
		}
	}
}

// start starts services, each when it may be.
func (m *machine) start(names ...string) {
	m.t.Helper()
	for _, name := range names {
		service := m.project.Services[name]
		for other, on := range service.DependsOn {
			switch on.Condition {
			case types.ServiceConditionHealthy:
				m.until(other+" is healthy", func() (bool, any) { return m.health(other) })
			case types.ServiceConditionCompletedSuccessfully:
				m.completed(other)
			}
		}
		m.run(service)
	}
}

func (m *machine) run(service types.ServiceConfig) {
	m.t.Helper()
	p := &process{log: filepath.Join(m.t.TempDir(), service.Name+".log"), metrics: free(m.t), ended: make(chan struct{})}
	if before := m.processes[service.Name]; before != nil {
		p.log = before.log
	}
	arguments := make([]string, len(service.Command))
	for i, argument := range service.Command {
		arguments[i] = m.addresses.Replace(argument)
	}
	p.command = exec.CommandContext(context.Background(), filepath.Join(m.bin, arguments[0]), arguments[1:]...)
	p.command.Env = []string{} // what the compose file says and nothing else
	for name, value := range values(service) {
		if name == "GAPWATCH_METRICS_LISTEN" {
			value = p.metrics
		}
		p.command.Env = append(p.command.Env, name+"="+m.addresses.Replace(value))
	}
	p.command.Dir = m.t.TempDir()
	p.command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	log, err := os.OpenFile(p.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		m.t.Fatal(err)
	}
	defer log.Close()
	p.command.Stdout, p.command.Stderr = log, log
	if err := p.command.Start(); err != nil {
		m.t.Fatal(err)
	}
	m.t.Cleanup(func() {
		_ = p.command.Process.Kill()
		<-p.ended
		if m.t.Failed() {
			m.t.Logf("the last of what %s wrote:\n%s", service.Name, p.tail())
		}
	})
	go func() {
		_ = p.command.Wait()
		close(p.ended)
	}()
	m.processes[service.Name] = p
}

// health asks what the service's health check asks.
func (m *machine) health(name string) (bool, any) {
	test := m.project.Services[name].HealthCheck.Test
	url := test[len(test)-1]
	_, path, found := strings.Cut(strings.TrimPrefix(url, "http://"), "/")
	if !found || !strings.HasPrefix(url, "http://127.0.0.1:") {
		m.t.Fatalf("%s asks for its health at %s", name, url)
	}
	base := m.healthy[name]
	if base == "" {
		port := url[strings.LastIndex(url, ":")+1 : strings.LastIndex(url, "/")]
		if listen := values(m.project.Services[name])["GAPWATCH_METRICS_LISTEN"]; !strings.HasSuffix(listen, ":"+port) {
			m.t.Fatalf("%s listens on %s and asks for its health at %s", name, listen, url)
		}
		base = "http://" + m.processes[name].metrics
	}
	status := m.get(base + "/" + path)
	return status == http.StatusOK, status
}

// get is the status of an answer, or 0 without one.
func (m *machine) get(url string) int {
	m.t.Helper()
	request, err := http.NewRequestWithContext(m.t.Context(), http.MethodGet, url, nil)
	if err != nil {
		m.t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0
	}
	_ = response.Body.Close()
	return response.StatusCode
}

// completed waits for the end of a service, which must be a good one.
func (m *machine) completed(name string) {
	m.t.Helper()
	p := m.processes[name]
	select {
	case <-p.ended:
		if !p.command.ProcessState.Success() {
			m.t.Fatalf("%s ended with %s", name, p.command.ProcessState)
		}
	case <-time.After(2 * time.Minute):
		m.t.Fatalf("%s does not end", name)
	}
}

// stop stops services as docker compose stop does.
func (m *machine) stop(names ...string) {
	m.t.Helper()
	for _, name := range names {
		p := m.processes[name]
		p.told = true
		if err := p.command.Process.Signal(syscall.SIGTERM); err != nil {
			m.t.Fatalf("%s: %v", name, err)
		}
		wait := 10 * time.Second // Docker's own
		if grace := m.project.Services[name].StopGracePeriod; grace != nil {
			wait = time.Duration(*grace)
		}
		select {
		case <-p.ended:
			if !p.command.ProcessState.Success() {
				m.t.Errorf("%s, told to stop, ended with %s", name, p.command.ProcessState)
			}
		case <-time.After(wait):
			m.t.Errorf("%s does not stop in its %s", name, wait)
		}
	}
}

// until waits until a condition holds, while no service that runs for long ends by itself.
func (m *machine) until(what string, condition func() (bool, any)) {
	m.t.Helper()
	deadline := time.After(5 * time.Minute)
	ticks := time.NewTicker(100 * time.Millisecond)
	defer ticks.Stop()
	for {
		ok, seen := condition()
		if ok {
			return
		}
		for name, p := range m.processes {
			select {
			case <-p.ended:
				if long(m.project.Services[name]) && !p.told {
					m.t.Fatalf("until %s: %s ended by itself", what, name)
				}
			default:
			}
		}
		select {
		case <-ticks.C:
		case <-deadline:
			m.t.Fatalf("until %s: not in five minutes; %v", what, seen)
		}
	}
}

func open(t testing.TB, process *engine.Process) driver.Conn {
	t.Helper()
	conn, err := store.Open(process.URL())
	if err != nil {
		t.Fatal(err)
	}
	return conn
}

func number(t testing.TB, conn driver.Conn, query string) (n uint64) {
	t.Helper()
	if err := conn.QueryRow(t.Context(), query).Scan(&n); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return n
}

// free is a loopback address that nobody listens on.
func free(t testing.TB) string {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().String()
}
