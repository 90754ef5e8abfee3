# make help lists what there is. Needs Go, make and npm; everything else is fetched.
GO ?= go
BIN := .cache/bin

.PHONY: help
help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sort | awk -F ':.*## ' '{printf "  make %-13s %s\n", $$1, $$2}'
.DEFAULT_GOAL := help

.PHONY: demo
demo: $(BIN)/standalone ## a synthetic health system, its history and then live events, as a table; ONCE=1: checked against the truth, then ends
	@$(BIN)/standalone demo $(if $(filter-out 0,$(ONCE)),-once)

.PHONY: replay
replay: $(BIN)/standalone ## SERIES=file.csv [PROGRAMME=id]: a published series, one event for each person, through everything and compared
	@$(BIN)/standalone replay -series '$(SERIES)' -programme '$(PROGRAMME)'

.PHONY: test
test: $(BIN)/standalone ## go vet and every test
	@$(BIN)/standalone fetch
	$(GO) vet ./...
	$(GO) test -p 2 -timeout 20m ./...

.PHONY: grafana-check
grafana-check: ## GRAFANA_URL=... [GRAFANA_TOKEN=...] CLICKHOUSE_URL=...: brings that Grafana to the wanted state and runs every query of every panel and rule there
	@GAPWATCH_GRAFANA_URL='$(GRAFANA_URL)' GAPWATCH_GRAFANA_TOKEN='$(GRAFANA_TOKEN)' GAPWATCH_GRAFANA_CLICKHOUSE_URL='$(CLICKHOUSE_URL)' $(GO) run ./services/provisioner --check-demo

.PHONY: deploy-check
deploy-check: ## CLICKHOUSE_URL=... READER_URL=...: on a ClickHouse server, tries all that its reporting reader may do and what it must not
	@GAPWATCH_CLICKHOUSE_URL='$(CLICKHOUSE_URL)' GAPWATCH_GRAFANA_CLICKHOUSE_URL='$(READER_URL)' $(GO) run ./services/deploycheck

.PHONY: fuzz
fuzz: ## FUZZTIME=30s: every fuzz target for so long
	@FUZZTIME='$(or $(FUZZTIME),30s)' bash .ci/fuzz

.PHONY: lint
lint: ## golangci-lint, govulncheck, go.mod
	@bash .ci/lint

.PHONY: bench
bench: ## measures the pipeline; one JSON object as the last line. ARGS="-only intake": the door alone
	@$(GO) run ./services/bench $(ARGS)

.PHONY: fmt
fmt: ## formats the Go files
	@gofmt -w services schemas deploy

.PHONY: clean
clean: ## removes the demo's data and what was built; the ClickHouse engine in the user's cache folder stays
	rm -rf .cache demo-data

# Built each time; Go knows what has changed.
.PHONY: $(BIN)/standalone
$(BIN)/standalone:
	@mkdir -p $(BIN)
	@$(GO) build -o $@ ./services/standalone
