# payrack. `make` alone lists what there is to do. Go and make suffice for build, plugins, demo, run and test;
# the other targets say what they miss.

SHELL := /bin/sh
.DEFAULT_GOAL := help
MAKEFLAGS += --no-builtin-rules

GO ?= go
BIN := $(CURDIR)/bin
CI_DIR := deployments/ci
PROVIDERS := $(sort $(notdir $(wildcard plugins/providers/*/cmd/payrack-provider-*)))

# Static binaries without cgo; only the race detector needs a C compiler.
export CGO_ENABLED := 0

# A stamped revision would make two builds of equal sources differ, and a release is pinned by its digest.
BUILD_FLAGS := -trimpath -buildvcs=false

# Version of the provider binaries; empty means a version made of the content of their sources.
VERSION ?=
# Where the provider binaries go.
OUT ?= bin/plugins

# The same -trimpath as the build, so that both share one build cache.
TEST_FLAGS ?= -trimpath
TEST_TIMEOUT ?= 15m
FUZZTIME ?= 30s
# Packages that only drive programs which are built without the race detector.
NOT_RACED := -e /cmd/payrack/e2e$$ -e /plugins/scaffold -e /deployments/swap$$
SEEDS ?= 20000
FIRST ?= 1
BENCH_FLAGS ?=
CHAOS_PAYMENTS ?= 3000
CHAOS_MUTANTS ?=
CHAOS_FLAGS ?=
CHAOS_PROVIDERS := payrack-provider-ipass payrack-provider-linepay
SWAP_RATE ?= 200
SWAP_SWAPS ?= 100
SWAP_REPLICAS ?= 1
SWAP_FLAGS ?=
CANARY_FLAGS ?=

# Tools are pinned here and installed below .tools/, one folder for each version. They stay out of go.mod,
# because everybody who imports the plugin SDK inherits that list.
TOOLS := $(CURDIR)/.tools
BUF_VERSION := v1.75.0
PROTOC_GEN_GO_VERSION := v1.36.12
PROTOC_GEN_GO_GRPC_VERSION := v1.6.2
# golangci-lint brings gofumpt and gci along, so that formatting has one version too.
GOLANGCI_LINT_VERSION := v2.15.0
APIDIFF_VERSION := v0.0.0-20261014143641-f0251eb4aa3e

BUF := $(TOOLS)/buf@$(BUF_VERSION)/buf
PROTOC_GEN_GO := $(TOOLS)/protoc-gen-go@$(PROTOC_GEN_GO_VERSION)/protoc-gen-go
PROTOC_GEN_GO_GRPC := $(TOOLS)/protoc-gen-go-grpc@$(PROTOC_GEN_GO_GRPC_VERSION)/protoc-gen-go-grpc
GOLANGCI_LINT := $(TOOLS)/golangci-lint@$(GOLANGCI_LINT_VERSION)/golangci-lint
APIDIFF := $(TOOLS)/apidiff@$(APIDIFF_VERSION)/apidiff

##@ Run it

.PHONY: demo
demo: build plugins ## payments through real plugin processes, step by step on the terminal
	@$(BIN)/payrack demo

.PHONY: run
run: build plugins ## the whole platform in the foreground, with curl lines to paste (data in payrack-data/)
	@$(BIN)/payrack dev

##@ Build

.PHONY: build
build: ## bin/payrack: server, operator's tool and sandbox in one static binary
	@mkdir -p $(BIN)
	$(GO) build $(BUILD_FLAGS) -ldflags '-s -w -X main.version=$(or $(VERSION),$(shell git describe --always --dirty 2>/dev/null),dev)' -o $(BIN)/payrack ./cmd/payrack

.PHONY: plugins
plugins: ## the provider binaries; VERSION=x.y.z stamps them, OUT=dir says where (bin/plugins)
	@GO='$(GO)' BUILD_FLAGS='$(BUILD_FLAGS)' $(CI_DIR)/plugins.sh '$(VERSION)' '$(OUT)' $(PROVIDERS)

.PHONY: generate
generate: $(BUF) $(PROTOC_GEN_GO) $(PROTOC_GEN_GO_GRPC) ## Go code from the plugin contract, and the SDK's list of dependencies
	@BUF='$(BUF)' PATH="$(dir $(PROTOC_GEN_GO)):$(dir $(PROTOC_GEN_GO_GRPC)):$$PATH" GO='$(GO)' $(CI_DIR)/generate.sh

.PHONY: fmt
fmt: $(BUF) $(GOLANGCI_LINT) ## format Go and proto files
	$(GOLANGCI_LINT) fmt ./...
	cd plugins/proto && $(BUF) format -w

##@ Check

.PHONY: test
test: build plugins ## every test that needs nothing but Go
	PAYRACK_BIN=$(BIN)/payrack PAYRACK_PLUGINS=$(BIN)/plugins $(GO) test $(TEST_FLAGS) -timeout $(TEST_TIMEOUT) ./...

.PHONY: test-race
test-race: build plugins ## the same under the race detector (needs a C compiler)
	@command -v $$($(GO) env CC) >/dev/null || { echo "make test-race: the race detector needs a C compiler; install gcc, or set CC" >&2; exit 1; }
	CGO_ENABLED=1 PAYRACK_BIN=$(BIN)/payrack PAYRACK_PLUGINS=$(BIN)/plugins $(GO) test -race $(TEST_FLAGS) -timeout $(TEST_TIMEOUT) $$($(GO) list ./... | grep -v $(NOT_RACED))

.PHONY: test-postgres
test-postgres: build plugins ## the tests that speak to PostgreSQL, against a server of their own
	@GO='$(GO)' PAYRACK_BIN=$(BIN)/payrack PAYRACK_PLUGINS=$(BIN)/plugins TEST_FLAGS='$(TEST_FLAGS) -timeout $(TEST_TIMEOUT)' $(CI_DIR)/test-postgres.sh

.PHONY: lint
lint: $(BUF) $(GOLANGCI_LINT) arrows ## contract, code, import arrows
	cd plugins/proto && $(BUF) lint && $(BUF) format --diff --exit-code
	$(GOLANGCI_LINT) run ./...

.PHONY: arrows
arrows: $(GOLANGCI_LINT) ## every import rule fires when it is broken, and no provider's name stands outside plugins/
	@GOLANGCI_LINT='$(GOLANGCI_LINT)' $(CI_DIR)/arrows.sh
	@$(CI_DIR)/provider-names.sh

.PHONY: verify
verify: $(BUF) $(PROTOC_GEN_GO) $(PROTOC_GEN_GO_GRPC) $(APIDIFF) ## generated files, go.mod, example configuration and public interfaces are as they should be
	@BUF='$(BUF)' APIDIFF='$(APIDIFF)' PATH="$(dir $(PROTOC_GEN_GO)):$(dir $(PROTOC_GEN_GO_GRPC)):$$PATH" GO='$(GO)' $(CI_DIR)/verify.sh

.PHONY: sdk-test
sdk-test: build plugins ## a new provider outside this tree, from the scaffold to a payment over HTTP (needs curl)
	@GO='$(GO)' $(CI_DIR)/sdk-test.sh '$(BIN)/payrack' '$(CURDIR)'

.PHONY: sequences
sequences: build plugins ## 10,000 random lives of orders against the running platform, with the ledger as referee
	PAYRACK_SEQUENCES=10000 PAYRACK_BIN=$(BIN)/payrack PAYRACK_PLUGINS=$(BIN)/plugins $(GO) test $(TEST_FLAGS) -timeout 3h -count=1 -run 'TestRandomOrders$$' -v ./cmd/payrack/e2e

.PHONY: sim
sim: ## SEEDS=20000 histories of the simulated platform, from FIRST=1
	$(GO) test $(TEST_FLAGS) -timeout 60m ./core/sim -run TestSimulation -seeds=$(SEEDS) -first=$(FIRST) -v

.PHONY: sim-mutants
sim-mutants: ## every bug that is planted in the core is caught by the simulation
	$(GO) test $(TEST_FLAGS) -timeout 30m ./core/sim -run TestMutants -mutants -v

.PHONY: kit-mutants
kit-mutants: ## the conformance kit passes twenty times, and finds the bugs that are planted in the providers
	@GO='$(GO)' $(CI_DIR)/kit-mutants.sh

.PHONY: fuzz
fuzz: ## every fuzz target for FUZZTIME (30s) each
	@GO='$(GO)' FUZZTIME=$(FUZZTIME) $(CI_DIR)/fuzz.sh

.PHONY: bench
bench: build plugins ## what a payment costs, beside a bare call and a hand-written service (BENCH_FLAGS=-help)
	$(GO) build $(BUILD_FLAGS) -o $(BIN)/bench ./deployments/bench
	@$(BIN)/bench -payrack $(BIN)/payrack -plugins $(BIN)/plugins -out deployments/bench/results $(BENCH_FLAGS)

.PHONY: chaos
chaos: build ## the money is right when anything is killed; CHAOS_PAYMENTS=3000, CHAOS_MUTANTS=1 plants bugs, CHAOS_FLAGS=-help (minutes)
	@GO='$(GO)' $(CI_DIR)/plugins.sh 1.0.1 $(BIN)/chaos/plugins-1.0.1 $(CHAOS_PROVIDERS) >/dev/null
	@GO='$(GO)' $(CI_DIR)/plugins.sh 1.0.2 $(BIN)/chaos/plugins-1.0.2 $(CHAOS_PROVIDERS) >/dev/null
	@GO='$(GO)' $(CI_DIR)/failpoints.sh
	$(GO) build $(BUILD_FLAGS) -tags failpoint -o $(BIN)/chaos/payrack-failpoint ./cmd/payrack
	$(GO) build $(BUILD_FLAGS) -o $(BIN)/chaos/chaos ./deployments/chaos
	@$(BIN)/chaos/chaos -payments $(CHAOS_PAYMENTS) $(if $(CHAOS_MUTANTS),-mutants deployments/chaos/mutants) $(CHAOS_FLAGS)

.PHONY: swap-test
swap-test: swap-build ## nobody notices a swap: payments, activations and broken releases; SWAP_REPLICAS=3 on PostgreSQL, SWAP_RATE=200, SWAP_SWAPS=100, SWAP_FLAGS=-help (minutes)
	@$(BIN)/swap/swap -rate $(SWAP_RATE) -swaps $(SWAP_SWAPS) -replicas $(SWAP_REPLICAS) -go '$(GO)' \
		-out deployments/swap/results/$(if $(filter 1,$(SWAP_REPLICAS)),result,replicas).md $(SWAP_FLAGS)

.PHONY: canary-test
canary-test: swap-build ## bad builds as canaries: how long until a gate takes them back, how many payments they touch; CANARY_FLAGS=-help (a quarter of an hour)
	@$(BIN)/swap/swap -canaries -go '$(GO)' -out deployments/swap/results/canaries.md $(CANARY_FLAGS)

.PHONY: plugin-cycles
plugin-cycles: ## a plugin is started and stopped a thousand times, and nothing of it stays (minutes)
	PAYRACK_CYCLES=1000 $(GO) test $(TEST_FLAGS) -timeout 60m -count=1 -run '^TestStartsAndStops$$' -v ./plugins/host

.PHONY: swap-build
swap-build: build
	@GO='$(GO)' $(CI_DIR)/plugins.sh 1.0.1 $(BIN)/swap/plugins-1.0.1 $(CHAOS_PROVIDERS) >/dev/null
	@GO='$(GO)' $(CI_DIR)/plugins.sh 1.0.2 $(BIN)/swap/plugins-1.0.2 $(CHAOS_PROVIDERS) >/dev/null
	$(GO) build $(BUILD_FLAGS) -o $(BIN)/swap/swap ./deployments/swap

##@ Other

.PHONY: tools
tools: $(BUF) $(PROTOC_GEN_GO) $(PROTOC_GEN_GO_GRPC) $(GOLANGCI_LINT) $(APIDIFF) ## install the pinned tools below .tools/

.PHONY: clean
clean: ## remove what was built (data and tools stay)
	rm -rf $(BIN) dist cover.out

.PHONY: help
help: ## this list
	@awk 'BEGIN {FS = ":.*## "} /^##@ / {printf "\n%s\n", substr($$0, 5)} /^[a-z-]+:.*## / {printf "  %-14s %s\n", $$1, $$2}' Makefile

# install(folder of the binary, package@version)
define install
	@echo "installing $(2)"
	@GOBIN='$(1)' GOFLAGS= $(GO) install $(2)
endef

$(BUF):
	$(call install,$(@D),github.com/bufbuild/buf/cmd/buf@$(BUF_VERSION))
$(PROTOC_GEN_GO):
	$(call install,$(@D),google.golang.org/protobuf/cmd/protoc-gen-go@$(PROTOC_GEN_GO_VERSION))
$(PROTOC_GEN_GO_GRPC):
	$(call install,$(@D),google.golang.org/grpc/cmd/protoc-gen-go-grpc@$(PROTOC_GEN_GO_GRPC_VERSION))
$(GOLANGCI_LINT):
	$(call install,$(@D),github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(GOLANGCI_LINT_VERSION))
$(APIDIFF):
	$(call install,$(@D),golang.org/x/exp/cmd/apidiff@$(APIDIFF_VERSION))
