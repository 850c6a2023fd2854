//go:build race

package sequencer_test

// bigSize is small here: the race detector makes signatures twenty times as
// slow, and finds nothing more in a longer log.
const bigSize = 3_000
