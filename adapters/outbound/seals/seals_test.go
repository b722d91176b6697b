package seals_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/payrack/payrack/adapters/outbound/seals"
)

func TestASealIsOursOrNot(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if _, err := seals.New(seals.Options{Dir: dir}); err == nil || !strings.Contains(err.Error(), "payrack init") {
		t.Fatalf("without a key: %v", err)
	}
	first, err := seals.New(seals.Options{Dir: dir, Create: true})
	if err != nil {
		t.Fatal(err)
	}
	name, signature, err := first.SignBlock([]byte("block"))
	if err != nil {
		t.Fatal(err)
	}
	again, err := seals.New(seals.Options{Dir: dir, Create: true})
	if err != nil {
		t.Fatal(err)
	}
	if !again.VerifyBlock(name, []byte("block"), signature) {
		t.Error("the same folder does not know its own seal")
	}
	other, err := seals.New(seals.Options{Dir: t.TempDir(), Create: true})
	if err != nil {
		t.Fatal(err)
	}
	if again.VerifyBlock(name, []byte("blocks"), signature) || other.VerifyBlock(name, []byte("block"), signature) {
		t.Error("a seal of other data, or of another installation, was taken")
	}
	info, err := os.Stat(filepath.Join(dir, "journal.json"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
}

func TestABrokenKeyFileIsNamed(t *testing.T) {
	t.Parallel()
	for name, doc := range map[string]string{
		"no JSON":      "x",
		"no keys":      `{"keys":[]}`,
		"short key":    `{"keys":[{"public":"AAAA"}]}`,
		"only retired": `{"keys":[{"public":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="}]}`,
		"two halves":   `{"keys":[{"seed":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=","public":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="}]}`,
	} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "journal.json"), []byte(doc), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := seals.New(seals.Options{Dir: dir}); err == nil || !strings.Contains(err.Error(), "journal.json") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
