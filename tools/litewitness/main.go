// Litewitness is what torchwood's litewitness needs around it in a test: a
// database with one log in it, and an ssh-agent with a new key. It prints the
// verifier key and the fingerprint that the witness will have, and ends with its
// standard input.
//
//	litewitness DB SOCKET NAME LOGVKEY
package main

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"log"
	"net"
	"os"
	"strings"

	"filippo.io/torchwood"
	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"
	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"
)

func main() {
	if err := run(os.Args[1], os.Args[2], os.Args[3], os.Args[4]); err != nil {
		log.Fatal(err)
	}
}

func run(db, socket, name, logKey string) error {
	if err := fill(db, logKey); err != nil {
		return err
	}
	_, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		return err
	}
	keys := agent.NewKeyring()
	if err := keys.Add(agent.AddedKey{PrivateKey: key}); err != nil {
		return err
	}
	l, err := net.Listen("unix", socket)
	if err != nil {
		return err
	}
	go serve(l, keys)
	signer, err := torchwood.NewCosignatureSigner(name, key)
	if err != nil {
		return err
	}
	public, err := ssh.NewPublicKey(key.Public())
	if err != nil {
		return err
	}
	fmt.Println(signer.Verifier())
	fmt.Println(ssh.FingerprintSHA256(public))
	_, err = io.Copy(io.Discard, os.Stdin)
	return err
}

func serve(l net.Listener, keys agent.Agent) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		go func() { _ = agent.ServeAgent(keys, c) }()
	}
}

// fill does what "witnessctl add-log" and "add-key" do; witnessctl itself needs
// more modules.
func fill(path, logKey string) error {
	db, err := sqlite.OpenConn(path, 0)
	if err != nil {
		return err
	}
	defer db.Close()
	origin, _, _ := strings.Cut(logKey, "+")
	empty := sha256.Sum256(nil)
	err = sqlitex.ExecuteScript(db, `
		CREATE TABLE log (origin TEXT PRIMARY KEY, tree_size INTEGER NOT NULL, tree_hash TEXT NOT NULL);
		CREATE TABLE key (origin TEXT NOT NULL, key TEXT NOT NULL, FOREIGN KEY(origin) REFERENCES log(origin));`, nil)
	if err == nil {
		err = sqlitex.Execute(db, "INSERT INTO log VALUES (?, 0, ?)",
			&sqlitex.ExecOptions{Args: []any{origin, base64.StdEncoding.EncodeToString(empty[:])}})
	}
	if err == nil {
		err = sqlitex.Execute(db, "INSERT INTO key VALUES (?, ?)", &sqlitex.ExecOptions{Args: []any{origin, logKey}})
	}
	return err
}
