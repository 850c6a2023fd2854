package main

// rule is one that closes a concrete attack, and must not be relaxed: where
// the golden log obeys it, and where somebody tries to break it.
type rule struct {
	Rule   string   `json:"rule"`
	Attack string   `json:"attack"`
	Obeyed []string `json:"obeyed"`
	Broken []string `json:"broken,omitempty"`
	// Note says why no leaf breaks a rule for readers.
	Note string `json:"note,omitempty"`
}

func flagged() []rule {
	return []rule{
		{"one signature per envelope", "DSSE does not sign the list of signatures: anybody could reorder, strip or promote signers",
			[]string{"attest express"}, []string{"envelope: two signatures", "envelope: no signature"}, ""},
		{"a leaf is canonical, byte for byte", "two spellings of an envelope would be two leaves of one event; decoders accept what is not canonical",
			[]string{"attest express"}, []string{"envelope: white space", "envelope: other order", "envelope: trailing bits"}, ""},
		{"no keys of small order or other encoding", "one signature verifies for many messages, so a signer could disown",
			[]string{"enrol issuer"}, []string{"enrol a weak key", "enrol a key that is not canonical", "envelope: small order"}, ""},
		{"members that begin x- are allowed in the predicate only, and never read", "a reader that skipped unknown members would read another statement than one that knows them",
			[]string{"statement: x- member"}, []string{"statement: unknown member", "statement: x- member beside the predicate", "statement: x- member that is no string"}, ""},
		{"every predicate but attestation's carries log", "replay of another log's events",
			[]string{"enrol issuer", "revoke what is superseded"}, []string{"enrol for another log", "revoke for another log"}, ""},
		{"an attestation has effect only in the logs that it names", "what is revoked in one log would rise again in another",
			[]string{"attest for two logs"}, []string{"attest for another log"}, ""},
		{"a leaf is read under the map function in force at its index", "an upgrade would fork those who recompute",
			[]string{"map function 2"}, []string{"map function 3", "seal under function 2"}, ""},
		{"proofs of possession cover the whole set of keys", "a registrar could enrol a victim's key beside a recovery key of its own",
			[]string{"enrol issuer", "add key"}, []string{"enrol a victim's key", "add key proven for another party"}, ""},
		{"a registrar changes roles only; the recovery key website and recovery key", "a registrar would speak for every party",
			[]string{"amend roles", "amend website", "change recovery key"},
			[]string{"amend website by a registrar", "take over by a registrar", "take over by an ordinary key", "amend roles by the party", "attest by a registrar", "revoke by a registrar"}, ""},
		{"keys of an ended party may withdraw, and nothing else", "expulsion would freeze a false claim as active",
			[]string{"expelled withdraws a claim", "expelled holds", "expelled revokes", "expelled retires a key", "expelled declares a range void", "expelled declares a cutoff"},
			[]string{"expelled attests", "expelled reinstates", "expelled adds a key", "expelled amends itself", "expelled publishes"}, ""},
		{"a keyid seen in any role is spent", "a retired or foreign key would come back under another name",
			[]string{"add key", "key turnover"},
			[]string{"add another's recovery key", "retired key returns", "a retired recovery key returns", "enrol a known key", "charter with a party's key", "retired root returns"}, ""},
		{"the recovery key adds keys", "a thief of one key could take over the rest",
			[]string{"add key"}, []string{"add key by an ordinary key", "add key by a registrar"}, ""},
		{"a key that declares itself compromised carries no cutoff", "a thief of one key could void all that it ever signed",
			[]string{"compromise after retiring", "cutoff", "lower cutoff"}, []string{"thief voids the past", "higher cutoff", "cutoff of the future"}, ""},
		{"the recovery key declares ranges void", "a thief of one key could void what it signed",
			[]string{"range", "range with package"}, []string{"range by the key itself", "thief voids the past by a range", "range by a registrar"}, ""},
		{"members is any only where the operator says so", "anybody could put himself under a programme's name",
			[]string{"issue as a member", "issue as anybody"}, []string{"issue as no member", "issue as a former member"}, ""},
		{"a reinstatement names the hold in force, placed by the signer's party", "an old reinstatement, logged again, would lift a later hold; of two who suspend, one would lift the other's",
			[]string{"reinstate", "operator lifts its hold"},
			[]string{"old reinstatement", "reinstate the replaced hold", "issuer lifts the operator's hold", "operator lifts the issuer's hold"}, ""},
		{"after is the last index of the object", "an old amendment or hold, logged again, would undo what came since",
			[]string{"amend roles", "close the log", "amend programme", "hold"},
			[]string{"amend roles, again", "amend roles, stale", "charter, again", "close the log, late", "amend programme, again", "hold, again", "old hold"}, ""},
		{"a commitment has the signer's keyid in it", "another party could copy a commitment, and claim the body when it is revealed",
			[]string{"attest in private"}, nil, "No log can see through a commitment. \"copy a commitment\" has effect, and does not open under the copier's keyid."},
		{"lists hold no status", "a count of what stands would be false after a cutoff",
			[]string{"cutoff", "range", "expel"}, nil, "These steps write no record of namespaces 2 to 4: an implementation that counts has another root at the next seal."},
		{"reads of step are bounded", "a false seal could not be proven from a file",
			[]string{"supersede", "withdraw a claim", "issue as a member"}, nil, "These steps read an earlier leaf, whose hash a record has. What else an implementation reads, no leaf shows."},
		{"a seal has the prefix root, so that liveness can be checked", "a false seal that was shown once could later be called a stray",
			[]string{"first seal"}, []string{"stray: another prefix", "stray: another index", "stray: another origin"}, "Seals that are live and false are in false-seal/."},
		{"inclusion alone is never standing", "an ignored leaf has a perfect inclusion proof too",
			[]string{"attest express"}, []string{"attest by a stranger"}, ""},
		{"one root key replaces all others", "known: it is watched, and answered by closing the log to readers and a new log",
			[]string{"one root replaces the others"}, []string{"amend charter by a new root", "amend charter by a retired root"}, ""},
	}
}
