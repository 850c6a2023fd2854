package deploy_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// tool returns the path of a program that a Debian package has: this machine's
// own, or one unpacked (not installed) from the package, which is kept in the
// user's cache. It is "" where neither can be had.
func tool(t *testing.T, name, pkg string) string {
	t.Helper()
	if path, err := exec.LookPath(name); err == nil {
		return path
	}
	path, err := unpacked(name, pkg)
	if err == nil {
		// Libraries of the package's own; it may want others that are not here.
		libs, _ := filepath.Glob(filepath.Join(filepath.Dir(path), "..", "lib", "*", pkg))
		t.Setenv("LD_LIBRARY_PATH", strings.Join(libs, ":"))
		err = run(".", path, "--version")
	}
	if err != nil {
		t.Logf("%s is not here and Debian's package %s cannot be had (%v): checking less, without it", name, pkg, err)
		return ""
	}
	return path
}

func unpacked(name, pkg string) (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	dir := filepath.Join(cache, "standing-test", pkg)
	path := filepath.Join(dir, "usr", "bin", name)
	if _, err := os.Stat(path); err == nil {
		return path, nil
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return "", err
	}
	work, err := os.MkdirTemp(filepath.Dir(dir), "unpacking")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(work)
	if err := run(work, "apt-get", "-o", "Acquire::http::Timeout=20", "-o", "Acquire::Retries=1", "download", pkg); err != nil {
		// A fresh machine knows no packages yet; only root can change that.
		update := run(work, "apt-get", "-o", "Acquire::http::Timeout=20", "-o", "Acquire::Retries=1", "update")
		if update != nil {
			return "", errors.Join(err, update)
		}
		if err := run(work, "apt-get", "download", pkg); err != nil {
			return "", err
		}
	}
	debs, err := filepath.Glob(filepath.Join(work, "*.deb"))
	if err != nil || len(debs) != 1 {
		return "", errors.Join(err, errors.New("apt-get download left no package"))
	}
	if err := run(work, "dpkg", "-x", debs[0], filepath.Join(work, "root")); err != nil {
		return "", err
	}
	// Another test run may have been quicker: then its result serves.
	if err := os.Rename(filepath.Join(work, "root"), dir); err != nil && !errors.Is(err, os.ErrExist) {
		return "", err
	}
	_, err = os.Stat(path)
	return path, err
}

func run(dir, name string, args ...string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		if len(out) > 300 {
			out = out[len(out)-300:]
		}
		return errors.New(name + " " + args[len(args)-1] + ": " + err.Error() + ": " + string(out))
	}
	return nil
}

// must runs a program that has to succeed.
func must(t *testing.T, dir, name string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("%s %v: %v\n%s", filepath.Base(name), args, err, out)
	}
	return string(out)
}
