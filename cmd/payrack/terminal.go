package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// terminal is a person at a terminal. Questions go to stderr, so that stdout is for what a command prints.
type terminal struct {
	in  *os.File
	out io.Writer
}

// terminalOf returns the terminal behind in, if there is one.
func terminalOf(in io.Reader, out io.Writer) (terminal, bool) {
	f, ok := in.(*os.File)
	if !ok {
		return terminal{}, false
	}
	_, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	return terminal{f, out}, err == nil
}

func (t terminal) tell(line string) { _, _ = fmt.Fprintln(t.out, line) }

// answer reads one line. The echo is back when it returns, also after Ctrl-C.
func (t terminal) answer(ctx context.Context, secret bool) (string, error) {
	if secret {
		back, err := t.hide()
		if err != nil {
			return "", err
		}
		defer func() {
			back()
			t.tell("") // the line end that was typed was not shown either
		}()
	}
	_, _ = fmt.Fprint(t.out, "> ")
	type line struct {
		text string
		err  error
	}
	read := make(chan line, 1)
	go func() {
		text, err := readLine(t.in)
		read <- line{text, err}
	}()
	select {
	case l := <-read:
		return l.text, l.err
	case <-ctx.Done():
		// The read ends with the process.
		return "", refusedf("interrupted; nothing was stored")
	}
}

// hide switches the echo off and returns what switches it on again.
func (t terminal) hide() (back func(), err error) {
	fd := int(t.in.Fd())
	before, err := unix.IoctlGetTermios(fd, unix.TCGETS)
	if err != nil {
		return nil, fmt.Errorf("switch off the echo of the terminal: %w", err)
	}
	silent := *before
	silent.Lflag &^= unix.ECHO
	silent.Lflag |= unix.ICANON | unix.ISIG
	silent.Iflag |= unix.ICRNL
	if err := unix.IoctlSetTermios(fd, unix.TCSETS, &silent); err != nil {
		return nil, fmt.Errorf("switch off the echo of the terminal: %w", err)
	}
	return func() { _ = unix.IoctlSetTermios(fd, unix.TCSETS, before) }, nil
}

// readLine reads byte by byte: what stands behind the line is the next answer.
func readLine(in io.Reader) (string, error) {
	var line strings.Builder
	var one [1]byte
	for {
		n, err := in.Read(one[:])
		switch {
		case n == 1 && one[0] == '\n':
			return strings.TrimSuffix(line.String(), "\r"), nil
		case n == 1:
			line.WriteByte(one[0])
			if line.Len() > maxSet {
				return "", usagef("an answer is longer than %d KiB", maxSet>>10)
			}
		case errors.Is(err, io.EOF):
			return "", refusedf("the terminal ended before the set was whole; nothing was stored")
		case err != nil:
			return "", fmt.Errorf("read an answer: %w", err)
		}
	}
}
