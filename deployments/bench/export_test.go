package main

// Command is the whole program.
var Command = command

// Roles that the benchmark starts its own binary in.
const (
	RoleStub  = roleStub
	RoleNaive = roleNaive
)

// ErrMissed says that a bar was missed.
var ErrMissed = errMissed
