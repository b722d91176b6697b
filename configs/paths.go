package configs

import (
	"path/filepath"
	"strings"
)

// rooted is the configuration with absolute paths; relative ones start at the folder.
func (c Config) rooted(folder string) Config {
	for _, path := range []*string{&c.Keys.Dir, &c.Plugins.Dir, &c.Plugins.StoreDir, &c.Plugins.RunDir, &c.Plugins.Registry.PasswordFile} {
		if *path != "" && !filepath.IsAbs(*path) {
			*path = filepath.Join(folder, *path)
		}
	}
	c.Plugins.ReportKeys = rootedAll(c.Plugins.ReportKeys, folder)
	c.Plugins.SigningKeys = rootedAll(c.Plugins.SigningKeys, folder)
	path, known := c.sqlitePath()
	if c.Postgres() || !known || path == "" || filepath.IsAbs(path) || strings.HasPrefix(path, ":memory:") {
		return c
	}
	// The scheme before the path and the parameters behind it stay as they are, for the store to judge.
	for _, scheme := range []string{"sqlite:", "file:", ""} {
		if rest, found := strings.CutPrefix(c.Database.URL, scheme); found {
			c.Database.URL = scheme + filepath.Join(folder, path) + strings.TrimPrefix(rest, path)
			return c
		}
	}
	return c
}

// rootedAll is a copy: the slice may be another configuration's too.
func rootedAll(paths []string, folder string) []string {
	all := make([]string, len(paths))
	for i, path := range paths {
		if all[i] = path; path != "" && !filepath.IsAbs(path) {
			all[i] = filepath.Join(folder, path)
		}
	}
	return all
}
