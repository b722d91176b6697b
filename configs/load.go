package configs

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"

	"github.com/knadh/koanf/parsers/yaml"
	"github.com/knadh/koanf/providers/env/v2"
	"github.com/knadh/koanf/providers/posflag"
	"github.com/knadh/koanf/providers/rawbytes"
	"github.com/knadh/koanf/v2"
	"github.com/spf13/pflag"
)

const prefix = "PAYRACK_"

// Sources say where values come from, weakest first. Zero members give nothing.
type Sources struct {
	// File is the path of a YAML file.
	File string
	// Environ is what os.Environ returns.
	Environ []string
	// Ignore are variables with our prefix that are no configuration.
	Ignore []string
	// Flags that were set win over everything; see AddFlags.
	Flags *pflag.FlagSet
}

// AddFlags defines the flags that stand for keys.
func AddFlags(f *pflag.FlagSet) {
	f.String("environment", "", "production or test")
	f.String("http", "", "address of the public plane, host:port")
	f.String("admin", "", "address of the admin plane, host:port")
	f.String("database-url", "", "path of a SQLite file, or postgres://…")
	f.String("log-level", "", "debug, info, warn or error")
	f.String("log-format", "", "json or text")
}

func flagKey(name string) string {
	switch name {
	case "environment":
		return "environment"
	case "http":
		return "http.addr"
	case "admin":
		return "admin.addr"
	case "database-url":
		return "database.url"
	case "log-level":
		return "log.level"
	case "log-format":
		return "log.format"
	default:
		return ""
	}
}

// Load reads the sources over the defaults. The error is Errors with every mistake that was found, or
// says why the file cannot be read. The configuration is only good if the error is nil.
func Load(s Sources) (Config, error) {
	c := Default()
	var problems Errors
	layers, err := read(s, &problems)
	if err != nil {
		return c, err
	}
	for _, layer := range layers {
		check(layer, &problems)
	}
	for _, layer := range layers {
		problems = append(problems, decode(layer.values, &c)...)
		if layer.folder != "" {
			c = c.rooted(layer.folder)
		}
	}
	here, err := os.Getwd()
	if err != nil {
		return c, fmt.Errorf("find the working folder: %w", err)
	}
	c = c.rooted(here)
	for _, p := range c.problems() {
		// A value that could not be read is still the default: one report for a key is enough.
		if !problems.has(p.Key) {
			problems = append(problems, p)
		}
	}
	if len(problems) > 0 {
		// The sources are maps: without an order of its own the list would differ from run to run.
		slices.SortStableFunc(problems, func(a, b Problem) int { return strings.Compare(a.String(), b.String()) })
		return c, problems
	}
	return c, nil
}

// layer is one source.
type layer struct {
	values *koanf.Koanf
	// folder is where relative paths of this layer, and of the defaults below it, start; empty is the working
	// folder.
	folder string
	// from names the source of a key for people.
	from func(key string) string
}

func read(s Sources, problems *Errors) ([]layer, error) {
	var layers []layer
	if s.File != "" {
		k, err := readFile(s.File)
		if err != nil {
			return nil, err
		}
		file, err := filepath.Abs(s.File)
		if err != nil {
			return nil, fmt.Errorf("find the configuration file: %w", err)
		}
		layers = append(layers, layer{k, filepath.Dir(file), func(string) string { return s.File }})
	}
	if len(s.Environ) > 0 {
		k, err := readEnvironment(s, problems)
		if err != nil {
			return nil, err
		}
		layers = append(layers, layer{k, "", variable})
	}
	if s.Flags != nil {
		k := koanf.New(".")
		known := func(f *pflag.Flag) (string, any) {
			if !f.Changed {
				return "", nil
			}
			return flagKey(f.Name), posflag.FlagVal(s.Flags, f)
		}
		if err := k.Load(posflag.ProviderWithFlag(s.Flags, ".", nil, known), nil); err != nil {
			return nil, fmt.Errorf("read the flags: %w", err)
		}
		layers = append(layers, layer{k, "", func(string) string { return "the flags" }})
	}
	return layers, nil
}

func readFile(path string) (*koanf.Koanf, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("find the configuration file: %w", err)
	}
	data, err := os.ReadFile(path) //nolint:gosec // the operator names the file
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("there is no configuration file %s: name one with --config or PAYRACK_CONFIG", path)
	}
	if err != nil {
		return nil, fmt.Errorf("the configuration file cannot be read: %w", err)
	}
	k := koanf.New(".")
	if err := k.Load(rawbytes.Provider(data), yaml.Parser()); err != nil {
		return nil, fmt.Errorf("the configuration file %s is not YAML: %w", path, err)
	}
	return k, nil
}

// variable is the environment variable of a key.
func variable(path string) string {
	return prefix + strings.ToUpper(strings.ReplaceAll(path, ".", "__"))
}

func readEnvironment(s Sources, problems *Errors) (*koanf.Koanf, error) {
	k := koanf.New(".")
	provider := env.Provider(".", env.Opt{
		Prefix:      prefix,
		EnvironFunc: func() []string { return s.Environ },
		TransformFunc: func(name, value string) (string, any) {
			if slices.Contains(s.Ignore, name) || serviceLink(name, value) {
				return "", nil
			}
			path := strings.ReplaceAll(strings.ToLower(strings.TrimPrefix(name, prefix)), "__", ".")
			known, ok := find(path)
			switch {
			case ok && known.kind.Kind() == reflect.Slice:
				return path, fields(value)
			case ok && known.path == path && known.open:
				*problems = append(*problems, Problem{
					Key: name, Wrong: "stands for a whole section", Do: "set one member of it, or use the file",
				})
				return "", nil
			case !ok:
				// Reported here and left out: a half known name must not hide a section.
				*problems = append(*problems, unknown(path, name))
				return "", nil
			}
			return path, value
		},
	})
	if err := k.Load(provider, nil); err != nil {
		return nil, fmt.Errorf("read the environment: %w", err)
	}
	return k, nil
}

func fields(list string) []string {
	parts := strings.FieldsFunc(list, func(r rune) bool { return r == ',' || r == ' ' })
	if parts == nil {
		return []string{}
	}
	return parts
}

// check reports keys that nobody reads and values whose kind would be guessed.
func check(l layer, problems *Errors) {
	for _, path := range l.values.Keys() {
		k, ok := find(path)
		value := l.values.Get(path)
		if !ok && isEmpty(value) && isSection(path) {
			// All that stood in it is commented out: it changes nothing.
			l.values.Delete(path)
			continue
		}
		if !ok {
			*problems = append(*problems, unknown(path, l.from(path)))
			continue
		}
		if example := withUnit(k.kind); example != "" {
			if _, text := value.(string); !text {
				*problems = append(*problems, Problem{
					Key: path, Wrong: "has no unit in " + l.from(path), Do: "write it as " + example,
				})
				l.values.Delete(path)
			}
			continue
		}
		if number, float := value.(float64); float && k.kind.Kind() == reflect.Int {
			*problems = append(*problems, Problem{
				Key: path, Wrong: fmt.Sprintf("is %v in %s", number, l.from(path)), Do: "write a whole number",
			})
			l.values.Delete(path)
			continue
		}
		if value == nil && !k.open {
			*problems = append(*problems, Problem{
				Key: path, Wrong: "is empty in " + l.from(path), Do: "give it a value or remove the line",
			})
			l.values.Delete(path)
		}
	}
}

func isEmpty(value any) bool {
	members, isMap := value.(map[string]any)
	return value == nil || isMap && len(members) == 0
}

// withUnit shows how values of a kind that needs a unit are written, "" for other kinds.
func withUnit(kind reflect.Type) string {
	switch kind {
	case reflect.TypeFor[Duration]():
		return "30s, 5m or 1h"
	case reflect.TypeFor[Size]():
		return "512MiB or 4GiB"
	default:
		return ""
	}
}

func unknown(path, from string) Problem {
	p := Problem{Key: path, Wrong: "is not a key (" + from + ")", Do: "remove it; payrack config print lists every key"}
	if near := nearest(path); near != "" {
		p.Do = "did you mean " + near + "?"
	}
	return p
}

// decode puts the known keys of one layer over c, each by itself so that every wrong one is named.
func decode(values *koanf.Koanf, c *Config) Errors {
	var problems Errors
	for _, k := range leaves() {
		if !values.Exists(k.path) {
			continue
		}
		one := koanf.New(".")
		if err := one.Set(k.path, values.Get(k.path)); err != nil {
			problems = append(problems, Problem{Key: k.path, Wrong: "cannot be read", Do: "look at payrack.example.yaml"})
			continue
		}
		kept := *c
		if err := one.UnmarshalWithConf("", c, koanf.UnmarshalConf{Tag: "koanf"}); err != nil {
			*c = kept
			problems = append(problems, Problem{Key: k.path, Wrong: "is not " + noun(k.kind), Do: "look at payrack.example.yaml"})
		}
	}
	return problems
}

func noun(t reflect.Type) string {
	switch t {
	case reflect.TypeFor[Duration]():
		return "a duration such as 30s"
	case reflect.TypeFor[Size]():
		return "a size such as 512MiB"
	}
	switch t.Kind() { //nolint:exhaustive // the kinds that Config has; the last line is for the rest
	case reflect.Bool:
		return "true or false"
	case reflect.Int:
		return "a whole number"
	case reflect.Float64:
		return "a number"
	case reflect.Slice:
		return "a list"
	case reflect.Map:
		return "a section"
	default:
		return "a text"
	}
}
