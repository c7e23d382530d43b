# Everything needs Go and make only, except `generate` and `verify`, which say what else they need.
SHELL := /bin/bash
GO    ?= go
# The race detector needs a C compiler; where there is none, the tests run without it.
RACE  := $(if $(filter 1,$(shell $(GO) env CGO_ENABLED)),-race)

.DEFAULT_GOAL := help

help: ## print the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

build: ## bin/router and one binary a plugin
	$(GO) build -trimpath -o bin/ ./cmd/... ./plugins/...

test: build lint ## everything that must pass: format, vet, import walls, all tests with the race detector
	$(GO) test $(RACE) -timeout 15m ./...

race: ## all tests with the race detector, each three times
	$(GO) test -race -count 3 -timeout 60m ./...

lint: ## format, vet and the rules of the house
	@test -z "$$(gofmt -l $$(git ls-files '*.go'))" || { echo "not gofmt-clean:"; gofmt -l $$(git ls-files '*.go'); exit 1; }
	$(GO) vet ./...
	$(GO) test ./internal/lint/

generate: ## write generated code anew; needs protoc
	$(GO) generate ./...

verify: ## check that generated code is what its sources say; needs protoc
	@rm -rf bin/verify && mkdir -p bin/verify && git ls-files -z | xargs -0 cp --parents -t bin/verify 2>/dev/null; \
	cd bin/verify && $(GO) generate ./... && cd ../.. && \
	for f in $$(git ls-files '*.pb.go'); do diff -u $$f bin/verify/$$f || exit 1; done; rm -rf bin/verify; echo "generated code is up to date"

dev: build ## see it all work: the router, its plugins and simulated providers
	bin/router dev

bench: ## payments per second and their latency, beside the parts that bound them
	@$(GO) build -trimpath -o bin/bench/ ./bench/...
	bin/bench/bench

torture: build ## the long runs: thousands of kills and power losses; takes about an hour
	CAUCE_KILLS=300 CAUCE_PAYMENTS=30000 $(GO) test -run TestKilledAtRandom -timeout 60m -v ./cmd/router/

clean: ## remove what was built
	rm -rf bin

.PHONY: help build test race lint generate verify dev bench torture clean
