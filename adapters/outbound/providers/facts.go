package providers

import (
	"github.com/payrack/payrack/core/release"
	"github.com/payrack/payrack/plugins/host"
)

// factToCore tells the core what happened to a process. The words of both are the same; a test holds them together.
func factToCore(f host.Fact) release.Fact {
	return release.Fact{
		Kind: release.FactKind(f.Kind), Name: f.Name, Version: f.Version, SHA256: f.SHA256, Detail: f.Detail, Value: f.Value, At: f.At,
	}
}
