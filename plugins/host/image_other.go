//go:build unix && !linux

package host

import (
	"fmt"
	"os"
	"path/filepath"
)

// newImage copies source into a private file. Plugins run outside Linux for development only.
func newImage(source *os.File, dir string) (*image, error) {
	target, err := os.CreateTemp(dir, "image")
	if err != nil {
		return nil, fmt.Errorf("copy: %w", err)
	}
	remove := func() { _ = os.Remove(target.Name()) }
	digest, err := copyHashed(target, source)
	if err == nil {
		err = target.Chmod(0o500)
	}
	_ = target.Close()
	if err != nil {
		remove()
		return nil, fmt.Errorf("copy: %w", err)
	}
	file, err := os.Open(filepath.Clean(target.Name()))
	if err != nil {
		remove()
		return nil, fmt.Errorf("copy: %w", err)
	}
	return &image{file: file, path: target.Name(), digest: digest, remove: remove}, nil
}

// checkExecutable has nothing to look at: the files are not ELF here.
func checkExecutable(*os.File, bool) error {
	_ = checkELF
	return nil
}
