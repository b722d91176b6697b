// Package jobs drives what has no caller: it gives the process's sign of life, asks about outcomes that are due, and seals
// the journal, each on a clock of its own, so that a slow one does not hold up the others.
package jobs
