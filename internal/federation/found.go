package main

import (
	"fmt"
	"strings"
)

// found makes the nodes, has each know of the others, and starts them.
func (w *world) found() error {
	w.logs = [2]*log{
		{origin: "log.example/north", dir: "north", steward: "Northern Lights Stewardship", purl: "pkg:npm/left-pad"},
		{origin: "log.example/south", dir: "south", steward: "Southern Cross Stewardship", purl: "pkg:pypi/requests"},
	}
	var vkeys []string
	for _, l := range w.logs {
		if _, err := w.tool(0, "standingd", "init", "--dir", l.dir, "--origin", l.origin); err != nil {
			return err
		}
		vkey, err := w.read(l.dir, "log.vkey")
		if err != nil {
			return err
		}
		address, err := free()
		if err != nil {
			return err
		}
		l.url, vkeys = "http://"+address, append(vkeys, vkey)
	}
	witnesses, err := w.witnesses(vkeys)
	if err != nil {
		return err
	}
	if err := w.audit(); err != nil {
		return err
	}
	auditor, err := w.read("auditor", "auditor.vkey")
	if err != nil {
		return err
	}
	cosigners := fmt.Sprintf("witness auditor %s %s/auditor\n%sgroup two-witnesses 2 w1 w2 w3\ngroup all-of-it all auditor two-witnesses\nquorum all-of-it\n",
		auditor, w.auditor.url, witnesses)
	return w.trust(vkeys, cosigners)
}

// witnesses starts three, which cosign both logs, and returns their lines for a
// trust file.
func (w *world) witnesses(logs []string) (lines string, err error) {
	config := "witness:\n  logs:\n"
	for _, vkey := range logs {
		config += "  - " + vkey + "\n"
	}
	for _, name := range []string{"w1", "w2", "w3"} {
		if _, err := w.tool(0, "standingd", "init", "--dir", name, "--witness", name+".example/witness"); err != nil {
			return "", err
		}
		if err := w.write(config, name, "standingd.yaml"); err != nil {
			return "", err
		}
		p, err := w.serve("standingd", name, "127.0.0.1:0")
		if err != nil {
			return "", err
		}
		vkey, err := w.read(name, "witness.vkey")
		if err != nil {
			return "", err
		}
		lines += fmt.Sprintf("witness %s %s %s/witness\n", name, vkey, p.url)
	}
	return lines, nil
}

// audit starts the auditor. The logs do not run yet: it waits for them.
func (w *world) audit() error {
	if _, err := w.tool(0, "standingd", "init", "--dir", "auditor", "--auditor", "auditor.example/auditor"); err != nil {
		return err
	}
	config := "audit:\n  oracle: true\n  logs:\n"
	for _, l := range w.logs {
		var vkeys []string
		for _, name := range []string{"log.vkey", "log-mldsa.vkey"} {
			vkey, err := w.read(l.dir, name)
			if err != nil {
				return err
			}
			vkeys = append(vkeys, `"`+vkey+`"`)
		}
		config += fmt.Sprintf("  - url: %s\n    vkeys: [%s]\n", l.url, strings.Join(vkeys, ", "))
	}
	if err := w.write(config, "auditor", "standingd.yaml"); err != nil {
		return err
	}
	var err error
	w.auditor, err = w.serve("standingd", "auditor", "127.0.0.1:0")
	return err
}

// trust writes the trust files: of each log, and of those who trust both. Then
// the logs start.
func (w *world) trust(vkeys []string, cosigners string) error {
	both := ""
	for i, l := range w.logs {
		line := fmt.Sprintf("log %s %s\n", vkeys[i], l.url)
		both += line
		if err := w.write(line+cosigners, l.dir, "trust.policy"); err != nil {
			return err
		}
		config, err := w.read(l.dir, "standingd.yaml")
		if err != nil {
			return err
		}
		if err := w.write(config+"\ncosign:\n  auditors: [auditor]\n", l.dir, "standingd.yaml"); err != nil {
			return err
		}
		if err := w.serveLog(l, "standingd"); err != nil {
			return err
		}
	}
	w.say("\nTwo logs, each cosigned by an auditor, which recomputes everything twice, and by two of three witnesses:")
	for _, l := range w.logs {
		w.say("  %s at %s", l.origin, l.url)
	}
	w.say("  the auditor at %s", w.auditor.url)
	// Somebody who has seen nothing of the logs but the bundles handed over.
	if err := w.write(both+cosigners, "reader.policy"); err != nil {
		return err
	}
	return w.write(both+cosigners, "trust.policy")
}

// serveLog starts a log at its address, and waits until it publishes.
func (w *world) serveLog(l *log, program string) error {
	var err error
	if l.process, err = w.serve(program, l.dir, strings.TrimPrefix(l.url, "http://")); err != nil {
		return err
	}
	return nil
}
