package main

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"gapwatch/services/internal/engine/enginetest"
)

// TestMain lets the test binary be the program itself.
func TestMain(m *testing.M) {
	if os.Getenv("ENGINE_TEST_MAIN") == "1" {
		main()
		os.Exit(0)
	}
	enginetest.Main(m)
}

func TestServesUntilTerminated(t *testing.T) {
	library, err := enginetest.Library()
	if err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self)
	cmd.Env = append(os.Environ(), "ENGINE_TEST_MAIN=1", "GAPWATCH_ENGINE_LISTEN=127.0.0.1:0", "GAPWATCH_ENGINE_DATA="+t.TempDir(), "CHDB_LIB_PATH="+library)
	cmd.Stderr = os.Stderr
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	address, found := strings.CutPrefix(strings.TrimSpace(line), "ready ")
	if !found {
		t.Fatalf("it said %q", line)
	}
	response, err := http.Post(address, "", strings.NewReader("SELECT 41 + 1"))
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(response.Body)
	response.Body.Close()
	if err != nil || string(body) != "42\n" {
		t.Errorf("%q, %v", body, err)
	}
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("after SIGTERM: %v", err)
	}
}

func TestMistakesAreToldAtOnce(t *testing.T) {
	t.Setenv("CHDB_LIB_PATH", "/no/such/libchdb.so")
	if err := run(context.Background()); err == nil || !strings.Contains(err.Error(), "CHDB_LIB_PATH") {
		t.Errorf("got %v", err)
	}
	for _, mistyped := range []string{"GAPWATCH_ENGINE_LISTN", "GAPWATCH_ENGIN_LISTEN"} {
		t.Setenv(mistyped, "127.0.0.1:0")
		if err := run(context.Background()); err == nil || !strings.Contains(err.Error(), mistyped+" is not a setting of any service; is it GAPWATCH_ENGINE_LISTEN?") {
			t.Errorf("got %v", err)
		}
	}
}
