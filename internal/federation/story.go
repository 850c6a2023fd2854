package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/standing-log/standing/personality/client"
)

// attest has a steward enrolled in each log, who attests a component there, and
// then checks an SBOM with both components.
func (w *world) attest() error {
	for _, l := range w.logs {
		if err := w.until(l.origin+" publishes", func() (bool, error) {
			_, err := w.tool(0, "standingd", "doctor", "--dir", l.dir, "--url", l.url)
			return err == nil, nil
		}); err != nil {
			return err
		}
		if _, err := w.standing(0, "keygen", l.dir+"-steward"); err != nil {
			return err
		}
		key, recovery, request := l.dir+"-steward.key", l.dir+"-steward-recovery.key", l.dir+"-join.dsse.json"
		if _, err := w.standing(0, "join", l.origin, "--name", l.steward, "--website", "https://"+l.dir+".example/", "--role", "steward",
			"--key", key, "--recovery", recovery, "--out", request, "--yes"); err != nil {
			return err
		}
		if _, err := w.standing(0, "enrol", request, "--key", filepath.Join(l.dir, "registrar.key"), "--log", l.origin, "--yes"); err != nil {
			return err
		}
		var err error
		if l.id, l.bundle, err = w.issue(l, l.dir, l.purl); err != nil {
			return err
		}
		w.say("\n%s attests %s in %s:\n  %s", l.steward, l.purl, l.origin, l.id)
	}
	sbom := fmt.Sprintf(`{"bomFormat":"CycloneDX","specVersion":"1.6","components":[{"name":"left-pad","purl":"%s@1.3.0"},{"name":"requests","purl":"%s@2.32.0"}]}`, w.logs[0].purl, w.logs[1].purl)
	if err := w.write(sbom, "sbom.json"); err != nil {
		return err
	}
	out, err := w.standing(0, "check", "sbom.json")
	if err != nil {
		return err
	}
	w.say("\nA manufacturer checks an SBOM with both; each log answers for itself:")
	return w.quote(out, "2 components: 2 ACTIVE", w.logs[0].origin+": ", w.logs[1].origin+": ")
}

// issue has the log's steward attest a purl, and returns the id and the bundle.
func (w *world) issue(l *log, name, purl string) (id, bundle string, err error) {
	draft := name + ".yaml"
	if _, err := w.standing(0, "new", purl, "--log", l.origin, "--file", draft); err != nil {
		return "", "", err
	}
	out, err := w.standing(0, "issue", draft, "--key", l.dir+"-steward.key", "--log", l.origin, "--yes")
	if err != nil {
		return "", "", err
	}
	bundle = name + ".standing.json"
	_, err = w.standing(0, "verify", bundle)
	return attestation.FindString(out), bundle, err
}

// quote prints the lines of out that begin like this; one has to.
func (w *world) quote(out string, begins ...string) error {
	for _, begin := range begins {
		found := false
		for line := range strings.Lines(out) {
			if strings.HasPrefix(strings.TrimSpace(line), begin) {
				w.say("  %s", strings.TrimSpace(line))
				found = true
			}
		}
		if !found {
			return fmt.Errorf("nothing begins with %q in\n%s", begin, out)
		}
	}
	return nil
}

// watch starts the monitor of both logs.
func (w *world) watch() error {
	if err := w.write("watch: {all: true}\n", "monitor.yaml"); err != nil {
		return err
	}
	p, out, err := w.start("standing", "monitor", "monitor.yaml", "--begin", "now", "--interval", "1s", "--trust", "trust.policy")
	if err != nil {
		return err
	}
	p.follow(out)
	w.monitor = p
	return w.until("the monitor watches both logs", func() (bool, error) {
		text := p.text()
		return strings.Contains(text, w.logs[0].origin+": ") && strings.Contains(text, w.logs[1].origin+": "), nil
	})
}

// withdraw revokes what was attested in the north, which the monitor tells.
func (w *world) withdraw() error {
	l := w.logs[0]
	if _, err := w.revoke(0, l); err != nil {
		return err
	}
	w.say("\n%s withdraws it. The monitor tells:", l.steward)
	if err := w.told(l.id, "withdr", "revok", "REVOKED"); err != nil {
		return err
	}
	_, err := w.standing(1, "check", "sbom.json")
	return err
}

// told waits until the monitor tells of id in one of these words.
func (w *world) told(id string, words ...string) error {
	line := ""
	if err := w.until("the monitor tells of "+id, func() (bool, error) {
		for l := range strings.Lines(w.monitor.text()) {
			for _, word := range words {
				if strings.Contains(l, id) && strings.Contains(l, word) {
					line = strings.TrimSpace(l)
				}
			}
		}
		return line != "", nil
	}); err != nil {
		return fmt.Errorf("%w: it told %s", err, w.monitor.text())
	}
	w.say("  %s", line)
	return nil
}

func (w *world) revoke(code int, l *log, more ...string) (string, error) {
	return w.standing(code, append([]string{"revoke", l.id, "--reason", "practice-lapsed", "--refs", "VM.01",
		"--key", l.dir + "-steward.key", "--log", l.origin, "--out", l.dir + "-revocation.dsse.json", "--yes"}, more...)...)
}

// submit sends an entry, without waiting until it is published: it never will be.
func (w *world) submit(l *log, file string) error {
	entry, err := os.ReadFile(w.path(file))
	if err != nil {
		return err
	}
	c, err := client.New(l.url, client.Config{})
	if err != nil {
		return err
	}
	// The log takes no new entries until its cosigners have answered.
	return w.until(l.origin+" takes the revocation", func() (bool, error) {
		_, err := c.Submit(w.ctx, entry, false)
		if client.Temporary(err) {
			return false, nil
		}
		return err == nil, err
	})
}

// lie replaces the program of the southern log by one that logs a revocation and
// seals that nothing was revoked. The auditor does not cosign that, so that it is
// never published, and has the proof.
func (w *world) lie() error {
	l := w.logs[1]
	before, err := w.checkpoint(l)
	if err != nil {
		return err
	}
	if err := l.process.end(os.Interrupt); err != nil {
		return err
	}
	if err := w.serveLog(l, "standingd-that-lies"); err != nil {
		return err
	}
	w.say("\n%s now runs a program that lies. %s withdraws, and the log seals that nothing was withdrawn.", l.origin, l.steward)
	if _, err := w.revoke(0, l, "--no-submit"); err != nil {
		return err
	}
	if err := w.submit(l, l.dir+"-revocation.dsse.json"); err != nil {
		return err
	}
	var files []string
	if err := w.until("the auditor finds the lie", func() (bool, error) {
		files, err = filepath.Glob(w.path("auditor", "evidence", "*.evidence.json"))
		return len(files) > 0, err
	}); err != nil {
		return err
	}
	after, err := w.checkpoint(l)
	if err != nil {
		return err
	}
	if sizeOf(after) != sizeOf(before) {
		return fmt.Errorf("%s has published size %s after the lie, and %s before", l.origin, sizeOf(after), sizeOf(before))
	}
	w.say("The auditor does not cosign, and so nothing is published; and it keeps the proof, which anybody can confirm:")
	out, err := w.standing(4, "verify", files[0])
	if err != nil {
		return err
	}
	if err := w.quote(out, "EVIDENCE: "); err != nil {
		return err
	}
	// Whoever is given the revocation itself needs no log to believe it.
	if _, err := w.tool(1, "standing", "verify", l.bundle, l.dir+"-revocation.dsse.json", "--trust", "reader.policy"); err != nil {
		return err
	}
	w.say("The signed revocation counts, wherever it comes from: with it in hand the old bundle is REVOKED.")
	return l.process.end(syscall.SIGKILL)
}

// checkpoint fetches what a log publishes.
func (w *world) checkpoint(l *log) (string, error) { return get(w.ctx, l.url+"/checkpoint") }

// sizeOf is the second line of a checkpoint.
func sizeOf(checkpoint string) string {
	lines := strings.SplitN(checkpoint, "\n", 3)
	return lines[min(1, len(lines)-1)]
}

// lose takes the store of the northern log away, and has it recovered from the
// auditor's copy.
func (w *world) lose() error {
	l := w.logs[0]
	if err := l.process.end(syscall.SIGKILL); err != nil {
		return err
	}
	if err := os.RemoveAll(w.path(l.dir, "store")); err != nil {
		return err
	}
	if _, err := w.tool(4, "standingd", "serve", "--dir", l.dir, "--listen", "127.0.0.1:0"); err != nil {
		return err
	}
	w.say("\nThe disk of %s is lost, with the store; keys and configuration are left. It is recovered from the auditor's copy:", l.origin)
	out, err := w.tool(0, "standingd", "recover", "--dir", l.dir, "--from", w.auditor.url+"/mirror/"+l.origin)
	if err != nil {
		return err
	}
	if err := w.quote(out, l.dir); err != nil {
		return err
	}
	if err := w.serveLog(l, "standingd"); err != nil {
		return err
	}
	if _, err := w.tool(0, "standing", "verify", l.bundle, "--trust", "reader.policy"); err != nil {
		return err
	}
	w.say("It goes on, in the same tree: the old bundle verifies as before, and the next attestation is cosigned by all:")
	id, bundle, err := w.issue(l, "next", "pkg:cargo/serde")
	if err != nil {
		return err
	}
	cosigners, err := w.cosigners(bundle)
	if err != nil {
		return err
	}
	w.say("  %s, cosigned by %s", id, strings.Join(cosigners, ", "))
	if len(cosigners) < 3 {
		return fmt.Errorf("%s was cosigned by %v only", id, cosigners)
	}
	return w.told(id, "ISSUED", "issued", "attested")
}

// cosigners returns whose cosignatures make a bundle count.
func (w *world) cosigners(bundle string) ([]string, error) {
	out, err := w.standing(0, "verify", bundle, "-o", "json")
	if err != nil {
		return nil, err
	}
	var r struct {
		Cosigners []string `json:"cosigners"`
	}
	err = json.Unmarshal([]byte(out), &r)
	return r.Cosigners, err
}
