// Package testlog makes logs for tests and load tools: keys from seeds, signed
// entries of every kind, and a Generator of whole logs. Nobody in it exists:
// organisations are under .example, and only the components, which are
// subjects, bear real names.
//
// The same seed gives the same bytes, signatures included (Ed25519, and ECDSA
// by RFC 6979).
//
//	root, registrar := testlog.NewKey("root", false), testlog.NewKey("registrar", true)
//	charter := testlog.Charter(origin, nil, "open", registrar, []*testlog.Key{registrar}, root)
//
// Constructors panic if what they made is not well-formed: that is a fault of
// the caller, who is a test.
//
// Invariants:
//
//   - No clock, no network, no randomness but the seed's.
//   - Every entry a constructor returns has been parsed again from its leaf.
package testlog
