// Package notation writes and reads what gateways have their own ways for: money as a count of hundredths, times in
// the fixed zone of a country without summer time, short references, and JSON objects whose members keep their order.
// Nothing passes through a float, and nothing is guessed: what is not written as documented is an error.
package notation
