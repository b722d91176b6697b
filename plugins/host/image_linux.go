package host

import (
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// lowestImageFd keeps the descriptor away from the numbers that a child process's own files get between
// fork and exec.
const lowestImageFd = 64

// newImage copies source into a sealed memory file. Where the system forbids executing memory files
// (vm.memfd_noexec), the file itself is hashed and executed by its descriptor: safe against a replaced
// path, and against a changed file only if its directory is read-only for this user.
func newImage(source *os.File, _ string) (*image, error) {
	img, err := memoryImage(source)
	if err == nil {
		return img, nil
	}
	return fileImage(source)
}

func memoryImage(source *os.File) (*image, error) {
	const name = "payrack-provider"
	fd, err := unix.MemfdCreate(name, unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING|unix.MFD_EXEC)
	if err != nil { // MFD_EXEC needs Linux 6.3
		fd, err = unix.MemfdCreate(name, unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	}
	if err != nil {
		return nil, fmt.Errorf("memory file: %w", err)
	}
	defer func() { _ = unix.Close(fd) }()
	if err := unix.Fchmod(fd, 0o500); err != nil {
		return nil, fmt.Errorf("memory file: %w", err)
	}
	moved, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, lowestImageFd)
	if err != nil {
		return nil, fmt.Errorf("memory file: %w", err)
	}
	file := os.NewFile(uintptr(moved), name)
	digest, err := copyHashed(file, source)
	if err == nil {
		_, err = unix.FcntlInt(uintptr(moved), unix.F_ADD_SEALS, unix.F_SEAL_WRITE|unix.F_SEAL_GROW|unix.F_SEAL_SHRINK|unix.F_SEAL_SEAL)
	}
	if err == nil {
		err = unix.Faccessat(unix.AT_FDCWD, fdPath(moved), unix.X_OK, unix.AT_EACCESS)
	}
	if err != nil {
		_ = file.Close()
		return nil, fmt.Errorf("memory file: %w", err)
	}
	return &image{file: file, path: fdPath(moved), digest: digest, sealed: true}, nil
}

func fileImage(source *os.File) (*image, error) {
	if _, err := source.Seek(0, io.SeekStart); err != nil {
		return nil, fmt.Errorf("read: %w", err)
	}
	digest, err := copyHashed(io.Discard, source)
	if err != nil {
		return nil, err
	}
	moved, err := unix.FcntlInt(source.Fd(), unix.F_DUPFD_CLOEXEC, lowestImageFd)
	if err != nil {
		return nil, fmt.Errorf("open: %w", err)
	}
	return &image{file: os.NewFile(uintptr(moved), source.Name()), path: fdPath(moved), digest: digest}, nil
}

func fdPath(fd int) string { return fmt.Sprintf("/proc/self/fd/%d", fd) }

func checkExecutable(f *os.File, allowDynamic bool) error { return checkELF(f, allowDynamic) }
