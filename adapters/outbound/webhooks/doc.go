// Package webhooks sends messages to companies' servers over HTTP. A company chooses the address, so nothing that it could
// reach inside our network may be reachable: the address that is dialled is checked, not the name; redirects are not
// followed; nothing of an answer but its status is kept; time and size are bounded.
package webhooks
