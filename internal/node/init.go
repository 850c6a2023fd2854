package node

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"

	formats "github.com/transparency-dev/formats/note"
	"github.com/transparency-dev/merkle/rfc6962"
	"golang.org/x/mod/sumdb/note"

	"github.com/standing-log/standing/internal/backend/embedded"
	"github.com/standing-log/standing/internal/keyfile"
	"github.com/standing-log/standing/internal/sequencer"
	"github.com/standing-log/standing/internal/witness"
	"github.com/standing-log/standing/personality/entry"
	"github.com/standing-log/standing/personality/mapfn"
	"github.com/standing-log/standing/personality/trust"
)

// admissionRules names the rules of admission that charters of this version
// carry: package lint's, and whoever the registrar enrols.
const admissionRules = "registrar-1"

// Init makes a node in dir, which must be empty or not there.
func Init(ctx context.Context, dir, origin string, log *slog.Logger) error {
	if !trust.ValidOrigin(origin) {
		return fmt.Errorf("origin %.80q is not [a-z0-9./-]{1,255}: use the URL the log will have, without https:// and in lower case", origin)
	}
	if err := makeDir(dir); err != nil {
		return err
	}
	if err := makeKeys(dir, origin); err != nil {
		return err
	}
	charter, err := makeCharter(dir, origin)
	if err != nil {
		return err
	}
	if err := found(ctx, dir, origin, charter, log); err != nil {
		return err
	}
	// Last: without it there is no node. A crash before leaves a directory
	// that serve refuses and that can be deleted.
	return writeConfig(dir, &Config{Origin: origin})
}

// InitWitness makes a node in dir that is a witness and nothing else. name is
// its key name: the URL it will have, without the scheme.
func InitWitness(dir, name string) error {
	if !trust.ValidOrigin(name) {
		return fmt.Errorf("name %.80q is not [a-z0-9./-]{1,255}: use the URL the witness will have, without https:// and in lower case", name)
	}
	if err := makeDir(dir); err != nil {
		return err
	}
	if _, err := makeCosigner(dir, name, witnessFile, witnessVkey); err != nil {
		return err
	}
	return writeConfig(dir, &Config{})
}

// InitAuditor makes a node in dir that is an auditor and nothing else. name is
// its key name, as a witness's.
func InitAuditor(dir, name string) error {
	if !trust.ValidOrigin(name) {
		return fmt.Errorf("name %.80q is not [a-z0-9./-]{1,255}: use the URL the auditor will have, without https:// and in lower case", name)
	}
	if err := makeDir(dir); err != nil {
		return err
	}
	if _, err := makeCosigner(dir, name, auditorFile, auditorVkey); err != nil {
		return err
	}
	return writeConfig(dir, &Config{})
}

// makeDir makes the directory of a new node.
func makeDir(dir string) error {
	if files, err := os.ReadDir(dir); err == nil && len(files) > 0 {
		return fmt.Errorf("%s is not empty: a node needs a directory of its own", dir)
	}
	return os.MkdirAll(dir, 0o700)
}

// makeCosigner writes the key of a witness or an auditor and returns what trust
// files need.
func makeCosigner(dir, name, keyFile, vkeyFile string) (vkey string, err error) {
	skey, vkey, err := witness.GenerateKey(rand.Reader, name)
	if err != nil {
		return "", err
	}
	if err := keyfile.WriteNew(filepath.Join(dir, keyFile), []byte(skey+"\n"), 0o600); err != nil {
		return "", err
	}
	return vkey, keyfile.WriteNew(filepath.Join(dir, vkeyFile), []byte(vkey+"\n"), 0o644)
}

// makeKeys writes the keys of log and witness, and the trust file.
func makeKeys(dir, origin string) error {
	skey, vkey, err := note.GenerateKey(rand.Reader, origin)
	if err != nil {
		return err
	}
	mlSkey, mlVkey, err := formats.GenerateMLDSAKey(origin)
	if err != nil {
		return err
	}
	wVkey, err := makeCosigner(dir, origin+"/witness", witnessFile, witnessVkey)
	if err != nil {
		return err
	}
	policy := fmt.Sprintf("# Readers that know ML-DSA-44 may also add the line: log <the text of %s>\n"+
		"log %s\nwitness %s %s\nquorum %s\n", mldsaVkeyFile, vkey, LocalWitness, wVkey, LocalWitness)
	for _, f := range []struct {
		name, text string
		mode       os.FileMode
	}{
		{logKeyFile, skey, 0o600}, {mldsaKeyFile, mlSkey, 0o600},
		{logVkeyFile, vkey, 0o644}, {mldsaVkeyFile, mlVkey, 0o644},
	} {
		if err := keyfile.WriteNew(filepath.Join(dir, f.name), []byte(f.text+"\n"), f.mode); err != nil {
			return err
		}
	}
	return keyfile.WriteNew(filepath.Join(dir, policyFile), []byte(policy), 0o644)
}

// makeCharter makes the root and registrar keys and signs leaf 0.
func makeCharter(dir, origin string) (*entry.Entry, error) {
	root, err := newKey(filepath.Join(dir, rootFile))
	if err != nil {
		return nil, err
	}
	registrar, err := newKey(filepath.Join(dir, registrarFile))
	if err != nil {
		return nil, err
	}
	e, err := entry.Sign(entry.Payload(&entry.Charter{
		Log: origin, Admission: admissionRules, Issuance: "open", MapFn: mapfn.Version,
		Registrars: []entry.PublicKey{registrar.Public()}, Roots: []entry.PublicKey{root.Public()},
	}, entry.LogSubject(origin)), root)
	if err != nil {
		return nil, err
	}
	return e, nil
}

func newKey(path string) (*keyfile.Key, error) {
	k, err := keyfile.Generate()
	if err != nil {
		return nil, err
	}
	return k, k.Create(path)
}

// found writes leaf 0 and its seal.
func found(ctx context.Context, dir, origin string, charter *entry.Entry, log *slog.Logger) (err error) {
	store, err := embedded.Open(ctx, embedded.Options{Dir: filepath.Join(dir, storeDir), Logger: log})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	signers, _, err := readSigners(dir)
	if err != nil {
		return err
	}
	return sequencer.Init(ctx, sequencer.Config{Origin: origin, Backend: store, Signers: signers, Log: log}, charter)
}

// readSigners reads the keys that sign checkpoints, with their vkeys.
func readSigners(dir string) ([]note.Signer, []string, error) {
	skey, err := readSecret(dir, logKeyFile)
	if err != nil {
		return nil, nil, err
	}
	signer, err := note.NewSigner(skey)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", logKeyFile, err)
	}
	mlSkey, err := readSecret(dir, mldsaKeyFile)
	if err != nil {
		return nil, nil, err
	}
	mlSigner, err := formats.NewMLDSASigner(mlSkey)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", mldsaKeyFile, err)
	}
	vkeys, err := readVkeys(dir)
	return []note.Signer{signer, mlSigner}, vkeys, err
}

// checkSigners compares the keys with the vkeys of the policy, by signatures on
// the empty tree, which every log extends.
func checkSigners(signers []note.Signer, origin string, policy *trust.Policy) error {
	body := trust.Body{Origin: origin, Root: [32]byte(rfc6962.DefaultHasher.EmptyRoot())}
	for i, name := range []string{logKeyFile, mldsaKeyFile} {
		signed, err := note.Sign(&note.Note{Text: body.String()}, signers[i])
		if err == nil {
			_, err = policy.OpenLogSigned(signed)
		}
		if err != nil {
			return fmt.Errorf("%s does not fit its vkey file: %w", name, err)
		}
	}
	return nil
}

// readVkeys reads the log's verifier keys.
func readVkeys(dir string) (vkeys []string, err error) {
	for _, name := range []string{logVkeyFile, mldsaVkeyFile} {
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			return nil, err
		}
		vkeys = append(vkeys, string(b[:max(0, len(b)-1)]))
	}
	return vkeys, nil
}
