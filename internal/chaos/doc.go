// Package chaos runs real nodes (a log, three witnesses, an auditor, a monitor) over a
// network that fails, on disks that lose what was not synced, with clocks that
// step, in one process and in real time.
//
// # A round
//
// Links between nodes are cut, hang, are slow, or lose, halve and drop single
// requests and replies; nodes are stopped, or killed, and started again; clocks
// step by up to four minutes; meanwhile entries are submitted. Then all is put
// right, and the round ends when the log has published all that it has signed,
// the auditor and the witnesses hold it, and the submitters have their answers.
// What happens is drawn from a seed; when it happens is a matter of time, so that
// the same seed need not end in the same way.
//
// # Invariants
//
//   - An entry that was acknowledged stands where the log said that it stands,
//     in every tree published later.
//   - All that any cosigner has ever cosigned, of all that was sent to it, is a
//     tree of the log: a prefix of what is published in the end.
//   - What is published, and what a cosigner holds, never shrinks.
//   - A witness cosigns no size before the auditor has.
//   - What the monitor says that it has told has arrived; in the end that is every
//     entry of the log; and there is no alarm.
//   - When the faults have ended, all goes on without anybody's help.
//
// Package sim has the same code under a clock and a schedule of its own, many
// more faults of the store, and second writers.
package chaos
