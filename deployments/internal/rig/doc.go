// Package rig starts and drives what a harness runs for real: processes of payrack, a PostgreSQL server of its own, the
// sandbox's control plane, HTTP calls that nothing repeats, and the two books that are read at the end.
package rig
