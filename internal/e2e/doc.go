// Package e2e tests whole nodes from outside: the standingd binary, over the
// network, and killed. It holds nothing but tests.
package e2e
