// Package cosign is the log's side of C2SP tlog-witness
// (https://c2sp.org/tlog-witness): it asks cosigners for cosignatures on a
// checkpoint and merges those that verify.
//
// [NewClients] makes one [Client] per submission prefix of a trust file;
// [Gather] asks all of them at once. A cosigner is trusted for its signature
// alone: it may be slow, wrong, or hostile, and the log goes on.
//
// # Order of lines
//
// A gathered checkpoint has the log's own lines first, as they were, then one
// line per cosigner in the order of the trust file. Lines by keys that the
// trust file does not list are dropped: the log publishes what it verified.
//
// # Invariants
//
//   - Every cosignature returned verifies under the cosigner's key over the
//     very checkpoint that was sent, and is dated neither zero nor beyond
//     now + [trust.MaxSkew].
//   - A newer cosignature is never replaced by an older one of the same key.
//   - A call ends within its timeout, reads at most 64 KiB of each reply, sends
//     at most three requests, and follows no redirect.
//   - After three failures in a row a cosigner is left alone for a while, from a
//     second up to a minute, so that it cannot delay every turn.
//   - Nothing a cosigner says changes what the log believes about its own tree:
//     that it is ahead of us is an error for the caller to weigh, with others.
package cosign
