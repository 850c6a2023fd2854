package cli

import (
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
)

// TestCheckOffline: what was synced is enough, in a network namespace that has
// not one interface that is up.
func TestCheckOffline(t *testing.T) {
	s := newShop(t)
	s.run(0, "check", s.attested, "--log", s.log)
	isolated := func(args ...string) (string, int) {
		cmd := exec.Command("standing", args...)
		id := []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}}
		gid := []syscall.SysProcIDMap{{HostID: os.Getgid(), Size: 1}}
		cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWUSER | syscall.CLONE_NEWNET, UidMappings: id, GidMappings: gid}
		out, err := cmd.CombinedOutput()
		if cmd.ProcessState == nil {
			t.Fatal(err)
		}
		return string(out), cmd.ProcessState.ExitCode()
	}
	if out, code := isolated("check", s.attested, "--offline"); code != 0 || !strings.Contains(out, "1 ACTIVE") {
		t.Errorf("offline: %d, %s", code, out)
	}
	// There is no network indeed: the same without --offline does not reach the
	// log, and answers as of the last time.
	if out, code := isolated("check", s.attested, "--log", s.log); code != 0 || !strings.Contains(out, "could not be synced") || !strings.Contains(out, "1 ACTIVE") {
		t.Errorf("without network: %d, %s", code, out)
	}
}
