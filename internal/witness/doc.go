// Package witness is a witness: it cosigns checkpoints of the logs it is
// configured with, and only those that extend what it cosigned before.
//
// [Witness] speaks C2SP tlog-witness (https://c2sp.org/tlog-witness) as an
// http.Handler; its signatures are C2SP tlog-cosignature
// (https://c2sp.org/tlog-cosignature), Ed25519 or ML-DSA-44, one line per
// [Signer]. A [Store] keeps one record per log; [DirStore] keeps it in files.
//
// # Endpoints
//
// Relative to the submission prefix:
//
//	POST add-checkpoint          old size, consistency proof, checkpoint; returns cosignature lines
//
// Relative to the monitoring prefix, which may be the same:
//
//	GET <hex SHA-256 of origin>/checkpoint   the latest cosigned checkpoint
//
// # Time
//
// A cosignature says "as of this time, this is the largest tree I have seen",
// so the timestamps of one log never decrease, across restarts and keys. Where
// the clock has stepped back by at most [MaxClockStep], the last timestamp is
// used again: it is within what readers tolerate. Beyond that the witness
// refuses (503): either this clock or the one that was signed with is wrong, and
// it cannot know which. Put the clock right, or wait until it has caught up; a
// witness that once signed far in the future needs a new key.
//
// # Auditors
//
// With [Config.Hold] the witness is an auditor: it cosigns only what that has
// fetched, recomputed and stored before.
//
// # Invariants
//
//   - A cosignature leaves the process only after the record that contains it
//     is durable; one that could not be recorded is never shown.
//   - Comparing with the record and replacing it is one atomic step, so that of
//     two requests that race one sees what the other recorded.
//   - For one log, sizes and timestamps recorded never decrease, and each
//     recorded tree is a prefix of the next.
//   - A record that cannot be read stops its log: it never counts as "none".
//   - Every signature is verified after it was made, before it is recorded.
package witness
