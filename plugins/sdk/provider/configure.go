package provider

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync/atomic"
)

// SettingsChecker may be implemented by a plugin's settings. Problems is called at each Configure before
// Open and returns what is wrong, in words for an operator; Open is then not called. It is not called
// for the zero settings with which the plugin describes itself.
type SettingsChecker interface {
	Problems() []string
}

// opener decodes settings and opens a provider; the type of the settings is known to it alone.
type opener interface {
	// describe opens with zero settings.
	describe(ctx context.Context, h Host) (Provider, error)
	// open decodes strictly and opens. Problems are for the operator.
	open(ctx context.Context, raw []byte, h Host) (Provider, []string)
}

type typedOpener[S any] func(ctx context.Context, settings S, host Host) (Provider, error)

func (o typedOpener[S]) describe(ctx context.Context, h Host) (Provider, error) {
	var zero S
	p, err := o(ctx, zero, h)
	switch {
	case p != nil:
		return p, nil // an error with a provider is a complaint about the settings, and there are none yet
	case err != nil:
		return nil, fmt.Errorf("open with zero settings: %w (a provider must describe itself without settings: "+
			"return it together with the error, or check the settings in their Problems method)", err)
	default:
		return nil, errors.New("open returned neither a provider nor an error")
	}
}

func (o typedOpener[S]) open(ctx context.Context, raw []byte, h Host) (Provider, []string) {
	var settings S
	if err := decodeStrict(raw, &settings); err != nil {
		return nil, []string{err.Error()}
	}
	checker, ok := any(&settings).(SettingsChecker)
	if ok {
		if problems := checker.Problems(); len(problems) > 0 {
			return nil, problems
		}
	}
	p, err := o(ctx, settings, h)
	switch {
	case err != nil:
		closeProvider(p)
		return nil, []string{err.Error()}
	case p == nil:
		return nil, []string{"open returned neither a provider nor an error"}
	}
	return p, nil
}

// decodeStrict refuses unknown members and trailing data. Its errors name members, never values.
func decodeStrict(raw []byte, into any) error {
	if len(bytes.TrimSpace(raw)) == 0 {
		return nil
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	err := d.Decode(into)
	var syntax *json.SyntaxError
	var wrongType *json.UnmarshalTypeError
	switch {
	case errors.As(err, &syntax):
		return fmt.Errorf("the settings are no JSON (byte %d)", syntax.Offset)
	case errors.As(err, &wrongType):
		return fmt.Errorf("settings member %q must be a %s", wrongType.Field, wrongType.Type)
	case errors.Is(err, io.ErrUnexpectedEOF):
		return errors.New("the settings end in the middle")
	case err != nil:
		return fmt.Errorf("settings: %w", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("the settings are followed by other data")
	}
	return nil
}

// revision is a provider opened with one set of settings. The count starts at 1, which is the service's
// own reference, and never leaves 0: so "ended" is final, and no call can hold a closed provider.
type revision struct {
	provider Provider
	refs     atomic.Int64
}

func newRevision(p Provider) *revision {
	r := &revision{provider: p}
	r.refs.Store(1)
	return r
}

func (r *revision) acquire() bool {
	for n := r.refs.Load(); n != 0; n = r.refs.Load() {
		if r.refs.CompareAndSwap(n, n+1) {
			return true
		}
	}
	return false
}

func (r *revision) release() {
	if r.refs.Add(-1) == 0 {
		closeProvider(r.provider)
	}
}

func closeProvider(p Provider) {
	if c, ok := p.(Closer); ok {
		_ = c.Close()
	}
}
