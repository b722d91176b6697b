package configs_test

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/payrack/payrack/configs"
)

func TestReportsNeedKeys(t *testing.T) {
	t.Parallel()
	for yaml, want := range map[string]string{
		"plugins: {require_report: true}":                      "plugins.report_keys: names no key, and plugins.require_report demands reports",
		"plugins: {require_report: true, report_keys: [\"\"]}": "plugins.report_keys.0: is empty",
	} {
		_, err := configs.Load(configs.Sources{File: write(t, yaml)})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", yaml, err, want)
		}
	}
}

func TestReportKeysStartAtTheFile(t *testing.T) {
	t.Parallel()
	file := write(t, "plugins: {require_report: true, report_keys: [keys/team.pub, /etc/payrack/other.pub]}")
	c, err := configs.Load(configs.Sources{File: file})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{filepath.Join(filepath.Dir(file), "keys/team.pub"), "/etc/payrack/other.pub"}
	if diff := cmp.Diff(want, c.Plugins.ReportKeys); diff != "" {
		t.Error(diff)
	}
}

func TestProductionIsWarned(t *testing.T) {
	t.Parallel()
	warned := func(c configs.Config) (keys []string) {
		for _, p := range c.Warnings() {
			keys = append(keys, p.Key)
		}
		return keys
	}
	c := configs.Default()
	c.Plugins.Sandbox.Files, c.Plugins.Exchanges.Keep, c.Plugins.Gates.Enabled = false, 0, false
	if keys := warned(c); keys != nil {
		t.Errorf("a test installation is warned of %v", keys)
	}
	c.Environment = configs.Production
	want := []string{"plugins.require_report", "plugins.signing_keys", "plugins.sandbox", "plugins.gates.enabled", "plugins.exchanges.keep"}
	if diff := cmp.Diff(want, warned(c)); diff != "" {
		t.Error(diff)
	}
	c.Plugins.RequireReport, c.Plugins.SigningKeys = true, []string{"release.pub"}
	c.Plugins.Sandbox.Files, c.Plugins.Exchanges.Keep, c.Plugins.Gates.Enabled = true, 1, true
	if keys := warned(c); keys != nil {
		t.Errorf("nothing is left to warn of: %v", keys)
	}
}
