// Package settlement compares what a provider says that it moved, line by line of its settlement report, with the payments
// that the platform knows. It is the last net of the platform: a charge that no search can find any more, because the
// database forgot its intent or the provider cannot be searched, still stands in the report.
//
// The package is pure: it reads no file and asks nobody. Lines and payments go in, findings come out.
package settlement
