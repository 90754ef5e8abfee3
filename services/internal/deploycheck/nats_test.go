package deploycheck_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"gapwatch/services/internal/collect"
	"gapwatch/services/internal/deadletter"
	"gapwatch/services/internal/engine/enginetest"
	"gapwatch/services/internal/event"
	"gapwatch/services/internal/programme"
	"gapwatch/services/internal/rejection"
	"gapwatch/services/internal/store"
	"gapwatch/services/internal/stream"
)

// client is a connection of one of NATS's users, set up as a service of that name sets it up.
type client struct {
	t      testing.TB
	name   string
	nc     *nats.Conn
	js     jetstream.JetStream
	denied chan error
}

func connect(t testing.TB, s *server.Server, name string) *client {
	t.Helper()
	url := strings.Replace(s.ClientURL(), "nats://", "nats://"+name+":"+password(name)+"@", 1)
	nc, js, err := stream.Connect(stream.ConnectOptions{URL: url, Name: name, Inbox: "_INBOX." + name})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	c := &client{t: t, name: name, nc: nc, js: js, denied: make(chan error, 100)}
	nc.SetErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) { c.denied <- err })
	if err := nc.Flush(); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return c
}

// password is a user's, from the environment that the compose file gives NATS.
func password(user string) string {
	return strings.Trim(os.Getenv("NATS_PASSWORD_"+strings.ToUpper(user)), `"`)
}

// refused says whether the server refused what was just sent. It answers in order, so after a flush all of it is known.
func (c *client) refused() bool {
	c.t.Helper()
	if err := c.nc.Flush(); err != nil {
		c.t.Fatal(err)
	}
	if err := c.nc.LastError(); err == nil || !errors.Is(err, nats.ErrPermissionViolation) {
		return false
	}
	return true
}

// mayPublish tells whether the server lets the user publish to a subject.
func mayPublish(t testing.TB, s *server.Server, name, subject string) bool {
	c := connect(t, s, name)
	defer c.nc.Close()
	if err := c.nc.Publish(subject, []byte("{}")); err != nil {
		t.Fatal(err)
	}
	return !c.refused()
}

func maySubscribe(t testing.TB, s *server.Server, name, subject string) bool {
	c := connect(t, s, name)
	defer c.nc.Close()
	if _, err := c.nc.SubscribeSync(subject); err != nil {
		t.Fatal(err)
	}
	return !c.refused()
}

var users = []string{"collector", "aggregator", "intake", "simulator", "deadletters", "monitoring", "erase"}

// TestNATSSettings holds the configuration to the consumer contract.
func TestNATSSettings(t *testing.T) {
	for name, value := range values(compose(t).Services["nats"]) {
		t.Setenv(name, value)
	}
	o, err := server.ProcessConfigFile(root + "/deploy/nats/nats.conf")
	if err != nil {
		t.Fatal(err)
	}
	if !o.JetStream || !o.SyncAlways || o.MaxPayload != stream.MaxPayload || o.StoreDir != "/data" || o.HTTPHost != "127.0.0.1" || o.HTTPPort != 8222 || o.Port != 4222 {
		t.Errorf("JetStream %v, sync always %v, payload %d, folder %s, monitoring on %s:%d", o.JetStream, o.SyncAlways, o.MaxPayload, o.StoreDir, o.HTTPHost, o.HTTPPort)
	}
	if o.NoAuthUser != "" || len(o.Nkeys) > 0 {
		t.Error("somebody gets in without a password")
	}
	var names []string
	for _, u := range o.Users {
		names = append(names, u.Username)
		if u.Password != password(u.Username) || len(u.Password) < 8 {
			t.Errorf("the password of %s is %q", u.Username, u.Password)
		}
		if u.Permissions == nil || u.Permissions.Publish == nil || u.Permissions.Subscribe == nil {
			t.Errorf("%s may do everything", u.Username)
			continue
		}
		if want := []string{"_INBOX." + u.Username + ".>"}; !slices.Equal(u.Permissions.Subscribe.Allow, want) {
			t.Errorf("%s may subscribe to %v", u.Username, u.Permissions.Subscribe.Allow)
		}
	}
	if !slices.Equal(names, users) {
		t.Errorf("users %v, want %v", names, users)
	}
	if _, err := server.ProcessConfigFile(root + "/deploy/nats/nats.conf"); err != nil {
		t.Error(err)
	}
	t.Setenv("NATS_PASSWORD_COLLECTOR", "12345") // without the quotes of docker-compose.yml
	if _, err := server.ProcessConfigFile(root + "/deploy/nats/nats.conf"); err == nil {
		t.Error("a number was taken for a password")
	}
}

func TestNATSLetsNobodyElseIn(t *testing.T) {
	s := natsServer(t, compose(t))
	for _, who := range []string{"", "collector:wrong@", "nobody:" + password("collector") + "@"} {
		nc, err := nats.Connect(strings.Replace(s.ClientURL(), "nats://", "nats://"+who, 1))
		if !errors.Is(err, nats.ErrAuthorization) {
			t.Errorf("%q: %v", who, err)
		}
		if err == nil {
			nc.Close()
		}
	}
}

// TestNATSUsersMayDoTheirWorkAndNoMore is the table of who may do what.
func TestNATSUsersMayDoTheirWorkAndNoMore(t *testing.T) {
	s := natsServer(t, compose(t))
	const events, letters, gap = "prevention.events.vaccination.flu-65", "prevention.deadletter.direct.bad-day", "prevention.gap.flu-65"
	const rejections = "prevention.rejection.gp-north"
	reading := []string{
		"$JS.API.CONSUMER.CREATE." + stream.Events, "$JS.API.CONSUMER.CREATE." + stream.Events + ".mine", "$JS.API.CONSUMER.DURABLE.CREATE." + stream.Events + ".mine",
		"$JS.API.STREAM.MSG.GET." + stream.Events, "$JS.API.DIRECT.GET." + stream.Events + "." + events, "$JS.API.STREAM.SNAPSHOT." + stream.Events,
	}
	owning := []string{
		"$JS.API.STREAM.DELETE." + stream.Events, "$JS.API.STREAM.PURGE." + stream.Events, "$JS.API.CONSUMER.DELETE." + stream.Events + ".collector",
		"$JS.API.STREAM.CREATE.OTHER", "$JS.API.STREAM.DELETE." + stream.DeadLetters, "$JS.API.STREAM.DELETE." + stream.Gap, "$JS.API.STREAM.RESTORE." + stream.Events,
		"$JS.API.ACCOUNT.PURGE.X", "$SYS.REQ.SERVER.PING", "other",
	}
	may := map[string][]string{
		events:     {"intake", "simulator", "deadletters"},
		letters:    {"collector"},
		gap:        {"aggregator"},
		rejections: {"collector", "intake"},
		"$JS.API.DIRECT.GET." + stream.Rejections:                   {"collector", "intake"},
		"$JS.API.STREAM.UPDATE." + stream.Rejections:                {"collector"},
		"$JS.API.STREAM.INFO." + stream.Rejections:                  {"collector", "aggregator", "monitoring"},
		"$JS.API.CONSUMER.CREATE." + stream.Rejections + ".mine":    nil,
		"$JS.API.STREAM.MSG.DELETE." + stream.Rejections:            nil,
		"$JS.API.CONSUMER.CREATE." + stream.DeadLetters + ".mine":   nil,
		"$JS.API.CONSUMER.MSG.NEXT." + stream.Events + ".collector": {"collector"},
		"$JS.API.CONSUMER.CREATE." + stream.Events + ".collector":   {"collector"},
		"$JS.ACK." + stream.Events + ".collector.1.1.1.1.1":         {"collector"},
		"$JS.API.STREAM.MSG.DELETE." + stream.Events:                {"collector", "erase"},
		"$JS.API.STREAM.UPDATE." + stream.Events:                    {"collector"},
		"$JS.API.STREAM.UPDATE." + stream.DeadLetters:               {"collector"},
		"$JS.API.STREAM.UPDATE." + stream.Gap:                       {"collector", "aggregator"},
		"$JS.API.STREAM.MSG.DELETE." + stream.DeadLetters:           {"deadletters", "erase"},
		"$JS.API.DIRECT.GET." + stream.DeadLetters:                  {"deadletters"},
		"$JS.API.STREAM.INFO." + stream.Events:                      {"collector", "aggregator", "monitoring", "erase"},
		"$JS.API.CONSUMER.INFO." + stream.Events + ".collector":     {"collector", "aggregator", "monitoring", "erase"},
		"$JS.API.DIRECT.GET." + stream.Events:                       {"collector", "aggregator"},
		"$JS.API.CONSUMER.CREATE." + stream.Events + ".erase":       {"erase"},
		"$JS.API.CONSUMER.MSG.NEXT." + stream.Events + ".erase":     {"erase"},
		"$JS.API.CONSUMER.DELETE." + stream.DeadLetters + ".erase":  {"erase"},
		"$JS.API.STREAM.LIST":                                       {"monitoring"},
	}
	for _, subject := range slices.Concat(reading, owning) {
		may[subject] = nil
	}
	for subject, allowed := range may {
		for _, name := range users {
			if got, want := mayPublish(t, s, name, subject), slices.Contains(allowed, name); got != want {
				t.Errorf("%s publishes to %s: %v, want %v", name, subject, got, want)
			}
		}
	}
	for _, name := range users {
		for _, other := range users {
			if got, want := maySubscribe(t, s, name, "_INBOX."+other+".>"), name == other; got != want {
				t.Errorf("%s listens to what %s is answered: %v, want %v", name, other, got, want)
			}
		}
		for _, subject := range []string{">", "_INBOX.>", "_INBOX.*.*", "prevention.>", events, letters, gap, "$JS.EVENT.>", "$JS.API.>", "$JS.ACK.>", "$SYS.>", rejections, "prevention.rejection.>"} {
			if maySubscribe(t, s, name, subject) {
				t.Errorf("%s may listen to %s", name, subject)
			}
		}
	}
}

// TestNATSUsersDoTheirWork has the users of NATS do what no service does yet: intake, dead letters, monitoring. The
// others' whole work is in TestCompose.
func TestNATSUsersDoTheirWork(t *testing.T) {
	s := natsServer(t, compose(t))
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	collector := connect(t, s, "collector")
	if err := stream.Ensure(ctx, collector.js, stream.Options{}); err != nil {
		t.Fatal(err)
	}
	intake := connect(t, s, "intake")
	publisher, err := stream.NewPublisher(intake.nc, stream.PublisherOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer publisher.Close()
	for i := range 100 {
		if err := publisher.Publish(ctx, stream.Message("prevention.events.vaccination.flu-65", fmt.Sprint(i%50), []byte("{}"))); err != nil {
			t.Fatal(err)
		}
	}
	if err := publisher.Flush(ctx); err != nil {
		t.Fatal(err)
	}
	if total, duplicates := publisher.Confirmed(); total != 100 || duplicates != 50 {
		t.Errorf("intake was told of %d taken, %d of them twice", total, duplicates)
	}
	// A sender's rejections: the collector's and the door's. Intake reads that sender's and nobody else's.
	for _, by := range []*client{collector, intake} {
		for _, sender := range []string{"gp-north", "gp-south"} {
			if err := rejection.Publish(ctx, by.js, rejection.Rejection{Sender: sender, Door: rejection.CSV, Reason: by.name}); err != nil {
				t.Fatal(err)
			}
		}
	}
	page, err := rejection.List(ctx, intake.js, "gp-north", 0, 10)
	if err != nil || len(page.Rejections) != 2 || page.Rejections[0].Reason != "collector" || page.Rejections[1].Reason != "intake" {
		t.Errorf("%+v, %v", page, err)
	}
	if page, err = rejection.List(ctx, intake.js, "gp-north", page.Next, 10); err != nil || len(page.Rejections) != 0 {
		t.Errorf("%+v, %v", page, err)
	}

	// An operator's whole work.
	set, err := programme.Load("")
	if err != nil {
		t.Fatal(err)
	}
	for i := range 3 {
		e := event.Event{ID: fmt.Sprint(i), Source: "urn:x", Type: event.TypeVaccination, Time: time.Now().Add(-time.Hour), Record: fmt.Sprint(i), Status: event.Completed,
			Person: event.Pseudonym{1}, PersonKey: "k", Programme: set.Programmes[0].ID, Day: set.Programmes[0].Seasons[0].Start}
		letter, err := json.Marshal(collect.Letter{Reason: event.UnknownProgramme, Field: "data.programme", Subject: event.Subject(&e), Payload: string(event.Encode(&e)), Received: time.Now()})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := stream.Publish(ctx, collector.js, stream.Message("prevention.deadletter.direct.unknown-programme", fmt.Sprint(i), letter)); err != nil {
			t.Fatal(err)
		}
	}
	if err := store.Migrate(ctx, enginetest.URL(t)); err != nil {
		t.Fatal(err)
	}
	operator := deadletter.Settings{}
	operator.NATSURL, operator.ClickHouseURL = strings.Replace(s.ClientURL(), "nats://", "nats://deadletters:"+password("deadletters")+"@", 1), enginetest.URL(t)
	for _, step := range []struct{ args, want string }{
		{"list", "3 dead letters. 3: the payload is kept"},
		{"show 2", "unknown programme"},
		{"replay --by sam 1", "1 dead letter replayed"},
		{"discard --by sam --note why 2", "1 dead letter discarded"},
		{"list", "1 dead letter."},
	} {
		var out strings.Builder
		if err := deadletter.Command(ctx, operator, strings.Fields(step.args), &out); err != nil || !strings.Contains(out.String(), step.want) {
			t.Errorf("%s: %v\n%s", step.args, err, &out)
		}
	}

	monitoring := connect(t, s, "monitoring")
	var names []string
	for info := range monitoring.js.ListStreams(ctx).Info() {
		names = append(names, fmt.Sprint(info.Config.Name, " ", info.State.Msgs))
	}
	slices.Sort(names)
	if want := []string{stream.DeadLetters + " 1", stream.Events + " 51", stream.Gap + " 0", stream.Rejections + " 4"}; !slices.Equal(names, want) {
		t.Errorf("monitoring sees %v, want %v", names, want)
	}
}
