package configs

import (
	"fmt"
	"time"
)

// Config is everything that an operator can set. The koanf tags are the keys.
type Config struct {
	// Environment is "production" or "test". It decides what is_test means where a client leaves it out,
	// and production refuses what is only good enough for a test.
	Environment string    `koanf:"environment"`
	HTTP        HTTP      `koanf:"http"`
	Admin       Admin     `koanf:"admin"`
	Database    Database  `koanf:"database"`
	Keys        KeyFiles  `koanf:"keys"`
	Plugins     Plugins   `koanf:"plugins"`
	Log         Log       `koanf:"log"`
	Limits      Limits    `koanf:"limits"`
	Tokens      Tokens    `koanf:"tokens"`
	Directory   Directory `koanf:"directory"`
	Recovery    Recovery  `koanf:"recovery"`
	Shutdown    Shutdown  `koanf:"shutdown"`
}

// HTTP is the public plane.
type HTTP struct {
	// Addr to listen on, host:port. Port 0 takes a free one.
	Addr string `koanf:"addr"`
	// PublicURL is how clients reach the plane, without a slash at the end. It is the issuer of tokens.
	PublicURL string `koanf:"public_url"`
	// QuerySecrets says what happens to credentials in the query of a search: allow, warn or refuse.
	QuerySecrets string `koanf:"query_secrets"`
	// TrustedProxies are networks (CIDR) whose X-Forwarded-For is believed.
	TrustedProxies []string `koanf:"trusted_proxies"`
}

// Admin is the admin plane.
type Admin struct {
	// Addr to listen on, host:port. It must never be reachable for clients.
	Addr string `koanf:"addr"`
	// Pprof serves /debug/pprof to holders of an admin token.
	Pprof bool `koanf:"pprof"`
	// MetricsOpen serves /metrics without a token, for a scraper on a closed network.
	MetricsOpen bool `koanf:"metrics_open"`
}

// Database is where payments are kept.
type Database struct {
	// URL is the path of a SQLite file, or postgres://…. The file is made by payrack init and payrack dev only.
	URL string `koanf:"url"`
}

// KeyFiles of the installation.
type KeyFiles struct {
	// Dir holds the key files: encryption, token signing, fingerprints. In production it lies outside the
	// folder of the database, so that one stolen folder opens nothing.
	Dir string `koanf:"dir"`
}

// Plugins are the providers.
type Plugins struct {
	// Dir holds the payrack-provider-* binaries that are installed on first sight.
	Dir string `koanf:"dir"`
	// StoreDir keeps the installed binaries by digest.
	StoreDir string `koanf:"store_dir"`
	// RunDir holds the sockets of running plugins; empty is a private folder in the system's temporary
	// folder. Keep it short, at most 50 bytes: a socket's path is limited.
	RunDir string `koanf:"run_dir"`
	// RequireReport installs a new release only with a signed conformance report of it.
	RequireReport bool `koanf:"require_report"`
	// ReportKeys are files with the Ed25519 public keys (PEM) whose reports are believed.
	ReportKeys []string `koanf:"report_keys"`
	// Settings by plugin name, as the plugin's own schema describes them.
	Settings map[string]any `koanf:"settings"`
	// Limits by plugin name: max_duration, landing_max and search_lag_max. They can only lower what the plugin declares.
	Limits map[string]any `koanf:"limits"`
}

// Log is what the program writes to stderr.
type Log struct {
	// Level is debug, info, warn or error.
	Level string `koanf:"level"`
	// Format is json or text.
	Format string `koanf:"format"`
}

// Limits keep one client from taking the room of the others.
type Limits struct {
	// RequestsPerSecond and Burst of one client, over all routes together.
	RequestsPerSecond int `koanf:"requests_per_second"`
	Burst             int `koanf:"burst"`
	// FailedTokensPerMinute of one client id from one address; more are refused without a look.
	FailedTokensPerMinute int `koanf:"failed_tokens_per_minute"`
}

// Tokens are the access tokens.
type Tokens struct {
	// Lifetime of an access token.
	Lifetime Duration `koanf:"lifetime"`
}

// Directory is the set of companies, stores, credentials and clients.
type Directory struct {
	// ReloadInterval is how often a change made through another replica is looked for.
	ReloadInterval Duration `koanf:"reload_interval"`
}

// Recovery is how outcomes that nobody knows are found out.
type Recovery struct {
	// Interval is how often due payments are looked for.
	Interval Duration `koanf:"interval"`
	// SearchesPerSecond of one provider account, over all replicas.
	SearchesPerSecond int `koanf:"searches_per_second"`
	// SendMargin is what a call may wait before it begins; it is part of the deadline after which nothing is sent.
	SendMargin Duration `koanf:"send_margin"`
	// FinalMargin is added to the time after which "not found" at the provider means "not charged".
	FinalMargin Duration `koanf:"final_margin"`
	// DecisionAfter is when the company's policy decides about an outcome that is still unknown.
	DecisionAfter Duration `koanf:"decision_after"`
}

// Shutdown is how the program ends.
type Shutdown struct {
	// Grace is how long requests and provider calls may go on after SIGTERM. What still runs then is cut off,
	// recorded as unknown and answered 504 PENDING.
	Grace Duration `koanf:"grace"`
	// DrainDelay is how long /readyz answers 503 before the listeners close, so that a load balancer looks
	// away first. It comes before Grace.
	DrainDelay Duration `koanf:"drain_delay"`
}

// Duration is a time span that is written with its unit: 30s, 1h.
type Duration time.Duration

// Std is the same time span.
func (d Duration) Std() time.Duration { return time.Duration(d) }

// String shows the shortest text that reads back as the same.
func (d Duration) String() string {
	t := time.Duration(d)
	switch {
	case t == 0:
		return "0s"
	case t%time.Hour == 0:
		return fmt.Sprintf("%dh", t/time.Hour)
	case t%time.Minute == 0:
		return fmt.Sprintf("%dm", t/time.Minute)
	case t%time.Second == 0:
		return fmt.Sprintf("%ds", t/time.Second)
	default:
		return t.String()
	}
}

// MarshalText writes the duration with its unit.
func (d Duration) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText reads a duration with its unit.
func (d *Duration) UnmarshalText(text []byte) error {
	t, err := time.ParseDuration(string(text))
	if err != nil {
		return fmt.Errorf("%q is no duration, write it with a unit such as 30s", text)
	}
	*d = Duration(t)
	return nil
}

// Default is the configuration of an installation that sets nothing.
func Default() Config {
	return Config{
		Environment: Test,
		HTTP: HTTP{
			Addr:           "127.0.0.1:8080",
			PublicURL:      "http://127.0.0.1:8080",
			QuerySecrets:   "warn",
			TrustedProxies: []string{},
		},
		Admin:    Admin{Addr: "127.0.0.1:8081", Pprof: true},
		Database: Database{URL: "payrack-data/payrack.db"},
		Keys:     KeyFiles{Dir: "payrack-keys"},
		Plugins: Plugins{
			Dir:        "plugins",
			StoreDir:   "payrack-data/releases",
			RunDir:     "",
			ReportKeys: []string{},
			Settings:   map[string]any{},
			Limits:     map[string]any{},
		},
		Log:       Log{Level: "info", Format: "json"},
		Limits:    Limits{RequestsPerSecond: 5000, Burst: 5000, FailedTokensPerMinute: 60},
		Tokens:    Tokens{Lifetime: Duration(time.Hour)},
		Directory: Directory{ReloadInterval: Duration(time.Second)},
		Recovery: Recovery{
			Interval: Duration(time.Second), SearchesPerSecond: 10, SendMargin: Duration(10 * time.Second),
			FinalMargin: Duration(30 * time.Second), DecisionAfter: Duration(90 * time.Second),
		},
		Shutdown: Shutdown{Grace: Duration(60 * time.Second), DrainDelay: Duration(2 * time.Second)},
	}
}

// The environments of an installation.
const (
	Production = "production"
	Test       = "test"
)
