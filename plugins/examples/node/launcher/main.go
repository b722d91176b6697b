// Command launcher makes one static file of a plugin that is written in an interpreted language.
//
// payrack starts exactly the bytes that were installed, and only a static executable is exactly its bytes: a script
// brings in whatever interpreter lies on the machine. The launcher is such an executable. Behind its own bytes a zip
// archive is appended with the program and with a manifest that names the interpreter and its SHA-256. At start it
// checks the interpreter and replaces itself by it, so that process id, pipes and signals stay as they are.
//
// The digest of the release then covers the program and which interpreter runs it. It does not cover the interpreter's
// shared libraries: those belong to the machine's image.
package main

import (
	"archive/zip"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"

	"golang.org/x/sys/unix"
)

// maxProgram bounds the program in the archive.
const maxProgram = 64 << 20

// manifest is the archive's manifest.json.
type manifest struct {
	// Interpreter is its absolute path, SHA256 its digest in lower case hex.
	Interpreter string `json:"interpreter"`
	SHA256      string `json:"sha256"`
	// Args stand before the path of the program.
	Args []string `json:"args"`
}

func main() {
	if err := run(os.Args); err != nil {
		_, _ = fmt.Fprintln(os.Stderr, "launcher:", err)
		os.Exit(1)
	}
}

// run returns only if it fails.
func run(args []string) error {
	self, err := os.Open("/proc/self/exe")
	if err != nil {
		return fmt.Errorf("open this executable: %w", err)
	}
	info, err := self.Stat()
	if err != nil {
		return fmt.Errorf("open this executable: %w", err)
	}
	archive, err := zip.NewReader(self, info.Size())
	if err != nil {
		return fmt.Errorf("this executable has no program behind it: %w", err)
	}
	var m manifest
	raw, err := member(archive, "manifest.json")
	if err == nil {
		err = json.Unmarshal(raw, &m)
	}
	if err != nil {
		return fmt.Errorf("manifest: %w", err)
	}
	program, err := member(archive, "program")
	if err != nil {
		return fmt.Errorf("program: %w", err)
	}
	path, err := inMemory(program)
	if err != nil {
		return fmt.Errorf("program: %w", err)
	}
	interpreter, err := open(m)
	if err != nil {
		return err
	}
	words := slices.Concat([]string{args[0]}, m.Args, []string{path}, args[1:])
	// By its descriptor: what was checked is what runs, whatever happens to the path meanwhile.
	err = unix.Exec(fmt.Sprintf("/proc/self/fd/%d", interpreter.Fd()), words, os.Environ())
	return fmt.Errorf("start %s: %w", m.Interpreter, err)
}

func member(archive *zip.Reader, name string) ([]byte, error) {
	f, err := archive.Open(name)
	if err != nil {
		return nil, fmt.Errorf("open: %w", err)
	}
	defer func() { _ = f.Close() }()
	raw, err := io.ReadAll(io.LimitReader(f, maxProgram+1))
	if err != nil {
		return nil, fmt.Errorf("read: %w", err)
	}
	if len(raw) > maxProgram {
		return nil, fmt.Errorf("it is longer than %d MiB", maxProgram>>20)
	}
	return raw, nil
}

// inMemory puts the program into a memory file that the interpreter inherits, so that nothing has to be removed
// afterwards and nobody can change it.
func inMemory(program []byte) (path string, err error) {
	fd, err := unix.MemfdCreate("program", unix.MFD_ALLOW_SEALING) // it stays open across exec
	if err != nil {
		return "", fmt.Errorf("memory file: %w", err)
	}
	f := os.NewFile(uintptr(fd), "program")
	if _, err := f.Write(program); err != nil {
		return "", fmt.Errorf("memory file: %w", err)
	}
	seals := unix.F_SEAL_WRITE | unix.F_SEAL_GROW | unix.F_SEAL_SHRINK | unix.F_SEAL_SEAL
	if _, err := unix.FcntlInt(f.Fd(), unix.F_ADD_SEALS, seals); err != nil {
		return "", fmt.Errorf("seal the memory file: %w", err)
	}
	return fmt.Sprintf("/proc/self/fd/%d", f.Fd()), nil
}

// open opens the interpreter and compares its digest.
func open(m manifest) (*os.File, error) {
	f, err := os.Open(m.Interpreter)
	if errors.Is(err, fs.ErrPermission) {
		return nil, fmt.Errorf("open the interpreter: %w: payrack lets a plugin execute what plugins.sandbox.interpreters names, here %s@sha256:%s",
			err, m.Interpreter, m.SHA256)
	}
	if err != nil {
		return nil, fmt.Errorf("open the interpreter: %w", err)
	}
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return nil, fmt.Errorf("read the interpreter: %w", err)
	}
	got := hex.EncodeToString(h.Sum(nil))
	if subtle.ConstantTimeCompare([]byte(got), []byte(m.SHA256)) != 1 {
		return nil, fmt.Errorf("%s has the SHA-256 %s and this release was built for %s: install the interpreter that it was built for, or build it again", m.Interpreter, got, m.SHA256)
	}
	return f, nil
}
