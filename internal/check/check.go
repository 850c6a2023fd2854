// Package check tells which security attestations there are about the
// components of an SBOM, and how they stand.
//
// MATCHING.md beside this file is the rule by which an attestation is about a
// component, and by which a component gets its verdict.
package check
