package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/payrack/payrack/configs"
)

// What the image holds is proven by cmd/payrack/e2e, which runs it. This is what an engine is told beside.
func TestContainerfileTellsEnginesTheTruth(t *testing.T) {
	t.Parallel()
	folder := filepath.Join("..", "..", "deployments", "container")
	text, err := os.ReadFile(filepath.Join(folder, "Containerfile"))
	if err != nil {
		t.Fatal(err)
	}
	c, err := configs.Load(configs.Sources{File: filepath.Join(folder, "payrack.yaml"), Ignore: programVariables()})
	if err != nil {
		t.Fatal(err)
	}
	longest := longestStop(c.Shutdown)
	told := regexp.MustCompile(`(?:--stop-timeout|terminationGracePeriodSeconds:) (\d+)`).FindAllSubmatch(text, -1)
	if len(told) < 2 {
		t.Fatalf("engines are told %d times how long a stop takes", len(told))
	}
	for _, each := range told {
		if given, err := time.ParseDuration(string(each[1]) + "s"); err != nil || given <= longest {
			t.Errorf("an engine is told %s, and a stop may take %s", each[0], longest)
		}
	}
	lines := settingsOf(t, filepath.Join(folder, "Containerfile"))
	for _, want := range []string{
		"STOPSIGNAL SIGTERM", // what main listens to
		// Where Go looks first. An image from scratch has none, and plugins speak TLS to their gateways.
		"COPY --from=certificates /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt",
	} {
		if !strings.Contains(strings.Join(lines, "\n"), want) {
			t.Errorf("the Containerfile lacks %q", want)
		}
	}
}
