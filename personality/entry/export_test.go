package entry

// For the tests of the package as others see it.

// ParseJSON reports why b is not one object of the strict profile.
func ParseJSON(b []byte) error {
	return parseJSON(b, maxString, func(object, string) error { return nil })
}

// UncheckedEd25519 returns a key of any 32 bytes: what the rule for signatures
// is tested with, as no such key gets through ParseKey.
func UncheckedEd25519(point []byte) PublicKey {
	return PublicKey{spki: append([]byte(spkiEd25519), point...)}
}
