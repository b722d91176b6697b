package configs

import (
	"encoding/json"
	"fmt"
	"net/url"
	"reflect"
	"regexp"

	"github.com/knadh/koanf/maps"
	"github.com/knadh/koanf/parsers/yaml"
)

// Masked stands where a secret was.
const Masked = "********"

// Values returns every key with its value as it would be written in the file, with secrets masked.
func (c Config) Values() map[string]any {
	c.Database.URL = maskURL(c.Database.URL)
	settings, _ := mask("", c.Plugins.Settings).(map[string]any)
	c.Plugins.Settings = settings
	return values(reflect.ValueOf(c), "", map[string]any{})
}

func values(v reflect.Value, prefix string, all map[string]any) map[string]any {
	for f := range v.Type().Fields() {
		path, member := prefix+f.Tag.Get("koanf"), v.FieldByIndex(f.Index)
		if d, ok := reflect.TypeAssert[Duration](member); ok {
			all[path] = d.String()
			continue
		}
		if s, ok := reflect.TypeAssert[Size](member); ok {
			all[path] = s.String()
			continue
		}
		if f.Type.Kind() == reflect.Struct {
			values(member, path+".", all)
			continue
		}
		all[path] = member.Interface()
	}
	return all
}

// YAML prints the configuration as a file, with secrets masked.
func (c Config) YAML() ([]byte, error) {
	out, err := yaml.Parser().Marshal(maps.Unflatten(c.Values(), "."))
	if err != nil {
		return nil, fmt.Errorf("print the configuration: %w", err)
	}
	return out, nil
}

// JSON prints the configuration as one object, with secrets masked.
func (c Config) JSON() ([]byte, error) {
	out, err := json.MarshalIndent(maps.Unflatten(c.Values(), "."), "", "  ")
	if err != nil {
		return nil, fmt.Errorf("print the configuration: %w", err)
	}
	return append(out, '\n'), nil
}

var (
	// secretName is cautious: a setting that is masked without need harms nobody.
	secretName = regexp.MustCompile(`(?i)(secret|passw|token|credential|private|(^|_)key$|(^|_)pin$)`)
	// passwordField finds a password in the key=value form of a PostgreSQL address.
	passwordField = regexp.MustCompile(`(?i)((?:password|sslpassword|passfile)\s*=\s*)('[^']*'|[^\s&]+)`)
)

func mask(name string, value any) any {
	if secretName.MatchString(name) {
		if section, ok := value.(map[string]any); !ok || len(section) > 0 {
			return Masked
		}
	}
	switch v := value.(type) {
	case map[string]any:
		masked := make(map[string]any, len(v))
		for k, member := range v {
			masked[k] = mask(k, member)
		}
		return masked
	case []any:
		masked := make([]any, len(v))
		for i, member := range v {
			masked[i] = mask("", member)
		}
		return masked
	case string:
		return maskURL(v)
	default:
		return value
	}
}

// maskURL hides what opens the database; text that is no URL stays.
func maskURL(text string) string {
	u, err := url.Parse(text)
	if err == nil && u.User != nil {
		text = u.Redacted()
	}
	return passwordField.ReplaceAllString(text, "${1}"+Masked)
}
