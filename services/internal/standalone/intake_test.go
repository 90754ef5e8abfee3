package standalone_test

import (
	"context"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gapwatch/services/internal/standalone"
)

const jab = `{"specversion":"1.0","id":"1","source":"urn:example:demo","type":"uk.nhs.prevention.vaccination.v1","time":"2025-11-20T09:31:22Z",
"data":{"record":"jab-1","status":"completed","person":"999 000 0018","programme":"flu-65","occurredAt":"2025-11-20","birthDate":"1950-04-01"}}`

// The door is open in standalone, with keys and a sender that the folder's first start made and the second one finds again.
func TestIntake(t *testing.T) {
	c := config(t, t.TempDir())
	c.Intake.Listen, c.IntakeTuning.Concurrent = "127.0.0.1:0", 4
	var answers [2]string
	for i := range answers {
		err := standalone.Run(t.Context(), c, func(ctx context.Context, s *standalone.System) error {
			token, err := os.ReadFile(standalone.TokenFile(c.Folder))
			if err != nil {
				return err
			}
			r, err := http.NewRequestWithContext(ctx, http.MethodPost, s.IntakeURL+"/v1/events", strings.NewReader(jab))
			if err != nil {
				return err
			}
			r.Header.Set("Content-Type", "application/cloudevents+json")
			r.Header.Set("Authorization", "Bearer "+strings.TrimSpace(string(token)))
			response, err := http.DefaultClient.Do(r)
			if err != nil {
				return err
			}
			defer response.Body.Close()
			text, err := io.ReadAll(response.Body)
			if err != nil {
				return err
			}
			if response.StatusCode != http.StatusAccepted {
				t.Errorf("start %d: %s %s", i, response.Status, text)
			}
			_, answers[i], _ = strings.Cut(string(text), `"record":`)
			stored(ctx, t, s, 1)
			shows(t, s.MetricsURL+"/readyz", "intake: ok")
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if answers[0] == "" || answers[0] != answers[1] {
		t.Errorf("the record is called %q at the first start, %q at the second", answers[0], answers[1])
	}
	files, err := filepath.Glob(filepath.Join(c.Folder, "intake", "*"))
	if err != nil || len(files) != 3 {
		t.Errorf("%v %v", files, err)
	}
	for _, file := range files {
		if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v %v", file, info.Mode(), err)
		}
	}
}
