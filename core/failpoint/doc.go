// Package failpoint marks the places where the chaos run kills the process, so that a crash hits exactly there
// (research/reliability section 1.7 names them a to o).
//
// Hit and During do nothing, and cost nothing, unless the program was built with -tags failpoint.
// deployments/ci/failpoints.sh proves that a release binary has no trace of them.
package failpoint
