package mapfn_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/standing-log/standing/personality/mapfn"
)

func TestPlaceOf(t *testing.T) {
	hex := strings.Repeat("0f", 32)
	for data, want := range map[string]mapfn.NS{
		"pkg:npm/x@1":                    mapfn.NSComponent,
		"pkg:npm/%40a/x@1%2B2":           mapfn.NSComponent,
		"pkg:npm/x":                      mapfn.NSPackage,
		"sha256:" + hex:                  mapfn.NSDigest,
		"sha512:" + hex + hex:            mapfn.NSDigest,
		"gitCommit:" + hex[:40]:          mapfn.NSDigest,
		"pkg:npm/x@1?arch=any":           0,
		"pkg:npm/x@1#sub":                0,
		"pkg:npm/x?arch=any":             0,
		"pkg:npm/X Y@1":                  0,
		"sha256:" + strings.ToUpper(hex): 0,
		"sha256:" + hex[2:]:              0,
		"md5:" + hex[:32]:                0,
		hex:                              0,
		"":                               0,
	} {
		if at, ok := mapfn.PlaceOf(data); ok != (want != 0) || ok && (at.NS != want || at.Data != data) {
			t.Errorf("%q: %+v, %t", data, at, ok)
		}
	}
}

func TestParseEvents(t *testing.T) {
	for n := 1; n <= 9; n++ {
		var events [][]byte
		for i := range n {
			events = append(events, mapfn.Event{Index: uint64(i + 3), Kind: mapfn.EventIssue, ID: hash{byte(i)}}.Append(nil))
		}
		list := bytes.Join(events, nil)
		r := mapfn.ListRecord{V: 1, Count: uint64(n), Last: uint64(n + 2), Root: mapfn.Hex(listRoot(events))}
		got, err := r.ParseEvents(list)
		if err != nil || len(got) != n || got[n-1].ID != (hash{byte(n - 1)}) {
			t.Errorf("%d events: %v, %v", n, got, err)
		}
		for name, bad := range map[string]struct {
			r    mapfn.ListRecord
			list []byte
		}{
			"one fewer":       {r, list[mapfn.EventSize:]},
			"half of one":     {r, list[:len(list)-1]},
			"one more":        {r, append(bytes.Clone(list), events[0]...)},
			"none":            {r, nil},
			"another":         {r, append(bytes.Clone(list[:len(list)-1]), 0xff)},
			"another last":    {mapfn.ListRecord{V: 1, Count: r.Count, Last: r.Last + 1, Root: r.Root}, list},
			"another count":   {mapfn.ListRecord{V: 1, Count: r.Count + 1, Last: r.Last, Root: r.Root}, list},
			"a count of 2^64": {mapfn.ListRecord{V: 1, Count: 1<<64 - 1, Last: r.Last, Root: r.Root}, list},
		} {
			if _, err := bad.r.ParseEvents(bad.list); err == nil {
				t.Errorf("%d events, %s: accepted", n, name)
			}
		}
	}
}
