package entry

import "github.com/hdevalence/ed25519consensus"

// VerifyAll is Verify for entries[i] under keys[i], in about half the time: the
// equations of Ed25519 signatures are checked together, as ZIP-215 allows, and
// one by one only if that fails. The errors are those of Verify.
func VerifyAll(entries []*Entry, keys []PublicKey) []error {
	errs := make([]error, len(entries))
	batch := ed25519consensus.NewPreallocatedBatchVerifier(len(entries))
	var together []int
	for i, e := range entries {
		if k := keys[i]; k.isEd25519() && k.ID() == e.KeyID && len(e.Signature) == 64 {
			batch.Add(k.point(), PAE(e.Payload), e.Signature)
			together = append(together, i)
		} else {
			errs[i] = e.Verify(k)
		}
	}
	good := len(together) > 1 && batch.Verify()
	for _, i := range together {
		if good {
			errs[i] = entries[i].verifyRest()
		} else {
			errs[i] = entries[i].Verify(keys[i])
		}
	}
	return errs
}

// verifyRest ends Verify for an entry whose signature is right.
func (e *Entry) verifyRest() error {
	if err := e.verifyPossession(); err != nil {
		return err
	}
	e.verified = true
	return nil
}
