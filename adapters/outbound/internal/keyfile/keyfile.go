// Package keyfile reads and writes key files: private to their owner, durable before they are used, replaced in one
// step, and never over another one.
package keyfile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// Read reads a file that only its owner may read.
func Read(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrPermission) {
		return nil, fmt.Errorf("user %d may not read %s: run payrack as the user that owns the keys folder, or give it to this one (chown -R)", os.Getuid(), path)
	}
	if err != nil {
		return nil, err //nolint:wrapcheck // callers tell a missing file from others
	}
	if open := info.Mode().Perm() & 0o077; open != 0 {
		return nil, fmt.Errorf("%s can be used by others (mode %04o): run chmod 600 on it, and change the keys if it was copied", path, info.Mode().Perm())
	}
	doc, err := os.ReadFile(path) //nolint:gosec // the path is the operator's
	if err != nil {
		return nil, fmt.Errorf("read the key file: %w", err)
	}
	return doc, nil
}

// Create makes a file, never over another one. If two processes start at once the first wins.
func Create(path string, doc []byte) error {
	temporary, err := writeTemporary(filepath.Dir(path), doc)
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(temporary) }()
	if err := os.Link(temporary, path); err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("create the key file: %w", err)
	}
	return syncFolder(filepath.Dir(path))
}

// Replace puts a new content in place of the old one, in one step. The mark beside it keeps two
// rotations apart: the key that the slower one forgot would be lost.
func Replace(path string, change func(old []byte) ([]byte, error)) (err error) {
	mark := path + ".rotating"
	m, err := os.OpenFile(mark, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600) //nolint:gosec // the path is the operator's
	if err != nil {
		if errors.Is(err, fs.ErrExist) {
			return fmt.Errorf("another rotation is under way, or one was interrupted: if none is running, remove %s and try again", mark)
		}
		return fmt.Errorf("mark the rotation: %w", err)
	}
	defer func() {
		_ = m.Close()
		err = errors.Join(err, os.Remove(mark))
	}()
	old, err := Read(path)
	if err != nil {
		return err
	}
	if err := owned(path); err != nil {
		return err
	}
	doc, err := change(old)
	if err != nil {
		return err
	}
	temporary, err := writeTemporary(filepath.Dir(path), doc)
	if err != nil {
		return err
	}
	if err := os.Rename(temporary, path); err != nil {
		_ = os.Remove(temporary)
		return fmt.Errorf("replace the key file: %w", err)
	}
	return syncFolder(filepath.Dir(path))
}

// owned refuses to replace another user's file, as root could: the new one would belong to root, and the platform, which runs as
// its own user, could not read it.
func owned(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return fmt.Errorf("look at the key file: %w", err)
	}
	if s, ok := info.Sys().(*syscall.Stat_t); ok && int64(s.Uid) != int64(os.Geteuid()) {
		return fmt.Errorf("%s belongs to user %d, and this is user %d: run payrack as the user that owns the keys folder", path, s.Uid, os.Geteuid())
	}
	return nil
}

// writeTemporary writes a durable private file beside the final one.
func writeTemporary(folder string, doc []byte) (path string, err error) {
	f, err := os.CreateTemp(folder, ".key-*") // mode 0600
	if err != nil {
		return "", fmt.Errorf("write the key file: %w", err)
	}
	defer func() {
		if err != nil {
			_ = os.Remove(f.Name())
		}
	}()
	_, err = f.Write(doc)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return "", fmt.Errorf("write the key file: %w", err)
	}
	return f.Name(), nil
}

func syncFolder(path string) error {
	d, err := os.Open(path) //nolint:gosec // the path is the operator's
	if err != nil {
		return fmt.Errorf("open the keys folder: %w", err)
	}
	if err := errors.Join(d.Sync(), d.Close()); err != nil {
		return fmt.Errorf("sync the keys folder: %w", err)
	}
	return nil
}
