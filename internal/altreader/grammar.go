package altreader

import (
	"encoding/base64"
	"encoding/hex"
	"slices"
	"strings"
)

// The grammars of entry/SPEC.md, "Payload": each reads a value, and says what
// is wrong with it.
type grammar[T any] func(value) (T, string)

const (
	badMember = "member-invalid"

	digits  = "0123456789"
	lower   = "abcdefghijklmnopqrstuvwxyz"
	letters = lower + "ABCDEFGHIJKLMNOPQRSTUVWXYZ"

	maxIndex = 1<<53 - 1
	maxTime  = 1<<40 - 1
)

// made reports whether s is lo to hi bytes of those in set.
func made(s, set string, lo, hi int) bool {
	if len(s) < lo || len(s) > hi {
		return false
	}
	for i := range len(s) {
		if strings.IndexByte(set, s[i]) < 0 {
			return false
		}
	}
	return true
}

// texts is the grammar of strings for which ok.
func texts(ok func(string) bool) grammar[string] {
	return func(v value) (string, string) {
		if v.kind != isString || !ok(v.text) {
			return "", badMember
		}
		return v.text, ""
	}
}

func of(set string, lo, hi int) grammar[string] {
	return texts(func(s string) bool { return made(s, set, lo, hi) })
}

func oneOf(words ...string) grammar[string] {
	return texts(func(s string) bool { return slices.Contains(words, s) })
}

// numbers is the grammar of integers from lo to hi.
func numbers(lo, hi uint64) grammar[uint64] {
	return func(v value) (uint64, string) {
		if v.kind != isNumber || v.number < 0 || uint64(v.number) < lo || uint64(v.number) > hi {
			return 0, badMember
		}
		return uint64(v.number), ""
	}
}

func code(v value) (string, string)   { return of(letters+digits+"._:-", 1, 64)(v) }
func origin(v value) (string, string) { return of(lower+digits+"./-", 1, 255)(v) }
func index(v value) (uint64, string)  { return numbers(0, maxIndex)(v) }
func time(v value) (uint64, string)   { return numbers(0, maxTime)(v) }

func role(v value) (string, string) {
	return oneOf("steward", "maintainer", "manufacturer", "user", "assessor", "public-body", "fiscal-host", "authority")(v)
}

func link(v value) (string, string) {
	return texts(func(s string) bool {
		rest, ok := strings.CutPrefix(s, "https://")
		return ok && made(rest, letters+digits+"._~:/?#[]@!$&'()*+,;=%-", 1, 192)
	})(v)
}

func octet(v value) (byte, string) {
	n, fault := numbers(0, 255)(v)
	return byte(n), fault
}

// unhex reads exactly n bytes of lower-case hex.
func unhex(s string, n int) ([]byte, bool) {
	if len(s) != 2*n || !made(s, digits+"abcdef", 0, 2*n) {
		return nil, false
	}
	b, err := hex.DecodeString(s)
	return b, err == nil
}

func hash(v value) (Hash, string) {
	if b, ok := unhex(v.text, 32); ok && v.kind == isString {
		return Hash(b), ""
	}
	return Hash{}, badMember
}

// unbase64 reads base64 as RFC 4648 section 4 has it, padded, with zero
// trailing bits, and without the line breaks that Go would skip.
func unbase64(s string) ([]byte, bool) {
	b, err := base64.StdEncoding.DecodeString(s)
	return b, err == nil && base64.StdEncoding.EncodeToString(b) == s
}

func bytesOf(v value) ([]byte, string) {
	if b, ok := unbase64(v.text); ok && v.kind == isString {
		return b, ""
	}
	return nil, badMember
}

func spki(v value) (*publicKey, string) {
	b, fault := bytesOf(v)
	if fault != "" {
		return nil, fault
	}
	return parseKey(b)
}

// array is the grammar of arrays of lo to hi items.
func array[T any](lo, hi int, item grammar[T]) grammar[[]T] {
	return func(v value) ([]T, string) {
		if v.kind != isArray || len(v.items) < lo || len(v.items) > hi {
			return nil, badMember
		}
		out := make([]T, len(v.items))
		for i, x := range v.items {
			var fault string
			if out[i], fault = item(x); fault != "" {
				return nil, fault
			}
		}
		return out, ""
	}
}

// sorted is array, each item being less than the one behind it: no two are
// equal.
func sorted[T any](lo, hi int, item grammar[T], key func(T) string) grammar[[]T] {
	return func(v value) ([]T, string) {
		out, fault := array(lo, hi, item)(v)
		for i := 1; i < len(out); i++ {
			if key(out[i-1]) >= key(out[i]) {
				return nil, badMember
			}
		}
		return out, fault
	}
}

func words(lo, hi int, item grammar[string]) grammar[[]string] {
	return sorted(lo, hi, item, func(s string) string { return s })
}

func hashes(lo, hi int) grammar[[]Hash] {
	return sorted(lo, hi, hash, func(h Hash) string { return string(h[:]) })
}

func keys(v value) ([]*publicKey, string) {
	return sorted(1, 8, spki, func(k *publicKey) string { return string(k.id[:]) })(v)
}

// object is an object whose members are taken one by one. The first fault
// stays.
type object struct {
	members map[string]value
	fault   string
}

func objectOf(v value) *object {
	o := &object{members: v.members}
	if v.kind != isObject {
		o.fail(badMember)
	}
	return o
}

func (o *object) fail(fault string) {
	if o.fault == "" {
		o.fault = fault
	}
}

// check demands what a grammar does not say.
func (o *object) check(ok bool) {
	if !ok {
		o.fail(badMember)
	}
}

func (o *object) has(name string) bool { _, ok := o.members[name]; return ok }

// need takes a required member.
func need[T any](o *object, name string, is grammar[T]) T {
	v, ok := o.members[name]
	if !ok {
		o.fail("member-missing")
		return *new(T)
	}
	delete(o.members, name)
	out, fault := is(v)
	if fault != "" {
		o.fail(fault)
	}
	return out
}

// maybe takes an optional member.
func maybe[T any](o *object, name string, is grammar[T]) *T {
	if !o.has(name) {
		return nil
	}
	out := need(o, name, is)
	return &out
}

// done says what is wrong with the object, of which all was taken that is
// known.
func (o *object) done() string {
	// SPEC: any unknown, missing or ill-typed member makes the whole entry
	// ignored.
	if len(o.members) > 0 {
		o.fail("member-unknown")
	}
	return o.fault
}

// skipExtensions takes the members of a predicate that are never read.
func (o *object) skipExtensions() {
	n := 0
	for name, v := range o.members {
		if !strings.HasPrefix(name, "x-") {
			continue
		}
		// SPEC: at most 16, name at most 64 bytes, value a string of at most
		// 1,024 bytes.
		n++
		o.check(n <= 16 && len(name) <= 64 && v.kind == isString && len(v.text) <= 1024)
		delete(o.members, name)
	}
}
