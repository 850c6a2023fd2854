// Package sim runs a whole log, its store, its witnesses and its submitters, in
// one process under a clock that jumps from event to event, and decides all that
// can go wrong from one number, the seed. It must run in a bubble of
// testing/synctest.
//
// # Real
//
// The code that runs is the one that is deployed: admission, the sequencer with
// its publisher, the node's Gatherer, the cosign clients, the witnesses and, in
// some worlds, auditors with their copies, behind their HTTP handlers.
//
// # Modelled
//
// A disk holds one log. What a write acknowledged is there after a crash; a
// write that a crash meets is there whole or not at all. Processes have stores
// on disks. A store passes backendtest; then it is made worse. A write may
//
//   - fail, without trace, or with all that it wrote;
//   - fail, and be carried out seconds later;
//   - be the last thing its process does, before or after it is durable;
//   - leave the store useless until the process is started again.
//
// Reads may fail. A disk may be copied at any moment; a copy may be put in the
// place of the original later on, or have a process of its own. A second process
// may open the disk of the first: nothing locks it.
//
// A request to a witness may be lost, late, doubled, or answered to nobody.
// Witnesses are down at times, and start again with what they had recorded.
// Clocks differ by up to four minutes.
//
// Auditors read the log at one address, where the main process answers. They
// crash at any moment, also when they hold leaves and have recorded nothing, and
// when they have recorded and answered nobody; of what their disk has not synced
// all, some or nothing is there when they start again. The quorum needs an
// auditor, one of two, or none.
//
// Processes end, by a crash or in order, whenever the seed says, and start again
// later. Submitters offer what package testlog generates, which includes
// withdrawals and entries that have no effect; they repeat what they have no
// answer to and, now and then, what they have; some do not wait.
//
// # The seed
//
// Everything drawn is drawn from the seed, the time of the simulated clock, and
// what is being decided: not from a stream of numbers that goroutines share, so
// that who comes first within one instant does not matter. Delays are drawn in
// nanoseconds and hardly ever end together. The same seed gives the same trace,
// to the last hash.
//
// # Invariants
//
// Looked at whenever something happens:
//
//   - What is signed is a tree of the disk, ends in a live seal, and was reserved
//     before; the reservation never shrinks and never falls behind what is signed.
//   - What is published has its quorum, is a tree of the disk, and never shrinks.
//   - Nothing ever published, on any copy of the disk, contradicts anything else
//     published; nor does one witness contradict itself.
//   - Who is told that an entry is in the log finds it at that index, under a
//     seal at that size; who submits it again is told the same.
//   - A writer stops only for a cause that there was.
//   - A witness cosigns no tree before those auditors have without which there is
//     no quorum.
//   - An auditor that starts again serves every leaf of what it has recorded as
//     cosigned. It gives up a log only if that has signed two histories.
//
// And at the end, when everything works again:
//
//   - All that submitters were told still holds, on the disk where they were told.
//   - Each disk either gets a new entry sealed, cosigned and published, or its
//     writer stops with sequencer.ErrRestored, and which of the two follows from
//     what the cosigners have recorded. Where auditors that the quorum needs have
//     given the log up, nothing is published ever after.
//   - Package replay computes every seal and the stored map again from the leaves
//     alone, and every entry has effect: none is there twice.
package sim
