package configs

import (
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Problem is one mistake.
type Problem struct {
	Key string
	// Wrong says what is wrong, without a secret value.
	Wrong string
	// Do says what to do about it.
	Do string
}

// String is one line for people.
func (p Problem) String() string { return p.Key + ": " + p.Wrong + "; " + p.Do }

// Errors are all mistakes of a configuration.
type Errors []Problem

// Error lists them, one a line.
func (ps Errors) Error() string {
	lines := make([]string, len(ps))
	for i, p := range ps {
		lines[i] = "  " + p.String()
	}
	return fmt.Sprintf("the configuration has %d mistake(s):\n%s", len(ps), strings.Join(lines, "\n"))
}

func (ps Errors) has(key string) bool {
	return slices.ContainsFunc(ps, func(p Problem) bool { return p.Key == key })
}

// Validate returns Errors with every mistake, or nil.
func (c Config) Validate() error {
	if ps := c.problems(); len(ps) > 0 {
		return ps
	}
	return nil
}

// The longest and shortest times that make sense; beyond them it is a mistake of the unit.
const (
	longestLifetime = 24 * time.Hour
	longestGrace    = 30 * time.Minute
	longestReload   = time.Minute

	longestDrainDelay = 5 * time.Minute
	// runDirLength leaves room for the plugin's name and the socket's in the 108 bytes of a socket path.
	runDirLength = 50
)

func (c Config) problems() Errors {
	var ps Errors
	add := func(key, wrong, do string) { ps = append(ps, Problem{key, wrong, do}) }

	if !slices.Contains([]string{Production, Test}, c.Environment) {
		add("environment", "is neither production nor test", "choose one of the two")
	}
	address(&ps, "http.addr", c.HTTP.Addr)
	address(&ps, "admin.addr", c.Admin.Addr)
	if c.HTTP.Addr == c.Admin.Addr && !strings.HasSuffix(c.HTTP.Addr, ":0") {
		add("admin.addr", "is the address of the public plane", "give the admin plane an address that clients cannot reach")
	}
	c.publicURL(&ps)
	if !slices.Contains([]string{"allow", "warn", "refuse"}, c.HTTP.QuerySecrets) {
		add("http.query_secrets", "is neither allow, warn nor refuse", "choose one of the three")
	}
	for i, network := range c.HTTP.TrustedProxies {
		if _, err := netip.ParsePrefix(network); err != nil {
			add(fmt.Sprintf("http.trusted_proxies.%d", i), "is no network", "write it as 10.0.0.0/8")
		}
	}
	c.places(&ps)
	c.plugins(&ps)
	if !slices.Contains([]string{"debug", "info", "warn", "error"}, c.Log.Level) {
		add("log.level", "is not a level", "choose debug, info, warn or error")
	}
	if !slices.Contains([]string{"json", "text"}, c.Log.Format) {
		add("log.format", "is not a format", "choose json or text")
	}
	positive(&ps, "limits.requests_per_second", c.Limits.RequestsPerSecond)
	positive(&ps, "limits.burst", c.Limits.Burst)
	positive(&ps, "limits.failed_tokens_per_minute", c.Limits.FailedTokensPerMinute)
	within(&ps, "tokens.lifetime", c.Tokens.Lifetime, time.Minute, longestLifetime)
	within(&ps, "directory.reload_interval", c.Directory.ReloadInterval, 100*time.Millisecond, longestReload)
	within(&ps, "recovery.interval", c.Recovery.Interval, 50*time.Millisecond, 5*time.Second)
	positive(&ps, "recovery.searches_per_second", c.Recovery.SearchesPerSecond)
	within(&ps, "recovery.send_margin", c.Recovery.SendMargin, 500*time.Millisecond, time.Minute)
	within(&ps, "recovery.final_margin", c.Recovery.FinalMargin, 500*time.Millisecond, time.Hour)
	within(&ps, "recovery.decision_after", c.Recovery.DecisionAfter, time.Second, 24*time.Hour)
	if c.Webhooks.Loopback && c.Environment == Production {
		add("webhooks.loopback", "is true, and this is production", "set it to false: messages go to public addresses by https only")
	}
	within(&ps, "shutdown.grace", c.Shutdown.Grace, time.Second, longestGrace)
	within(&ps, "shutdown.drain_delay", c.Shutdown.DrainDelay, 0, longestDrainDelay)
	return ps
}

func (c Config) publicURL(ps *Errors) {
	u, err := url.Parse(c.HTTP.PublicURL)
	switch {
	case err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https"):
		*ps = append(*ps, Problem{"http.public_url", "is no http or https address", "write it as https://pay.example.com"})
	case u.User != nil || u.RawQuery != "" || u.Fragment != "" || strings.HasSuffix(u.Path, "/"):
		*ps = append(*ps, Problem{"http.public_url", "has more than a host and a path", "remove user, query, fragment and the slash at the end"})
	case c.Environment == Production && u.Scheme != "https":
		*ps = append(*ps, Problem{"http.public_url", "is not https, and this is production", "give the address that clients use behind TLS"})
	}
}

// places checks what lies where on the disk.
func (c Config) places(ps *Errors) {
	add := func(key, wrong, do string) { *ps = append(*ps, Problem{key, wrong, do}) }
	if c.Database.URL == "" {
		add("database.url", "is empty", "name a SQLite file or give postgres://…")
	} else if path, known := c.sqlitePath(); !c.Postgres() && (!known || path == "") {
		add("database.url", "is neither a file nor postgres://", "only SQLite and PostgreSQL are known")
	}
	if c.Keys.Dir == "" {
		add("keys.dir", "is empty", "name the folder that payrack init made")
	} else if data := c.DataDir(); c.Environment == Production && data != "" && inside(c.Keys.Dir, data) {
		add("keys.dir", "lies inside the folder of the database, and this is production",
			"move the keys to another folder: a copy of the data must not hold the keys that open it")
	}
}

func (c Config) plugins(ps *Errors) {
	add := func(key, wrong, do string) { *ps = append(*ps, Problem{key, wrong, do}) }
	if c.Plugins.Dir == "" {
		add("plugins.dir", "is empty", "name the folder with the payrack-provider-* binaries")
	}
	if c.Plugins.StoreDir == "" {
		add("plugins.store_dir", "is empty", "name a folder that keeps the installed binaries")
	}
	if len(c.Plugins.RunDir) > runDirLength {
		add("plugins.run_dir", fmt.Sprintf("is longer than %d characters", runDirLength), "a socket's path is limited: choose a shorter folder, or leave it empty")
	}
	if c.Plugins.RequireReport && len(c.Plugins.ReportKeys) == 0 {
		add("plugins.report_keys", "names no key, and plugins.require_report demands reports",
			"name the files with the public keys of those who verify plugins (openssl pkey -in key.pem -pubout -out key.pub)")
	}
	for i, key := range c.Plugins.ReportKeys {
		if key == "" {
			add(fmt.Sprintf("plugins.report_keys.%d", i), "is empty", "name a file with an Ed25519 public key in PEM")
		}
	}
	name := regexp.MustCompile(`^[a-z][a-z0-9-]{0,31}$`)
	for plugin, settings := range c.Plugins.Settings {
		if !name.MatchString(plugin) {
			add("plugins.settings", "has a member that is no plugin name", "use the name after payrack-provider-")
		}
		if _, ok := settings.(map[string]any); !ok {
			add("plugins.settings."+plugin, "is not a section", "put the plugin's settings under it")
		}
	}
	if _, err := c.Plugins.Lowered(); err != nil {
		add("plugins.limits", err.Error(), "write it as linepay: {max_duration: 20s, landing_max: 2m, search_lag_max: 10s, breaker: false}")
	}
	c.releases(ps)
}

// Postgres reports whether the database is a PostgreSQL server.
func (c Config) Postgres() bool {
	return strings.HasPrefix(c.Database.URL, "postgres://") || strings.HasPrefix(c.Database.URL, "postgresql://")
}

// DataDir is the folder of the SQLite file, "" with PostgreSQL.
func (c Config) DataDir() string {
	if c.Postgres() {
		return ""
	}
	path, _ := c.sqlitePath()
	return filepath.Dir(path)
}

// SQLitePath is the path of the SQLite file, "" with PostgreSQL.
func (c Config) SQLitePath() string {
	if c.Postgres() {
		return ""
	}
	path, _ := c.sqlitePath()
	return path
}

// sqlitePath is the path of the SQLite file, from a path, a file: URL or a sqlite: URL.
func (c Config) sqlitePath() (path string, ok bool) {
	path = c.Database.URL
	for _, scheme := range []string{"sqlite:", "file:"} {
		if rest, found := strings.CutPrefix(path, scheme); found {
			// file:///var/lib: the host is empty.
			path, _, _ = strings.Cut(strings.TrimPrefix(rest, "//"), "?")
			return path, strings.HasPrefix(rest, "///") || !strings.HasPrefix(rest, "//")
		}
	}
	return path, !strings.Contains(path, "://")
}

// inside reports whether path is dir or lies below it. Links are followed as far as the folders exist.
func inside(path, dir string) bool {
	from, err := resolve(dir)
	if err != nil {
		return false
	}
	to, err := resolve(path)
	if err != nil {
		return false
	}
	relative, err := filepath.Rel(from, to)
	return err == nil && relative != ".." && !strings.HasPrefix(relative, ".."+string(filepath.Separator))
}

func resolve(path string) (string, error) {
	absolute, err := filepath.Abs(path)
	if err != nil {
		return "", fmt.Errorf("find %s: %w", path, err)
	}
	for rest := ""; ; {
		if found, err := filepath.EvalSymlinks(absolute); err == nil {
			return filepath.Join(found, rest), nil
		}
		if absolute == filepath.Dir(absolute) {
			return filepath.Join(absolute, rest), nil
		}
		rest = filepath.Join(filepath.Base(absolute), rest)
		absolute = filepath.Dir(absolute)
	}
}

func address(ps *Errors, key, value string) {
	host, port, err := net.SplitHostPort(value)
	if err != nil {
		*ps = append(*ps, Problem{key, "is no address", "write it as 127.0.0.1:8080"})
		return
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		*ps = append(*ps, Problem{key, "has no usable port", "use a number from 0 to 65535; 0 takes a free one"})
	}
	if strings.ContainsAny(host, " /") {
		*ps = append(*ps, Problem{key, "has no usable host", "use an address of this machine, or nothing for all of them"})
	}
}

func positive(ps *Errors, key string, n int) {
	if n < 1 {
		*ps = append(*ps, Problem{key, "is less than 1", "use a whole number from 1 up"})
	}
}

func within(ps *Errors, key string, d Duration, least, most time.Duration) {
	if d.Std() < least || d.Std() > most {
		*ps = append(*ps, Problem{
			key, fmt.Sprintf("is not between %s and %s", Duration(least), Duration(most)), "check the number and its unit",
		})
	}
}
