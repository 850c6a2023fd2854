package sequencer_test

import (
	"bytes"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"
	"github.com/transparency-dev/tessera/api"
	"github.com/transparency-dev/tessera/client"
	"github.com/transparency-dev/tessera/fsck"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/standing-log/standing/personality/trust"
)

// tesseraReads lets Tessera's tools read the log, whole and with one bit wrong,
// and x/mod open its checkpoint.
func tesseraReads(t *testing.T, dir, address string, tree tlog.Tree, leaves [][]byte) {
	root, err := url.Parse(address)
	check(t, err)
	verifier, err := note.NewVerifier(read(t, dir, "log.vkey"))
	check(t, err)
	fetcher := func(change func(path string, body []byte)) *client.HTTPFetcher {
		f, err := client.NewHTTPFetcher(root, &http.Client{Transport: &flipper{change}})
		check(t, err)
		return f
	}
	honest := fetcher(nil)
	cp, raw, n, err := client.FetchCheckpoint(t.Context(), honest.ReadCheckpoint, verifier, bigOrigin)
	check(t, err)
	if cp.Size != uint64(tree.N) || !bytes.Equal(cp.Hash, tree.Hash[:]) || len(n.Sigs) != 1 {
		t.Errorf("checkpoint %+v with %d signatures", cp, len(n.Sigs))
	}
	if _, err := note.Open(raw, note.VerifierList(verifier)); err != nil {
		t.Errorf("x/mod: %v", err)
	}
	policy, err := trust.Parse([]byte(read(t, dir, "trust.policy") + "\n"))
	check(t, err)
	if opened, err := policy.Open(raw, time.Now()); err != nil || !opened.Witnessed {
		t.Errorf("our own reader: %+v, %v", opened, err)
	}

	builder, err := client.NewProofBuilder(t.Context(), cp.Size, honest.ReadTile)
	check(t, err)
	for _, index := range []uint64{0, bigSize / 2, cp.Size - 1} {
		path, err := builder.InclusionProof(t.Context(), index)
		check(t, err)
		check(t, proof.VerifyInclusion(rfc6962.DefaultHasher, index, cp.Size, rfc6962.DefaultHasher.HashLeaf(leaves[index]), path, cp.Hash))
	}

	run := func(f *client.HTTPFetcher) error {
		return fsck.New(bigOrigin, verifier, f, hashBundle, fsck.Opts{N: 4}).Check(t.Context())
	}
	if err := run(honest); err != nil {
		t.Errorf("fsck: %v", err)
	}
	for path, at := range map[string]int{"/tile/entries/009": 5000, "/tile/0/007": 5000, "/tile/1/000.p/": 100, "/checkpoint": 30} {
		if err := run(fetcher(func(p string, body []byte) {
			if strings.HasPrefix(p, path) {
				body[at] ^= 1
			}
		})); err == nil {
			t.Errorf("fsck accepts a wrong bit in %s", path)
		}
	}
}

// hashBundle returns the leaf hashes of an entry bundle.
func hashBundle(raw []byte) ([][]byte, error) {
	var b api.EntryBundle
	if err := b.UnmarshalText(raw); err != nil {
		return nil, err
	}
	hashes := make([][]byte, len(b.Entries))
	for i, e := range b.Entries {
		hashes[i] = rfc6962.DefaultHasher.HashLeaf(e)
	}
	return hashes, nil
}

// flipper changes what is read, on its way.
type flipper struct {
	change func(path string, body []byte)
}

func (f *flipper) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := http.DefaultTransport.RoundTrip(r)
	if err != nil || f.change == nil || resp.StatusCode != http.StatusOK {
		return resp, err
	}
	body, err := io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	f.change(r.URL.Path, body)
	resp.Body = io.NopCloser(bytes.NewReader(body))
	return resp, err
}
