# Standing needs Go and make, nothing else. Tools are pinned in tools/go.mod.
.PHONY: help build test sim soak demo demo-federation check bench bench-peers fuzz proto

FUZZTIME ?= 60s
ENTRIES  ?= 20000
TOOL      = go tool -modfile=tools/go.mod
GOFMT     = $(shell go env GOROOT)/bin/gofmt
GATEWAY   = github.com/grpc-ecosystem/grpc-gateway/v2

# Static binaries, no C compiler: "make CGO_ENABLED=1 build" for the contrary.
export CGO_ENABLED ?= 0
# A checkout that git will not read must build all the same.
ifneq ($(shell git rev-parse --is-inside-work-tree 2>&1),true)
export GOFLAGS += -buildvcs=false
endif

help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-15s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

build: ## build the commands into bin/
	go build -o bin/ ./cmd/...

test: ## run all tests (no Docker, no network but localhost and Debian's promtool and Chromium)
	go test ./...

sim: ## simulate 10,000 schedules of crashes, lost replies and second writers (test runs 500)
	go test ./internal/sim -run TestSeeds -sim.seeds=10000 -timeout 60m

soak: ## let real nodes go through partitions, kills and clock steps for 20 minutes (test: 12 rounds)
	go test ./internal/chaos -v -run TestChaos -chaos.for=20m -timeout 40m

demo: build ## issue, verify and withdraw in a log of its own; exits 0 only if all held
	bin/standing demo

demo-federation: build ## two logs, witnesses, an auditor, a monitor; catch a lie, recover a loss; exits 0 only if all held
	go build -tags standing_lie -o bin/standingd-that-lies ./cmd/standingd
	go run ./internal/federation -bin bin

check: ## format, vet, staticcheck, proto lint, generated code, tidiness
	@echo 'gofmt';       f=$$($(GOFMT) -l .) && test -z "$$f" || { echo "$$f"; exit 1; }
	@echo 'go vet';      go vet ./...
	@echo 'staticcheck'; $(TOOL) staticcheck ./...
	@echo 'buf lint';    $(TOOL) buf lint
	@echo 'buf generate, compared'; d=$$(mktemp -d) && trap 'rm -rf "$$d"' EXIT && \
		$(TOOL) buf generate -o "$$d" && for f in $$(cd "$$d" && find . -type f); do \
			diff -u "$$f" "$$d/$$f" || { echo 'run make proto'; exit 1; }; done
	@echo 'one version of grpc-gateway'; a=$$(go list -m $(GATEWAY)) && \
		b=$$(go list -modfile=tools/go.mod -m $(GATEWAY)) && test "$$a" = "$$b" || { echo "$$a, tools: $$b"; exit 1; }
	@echo 'golden logs, compared'; go run ./internal/golden -check
	@echo 'go mod tidy'; go mod tidy -diff && cd tools && go mod tidy -diff

# The logs that are hammered lie in bin/: the disk is part of what is measured.
HAMMER = bin/standing-hammer -dir bin -entries $(ENTRIES)
# Cosigners have machines of their own: here, the other half of the processors.
HALF  := $(shell expr $$(nproc 2>/dev/null || echo 1) / 2)
ifneq ($(HALF),0)
APART = taskset -c 0-$(shell expr $(HALF) - 1)
THERE = taskset -c $(HALF)-$(shell expr $(HALF) '*' 2 - 1)
endif

bench: build ## run the benchmarks, then hammer logs with ENTRIES (20000) each
	go test -run '^$$' -bench . -benchmem ./...
	$(HAMMER)
	$(HAMMER) -batch 100 -workers 64 -reads 0 -growth
	$(HAMMER) -rate 1000 -reads 0 -cosigned
	$(HAMMER) -rounds 3 -reads 0 -cosigned
	$(APART) $(HAMMER) -rounds 3 -reads 0 -cosigned -cosigner '$(THERE)'
	$(APART) $(HAMMER) -rounds 3 -reads 0 -cosigned -cosigner '$(THERE)' -batch 100 -workers 64

bench-peers: build ## hammer Standing and Tessera's POSIX server by turns
	$(HAMMER) -rounds 3 -reads 0 -tessera "$$($(TOOL) -n posix)"

# On a busy machine Go may end the time of a target with "context deadline exceeded",
# and no input: that is no finding.
fuzz: ## show that targets find planted bugs, then fuzz each for FUZZTIME (60s)
	go run ./internal/planted
	@mkdir -p bin; list=$$(go test -list '^Fuzz' ./...) || { echo "$$list"; exit 1; }; echo "$$list" | \
	awk '/^Fuzz/ {t[n++] = $$1} /^ok/ {while (n) print $$2, t[--n]}' | while read -r pkg target; do \
		echo "$$pkg $$target"; \
		{ go test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 10x "$$pkg" </dev/null 2>&1 || echo FAILED; } | tee bin/fuzz.log; \
		if grep -q '^FAILED' bin/fuzz.log && { grep -q 'Failing input\|seed corpus' bin/fuzz.log || ! grep -q 'context deadline exceeded' bin/fuzz.log; }; then exit 1; fi; done

proto: ## lint the service description and generate its code
	$(TOOL) buf lint
	$(TOOL) buf generate
