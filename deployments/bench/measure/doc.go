// Package measure holds what a comparison on a busy machine needs: closed-loop load, the CPU time of processes, and
// ratios of measurements that were taken next to each other.
//
// A rate says little on a machine that does other work too, and a ratio of two rates taken minutes apart says no more.
// So every comparison runs in rounds: each round measures all targets one after the other, every second round in the
// opposite order, and the figure is the median of the rounds' own ratios. CPU time per operation moves far less than
// a rate and is printed beside it.
package measure
