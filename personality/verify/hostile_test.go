package verify_test

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/standing-log/standing/personality/bundle"
	"github.com/standing-log/standing/personality/verify"
)

// TestHostile reads files that are made to exhaust: each is refused, and takes
// no more memory than a few times its own size. What is measured is all that is
// allocated on the way, most of it garbage soon.
func TestHostile(t *testing.T) {
	s := newScene(t, origin)
	s.releases()
	good := s.bundle("active")
	b := parse(t, good)
	const big = bundle.MaxSize
	head := `{"mediaType":"` + bundle.MediaType + `","checkpoint":`
	fill := func(head, piece, tail string) []byte {
		n := (big - len(head) - len(tail)) / len(piece)
		return []byte(head + strings.Repeat(piece, n) + tail)
	}
	with := func(f func(*bundle.Bundle)) []byte { return change(t, good, f) }
	hash := base64.StdEncoding.EncodeToString(make([]byte, 30))
	for _, tt := range []struct {
		name string
		file []byte
	}{
		{"nothing", nil},
		{"16 MiB of nested arrays", fill("", "[", "")},
		{"16 MiB of nested objects", fill("", `{"a":`, "")},
		{"nested arrays in their place", fill(head+`"c","attestations":`, "[", "")},
		{"nested arrays in an entry", fill(head+`"c","attestations":[{"entry":`, "[", "")},
		{"nested objects in a record", fill(head+`"c","keys":[{"record":`, `{"a":`, "")},
		{"nesting below the library's limit", []byte(head + strings.Repeat("[", 9000) + strings.Repeat("]", 9000) + "}")},
		{"16 MiB of empty attestations", fill(head+`"c","attestations":[`, "{},", "{}]}")},
		{"16 MiB of empty keys", fill(head+`"c","keys":[`, "{},", "{}]}")},
		{"16 MiB of empty programmes", fill(head+`"c","programmes":[`, "{},", "{}]}")},
		{"16 MiB of empty subjects", fill(head+`"c","subjects":[`, "{},", "{}]}")},
		{"16 MiB of empty opened attestations", fill(head+`"c","opened":[`, "{},", "{}]}")},
		{"an enormous name of a subject", fill(head+`"c","subjects":[{"name":"`, "a", `"}]}`)},
		{"an enormous event list", fill(head+`"c","subjects":[{"name":"`+release+`","record":{"v":1},"proof":"AQ==","events":"`, hash, `"}]}`)},
		{"an event list that is none", with(func(b *bundle.Bundle) {
			b.Subjects = parse(t, s.answer(release)).Subjects
			b.Subjects[0].Events = make([]byte, 8<<20)
		})},
		{"an enormous payload", with(func(b *bundle.Bundle) {
			b.Opened = bundle.List[bundle.Opened]{{KeyID: bundle.ID{1}, Payload: bytes.Repeat([]byte("[1,"), 4<<20)}}
		})},
		{"the same subject 12,288 times", with(func(b *bundle.Bundle) {
			b.Subjects = parse(t, s.answer(release)).Subjects
			for range bundle.MaxItems - 1 {
				b.Subjects = append(b.Subjects, b.Subjects[0])
			}
		})},
		{"nested objects in a programme's record", fill(head+`"c","programmes":[{"record":`, `{"a":`, "")},
		{"16 MiB of numbers", fill(head+`"c","causes":[`, "1,", "1]}")},
		{"an enormous number", fill(head+`"c","causes":[{"index":`, "9", "}]}")},
		{"an enormous exponent", []byte(head + `"c","causes":[{"index":1e999999999}]}`)},
		{"an enormous record", fill(head+`"c","keys":[{"record":{"v":1,"x":"`, "a", `"}}]}`)},
		{"an enormous path", fill(head+`"c","seal":{"path":"`, hash, `"}}`)},
		{"an enormous proof", fill(head+`"c","keys":[{"proof":"`, hash, `"}]}`)},
		{"an enormous checkpoint", with(func(b *bundle.Bundle) { b.Checkpoint += strings.Repeat("— a AAAAAAAA\n", 1<<20) })},
		{"an enormous seal", with(func(b *bundle.Bundle) { b.Seal.Leaf += strings.Repeat("1\n", 1<<22) })},
		{"an enormous name", fill(head+`"c","`, "a", `":1}`)},
		{"many names", []byte(head + `"c"` + many16(big) + "}")},
		{"the same attestation 4,096 times", with(func(b *bundle.Bundle) {
			for range bundle.MaxAttestations - 1 {
				b.Attestations = append(b.Attestations, b.Attestations[0])
			}
		})},
		{"the same key 12,288 times", with(func(b *bundle.Bundle) {
			for range 3*bundle.MaxAttestations - 1 {
				b.Keys = append(b.Keys, b.Keys[0])
			}
		})},
		{"larger than 16 MiB", append(bytes.Clone(good), bytes.Repeat([]byte(" "), big)...)},
		{"a proof of 8 KiB", with(func(b *bundle.Bundle) { b.Attestations[0].Proof = bytes.Repeat([]byte{1}, 8292) })},
		{"a size beyond 2^53", with(func(b *bundle.Bundle) { b.Checkpoint = strings.Replace(b.Checkpoint, "\n", "\n9999999999", 1) })},
		{"a path of 64 hashes", with(func(c *bundle.Bundle) {
			for len(c.Seal.Path) < 64 {
				c.Seal.Path = append(c.Seal.Path, b.Seal.Path[0])
			}
		})},
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		r := verify.Bundle(tt.file, s.Reader())
		runtime.ReadMemStats(&after)
		if r.Verdict != verify.Invalid {
			t.Errorf("%s: %v", tt.name, r.Verdict)
		}
		if used := after.TotalAlloc - before.TotalAlloc; used > 24*big {
			t.Errorf("%s: %d MiB allocated", tt.name, used>>20)
		}
		if r.Err != nil && len(r.Err.Error()) > 2000 {
			t.Errorf("%s: an error of %d bytes", tt.name, len(r.Err.Error()))
		}
	}
}

// many16 returns distinct members.
func many16(size int) string {
	var b strings.Builder
	for i := 0; b.Len() < size-1024; i++ {
		fmt.Fprintf(&b, `,"m%d":0`, i)
	}
	return b.String()
}

// TestByteFlips spoils each byte of a file as a network or disk may: what is
// left is refused, or says the same.
func TestByteFlips(t *testing.T) {
	s := newScene(t, origin)
	file := s.bundle("revoked")
	honest := truth{}
	honest.add(t, file, s.Reader())
	alike, before := 0, said(verify.Bundle(file, s.Reader()))
	for i := 0; i < len(file); i += every {
		spoilt := bytes.Clone(file)
		spoilt[i] ^= 1 << (i % 8)
		got, lie := honest.classify(verify.Bundle(spoilt, s.Reader()), before)
		if lie != "" || got == fewer {
			t.Errorf("byte %d, %q for %q: class %d, %s", i, spoilt[i], file[i], got, lie)
		}
		if got == same {
			alike++
		}
	}
	// The unused bits of three signatures' base64, and the alphabet of base64url
	// in entries, are all that may be read the same.
	if alike > 8 {
		t.Errorf("%d of %d spoilt files say the same", alike, len(file))
	}
}
