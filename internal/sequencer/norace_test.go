//go:build !race

package sequencer_test

// bigSize is the number of entries accepted by the big log.
const bigSize = 20_000
