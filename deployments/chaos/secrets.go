package main

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/payrack/payrack/deployments/chaos/record"
)

// searchSecrets looks for texts that must stand nowhere in the logs of the replicas and in the bytes of the database, and
// for one that must be found there.
func (c *cluster) searchSecrets(control string) ([]record.Secret, error) {
	needles := []struct {
		name, text string
		control    bool
	}{
		{"the channel secret of LINE Pay", c.dev.LinePay.ChannelSecret, false},
		{"the key of iPASS", c.dev.IPass.Key, false},
		{"the client's secret", c.dev.ClientSecret, false},
		{"a client's token", c.bearer, false},
		{"the token of a stored approval", c.regKey, false},
		{"an admin token", c.token, false},
		{"an order number", control, true},
	}
	all := make([]record.Secret, len(needles))
	for i, n := range needles {
		if len(n.text) < 8 {
			return nil, errors.New(n.name + " is not known to the harness")
		}
		all[i] = record.Secret{Name: n.name, Control: n.control, Found: []string{}}
	}
	err := filepath.WalkDir(c.dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		short, _ := filepath.Rel(c.dir, path)
		if d.IsDir() {
			switch short {
			// The gateway knows its own secrets, keys are for the keys folder, binaries and reports are no evidence.
			case filepath.Join("home", "sandbox"), filepath.Join("home", "keys"), filepath.Join("home", "releases"), "report":
				return filepath.SkipDir
			}
			return nil
		}
		if !d.Type().IsRegular() {
			return nil // a socket
		}
		if !strings.HasPrefix(short, "replica-") && !strings.HasPrefix(short, "home") && !strings.HasPrefix(short, "postgres") {
			return nil
		}
		raw, err := os.ReadFile(path) //nolint:gosec // below the harness's own folder
		if err != nil {
			return err
		}
		for i, n := range needles {
			if bytes.Contains(raw, []byte(n.text)) {
				all[i].Found = append(all[i].Found, short)
			}
		}
		return nil
	})
	return all, err
}
