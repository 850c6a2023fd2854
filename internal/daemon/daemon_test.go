package daemon

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/standing-log/standing/personality/client"
	"github.com/standing-log/standing/personality/reason"
	standingv1 "github.com/standing-log/standing/proto/standing/v1"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"standingd": func() {
			ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
			code := Main(ctx, os.Args[1:], os.Stdout, os.Stderr)
			stop()
			os.Exit(code)
		},
	})
}

// TestScripts runs testdata/*.txt.
//
//	serve NAME DIR         start standingd and wait for its address, $NAME
//	end NAME SIGNAL CODE   send it a signal: NAME.out and NAME.err are what it wrote
//	get URL STATUS         fetch; the body becomes a file named get
//	tree NAME FILE         write the text of its checkpoint, without signatures
//	modes DIR FILE         write modes and names of the files in DIR
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:      "testdata",
		Deadline: time.Now().Add(time.Minute), // a node that serves against expectation never ends
		Setup: func(env *testscript.Env) error {
			env.Values["nodes"] = map[string]*process{}
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"serve": serveNode, "end": endNode, "get": get, "tree": tree, "modes": modes,
		},
	})
}

// process is a running standingd.
type process struct {
	*exec.Cmd
	out, err bytes.Buffer
	read     sync.WaitGroup // out is complete
}

func serveNode(ts *testscript.TestScript, _ bool, args []string) {
	path, err := exec.LookPath(filepath.Join(firstDir(ts.Getenv("PATH")), "standingd"))
	ts.Check(err)
	p := &process{Cmd: exec.Command(path, "serve", "--dir", ts.MkAbs(args[1]), "--listen", "127.0.0.1:0")}
	p.Env = []string{"HOME=" + ts.Getenv("HOME")}
	p.Stderr = &p.err
	pipe, err := p.StdoutPipe()
	ts.Check(err)
	ts.Check(p.Start())
	ts.Defer(func() {
		_ = p.Process.Kill() // it may have ended
		_ = p.Wait()
	})
	out := bufio.NewReader(io.TeeReader(pipe, &p.out))
	line, err := out.ReadString('\n')
	address, ok := strings.CutPrefix(line, "listening on ")
	if err != nil || !ok {
		ts.Fatalf("standingd says %q, %v: %s", line, err, p.err.String())
	}
	p.read.Go(func() { _, _ = io.Copy(io.Discard, out) })
	ts.Setenv(args[0], strings.TrimSpace(address))
	ts.Value("nodes").(map[string]*process)[args[0]] = p
}

// firstDir is where testscript keeps its commands.
func firstDir(path string) string { return filepath.SplitList(path)[0] }

func endNode(ts *testscript.TestScript, _ bool, args []string) {
	p := ts.Value("nodes").(map[string]*process)[args[0]]
	signals := map[string]os.Signal{"TERM": syscall.SIGTERM, "INT": os.Interrupt, "KILL": os.Kill}
	ts.Check(p.Process.Signal(signals[args[1]]))
	p.read.Wait()
	_ = p.Wait()
	if got := fmt.Sprint(p.ProcessState.ExitCode()); got != args[2] {
		ts.Fatalf("exit code %s, want %s: %s", got, args[2], p.err.String())
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]+".out"), p.out.Bytes(), 0o600))
	ts.Check(os.WriteFile(ts.MkAbs(args[0]+".err"), p.err.Bytes(), 0o600))
}

// fetch waits until a node that has just started has something to serve.
func fetch(ts *testscript.TestScript, url, status string) []byte {
	for range 500 {
		resp, err := http.Get(url)
		ts.Check(err)
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		ts.Check(err)
		if fmt.Sprint(resp.StatusCode) == status {
			return body
		}
		time.Sleep(20 * time.Millisecond)
	}
	ts.Fatalf("%s does not come to answer %s", url, status)
	return nil
}

func get(ts *testscript.TestScript, _ bool, args []string) {
	ts.Check(os.WriteFile(ts.MkAbs("get"), fetch(ts, args[0], args[1]), 0o600))
}

func tree(ts *testscript.TestScript, _ bool, args []string) {
	text, _, _ := bytes.Cut(fetch(ts, ts.Getenv(args[0])+"/checkpoint", "200"), []byte("\n\n"))
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), append(text, '\n'), 0o600))
}

func modes(ts *testscript.TestScript, _ bool, args []string) {
	files, err := os.ReadDir(ts.MkAbs(args[0]))
	ts.Check(err)
	var out bytes.Buffer
	for _, f := range files {
		info, err := f.Info()
		ts.Check(err)
		mode := info.Mode()
		if mode.IsDir() {
			mode &= fs.ModeDir // what is inside is tested by who writes it
		}
		fmt.Fprintf(&out, "%v %s\n", mode, f.Name())
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), out.Bytes(), 0o600))
}

// TestOneAddress: REST, gRPC and the static files are behind one address, and
// the longest request that the interface allows fits through it.
func TestOneAddress(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "node")
	var out bytes.Buffer
	if code := Main(t.Context(), []string{"init", "--dir", dir, "--origin", "log.example/one"}, &out, &out); code != 0 {
		t.Fatalf("init: code %d, %s", code, out.String())
	}
	address := start(t, dir)
	conn, err := grpc.NewClient(strings.TrimPrefix(address, "http://"), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	overGRPC, err := standingv1.NewLogClient(conn).GetLogInfo(t.Context(), &standingv1.GetLogInfoRequest{})
	if err != nil {
		t.Fatal(err)
	}
	c, err := client.New(address, client.Config{})
	if err != nil {
		t.Fatal(err)
	}
	overREST, err := c.Info(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if overGRPC.GetOrigin() != "log.example/one" || overREST.Origin != "log.example/one" || len(overREST.Vkeys) != 2 {
		t.Errorf("%v, %+v", overGRPC, overREST)
	}
	ids := make([]string, overREST.Limits.MaxBatch)
	for i := range ids {
		ids[i] = fmt.Sprintf("att:%064x", i)
	}
	if _, err := c.Bundle(t.Context(), ids...); reason.CodeOf(err) != reason.NotFound {
		t.Errorf("bundle of %d: %v", len(ids), err)
	}
}

// start serves dir in this process until the test ends, and returns the
// address.
func start(t *testing.T, dir string) string {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	r, w := io.Pipe()
	done := make(chan int, 1)
	go func() {
		code := Main(ctx, []string{"serve", "--dir", dir, "--listen", "127.0.0.1:0"}, w, io.Discard)
		w.Close()
		done <- code
	}()
	t.Cleanup(func() {
		cancel()
		if code := <-done; code != 0 {
			t.Errorf("serve: code %d", code)
		}
	})
	line, err := bufio.NewReader(r).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	go func() { _, _ = io.Copy(io.Discard, r) }()
	return strings.TrimSpace(strings.TrimPrefix(line, "listening on "))
}
