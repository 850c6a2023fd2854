package monitor

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"

	"github.com/standing-log/standing/internal/deliver"
	"github.com/standing-log/standing/internal/keyfile"
	"github.com/standing-log/standing/internal/sbom"
	"github.com/standing-log/standing/internal/watch"
)

// File is what a monitor is told in a YAML file: what to watch, and whom to tell.
// File names in it are relative to the directory that it is in.
type File struct {
	Watch Subjects `yaml:"watch"`
	// Deliver lists the receivers.
	Deliver []Delivery `yaml:"deliver,omitempty"`
	// Promises is a directory of promises, *.promise, which the logs are held to.
	Promises string `yaml:"promises,omitempty"`
}

// Subjects are what is of interest, at least one of these.
type Subjects struct {
	// All: everything that happens in the logs.
	All bool `yaml:"all,omitempty"`
	// Subjects are package URLs, with a version or for all versions, and
	// digests, like sha256:….
	Subjects []string `yaml:"subjects,omitempty"`
	// SBOMs are files, CycloneDX or SPDX.
	SBOMs []string `yaml:"sboms,omitempty"`
	// Parties are ids, like party:….
	Parties []string `yaml:"parties,omitempty"`
}

// Delivery is a receiver: exactly one of Webhook, Command and Feed.
type Delivery struct {
	// Name is what its cursors are kept under: with another name it is another
	// receiver.
	Name string `yaml:"name"`
	// Webhook is a URL to which events are posted, signed with the secret in
	// the file Secret ("whsec_" and base64).
	Webhook string `yaml:"webhook,omitempty"`
	Secret  string `yaml:"secret,omitempty"`
	// Command is a program and its arguments. It gets the event on standard
	// input; the event has arrived if it ends with 0.
	Command []string `yaml:"command,omitempty"`
	// Feed is the file of an Atom feed.
	Feed string `yaml:"feed,omitempty"`
}

// Interest reads what is of interest; dir is where the file is.
func (f *File) Interest(dir string) (*watch.Interest, error) {
	of := watch.Interests{All: f.Watch.All, Subjects: f.Watch.Subjects, Parties: f.Watch.Parties}
	for _, name := range f.Watch.SBOMs {
		data, err := read(at(dir, name), sbom.MaxSize)
		if err != nil {
			return nil, err
		}
		doc, err := sbom.Parse(data)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		of.SBOMs = append(of.SBOMs, doc)
	}
	interest, err := watch.NewInterest(of)
	if err != nil {
		return nil, fmt.Errorf("watch: %w", err)
	}
	return interest, nil
}

// PromisesIn returns the directory of promises, or "".
func (f *File) PromisesIn(dir string) string {
	if f.Promises == "" {
		return ""
	}
	return at(dir, f.Promises)
}

var namePattern = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,39}$`)

// Receivers makes the receivers; dir is where the file is.
func (f *File) Receivers(dir string) ([]Receiver, error) {
	var out []Receiver
	seen := map[string]bool{Terminal: true}
	for _, d := range f.Deliver {
		if !namePattern.MatchString(d.Name) || seen[d.Name] {
			return nil, fmt.Errorf("deliver: name %.60q is taken, or not small letters, digits and dashes", d.Name)
		}
		seen[d.Name] = true
		to, err := d.receiver(dir)
		if err != nil {
			return nil, fmt.Errorf("deliver: %s: %w", d.Name, err)
		}
		out = append(out, Receiver{d.Name, to})
	}
	return out, nil
}

// Terminal is the name of the receiver that is there without being named.
const Terminal = "terminal"

func (d *Delivery) receiver(dir string) (watch.Receiver, error) {
	kinds := 0
	for _, there := range []bool{d.Webhook != "", len(d.Command) > 0, d.Feed != ""} {
		if there {
			kinds++
		}
	}
	switch {
	case kinds != 1:
		return nil, errors.New("it has not exactly one of webhook, command and feed")
	case d.Webhook == "" && d.Secret != "":
		return nil, errors.New("secret is for a webhook")
	case d.Feed != "":
		return deliver.OpenFeed(at(dir, d.Feed), d.Name)
	case d.Command != nil:
		return deliver.NewCommand(d.Command)
	}
	// Without a signature anybody who knows the address can raise an alarm, and
	// make people stop to read them.
	if d.Secret == "" {
		return nil, errors.New(`secret is missing: a file with "whsec_" and 32 random bytes in base64`)
	}
	secret, err := readSecret(at(dir, d.Secret))
	if err != nil {
		return nil, err
	}
	return deliver.NewWebhook(deliver.WebhookConfig{URL: d.Webhook, Secret: secret})
}

// readSecret reads a file that nobody else can.
func readSecret(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("%s: %w", path, keyfile.ErrExposed)
	}
	text, err := read(path, 1<<10)
	if err != nil {
		return nil, err
	}
	secret, err := deliver.ParseSecret(string(text))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return secret, nil
}

func at(dir, name string) string {
	if filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(dir, name)
}

// read reads a file of at most max bytes.
func read(path string, max int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, max+1))
	if err == nil && int64(len(data)) > max {
		err = fmt.Errorf("%s exceeds %d bytes", path, max)
	}
	return data, err
}
