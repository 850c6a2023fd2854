package report

import (
	"bytes"
	"fmt"
	"reflect"
	"runtime"
	"strings"
	"testing"
)

const seed = head + `0000000000000000000000000000000000000000000000000000000000000000","time":1795000000,"maxAge":86400,` +
	`"sbom":{"format":"CycloneDX 1.6 JSON","sha256":"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef","product":"p"},` +
	`"trust":"quorum none\n","pins":"min-mapfn 1\n","logs":[{"origin":"log.example/a","bundles":[{"a":1}]},{"origin":"log.example/b","error":"no","contradicts":true}],` +
	`"components":[{"ref":"r","group":"g","name":"n","version":"1","type":"library","purl":"pkg:npm/a@1","purls":["pkg:npm/b@1"],` +
	`"digests":["gitCommit:0123456789012345678901234567890123456789"],"parent":-1,"product":true,"verdict":"ACTIVE",` +
	`"attestations":[{"log":"log.example/a","id":"att:0","verdict":"ACTIVE","rule":"exact","followedBy":"att:1"}],` +
	`"undecided":[{"log":"log.example/a","id":"att:2","verdict":"STALE"}]},{"parent":0,"verdict":"UNNAMED"}]}`

// checkRoundTrip says what is wrong with how parse treats data, whose digest is
// made to fit: what is accepted is the same when it is written again, and when
// its parts are taken for the parts of an SBOM.
func checkRoundTrip(parse func([]byte) (*file, error), data []byte) error {
	f, err := parse(Sign(data))
	if err != nil {
		return nil
	}
	f.SHA256 = string(zeros)
	out, err := f.marshal()
	if err != nil {
		return fmt.Errorf("writing what was accepted: %w", err)
	}
	again, err := parse(out)
	if err != nil {
		return fmt.Errorf("reading what was written: %w", err)
	}
	if again.SHA256 = string(zeros); !reflect.DeepEqual(f, again) {
		return fmt.Errorf("%+v became %+v", f, again)
	}
	doc, evidence := f.document(), f.evidence()
	for i, c := range f.Components {
		if !c.same(newComponent(doc.Components[i], nil)) {
			return fmt.Errorf("component %+v became %+v", c, doc.Components[i])
		}
		if c.Parent >= i {
			return fmt.Errorf("component %d is nested in %d", i, c.Parent)
		}
	}
	for i, e := range evidence {
		if e.Origin == "" || e.Contradicts && e.Err == nil || len(e.Bundles) != len(f.Logs[i].Bundles) {
			return fmt.Errorf("log %+v became %+v", f.Logs[i], e)
		}
	}
	return nil
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(seed))
	f.Add([]byte(strings.ReplaceAll(seed, ",", ",\n")))
	f.Fuzz(func(t *testing.T, data []byte) {
		if err := checkRoundTrip(parse, data); err != nil {
			t.Error(err)
		}
	})
}

// TestPlanted checks that what the fuzz target asks for would find faults.
func TestPlanted(t *testing.T) {
	change := func(f func(*file)) func([]byte) (*file, error) {
		return func(data []byte) (*file, error) {
			out, err := parse(data)
			if err == nil {
				f(out)
			}
			return out, err
		}
	}
	for name, parse := range map[string]func([]byte) (*file, error){
		"forgets what a log contradicts": change(func(f *file) {
			if len(f.Logs) > 1 {
				f.Logs[1].Contradicts = !f.Logs[1].Contradicts
			}
		}),
		"takes components for nested": change(func(f *file) { f.Components[0].Parent++ }),
		"adds digests":                change(func(f *file) { f.Components[0].Digests = append(f.Components[0].Digests, "md5:00") }),
	} {
		if checkRoundTrip(parse, []byte(seed)) == nil {
			t.Errorf("a parser that %s is not found out", name)
		}
	}
	if err := checkRoundTrip(parse, []byte(seed)); err != nil {
		t.Errorf("parse itself is found out: %v", err)
	}
	if _, err := parse(Sign([]byte(seed))); err != nil {
		t.Errorf("the seed: %v", err)
	}
}

// TestHostile reads files that are made to exhaust.
func TestHostile(t *testing.T) {
	const big = 16 << 20
	head, _, _ := strings.Cut(seed, `"components":[`)
	fill := func(head, piece, tail string) []byte {
		return Sign([]byte(head + strings.Repeat(piece, (big-len(head)-len(tail))/len(piece)) + tail))
	}
	logs, _, _ := strings.Cut(seed, `"logs":[`)
	for name, data := range map[string][]byte{
		"nothing":            nil,
		"only a head":        []byte(seed[:len(seed)/4]),
		"empty components":   fill(head+`"components":[`, "{},", "{}]}"),
		"empty purls":        fill(head+`"components":[{"purls":[`, `"",`, `""]}]}`),
		"empty digests":      fill(head+`"components":[{"digests":[`, `"",`, `""]}]}`),
		"empty attestations": fill(head+`"components":[{"attestations":[`, `{},`, `{}]}]}`),
		"empty logs":         fill(logs+`"logs":[`, `{},`, `{}],"components":[]}`),
		"empty bundles":      fill(logs+`"logs":[{"origin":"a","bundles":[`, `0,`, `0]}],"components":[]}`),
		"nested arrays":      fill(logs+`"logs":[{"origin":"a","bundles":[`, `[`, ""),
		"a larger file":      bytes.Repeat([]byte(" "), MaxSize+1),
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		if _, err := parse(data); err == nil {
			t.Errorf("%s: accepted", name)
		}
		runtime.ReadMemStats(&after)
		if used := after.TotalAlloc - before.TotalAlloc; used > 24*big {
			t.Errorf("%s: %d MiB allocated", name, used>>20)
		}
	}
}
