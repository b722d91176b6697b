package secrets

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/insecurecleartextkeyset"
	"github.com/tink-crypto/tink-go/v2/keyderivation"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/prf"
	tinkpb "github.com/tink-crypto/tink-go/v2/proto/tink_go_proto"

	"github.com/payrack/payrack/adapters/outbound/internal/keyfile"
)

// masterFile holds the master keyset.
const masterFile = "kek.json"

// template of a master key: HKDF-SHA256 that derives an AES-256-GCM key per company.
func template() (*tinkpb.KeyTemplate, error) {
	t, err := keyderivation.CreatePRFBasedKeyTemplate(prf.HKDFSHA256PRFKeyTemplate(), aead.AES256GCMKeyTemplate())
	if err != nil {
		return nil, fmt.Errorf("make the key template: %w", err)
	}
	return t, nil
}

func newMaster() ([]byte, error) {
	t, err := template()
	if err != nil {
		return nil, err
	}
	handle, err := keyset.NewHandle(t)
	if err != nil {
		return nil, fmt.Errorf("make a master key: %w", err)
	}
	return writeMaster(handle)
}

func readMaster(doc []byte) (*keyset.Handle, error) {
	handle, err := insecurecleartextkeyset.Read(keyset.NewJSONReader(bytes.NewReader(doc)))
	if err != nil {
		return nil, errors.New("the file is not a keyset: restore it from the backup") // Tink's text may quote the file
	}
	return handle, nil
}

func writeMaster(handle *keyset.Handle) ([]byte, error) {
	var b bytes.Buffer
	if err := insecurecleartextkeyset.Write(handle, keyset.NewJSONWriter(&b)); err != nil {
		return nil, fmt.Errorf("write the master keyset: %w", err)
	}
	return b.Bytes(), nil
}

// loadMaster reads the master keyset of a keys folder.
func loadMaster(dir string) (keyderivation.KeysetDeriver, error) {
	path := filepath.Join(dir, masterFile)
	doc, err := keyfile.Read(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("there is no %s: restore the keys folder from the backup, or name the right one in keys.dir: stored credentials cannot be opened without it; only a new installation gets keys, from `payrack init`", path)
	}
	if err != nil {
		return nil, err
	}
	handle, err := readMaster(doc)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	deriver, err := keyderivation.New(handle)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return deriver, nil
}

// AddKey adds a master key to the folder without using it yet. With several replicas the file is spread next,
// and Promote follows when each of them has it.
func AddKey(dir string) error {
	return keyfile.Replace(filepath.Join(dir, masterFile), func(old []byte) ([]byte, error) {
		manager, t, err := manage(old)
		if err != nil {
			return nil, err
		}
		if _, err := manager.Add(t); err != nil {
			return nil, fmt.Errorf("add a master key: %w", err)
		}
		return finish(manager)
	})
}

// Promote makes the newest master key the one that seals. Values sealed before still open.
func Promote(dir string) error {
	return keyfile.Replace(filepath.Join(dir, masterFile), func(old []byte) ([]byte, error) {
		manager, _, err := manage(old)
		if err != nil {
			return nil, err
		}
		handle, err := manager.Handle()
		if err != nil {
			return nil, fmt.Errorf("read the master keyset: %w", err)
		}
		newest, err := handle.Entry(handle.Len() - 1) // keys are appended
		if err != nil {
			return nil, fmt.Errorf("read the master keyset: %w", err)
		}
		if err := manager.SetPrimary(newest.KeyID()); err != nil {
			return nil, fmt.Errorf("promote the master key: %w", err)
		}
		return finish(manager)
	})
}

// Rotate adds a master key and seals with it from now on: for an installation of one process, or one keys
// folder that all replicas share.
func Rotate(dir string) error {
	if err := AddKey(dir); err != nil {
		return err
	}
	return Promote(dir)
}

func manage(old []byte) (*keyset.Manager, *tinkpb.KeyTemplate, error) {
	handle, err := readMaster(old)
	if err != nil {
		return nil, nil, err
	}
	t, err := template()
	return keyset.NewManagerFromHandle(handle), t, err
}

func finish(manager *keyset.Manager) ([]byte, error) {
	handle, err := manager.Handle()
	if err != nil {
		return nil, fmt.Errorf("write the master keyset: %w", err)
	}
	return writeMaster(handle)
}
