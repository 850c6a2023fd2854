// Package trust reads the trust file, which says which logs a reader believes
// and whose cosignatures it takes to believe them, and opens checkpoints under
// it.
//
// Most callers need two calls: [Parse] once, and [Policy.Open] for each
// checkpoint. Open answers for which tree the log stood up, and as of when that
// was the newest tree a quorum of cosigners had seen. [Policy.Pin] adds what
// the format of the trust file has no line for.
//
// # Trust file
//
// The format is C2SP tlog-policy (https://c2sp.org/tlog-policy). A file is
// lines, each ended by a newline; items are separated by spaces or tabs; blank
// lines, and lines whose first item begins with #, are ignored:
//
//	log <vkey> [<url>]
//	witness <name> <vkey> [<url>]
//	group <name> all|any|<k> <name>...
//	quorum <name>|none
//
// Names are octets, not text: no folding and no normalisation. Witnesses and
// groups share one name space, in which "none" is taken. A line refers only to
// names of the lines above it, a name is a member of at most one group, and
// there is exactly one quorum line.
//
// A log key is an Ed25519 note key (type 0x01) or an ML-DSA-44 cosignature key
// (type 0x06), and its name is the origin. Log lines of one origin are
// alternatives, as are logs: a signature by any one of them will do. A cosigner
// key is an Ed25519 cosignature/v1 key (0x04) or an ML-DSA-44 key (0x06).
//
// Stricter than C2SP, each because it could only be a mistake or an attack:
//
//   - An Ed25519 key that is of small order or not canonically encoded is
//     refused: the first signs anything, the second could hide a duplicate.
//   - A key that is both a log's and a witness's is refused: a log's own
//     signature never counts towards the quorum.
//   - A vkey's key ID must be the one that C2SP recommends for its name and key.
//   - A numeric threshold has no sign and no leading zero.
//   - Limits: 512 KiB (64 ML-DSA-44 keys of each kind fit), 64 logs, 64
//     witnesses, 64 groups, names of 255 bytes.
//
// # Quorum time
//
// T is the largest t such that the cosignatures with a timestamp of at least t,
// by cosigners named in the quorum, satisfy it. A cosignature dated later than
// now + [MaxSkew], or zero, does not count; nor does any line of the log's own.
// A threshold is monotone in its members, so T of a group "k of n" is the k-th
// largest T of its members, and T of a witness its newest timestamp that counts.
//
// # Pins
//
// A file of the trust file's name with ".pins" appended says what tlog-policy
// has no line for. It is the reader's own: nobody publishes it. Lines are read
// as above; each is one of
//
//	operator <name> <origin or witness>...
//	close <origin> <size> <root>
//	min-mapfn <n>
//	past <origin or witness> <vkey> <last timestamp>
//
// Origins and witnesses are those of the trust file; a name that is both is
// refused, and so is one that is neither: a pin with a slip in it would protect
// from nothing.
//
//   - operator: in a group, its direct members of one operator are one member,
//     as good as the best of them: two witnesses in one hand are one opinion. A
//     witness whose operator also runs the log does not count for that log,
//     which has signed already. A group has no operator. Under operators that
//     leave a quorum which nothing can satisfy, the file is refused. An origin or
//     witness has at most one operator, and an operator one line.
//   - close: a log whose key or store is compromised is good up to there. A
//     larger checkpoint is refused; one of that size must have that root (base64,
//     as in a checkpoint); a smaller one counts only with its quorum, so never
//     under "quorum none": whoever has the log's key can sign any tree. One line
//     per origin.
//   - min-mapfn: seals under an older map function, as a log restarted with old
//     software would make, are no evidence. At most one line, n from 1 to 65535.
//   - past: a key no longer used. Of a witness: its cosignatures dated up to the
//     last timestamp count as the witness's; later ones are a stranger's. Of a
//     log: a checkpoint that no current key signed counts iff T is at most the
//     last timestamp. Unix seconds, 1 to 2^40 - 1. A key that is listed elsewhere,
//     whether used or past, is refused, also if only its name and key ID are.
//
// Numbers are decimals without sign and leading zero. Limits: those of the trust
// file, for operators and past keys.
//
// Vectors for other implementations, good and malicious, are in
// testdata/vectors.json.
//
// # Invariants
//
//   - Nothing in a checkpoint is returned before a listed key of its origin has
//     signed it.
//   - A signature line by a listed key that does not verify refuses the whole
//     checkpoint; lines by any other key are kept, never believed.
//   - Time is set if and only if Witnessed is, and that only if the quorum is
//     satisfied; a policy with "quorum none" never sets either.
//   - Cosigners that do not satisfy the quorum by themselves cannot make T later
//     than the newest timestamp of an honest one.
//   - Parse(p.String()) gives the same policy, and the same String; p.Pin(q.Pins())
//     gives q for every q that came of p.Pin.
//   - No pin makes Open accept what it refused, but those for past keys.
package trust
