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
	c := configs.Default()
	if ps := c.Warnings(); len(ps) != 0 {
		t.Errorf("a test installation is warned: %v", ps)
	}
	c.Environment = configs.Production
	if ps := c.Warnings(); len(ps) != 1 || ps[0].Key != "plugins.require_report" {
		t.Errorf("got %v", ps)
	}
	c.Plugins.RequireReport = true
	if ps := c.Warnings(); len(ps) != 0 {
		t.Errorf("nothing is left to warn of: %v", ps)
	}
}
