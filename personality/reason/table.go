package reason

// gRPC status names used in the table.
const (
	invalid      = "InvalidArgument"
	exhausted    = "ResourceExhausted"
	precondition = "FailedPrecondition"
	denied       = "PermissionDenied"
	notFound     = "NotFound"
	unavailable  = "Unavailable"
	internal     = "Internal"
)

// The codes. Their meaning is in the table below.
const (

	// The envelope and its bytes (entry/SPEC.md, "Leaf").
	EnvelopeMalformed Code = "envelope-malformed"
	TooLarge          Code = "too-large"
	SignatureCount    Code = "signature-count"
	Base64            Code = "base64-not-canonical"
	PayloadType       Code = "payload-type"
	KeyIDMalformed    Code = "keyid-malformed"
	SignatureInvalid  Code = "signature-invalid"

	// The payload as JSON (entry/SPEC.md, "Payload").
	JSONMalformed Code = "json-malformed"
	JSONEncoding  Code = "json-encoding"
	JSONDuplicate Code = "json-duplicate-member"
	JSONDepth     Code = "json-depth"
	JSONNumber    Code = "json-number"
	JSONNull      Code = "json-null"
	JSONLimit     Code = "json-limit"

	// The statement and its predicate (entry/SPEC.md, "Statement").
	MemberUnknown  Code = "member-unknown"
	MemberMissing  Code = "member-missing"
	MemberInvalid  Code = "member-invalid"
	StatementType  Code = "statement-type"
	PredicateType  Code = "predicate-type-unknown"
	SubjectCount   Code = "subject-count"
	SubjectOrder   Code = "subject-order"
	SubjectInvalid Code = "subject-invalid"
	Purl           Code = "purl-not-canonical"
	Scope          Code = "scope-mismatch"

	// Keys and authority (mapfn/SPEC.md).
	KeyWeak        Code = "key-weak"
	KeySpent       Code = "key-spent"
	KeyLimit       Code = "key-limit"
	Possession     Code = "proof-of-possession"
	KeyUnknown     Code = "key-unknown"
	KeyNotActive   Code = "key-not-active"
	RoleNotAllowed Code = "role-not-allowed"
	NotYours       Code = "not-your-attestation"
	NotYourProg    Code = "not-your-programme"
	PartyEnded     Code = "party-ended"
	IssuanceClosed Code = "issuance-closed"

	// State (mapfn/SPEC.md).
	WrongLog      Code = "wrong-log"
	NoLog         Code = "no-log"
	AfterStale    Code = "after-stale"
	TargetUnknown Code = "target-unknown"
	TargetState   Code = "target-state"
	HoldMismatch  Code = "hold-mismatch"
	Cutoff        Code = "cutoff-invalid"
	Supersedes    Code = "supersedes-invalid"
	Programme     Code = "programme-unknown"
	ProgClosed    Code = "programme-closed"
	ProgRules     Code = "programme-rules"
	ClaimUnknown  Code = "claim-unknown"
	ClaimsLimit   Code = "claims-limit"
	NoChange      Code = "no-change"
	CharterKeys   Code = "charter-keys"
	MapFunction   Code = "map-function"

	// Admission (this log's own rules).
	PersonalData Code = "personal-data"
	PurlType     Code = "purl-type-rule"
	ReasonDetail Code = "reason-detail-missing"
	Validity     Code = "validity"
	LegalBasis   Code = "legal-basis"
	Catalogue    Code = "catalogue-unknown"

	// Requests and the node.
	RequestMalformed Code = "request-malformed"
	RequestTooLarge  Code = "request-too-large"
	SubjectUnknown   Code = "subject-malformed"
	NotFound         Code = "not-found"
	Busy             Code = "busy"
	Backlog          Code = "no-quorum"
	NoSpace          Code = "no-space"
	ReadOnly         Code = "read-only"
	ShuttingDown     Code = "shutting-down"
	Internal         Code = "internal"
)

var table = []Entry{
	{EnvelopeMalformed, invalid, 400,
		"the envelope is not a complete DSSE envelope of exactly the members payload, payloadType and signatures",
		"send the file that `standing issue` wrote, whole"},
	{TooLarge, exhausted, 413,
		"the canonical entry exceeds 65,535 bytes",
		"attest fewer subjects or claims per entry, or log a document by its digest"},
	{SignatureCount, invalid, 400,
		"the envelope does not carry exactly one signature",
		"submit one entry per signer"},
	{Base64, invalid, 400,
		"a base64 value is not canonical: wrong alphabet, padding or trailing bits",
		"encode again with a standard base64 encoder"},
	{PayloadType, invalid, 400,
		"payloadType is not application/vnd.in-toto+json",
		"wrap the document as an in-toto Statement"},
	{KeyIDMalformed, invalid, 400,
		"keyid is not the lower-case hex SHA-256 of the signer's SubjectPublicKeyInfo",
		"put the keyid that `standing keygen` printed into the envelope"},
	{SignatureInvalid, invalid, 400,
		"the signature does not verify over this payload under the key named",
		"sign the payload again; do not edit it afterwards"},
	{JSONMalformed, invalid, 400,
		"the payload is not complete JSON",
		"submit the payload as it was signed"},
	{JSONEncoding, invalid, 400,
		"the payload is not plain UTF-8: a byte order mark, an invalid sequence, a NUL or a lone surrogate",
		"write the payload as UTF-8 without those characters and sign it again"},
	{JSONDuplicate, invalid, 400,
		"an object has the same member twice, perhaps by an escape",
		"remove one of the two and sign again"},
	{JSONDepth, invalid, 400,
		"the payload is nested deeper than 16",
		"flatten the payload and sign again"},
	{JSONNumber, invalid, 400,
		"a number is not an integer of at most 2^53 in plain decimal notation",
		"write the number without fraction, exponent, leading zero or plus sign"},
	{JSONNull, invalid, 400,
		"null is not a value here",
		"leave the member out and sign again"},
	{JSONLimit, invalid, 400,
		"a string exceeds 4,096 bytes, an array 256 items, or an object 256 members",
		"shorten it, or log a document by its digest"},
	{MemberUnknown, invalid, 400,
		"a member is not known at this place; names are compared exactly, case included",
		"remove it, correct its spelling, or begin its name with x- inside the predicate"},
	{MemberMissing, invalid, 400,
		"a required member is missing",
		"add it and sign again"},
	{MemberInvalid, invalid, 400,
		"a member has a value outside its grammar",
		"correct it as entry/SPEC.md says and sign again"},
	{StatementType, invalid, 400,
		"_type is not https://in-toto.io/Statement/v1",
		"write an in-toto Statement v1"},
	{PredicateType, invalid, 400,
		"the predicate type is none of this log's kinds",
		"log other in-toto statements by digest: `standing submit FILE` does it"},
	{SubjectCount, invalid, 400,
		"there are no subjects, or more than 64",
		"split the subjects over several entries"},
	{SubjectOrder, invalid, 400,
		"subjects are not sorted by name, or one is named twice",
		"sort the subjects by the bytes of their names"},
	{SubjectInvalid, invalid, 400,
		"a subject does not fit its kind, or its digest is not exactly one of those allowed",
		"correct the subject as entry/SPEC.md says and sign again"},
	{Purl, invalid, 400,
		"a subject's name is not a canonical purl",
		"use the canonical spelling: `standing new` writes it"},
	{Scope, invalid, 400,
		"a subject without version and the scope documents do not match one to one by digest",
		"let `standing new` write the scope document"},
	{KeyWeak, invalid, 400,
		"a key is not Ed25519 or P-256 in the exact encoding, or is of small order",
		"make a key with `standing keygen`"},
	{KeySpent, precondition, 409,
		"a key to be enrolled is already known to this log, in whatever role",
		"make a fresh key: a key serves one party in one role, once"},
	{KeyLimit, precondition, 409,
		"the party has had 32 ordinary keys, or the key has 16 ranges declared void",
		"enrol anew; declare the key compromised"},
	{Possession, invalid, 400,
		"a key's proof of possession does not verify for this log, name and role",
		"run `standing join` again with all keys at hand"},
	{KeyUnknown, denied, 403,
		"the signing key is not known to this log",
		"enrol first: `standing join`, then have the registrar run `standing enrol`"},
	{KeyNotActive, denied, 403,
		"the signing key is retired or compromised",
		"sign with another key of the party"},
	{RoleNotAllowed, denied, 403,
		"a key of this role may not sign this action",
		"sign with the key that entry/SPEC.md names for the action"},
	{NotYours, denied, 403,
		"the attestation is another party's",
		"ask its issuer, or dispute it outside the log; a programme's operator names the programme"},
	{NotYourProg, denied, 403,
		"the programme is another party's",
		"sign as the party that published it, or leave the programme out"},
	{PartyEnded, denied, 403,
		"the party has ended: its keys may only withdraw",
		"enrol anew to issue again"},
	{IssuanceClosed, precondition, 409,
		"this log no longer takes attestations; it still takes withdrawals",
		"issue in the successor log, if the charter names one"},
	{WrongLog, invalid, 400,
		"the entry is made for another log",
		"name this log's origin and sign again"},
	{NoLog, precondition, 409,
		"the log does not begin with a charter",
		"nothing can be logged here; ask the operator"},
	{AfterStale, precondition, 409,
		"the object has changed since the entry was signed (`after` is not its last index)",
		"read the present state, decide again, and sign again"},
	{TargetUnknown, notFound, 404,
		"the target is not in this log",
		"check the id with `standing status`"},
	{TargetState, precondition, 409,
		"the target's state does not allow this: a revoked attestation stays revoked, a hold needs an active one",
		"read the present state with `standing status`"},
	{HoldMismatch, precondition, 409,
		"the hold named is not the one in force, or was placed by another party",
		"name the hold that is in force; only who placed it can lift it"},
	{Cutoff, precondition, 409,
		"a cutoff or the end of a range lies beyond its own index, a cutoff is not lower than the present one, or was set by the key itself",
		"leave the cutoff out or lower the index, and sign with the recovery key"},
	{Supersedes, precondition, 409,
		"the attestation to be superseded is another party's, no longer stands, or shares no package",
		"name an own attestation that stands and covers a common package"},
	{Programme, precondition, 409,
		"the programme is not in this log",
		"check its id with `standing status`, or leave the programme out"},
	{ProgClosed, precondition, 409,
		"the programme is closed: nothing is issued or withdrawn in its name any more",
		"leave the programme out, or name the one that took its place"},
	{ProgRules, precondition, 409,
		"the programme's rules do not allow it: another member, role or catalogue, or a shorter period of validity",
		"read the programme's newest entry, issue within its rules or leave the programme out"},
	{ClaimUnknown, notFound, 404,
		"the attestation has no claim of this id",
		"name ids of claims that the attestation answers"},
	{ClaimsLimit, precondition, 409,
		"more than 64 claims of the attestation would be withdrawn",
		"revoke the attestation, and issue anew what still holds"},
	{NoChange, precondition, 409,
		"the entry would change nothing",
		"nothing needs to be done"},
	{CharterKeys, precondition, 409,
		"the charter's keys overlap, are spent, or leave the log without one",
		"name 1 to 8 fresh or present keys of each role"},
	{MapFunction, precondition, 409,
		"the charter's map function is neither the one in force nor the next, or this program cannot run it",
		"name the function that is in force, or update the node"},
	{PersonalData, invalid, 400,
		"the entry seems to name a person or a personal mail address, which could never be removed",
		"use the organisation's name and a role mailbox; keep persons in evidence beside the log"},
	{PurlType, invalid, 400,
		"the purl is spelt against the rules of its type",
		"use the spelling named"},
	{ReasonDetail, invalid, 400,
		"the reason given must carry a detail that is missing",
		"add refs, link or since as the catalogue of reasons says"},
	{Validity, invalid, 400,
		"a period of validity or a hold is too long, or already past",
		"shorten it: at most 5 years for an attestation, 90 days for a hold"},
	{LegalBasis, invalid, 400,
		"no legal basis but `none` is known to this log",
		"write none"},
	{Catalogue, invalid, 400,
		"the claims name a catalogue version or an id this log does not know",
		"check catalogue, version and ids"},
	{RequestMalformed, invalid, 400,
		"the request is malformed",
		"correct it as the message says"},
	{RequestTooLarge, exhausted, 413,
		"the request exceeds a limit GetLogInfo names",
		"send smaller batches"},
	{SubjectUnknown, invalid, 400,
		"the subject is neither an id, a canonical purl nor a digest",
		"write att:<hex>, a purl or sha256:<hex>"},
	{NotFound, notFound, 404,
		"there is no such thing at the published size",
		"check the id; what was submitted a moment ago may not be published yet"},
	{Busy, unavailable, 503,
		"the queue is full",
		"wait a few seconds and submit the same file again: repeating does no harm"},
	{Backlog, unavailable, 503,
		"too few cosigners answer: only withdrawals are taken for now",
		"submit the same file again later; nothing was lost"},
	{NoSpace, unavailable, 503,
		"the node's disk is nearly full: only withdrawals are taken for now",
		"submit the same file again later; nothing was lost"},
	{ReadOnly, unavailable, 503,
		"the node has stopped writing because its store or witnesses disagree with it",
		"tell the operator; reading goes on"},
	{ShuttingDown, unavailable, 503,
		"the node is stopping",
		"submit the same file again in a minute: repeating does no harm"},
	{Internal, internal, 500,
		"the node failed",
		"submit the same file again: repeating does no harm; tell the operator if it stays"},
}
