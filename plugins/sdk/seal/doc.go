// Package seal has the ciphers and signatures in which gateways wrap their messages, so that a provider does not
// write them again: AES in CBC mode with PKCS7 padding, RSA signatures with SHA-256, and HMAC-SHA256.
//
// Two things are easy to get wrong and are done here once. Opening a message looks at the same bytes whatever is
// in them and has one error for every reason, so that nobody learns from the answer why it failed. And nothing here
// keeps a key: what is made from one belongs to the call that brought it.
//
// AES-CBC alone proves nothing about who wrote a message. A provider whose gateway does not sign compares what it
// read with what it asked for.
package seal
