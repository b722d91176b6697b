package sandbox

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
)

// journalName is the one file of a sandbox's folder.
const journalName = "sandbox.journal"

// maxGroup bounds what one write takes from the queue, in bytes.
const maxGroup = 1 << 20

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

var errJournalClosed = errors.New("the sandbox is closed")

// journal is an append-only file of checksummed lines. Whatever queued while the last write ran goes
// out together, with one fsync for all of it.
type journal struct {
	file *os.File
	path string

	mu     sync.Mutex
	wake   *sync.Cond
	queue  []*group
	newest *group // the last that was made, queued or not
	err    error
	closed bool
	done   chan struct{}
}

// group is what one write and at most one fsync make durable.
type group struct {
	lines  []byte
	sync   bool
	landed chan struct{}
	err    error // valid once landed is closed
}

// openJournal opens or creates the journal in dir, hands every whole line to replay in order, and cuts
// off a torn end. A second sandbox on the same folder is refused.
func openJournal(dir string, log *slog.Logger, replay func([]byte) error) (*journal, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("create the sandbox folder: %w", err)
	}
	path := filepath.Join(dir, journalName)
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600) //nolint:gosec // the operator names the folder
	if err != nil {
		return nil, fmt.Errorf("open the sandbox journal: %w", err)
	}
	if err := prepareJournal(file, path, log, replay); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	j := &journal{file: file, path: path, done: make(chan struct{})}
	j.wake = sync.NewCond(&j.mu)
	go j.write()
	return j, nil
}

func prepareJournal(file *os.File, path string, log *slog.Logger, replay func([]byte) error) error {
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return fmt.Errorf("another sandbox uses %s: %w", path, err)
	}
	good, size, err := readJournal(file, replay)
	if err != nil {
		return fmt.Errorf("read %s: %w", path, err)
	}
	if good < size {
		log.Warn("the sandbox journal had a torn end, which is cut off; nothing that was answered is lost",
			slog.String("path", path), slog.Int64("bytes", size-good))
		if err := file.Truncate(good); err != nil {
			return fmt.Errorf("cut off the torn end of %s: %w", path, err)
		}
	}
	if _, err := file.Seek(good, io.SeekStart); err != nil {
		return fmt.Errorf("find the end of %s: %w", path, err)
	}
	// The name of a new file is durable only once its folder is.
	if err := errors.Join(file.Sync(), syncDir(filepath.Dir(path))); err != nil {
		return fmt.Errorf("make %s durable: %w", path, err)
	}
	return nil
}

func syncDir(dir string) error {
	d, err := os.Open(dir) //nolint:gosec // the operator names the folder
	if err != nil {
		return fmt.Errorf("open the folder: %w", err)
	}
	return errors.Join(d.Sync(), d.Close())
}

// readJournal returns how many bytes are whole lines, and how many there are. A broken line is a torn
// end if no whole line follows it; otherwise the file was damaged and nothing in it can be trusted.
func readJournal(from io.Reader, replay func([]byte) error) (good, size int64, err error) {
	return readLines(from, func([]byte) bool { return true }, replay)
}

// readLines is readJournal for the lines that are wanted. The others are neither checked nor decoded: a search through a long
// journal has little else to do. replay must not keep what it is given.
func readLines(from io.Reader, wanted func([]byte) bool, replay func([]byte) error) (good, size int64, err error) {
	lines := bufio.NewReaderSize(from, 1<<16)
	for {
		line, readErr := lines.ReadSlice('\n')
		if errors.Is(readErr, bufio.ErrBufferFull) {
			line = bytes.Clone(line)
			var rest []byte
			rest, readErr = lines.ReadBytes('\n')
			line = append(line, rest...)
		}
		size += int64(len(line))
		if readErr == nil && good+int64(len(line)) == size && !wanted(line) {
			good = size
			continue
		}
		if body, ok := unseal(line); ok {
			if good+int64(len(line)) != size {
				return good, size, fmt.Errorf("damaged at byte %d: move the folder away to start with an empty sandbox", good)
			}
			if err := replay(body); err != nil {
				return good, size, fmt.Errorf("line at byte %d: %w", good, err)
			}
			good = size
		}
		if errors.Is(readErr, io.EOF) {
			return good, size, nil
		}
		if readErr != nil {
			return good, size, fmt.Errorf("read: %w", readErr)
		}
	}
}

// seal makes a line of body: its checksum in hexadecimal, a space, the body, a line feed.
func seal(body []byte) []byte {
	line := make([]byte, 0, len(body)+10)
	line = fmt.Appendf(line, "%08x ", crc32.Checksum(body, castagnoli))
	line = append(line, body...)
	return append(line, '\n')
}

func unseal(line []byte) ([]byte, bool) {
	line, whole := bytes.CutSuffix(line, []byte{'\n'})
	if !whole || len(line) < 9 || line[8] != ' ' {
		return nil, false
	}
	sum, err := strconv.ParseUint(string(line[:8]), 16, 32)
	if err != nil || uint32(sum) != crc32.Checksum(line[9:], castagnoli) {
		return nil, false
	}
	return line[9:], true
}

// append queues a line and returns the group that it travels in. Lines land in the order of the calls.
// If durable is false the line may wait for the next durable one to reach the disk.
func (j *journal) append(body []byte, durable bool) *group {
	line := seal(body)
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.err != nil || j.closed {
		return failedGroup(j.reason())
	}
	last := len(j.queue) - 1
	if last < 0 || len(j.queue[last].lines)+len(line) > maxGroup {
		j.newest = &group{landed: make(chan struct{})}
		j.queue = append(j.queue, j.newest)
		last++
	}
	g := j.queue[last]
	g.lines = append(g.lines, line...)
	g.sync = g.sync || durable
	j.wake.Signal()
	return g
}

func failedGroup(err error) *group {
	g := &group{landed: make(chan struct{}), err: err}
	close(g.landed)
	return g
}

func (j *journal) reason() error {
	if j.err != nil {
		return j.err
	}
	return errJournalClosed
}

// broken reports why nothing can be written any more, or nil.
func (j *journal) broken() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.err
}

func (j *journal) write() {
	defer close(j.done)
	for {
		g := j.next()
		if g == nil {
			return
		}
		g.err = j.put(g)
		close(g.landed)
	}
}

// next waits for a group to write; nil means that the journal is closed and nothing is left.
func (j *journal) next() *group {
	j.mu.Lock()
	defer j.mu.Unlock()
	for len(j.queue) == 0 {
		if j.closed {
			return nil
		}
		j.wake.Wait()
	}
	g := j.queue[0]
	j.queue = j.queue[1:]
	return g
}

func (j *journal) put(g *group) error {
	if err := j.broken(); err != nil {
		return err
	}
	_, err := j.file.Write(g.lines)
	if err == nil && g.sync {
		err = j.file.Sync()
	}
	if err == nil {
		return nil
	}
	// After a failed write or fsync nobody knows what is on the disk: stop for good.
	err = fmt.Errorf("write the sandbox journal: %w", err)
	j.mu.Lock()
	j.err = err
	j.mu.Unlock()
	return err
}

// wait blocks until the group is as durable as it asked for.
func (g *group) wait() error {
	if g == nil {
		return nil
	}
	<-g.landed
	return g.err
}

// scan hands every line that has been appended so far to visit, from the file.
func (j *journal) scan(wanted func([]byte) bool, visit func([]byte) error) error {
	j.mu.Lock()
	newest := j.newest
	j.mu.Unlock()
	if err := newest.wait(); err != nil {
		return err
	}
	file, err := os.Open(j.path)
	if err != nil {
		return fmt.Errorf("open the sandbox journal: %w", err)
	}
	defer func() { _ = file.Close() }() // read only: nothing can be lost
	if _, _, err := readLines(file, wanted, visit); err != nil {
		return fmt.Errorf("read the sandbox journal: %w", err)
	}
	return nil
}

// close writes what is queued and closes the file. It is safe to call twice.
func (j *journal) close() error {
	j.mu.Lock()
	if j.closed {
		j.mu.Unlock()
		<-j.done
		return nil
	}
	j.closed = true
	j.wake.Broadcast()
	j.mu.Unlock()
	<-j.done
	if err := errors.Join(j.file.Sync(), j.file.Close()); err != nil {
		return fmt.Errorf("close the sandbox journal: %w", err)
	}
	return nil
}
