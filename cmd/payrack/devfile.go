package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

const devFileName = "dev.json"

// devFile is what `payrack dev` tells about itself once all of it serves.
type devFile struct {
	HTTPURL                   string `json:"http_url"`
	AdminURL                  string `json:"admin_url"`
	SandboxURL                string `json:"sandbox_url"`
	TokenURL                  string `json:"token_url"`
	ClientID                  string `json:"client_id"`
	ClientSecret              string `json:"client_secret"`
	AdminToken                string `json:"admin_token"`
	CompanyID                 string `json:"company_id"`
	StoreID                   string `json:"store_id"`
	StoreIDWithoutCredentials string `json:"store_id_without_credentials"`
	DatabaseURL               string `json:"database_url"`
	PID                       int    `json:"pid"`
	SandboxPID                int    `json:"sandbox_pid"`
	// Providers are one member each, with the credentials of its development account.
	Providers map[string]map[string]string `json:"-"`
}

// MarshalJSON puts the providers beside the fixed members.
func (d devFile) MarshalJSON() ([]byte, error) {
	type fixed devFile
	data, err := json.Marshal(fixed(d))
	if err != nil {
		return nil, err
	}
	all := map[string]any{}
	if err := json.Unmarshal(data, &all); err != nil {
		return nil, err
	}
	for name, credentials := range d.Providers {
		if _, taken := all[name]; taken {
			return nil, fmt.Errorf("provider %s has the name of a member of %s", name, devFileName)
		}
		all[name] = credentials
	}
	// The process ids went through a float.
	all["pid"], all["sandbox_pid"] = d.PID, d.SandboxPID
	return json.Marshal(all)
}

// UnmarshalJSON reads the fixed members, and every object beside them as a provider.
func (d *devFile) UnmarshalJSON(data []byte) error {
	type fixed devFile
	if err := json.Unmarshal(data, (*fixed)(d)); err != nil {
		return err
	}
	all := map[string]json.RawMessage{}
	if err := json.Unmarshal(data, &all); err != nil {
		return err
	}
	d.Providers = map[string]map[string]string{}
	for name, member := range all {
		var credentials map[string]string
		if err := json.Unmarshal(member, &credentials); err == nil && credentials != nil {
			d.Providers[name] = credentials
		}
	}
	return nil
}

// write makes the file visible, whole and to its owner only.
func (d devFile) write(dir string) error {
	data, err := json.MarshalIndent(d, "", "  ")
	if err != nil {
		return fmt.Errorf("write %s: %w", devFileName, err)
	}
	return replaceFile(filepath.Join(dir, devFileName), append(data, '\n'))
}

// readDevFile reads the file of a running dev.
func readDevFile(dir string) (devFile, error) {
	var d devFile
	dir, err := filepath.Abs(dir)
	if err != nil {
		return d, fmt.Errorf("find --data: %w", err)
	}
	path := filepath.Join(dir, devFileName)
	data, err := os.ReadFile(path) //nolint:gosec // the operator names the folder
	if errors.Is(err, fs.ErrNotExist) {
		return d, unreachablef("there is no %s: payrack dev --data %s is not running", path, dir)
	}
	if err != nil {
		return d, fmt.Errorf("read %s: %w", path, err)
	}
	if err := json.Unmarshal(data, &d); err != nil {
		return d, fmt.Errorf("read %s: %w", path, err)
	}
	return d, nil
}
