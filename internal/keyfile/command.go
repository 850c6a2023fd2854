package keyfile

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"

	"github.com/standing-log/standing/personality/entry"
)

// maxSignature bounds what a signing program may print, in bytes.
const maxSignature = 4 << 10

// command is a signer in another program.
type command struct {
	ctx    context.Context
	argv   []string
	public entry.PublicKey
}

// Command returns a signer that runs a program for each signature. line is cut
// at white space into program and arguments; no shell is involved. The program
// inherits standard error and, through the terminal, may ask for a PIN. It is
// killed when ctx ends.
func Command(ctx context.Context, line string, public entry.PublicKey) (entry.Signer, error) {
	argv := strings.Fields(line)
	if len(argv) == 0 {
		return nil, errors.New("signer: no program is named")
	}
	return &command{ctx, argv, public}, nil
}

func (c *command) Public() entry.PublicKey { return c.public }

func (c *command) Sign(message []byte) ([]byte, error) {
	out := &bounded{}
	cmd := exec.CommandContext(c.ctx, c.argv[0], c.argv[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(message), out, os.Stderr
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("signer %s: %w", c.argv[0], err)
	}
	sig, err := base64.StdEncoding.DecodeString(strings.TrimSpace(out.String()))
	if err != nil {
		return nil, fmt.Errorf("signer %s: printed no base64: %w", c.argv[0], err)
	}
	if !c.public.Verify(message, sig) {
		return nil, fmt.Errorf("signer %s: its signature does not verify under the public key given", c.argv[0])
	}
	return sig, nil
}

// bounded keeps the first maxSignature bytes and refuses more.
type bounded struct{ bytes.Buffer }

func (b *bounded) Write(p []byte) (int, error) {
	if b.Len()+len(p) > maxSignature {
		return 0, io.ErrShortBuffer
	}
	return b.Buffer.Write(p)
}
