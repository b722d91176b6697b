package providers

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/payrack/payrack/plugins/host"
)

// ExchangeOptions say what is kept of what passes between plugins and their providers.
type ExchangeOptions struct {
	// Dir is the folder of the recordings.
	Dir string
	// Keep is how many are kept of one provider; 0 records nothing.
	Keep int
	// MaxAge of a recording; 0 has no bound.
	MaxAge time.Duration
	// MaxBytes of one provider's recordings; 0 has no bound.
	MaxBytes int64
	// Now is the clock. Default: time.Now.
	Now func() time.Time
	// Log for operators. Default: no log.
	Log *slog.Logger
}

// Exchanges keeps recorded exchanges on disk: one file each, in a folder for each operation and return code of a
// provider. What is too much goes where most is, so that a rare return code outlives a thousand successes. See
// core/decisions/0012-recorded-exchanges.md for the format.
//
// They are an aid and no record: nothing is synced, and what does not fit into the queue is dropped.
type Exchanges struct {
	options ExchangeOptions
	queue   chan recorded
	stopped chan struct{}
	stop    sync.Once
	ended   chan struct{}

	mu      sync.Mutex
	plugins map[string]*shelf
}

type recorded struct {
	source   host.Source
	exchange host.Exchange
}

// shelf is what is kept of one provider.
type shelf struct {
	buckets map[string][]kept // the oldest first
	count   int
	bytes   int64
}

// kept is one file.
type kept struct {
	name string
	at   time.Time
	size int64
}

// exchangeFile is the content of a file.
type exchangeFile struct {
	Format      int             `json:"format"`
	Plugin      string          `json:"plugin"`
	Version     string          `json:"version"`
	SHA256      string          `json:"sha256"`
	At          time.Time       `json:"at"`
	Operation   string          `json:"operation"`
	PaymentType string          `json:"payment_type"`
	Code        string          `json:"code"`
	Exchange    json.RawMessage `json:"exchange"`
}

const (
	exchangeFormat    = 1
	exchangeQueue     = 256
	exchangeSuffix    = ".json"
	maxExchangeFile   = 2 << 20
	exchangeNameStamp = "20060102T150405.000000000"
)

// OpenExchanges reads what is kept already and begins to keep.
func OpenExchanges(o ExchangeOptions) (*Exchanges, error) {
	if o.Dir == "" || o.Keep < 0 || o.MaxAge < 0 || o.MaxBytes < 0 {
		return nil, errors.New("recorded exchanges need a folder and bounds that are not negative")
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	e := &Exchanges{
		options: o, queue: make(chan recorded, exchangeQueue), stopped: make(chan struct{}), ended: make(chan struct{}),
		plugins: map[string]*shelf{},
	}
	if err := e.load(); err != nil {
		return nil, fmt.Errorf("recorded exchanges: %w", err)
	}
	go e.keep()
	return e, nil
}

// Record is for host.Options.Exchanges; nil if nothing is to be recorded.
func (e *Exchanges) Record() func(host.Source, host.Exchange) {
	if e.options.Keep == 0 {
		return nil
	}
	return func(s host.Source, x host.Exchange) {
		select {
		case e.queue <- recorded{s, x}:
		default: // a slow disk: the sample gets smaller
		}
	}
}

// Close writes what is queued and ends. Call it when the host has ended.
func (e *Exchanges) Close() {
	e.stop.Do(func() { close(e.stopped) })
	<-e.ended
}

func (e *Exchanges) keep() {
	defer close(e.ended)
	failing := false
	write := func(r recorded) {
		err := e.write(r)
		if err != nil && !failing {
			e.options.Log.LogAttrs(context.Background(), slog.LevelWarn, //nolint:forbidigo // the writer belongs to no request
				"an exchange was not kept; payrack plugin diff has less to compare", slog.String("error", err.Error()))
		}
		failing = err != nil
	}
	for {
		select {
		case r := <-e.queue:
			write(r)
		case <-e.stopped:
			for {
				select {
				case r := <-e.queue:
					write(r)
				default:
					return
				}
			}
		}
	}
}

var (
	pluginFolder = regexp.MustCompile(`^[a-z][a-z0-9-]{0,31}$`)
	plainName    = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)
)

// named is a text as a part of a file's name: as it is, or its hash. A plugin may have made it up.
func named(text string) string {
	if plainName.MatchString(text) {
		return text
	}
	sum := sha256.Sum256([]byte(text))
	return "x" + hex.EncodeToString(sum[:6])
}

func (e *Exchanges) write(r recorded) error {
	if !pluginFolder.MatchString(r.source.Plugin) {
		return errors.New("the plugin's name is no folder")
	}
	x := r.exchange
	text, err := json.Marshal(exchangeFile{
		Format: exchangeFormat, Plugin: r.source.Plugin, Version: r.source.Version, SHA256: r.source.SHA256,
		At: x.At.UTC(), Operation: string(x.Operation), PaymentType: x.PaymentType, Code: x.Code, Exchange: x.Record,
	})
	if err != nil {
		return fmt.Errorf("write the exchange: %w", err)
	}
	if len(text) > maxExchangeFile {
		return nil
	}
	bucket := strings.Join([]string{named(string(x.Operation)), named(x.PaymentType), named(x.Code)}, ".")
	folder := filepath.Join(e.options.Dir, r.source.Plugin, bucket)
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return fmt.Errorf("keep the exchange: %w", err)
	}
	f, err := os.CreateTemp(folder, newPrefix+"*") // 0600
	if err != nil {
		return fmt.Errorf("keep the exchange: %w", err)
	}
	defer func() { _ = os.Remove(f.Name()) }() // fails after the rename, as it should
	_, err = f.Write(text)
	// The time first, so that names sort; the rest of the temporary name keeps two of one moment apart.
	name := e.options.Now().UTC().Format(exchangeNameStamp) + "-" + strings.TrimPrefix(filepath.Base(f.Name()), newPrefix) + exchangeSuffix
	if err := errors.Join(err, f.Close(), os.Rename(f.Name(), filepath.Join(folder, name))); err != nil {
		return fmt.Errorf("keep the exchange: %w", err)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.add(r.source.Plugin, bucket, kept{name: name, at: e.options.Now(), size: int64(len(text))})
	e.trim(r.source.Plugin)
	return nil
}

// add and trim are called with mu held, or before anybody else knows of e.
func (e *Exchanges) add(plugin, bucket string, k kept) {
	s, ok := e.plugins[plugin]
	if !ok {
		s = &shelf{buckets: map[string][]kept{}}
		e.plugins[plugin] = s
	}
	s.buckets[bucket] = append(s.buckets[bucket], k)
	s.count++
	s.bytes += k.size
}

// trim removes what is too old, and then the oldest where most is until the rest is within bounds.
func (e *Exchanges) trim(plugin string) {
	s := e.plugins[plugin]
	for bucket, all := range s.buckets {
		for e.options.MaxAge > 0 && len(all) > 0 && e.options.Now().Sub(all[0].at) > e.options.MaxAge {
			e.remove(plugin, bucket)
			all = s.buckets[bucket]
		}
	}
	for s.count > 0 && (s.count > e.options.Keep || e.options.MaxBytes > 0 && s.bytes > e.options.MaxBytes) {
		fullest := ""
		for bucket, all := range s.buckets {
			most := s.buckets[fullest]
			if len(all) > len(most) || len(all) == len(most) && all[0].at.Before(most[0].at) {
				fullest = bucket
			}
		}
		e.remove(plugin, fullest)
	}
}

// remove takes the oldest of a bucket away.
func (e *Exchanges) remove(plugin, bucket string) {
	s := e.plugins[plugin]
	first := s.buckets[bucket][0]
	folder := filepath.Join(e.options.Dir, plugin, bucket)
	_ = os.Remove(filepath.Join(folder, first.name)) // one that is gone already is gone
	s.count--
	s.bytes -= first.size
	if s.buckets[bucket] = s.buckets[bucket][1:]; len(s.buckets[bucket]) == 0 {
		delete(s.buckets, bucket)
		_ = os.Remove(folder)
	}
}

// load finds what an earlier life of the program kept.
func (e *Exchanges) load() error {
	plugins, err := os.ReadDir(e.options.Dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err //nolint:wrapcheck // wrapped by the caller
	}
	for _, plugin := range plugins {
		if !plugin.IsDir() || !pluginFolder.MatchString(plugin.Name()) {
			continue
		}
		if err := e.loadShelf(plugin.Name()); err != nil {
			return err
		}
		if s := e.plugins[plugin.Name()]; s != nil {
			e.trim(plugin.Name())
		}
	}
	return nil
}

func (e *Exchanges) loadShelf(plugin string) error {
	buckets, err := os.ReadDir(filepath.Join(e.options.Dir, plugin))
	if err != nil {
		return err //nolint:wrapcheck // wrapped by the caller
	}
	for _, bucket := range buckets {
		files, err := os.ReadDir(filepath.Join(e.options.Dir, plugin, bucket.Name()))
		if err != nil {
			continue // not ours
		}
		for _, f := range files { // sorted by name, which begins with the time
			stamp, _, _ := strings.Cut(f.Name(), "-")
			at, err := time.Parse(exchangeNameStamp, stamp)
			info, statErr := f.Info()
			if err != nil || statErr != nil || !info.Mode().IsRegular() {
				if strings.HasPrefix(f.Name(), newPrefix) {
					_ = os.Remove(filepath.Join(e.options.Dir, plugin, bucket.Name(), f.Name()))
				}
				continue
			}
			e.add(plugin, bucket.Name(), kept{name: f.Name(), at: at, size: info.Size()})
		}
	}
	return nil
}

// newest lists recordings of a provider, the newest first and a fair share of every operation and return code.
func (e *Exchanges) newest(plugin string, last int) []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	s := e.plugins[plugin]
	if s == nil {
		return nil
	}
	type found struct {
		id string
		at time.Time
	}
	var out []found
	for round := 1; len(out) < last; round++ {
		before := len(out)
		for bucket, all := range s.buckets {
			if round <= len(all) {
				k := all[len(all)-round]
				out = append(out, found{bucket + "/" + strings.TrimSuffix(k.name, exchangeSuffix), k.at})
			}
		}
		if len(out) == before {
			break
		}
	}
	slices.SortFunc(out, func(a, b found) int { return cmp.Or(b.at.Compare(a.at), cmp.Compare(a.id, b.id)) })
	ids := make([]string, 0, min(last, len(out)))
	for _, f := range out[:min(last, len(out))] {
		ids = append(ids, f.id)
	}
	return ids
}

// read returns a recording; fs.ErrNotExist if it is not kept any more.
func (e *Exchanges) read(plugin, id string) (exchangeFile, error) {
	bucket, name, ok := strings.Cut(id, "/")
	if !ok || !pluginFolder.MatchString(plugin) || !filepath.IsLocal(bucket) || !filepath.IsLocal(name) || strings.Contains(name, "/") {
		return exchangeFile{}, fs.ErrNotExist
	}
	text, err := os.ReadFile(filepath.Join(e.options.Dir, plugin, bucket, name+exchangeSuffix)) //nolint:gosec // checked above
	if err != nil {
		return exchangeFile{}, fmt.Errorf("read the exchange: %w", err)
	}
	var out exchangeFile
	if err := json.Unmarshal(text, &out); err != nil || out.Format != exchangeFormat {
		return exchangeFile{}, errors.New("the recording cannot be read")
	}
	return out, nil
}
