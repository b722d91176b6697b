package artifacts

import "crypto/x509"

// Trust makes the fetches of a believe a test server's certificate.
func Trust(a *Artifacts, roots *x509.CertPool) { a.roots = roots }

// MaxBinary is the bound of a binary, in bytes.
const MaxBinary = maxBinary
