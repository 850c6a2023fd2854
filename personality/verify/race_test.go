//go:build race

package verify_test

// every is how much is left out under the race detector, which is slow and
// looks for other faults: one in every changes is tried.
const every = 8
