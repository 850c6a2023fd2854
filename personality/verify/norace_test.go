//go:build !race

package verify_test

// every is 1: all changes are tried. See race_test.go.
const every = 1
