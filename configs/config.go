package configs

import "time"

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
	Webhooks    Webhooks  `koanf:"webhooks"`
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
	// Limits by plugin name: max_duration, landing_max and search_lag_max, which can only lower what the plugin declares,
	// and breaker, false for a provider whose new payments are never shed.
	Limits map[string]any `koanf:"limits"`
	// SigningKeys are files with the minisign public keys whose signatures of binaries are believed.
	SigningKeys []string `koanf:"signing_keys"`
	// RequireSignature installs signed binaries only. Production does so whatever it says.
	RequireSignature bool `koanf:"require_signature"`
	// Registry is where releases are pulled from.
	Registry Registry `koanf:"registry"`
	// Sandbox is what the process of a plugin may use.
	Sandbox Sandbox `koanf:"sandbox"`
	// BakeFor is how long the release before stays warm, and is watched against, after a new one serves everything.
	BakeFor Duration `koanf:"bake_for"`
	// PrepareFor is how long all live replicas together have to get a release ready.
	PrepareFor Duration `koanf:"prepare_for"`
	// Gates judge a release on trial against the one that serves, and take its payments away by themselves.
	Gates Gates `koanf:"gates"`
	// Exchanges are the recorded calls that plugin diff replays.
	Exchanges Exchanges `koanf:"exchanges"`
	// FleetInterval is how often a replica looks for what the others ordered, beside being told, and says that it lives.
	FleetInterval Duration `koanf:"fleet_interval"`
}

// Registry is an OCI registry that wants to know who asks. Others are asked with what the docker configuration of this
// user holds, or without a name.
type Registry struct {
	// Host is the one registry that gets the name and the password, such as registry.example.com:5000.
	Host string `koanf:"host"`
	// Username and PasswordFile, whose first line is the password or the token.
	Username     string `koanf:"username"`
	PasswordFile string `koanf:"password_file"`
	// PlainHTTP allows registries on this machine without TLS; for others there is no such switch.
	PlainHTTP bool `koanf:"plain_http"`
}

// Sandbox is what the process of a plugin may use. Protections that this machine lacks are shown as off.
type Sandbox struct {
	// Files hides everything from a plugin that a network client does not need, Network allows connections to the ports of
	// providers only.
	Files   bool `koanf:"files"`
	Network bool `koanf:"network"`
	// Memory of one process.
	Memory Size `koanf:"memory"`
	// OpenFiles is how many descriptors one process may have, sockets included.
	OpenFiles int `koanf:"open_files"`
	// Ports of TCP that plugins may connect to beside 443, 53 and those of the addresses in their own settings.
	Ports []int `koanf:"ports"`
	// Interpreters are programs that a release may execute, each as PATH@sha256:DIGEST, for plugins that are no static binary.
	Interpreters []string `koanf:"interpreters"`
	// Require starts no plugin where Files or Network is wanted and cannot be had.
	Require bool `koanf:"require"`
}

// Gates are the limits of a release on trial. Shares are of its calls: 0.02 is 2 %. A crash, a hang and an answer about
// another payment count at once, whatever stands here.
type Gates struct {
	// Enabled is false where only crashes, hangs and wrong answers shall roll a release back.
	Enabled bool `koanf:"enabled"`
	// FalseAlarm is the chance that one limit is found broken although the two releases do not differ.
	FalseAlarm float64 `koanf:"false_alarm"`
	// Technical, Unknown and Declined are by how much the share of failed calls, of unknown outcomes and of declines may
	// differ from that of the release that serves.
	Technical float64 `koanf:"technical"`
	Unknown   float64 `koanf:"unknown"`
	Declined  float64 `koanf:"declined"`
	// TechnicalMax and UnknownMax are the shares that hold while the release that serves has no calls.
	TechnicalMax float64 `koanf:"technical_max"`
	UnknownMax   float64 `koanf:"unknown_max"`
	// MinCalls of each release before their speeds are compared.
	MinCalls int `koanf:"min_calls"`
	// Slower and SlowerTimes are the shift of the median or of the 95th percentile that counts, whichever is less, but at
	// least SlowerLeast.
	Slower      Duration `koanf:"slower"`
	SlowerTimes float64  `koanf:"slower_times"`
	SlowerLeast Duration `koanf:"slower_least"`
	// MemoryTimes and MemoryMore are the growth of memory beyond that of the release that serves which counts, both of them.
	MemoryTimes float64 `koanf:"memory_times"`
	MemoryMore  Size    `koanf:"memory_more"`
	// Checks is about how many payments a second, on each replica, a second release is asked too; 0 asks none.
	Checks int `koanf:"checks"`
}

// Exchanges are recorded, redacted calls.
type Exchanges struct {
	// Keep is how many are kept for each provider; 0 records none.
	Keep int `koanf:"keep"`
	// MaxAge is how long, and MaxBytes how much room they may take.
	MaxAge   Duration `koanf:"max_age"`
	MaxBytes Size     `koanf:"max_bytes"`
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
	// FailedTokensPerMinute of one client id from one address (of IPv6, one /64); more are refused without a look.
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

// Webhooks is how companies' servers are told what happens to their payments.
type Webhooks struct {
	// Loopback lets messages go to this machine, and there without TLS. It is refused in production: a server that speaks to
	// its own neighbours for whoever registers an address is a way around the firewall.
	Loopback bool `koanf:"loopback"`
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

			SigningKeys: []string{},
			Sandbox:     Sandbox{Files: true, Network: true, Memory: 512 << 20, OpenFiles: 1024, Ports: []int{}, Interpreters: []string{}},
			BakeFor:     Duration(15 * time.Minute),
			PrepareFor:  Duration(time.Minute),
			Gates: Gates{
				Enabled: true, FalseAlarm: 0.001, Technical: 0.02, Unknown: 0.02, Declined: 0.08, TechnicalMax: 0.05, UnknownMax: 0.05,
				MinCalls: 20, Slower: Duration(300 * time.Millisecond), SlowerTimes: 2, SlowerLeast: Duration(50 * time.Millisecond),
				MemoryTimes: 3, MemoryMore: 128 << 20, Checks: 5,
			},
			Exchanges:     Exchanges{Keep: 1000, MaxAge: Duration(30 * 24 * time.Hour), MaxBytes: 32 << 20},
			FleetInterval: Duration(5 * time.Second),
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
