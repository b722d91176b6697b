// Package configstore keeps this process in step with what other replicas and the admin plane changed.
//
// Which ports: it drives inbound.Directory, whose Reload looks at one number, the generation, and reads the rest only if
// that moved, and inbound.Fleet, which brings the provider plugins of this process to what the channels say.
//
// Which outside system: the database, through the core. When it is slow, down or wrong, the process goes on with what it
// knows and what it runs, says so once, and says so again when it is back in step.
package configstore
