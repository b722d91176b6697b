// Package secrets is outbound.Secrets with Tink: values are sealed with AES-256-GCM under a keyset per
// company, and client secrets are kept as argon2id hashes.
//
// The keysets of companies are not stored. They are derived with HKDF-SHA256 over the company's id from one
// master keyset, the file kek.json in the keys folder, so that every replica that has the file can open what
// any other sealed, and nothing that opens a secret lies in the database. A ciphertext begins with five bytes
// that name its master key; the associated data names company, provider and field, so that a ciphertext moved
// to another row does not open.
//
// Rotation adds a master key and then makes it primary: new values are sealed with it, old ones still open.
// A process that meets an unknown key reads the file again, so nothing is restarted.
//
// The file that is lost cannot be made again: without kek.json every stored credential must be entered anew.
// The package does no network calls and keeps nothing but keys in memory. If the folder is unreadable New fails;
// once started nothing outside the process can make it slow, and hashing is bounded so that a flood of token
// requests cannot eat the memory.
package secrets
