//go:build unix

package host

import (
	"crypto/rand"
	"crypto/sha256"
	"debug/elf"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/payrack/payrack/plugins/host/shim"
)

func newCookie() uint64 {
	var b [8]byte
	_, _ = rand.Read(b[:])
	return binary.LittleEndian.Uint64(b[:])
}

// identify looks at a file, links followed.
func identify(path string) (shim.File, error) {
	info, err := os.Stat(path)
	if err != nil {
		return shim.File{}, fmt.Errorf("look at it: %w", err)
	}
	return identity(path, info)
}

func identity(path string, info os.FileInfo) (shim.File, error) {
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok || !info.Mode().IsRegular() {
		return shim.File{}, fmt.Errorf("%s is no regular file", path)
	}
	return shim.File{Path: path, Device: uint64(stat.Dev), Inode: stat.Ino}, nil //nolint:unconvert,nolintlint // another type on other systems
}

// resolverFiles are the files that a system replaces when its network changes, where they are what was granted and not a
// folder around them.
func resolverFiles() []shim.File {
	var out []shim.File
	for _, path := range []string{resolverConfig, "/etc/hosts"} {
		f, err := identify(path)
		if folder := filepath.Dir(resolverPath()); path == resolverConfig && folder != filepath.Dir(path) {
			continue
		}
		if err == nil {
			out = append(out, f)
		}
	}
	return out
}

// outdated names a file that was replaced since the process started, or nothing. A rule of Landlock belongs to a file and
// not to its name: the process cannot read the new one, and would ask name servers that are gone. It has to be started
// anew, which is no hurry: a file that has just been removed is waited for.
func (p *process) outdated() string {
	for _, f := range p.granted {
		if now, err := identify(f.Path); err == nil && now != f {
			return f.Path + " was replaced, and the running process cannot read the new one"
		}
	}
	return ""
}

// voucher is an interpreter that was hashed: as long as the file is the same nobody reads its hundred megabytes again.
type voucher struct {
	file     shim.File
	size     int64
	modified time.Time
	digest   string
	loader   string
}

var (
	vouchersMu sync.Mutex
	vouchers   = map[string]voucher{}
)

// vouched checks that an interpreter is the one that the operator allows, and returns its loader if it needs one.
func vouched(allowed Interpreter) (f shim.File, loader string, err error) {
	path, err := filepath.EvalSymlinks(allowed.Path)
	if err != nil {
		return shim.File{}, "", fmt.Errorf("open it: %w", err)
	}
	file, err := os.Open(path)
	if err != nil {
		return shim.File{}, "", fmt.Errorf("open it: %w", err)
	}
	defer func() { _ = file.Close() }()
	info, err := file.Stat()
	if err != nil {
		return shim.File{}, "", fmt.Errorf("look at it: %w", err)
	}
	if f, err = identity(path, info); err != nil {
		return shim.File{}, "", err
	}
	vouchersMu.Lock()
	defer vouchersMu.Unlock()
	v := vouchers[path]
	if v.file != f || v.size != info.Size() || !v.modified.Equal(info.ModTime()) {
		h := sha256.New()
		if _, err := io.Copy(h, file); err != nil {
			return shim.File{}, "", fmt.Errorf("read it: %w", err)
		}
		v = voucher{file: f, size: info.Size(), modified: info.ModTime(), digest: hex.EncodeToString(h.Sum(nil)), loader: loaderOf(file)}
		vouchers[path] = v
	}
	if v.digest != strings.ToLower(allowed.SHA256) {
		return shim.File{}, "", fmt.Errorf("it has the SHA-256 %s and %s is allowed: if the system was updated on purpose, allow the new one", v.digest, allowed.SHA256)
	}
	return f, v.loader, nil
}

// loaderOf is the path of the dynamic loader that an executable asks for, or empty.
func loaderOf(f io.ReaderAt) string {
	binary, err := elf.NewFile(f)
	if err != nil {
		return ""
	}
	defer func() { _ = binary.Close() }()
	for _, p := range binary.Progs {
		if p.Type != elf.PT_INTERP {
			continue
		}
		raw, err := io.ReadAll(io.LimitReader(p.Open(), 4096))
		if err != nil {
			return ""
		}
		return strings.TrimRight(string(raw), "\x00")
	}
	return ""
}
