package record

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
)

// The files of a report.
const (
	aboutFile      = "about.json"
	callsFile      = "calls.jsonl"
	blowsFile      = "blows.jsonl"
	ledgerFile     = "ledger.jsonl"
	requestsFile   = "requests.jsonl"
	faultsFile     = "faults.jsonl"
	paymentsFile   = "payments.jsonl"
	operationsFile = "operations.jsonl"
	journalFile    = "journal.jsonl"
	messagesFile   = "messages.jsonl"
)

// Report is a run, read.
type Report struct {
	About      About
	Calls      []Call
	Blows      []Blow
	Ledger     []Entry
	Requests   []Request
	Faults     []Fired
	Payments   []Payment
	Operations []Operation
	Journal    []Fact
	Messages   []Message
}

// Write writes everything but the calls and blows, which a Writer wrote while they happened.
func (r Report) Write(dir string) error {
	text, err := json.MarshalIndent(r.About, "", "  ")
	if err != nil {
		return err
	}
	return errors.Join(
		os.WriteFile(filepath.Join(dir, aboutFile), append(text, '\n'), 0o600),
		writeAll(dir, ledgerFile, r.Ledger), writeAll(dir, requestsFile, r.Requests), writeAll(dir, faultsFile, r.Faults),
		writeAll(dir, paymentsFile, r.Payments), writeAll(dir, operationsFile, r.Operations), writeAll(dir, journalFile, r.Journal),
		writeAll(dir, messagesFile, r.Messages),
	)
}

// Open reads a report.
func Open(dir string) (Report, error) {
	var r Report
	text, err := os.ReadFile(filepath.Join(dir, aboutFile)) //nolint:gosec // the caller names the folder
	if err != nil {
		return r, err
	}
	// A report that is older than these has none, and says so.
	if err := readAll(dir, messagesFile, &r.Messages); err != nil && !errors.Is(err, os.ErrNotExist) {
		return r, err
	}
	return r, errors.Join(
		json.Unmarshal(text, &r.About),
		readAll(dir, callsFile, &r.Calls), readAll(dir, blowsFile, &r.Blows),
		readAll(dir, ledgerFile, &r.Ledger), readAll(dir, requestsFile, &r.Requests), readAll(dir, faultsFile, &r.Faults),
		readAll(dir, paymentsFile, &r.Payments), readAll(dir, operationsFile, &r.Operations), readAll(dir, journalFile, &r.Journal),
	)
}

func writeAll[T any](dir, name string, all []T) error {
	w, err := newLines(dir, name)
	if err != nil {
		return err
	}
	for _, one := range all {
		err = errors.Join(err, w.add(one))
	}
	return errors.Join(err, w.close())
}

func readAll[T any](dir, name string, into *[]T) error {
	file, err := os.Open(filepath.Join(dir, name)) //nolint:gosec // the caller names the folder
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }()
	d := json.NewDecoder(bufio.NewReader(file))
	for {
		var one T
		switch err := d.Decode(&one); {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return fmt.Errorf("%s: %w", name, err)
		}
		*into = append(*into, one)
	}
}

// Writer writes down calls and blows while they happen.
type Writer struct{ calls, blows *lines }

// NewWriter begins a report in a folder that is there.
func NewWriter(dir string) (*Writer, error) {
	calls, err := newLines(dir, callsFile)
	if err != nil {
		return nil, err
	}
	blows, err := newLines(dir, blowsFile)
	if err != nil {
		return nil, errors.Join(err, calls.close())
	}
	return &Writer{calls, blows}, nil
}

// Call writes down a call. A line that cannot be written comes back from Close.
func (w *Writer) Call(c Call) { _ = w.calls.add(c) }

// Blow writes down a blow.
func (w *Writer) Blow(b Blow) { _ = w.blows.add(b) }

// Close ends the files.
func (w *Writer) Close() error { return errors.Join(w.calls.close(), w.blows.close()) }

// lines is a file of JSON lines that several goroutines write.
type lines struct {
	mu     sync.Mutex
	file   *os.File
	buffer *bufio.Writer
	failed error
}

func newLines(dir, name string) (*lines, error) {
	file, err := os.OpenFile(filepath.Join(dir, name), os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600) //nolint:gosec // the caller names the folder
	if err != nil {
		return nil, err
	}
	return &lines{file: file, buffer: bufio.NewWriter(file)}, nil
}

func (l *lines) add(v any) error {
	text, err := json.Marshal(v)
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, err := l.buffer.Write(append(text, '\n')); err != nil && l.failed == nil {
		l.failed = err
	}
	return l.failed
}

func (l *lines) close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return errors.Join(l.failed, l.buffer.Flush(), l.file.Close())
}
