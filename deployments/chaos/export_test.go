package main

import (
	"context"
)

// Proxy is proxy.
type Proxy struct{ *proxy }

// NewProxy is newProxy.
func NewProxy(ctx context.Context, target string) (Proxy, error) {
	p, err := newProxy(ctx, target)
	return Proxy{p}, err
}

// Close closes it.
func (p Proxy) Close() { p.close() }

// Addr is where it listens.
func (p Proxy) Addr() string { return p.addr() }

// Pass, Stall and Cut change the passage.
func (p Proxy) Pass() { p.set(passing) }

// Stall keeps what arrives.
func (p Proxy) Stall() { p.set(stalled) }

// Cut closes everything.
func (p Proxy) Cut() { p.set(cut) }

// Watch puts a filter in the way.
func (p Proxy) Watch(f func(int, bool, []byte) []byte) { p.watch(f) }

// ReadMutant reads a planted bug and says how often its text stands in the tree.
func ReadMutant(path string) (file, text, instead string, err error) {
	m, err := readMutant(path)
	return m.file, m.text, m.instead, err
}

// Plant writes a planted bug's changed file and overlay into a folder; it reads the tree at the working folder.
func Plant(path, dir string) (overlay string, err error) {
	m, err := readMutant(path)
	if err != nil {
		return "", err
	}
	return m.overlay(dir)
}
