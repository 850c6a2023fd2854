// Package interop has tests with programs that were not written here: that
// torchwood's litewitness, as a process of its own, cosigns our log, and that
// torchwood and transparency-dev/formats read what it publishes. Elsewhere are
// the same things from the other side: in package witness a log served by Tessera
// is cosigned by our witness, through Tessera's own witness client; in package
// cosign a witness made of torchwood's parts answers our client; in package
// sequencer Tessera's fsck reads our log.
package interop
