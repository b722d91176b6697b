package host

import (
	"crypto/sha256"
	"crypto/subtle"
	"debug/elf"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
)

// maxImage bounds a plugin binary.
const maxImage = 512 << 20

// image is a plugin binary that was copied while it was hashed: exactly these bytes are executed, whatever
// happens to the path meanwhile. It is shared by all instances of a release and closed with the last.
type image struct {
	file   *os.File
	path   string // what execve is given
	digest string // lower case hex
	sealed bool   // nobody can change its bytes any more
	loader string // the dynamic loader that it asks for, or empty
	remove func()

	mu   sync.Mutex
	refs int
}

// loadImage copies and hashes the file at path.
func loadImage(path, dir string, allowDynamic bool) (*image, error) {
	source, err := os.Open(path) //nolint:gosec // the operator names it, and its digest is checked
	if err != nil {
		return nil, fmt.Errorf("plugin binary: %w", err)
	}
	defer func() { _ = source.Close() }()
	if info, err := source.Stat(); err != nil || !info.Mode().IsRegular() || info.Size() > maxImage {
		return nil, fmt.Errorf("plugin binary %s: it must be a regular file of at most %d MiB", path, maxImage>>20)
	}
	img, err := newImage(source, dir)
	if err != nil {
		return nil, fmt.Errorf("plugin binary %s: %w", path, err)
	}
	img.refs = 1
	if err := checkExecutable(img.file, allowDynamic); err != nil {
		img.release()
		return nil, fmt.Errorf("plugin binary %s: %w", path, err)
	}
	img.loader = loaderOf(img.file)
	return img, nil
}

// copyHashed copies source to target and returns the digest of what was copied.
func copyHashed(target io.Writer, source io.Reader) (string, error) {
	h := sha256.New()
	if _, err := io.Copy(io.MultiWriter(target, h), io.LimitReader(source, maxImage)); err != nil {
		return "", fmt.Errorf("copy: %w", err)
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

func (i *image) matches(digest string) bool {
	return subtle.ConstantTimeCompare([]byte(i.digest), []byte(digest)) == 1
}

func (i *image) retain() *image {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.refs++
	return i
}

func (i *image) release() {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.refs--
	if i.refs != 0 {
		return
	}
	_ = i.file.Close()
	if i.remove != nil {
		i.remove()
	}
}

// errDamaged says that a file was an executable once.
var errDamaged = errors.New("the file is cut short or damaged: copy it again")

// damage tells an executable that was cut short from a file that never was one.
func damage(f io.ReaderAt) error {
	head := make([]byte, len(elf.ELFMAG))
	switch n, _ := f.ReadAt(head, 0); {
	case n == 0:
		return fmt.Errorf("it is empty; %w", errDamaged)
	case string(head[:n]) == elf.ELFMAG[:n]:
		return errDamaged
	}
	return nil
}

// checkELF refuses scripts and binaries that bring in code which was not hashed.
func checkELF(f io.ReaderAt, allowDynamic bool) error {
	binary, err := elf.NewFile(f)
	if err != nil {
		if err := damage(f); err != nil {
			return err
		}
		return fmt.Errorf("it is no ELF executable; build the plugin with CGO_ENABLED=0 GOOS=linux")
	}
	defer func() { _ = binary.Close() }()
	if allowDynamic {
		return nil
	}
	for _, p := range binary.Progs {
		if p.Type == elf.PT_INTERP {
			return fmt.Errorf("it needs a dynamic loader; build the plugin with CGO_ENABLED=0")
		}
	}
	return nil
}
