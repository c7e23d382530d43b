# Everything needs Go and make only, except `verify` and `generate`, which need protoc, and say so.
GO   ?= go
# The race detector needs a C compiler; where there is none, the tests run without it.
RACE := $(if $(filter 1,$(shell $(GO) env CGO_ENABLED)),-race)

.DEFAULT_GOAL := help

help: ## print the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

build: ## bin/router and one binary a plugin
	$(GO) build -trimpath -o bin/ ./cmd/... ./plugins/...

test: build ## everything that must pass: vet, the rules of the house, all tests with the race detector
	$(GO) vet ./...
	$(GO) test $(RACE) -timeout 15m ./...

race: ## all tests with the race detector, each three times
	$(GO) test -race -count 3 -timeout 60m ./...

lint: ## vet and the rules of the house: format, names, imports; golangci-lint too where it is installed
	$(GO) vet ./...
	$(GO) test ./internal/lint/
	@if command -v golangci-lint >/dev/null; then golangci-lint run; fi

generate: ## write generated code anew; needs protoc
	$(GO) generate ./...

verify: ## check that generated code is what its sources say; needs protoc
	@set -e; copy=$$(mktemp -d); trap 'rm -rf "$$copy"' EXIT; \
	git ls-files -z | xargs -0 tar -cf - | tar -xf - -C "$$copy"; \
	(cd "$$copy" && $(GO) generate ./...); \
	for f in $$(git ls-files '*.pb.go'); do diff -u "$$f" "$$copy/$$f"; done; \
	echo "generated code is what its sources say"

dev: build ## see it all work: the router, its plugins and simulated providers
	bin/router dev

bench: ## payments per second and their latency, beside the parts that bound them; a store of a million
	@$(GO) build -trimpath -o bin/bench/ ./bench/...
	@$(GO) -C bench/postgres build -trimpath -o ../../bin/bench/ . || echo "without the command that measures PostgreSQL"
	@$(GO) -C bench/peers build -trimpath -o ../../bin/bench/ . || echo "without what routing costs beside Open Policy Agent: it cannot be built here"
	GOGC=300 bin/bench/bench # as router serve sets it
	GOGC=300 bin/bench/stored
	@if [ -x bin/bench/peers ]; then bin/bench/peers; fi

# How long `make torture` runs at least, in minutes: it begins no new round after that.
TORTURE_MINUTES ?= 30

torture: build ## the long run (TORTURE_MINUTES=30): simulated worlds, wrong builds, faults, kills; seeds are printed
	@began=$$(date +%s); end=$$((began + 60 * $(TORTURE_MINUTES))); rounds=0; failed=''; \
	run() { echo "torture: $$*"; env "$$@" || failed="$$failed\n  $$*"; }; \
	run CAUCE_MUTANTS=all $(GO) test -count 1 -run TestMutants -timeout 30m ./engine/; \
	run CAUCE_MUTANTS=all $(GO) test -count 1 -run TestMutants -timeout 30m ./conformance/; \
	run CAUCE_INDEX_PAIRS=2000000 $(GO) test -count 1 -run 'TestIndexAgreesWithExpr|TestUnreached' -timeout 30m ./engine/routing/; \
	while [ $$rounds -eq 0 ] || [ $$(date +%s) -lt $$end ]; do \
		rounds=$$((rounds + 1)); seed=$$(date +%s); \
		run CAUCE_SEED=$$seed CAUCE_SEEDS=300 $(GO) test -count 1 -run 'TestSimulation$$' -timeout 60m ./engine/; \
		run CAUCE_MATRIX=all $(GO) test -count 1 -run 'TestAmbiguity|TestConformanceForeign' -timeout 30m ./cmd/router/; \
		run CAUCE_SEED=$$seed CAUCE_KILLS=30 CAUCE_PAYMENTS=1500 $(GO) test -count 1 -run TestKilledAtRandom -timeout 30m ./cmd/router/; \
		run CAUCE_CRASHES=6 $(GO) test -count 1 -run TestCrashPoints -timeout 30m ./cmd/router/; \
		run CAUCE_DISK_FAULTS=400 $(GO) test -count 1 -run TestDiskFaults -timeout 30m ./engine/; \
		run CAUCE_DISK_FAULTS=12 $(GO) test -count 1 -run TestDiskFaults -timeout 30m ./cmd/router/; \
		run CAUCE_KILLS=9 CAUCE_PAYMENTS=900 $(GO) test -count 1 -run TestPluginKilled -timeout 30m ./cmd/router/; \
		run $(GO) test -count 5 -run 'TestNotificationStorm|TestReloadUnderLoad' -timeout 30m ./cmd/router/; \
	done; \
	took=$$((($$(date +%s) - began) / 60)); \
	if [ -n "$$failed" ]; then printf "torture: $$rounds rounds in $$took minutes; FAILED:$$failed\n"; exit 1; fi; \
	echo "torture: $$rounds rounds in $$took minutes, nothing failed: every wrong build noticed; a round is 300 worlds," \
		"2,000 ambiguous hand-overs, 30 kills of the router at random, 204 at named points and 9 of a plugin, 1,248 failing disks"

clean: ## remove what was built
	rm -rf bin

.PHONY: help build test race lint generate verify dev bench torture clean
