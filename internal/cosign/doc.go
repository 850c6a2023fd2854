// Package cosign is the log's side of C2SP tlog-witness
// (https://c2sp.org/tlog-witness): it asks cosigners for cosignatures on a
// checkpoint and merges those that verify.
//
// [NewClients] makes one [Client] per submission prefix of a trust file;
// [Gather] asks them. A cosigner is trusted for its signature alone: it may be
// slow, wrong, or hostile, and the log goes on.
//
// # Who is asked when
//
// Auditors are asked first. The others are asked once those auditors have
// cosigned without which there is no quorum: then the leaves exist elsewhere,
// too, before a witness remembers the size. If the quorum needs no auditor, all
// are asked at once.
//
// When the quorum is there, Gather waits a short grace for those of the others
// that usually answer within it. What comes after that comes through
// [Result.Late]: nobody who is not needed delays anybody.
//
// A cosigner that failed three times in a row is left alone for a while, from a
// second up to a minute, and one that still works on an earlier checkpoint is not
// asked about another, as long as the quorum can do without it. When it cannot,
// they are asked all the same: to rest never costs the quorum.
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
//   - No witness is asked about a size before auditors hold it, where the quorum
//     needs auditors.
//   - Nothing a cosigner says changes what the log believes about its own tree:
//     that it is ahead of us is an error for the caller to weigh, with others.
package cosign
