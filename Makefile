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
	bin/bench/bench
	bin/bench/stored
	@if [ -x bin/bench/peers ]; then bin/bench/peers; fi

torture: build ## the long run: 3,000 simulated worlds, every wrong build, 300 kills of the router; seeds are printed
	CAUCE_SEEDS=3000 $(GO) test -run 'TestSimulation$$' -timeout 60m ./engine/
	CAUCE_MUTANTS=all $(GO) test -run TestMutants -timeout 30m ./engine/
	CAUCE_KILLS=300 CAUCE_PAYMENTS=15000 $(GO) test -run TestKilledAtRandom -timeout 60m -v ./cmd/router/

clean: ## remove what was built
	rm -rf bin

.PHONY: help build test race lint generate verify dev bench torture clean
