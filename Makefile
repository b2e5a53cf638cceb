# Everything that CI runs is a target here, and CI runs nothing else. `make help` lists them.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-builtin-rules

export GOWORK := off

# What is installed on demand lives in a cache that all clones share.
CACHE := $(or $(POSTCALL_CACHE),$(if $(XDG_CACHE_HOME),$(XDG_CACHE_HOME)/postcall),$(HOME)/.cache/postcall)
TOOLS := $(CACHE)/bin

# The pinned tools: a new version is a new folder.
GOLANGCI_VERSION     := v2.15.0
HELM_VERSION         := v3.22.0
KUBE_SCORE_VERSION   := v1.20.0
K8S_VALIDATE_VERSION := 1.37.0
SCHEMATHESIS_VERSION := 4.32.5
CONFORMANCE_VERSION  := $(shell sed -n 's|.*modelcontextprotocol/conformance": "\(.*\)"|\1|p' tools/conformance/package.json)

GOLANGCI     := $(TOOLS)/golangci-lint-$(GOLANGCI_VERSION)/golangci-lint
HELM         := $(TOOLS)/helm-$(HELM_VERSION)/helm
KUBE_SCORE   := $(TOOLS)/kube-score-$(KUBE_SCORE_VERSION)/kube-score
SCHEMATHESIS := $(TOOLS)/schemathesis-$(SCHEMATHESIS_VERSION)/bin/schemathesis
CONFORMANCE  := $(TOOLS)/mcp-conformance-$(CONFORMANCE_VERSION)/node_modules/.bin/conformance
K8S_VALIDATE := $(TOOLS)/kubernetes-validate-$(K8S_VALIDATE_VERSION)/bin/kubernetes-validate

# Python with what the tests and linters of plugins/ need; making it takes a minute, once.
PYTHON = $(or $(shell python3 plugins/python/environment.py),$(error no Python environment))/bin/python

VERSION := $(shell git describe --tags --match 'v[0-9]*' --dirty 2>/dev/null || echo 0.0.0-dev)
COMMIT  := $(shell git rev-parse --short=12 HEAD 2>/dev/null || echo unknown)
LDFLAGS := -X main.version=$(VERSION:v%=%) -X main.commit=$(COMMIT)

# Every module but the root; testdata has modules that are data.
MODULES := $(shell find . -mindepth 2 -name go.mod -not -path './bin/*' -not -path '*/testdata/*' -not -path '*/node_modules/*' -printf '%h\n' | sort)

RACELESS  := -timeout 20m -json
TESTFLAGS := -race $(RACELESS)
GO_TEST   := go test $(TESTFLAGS)
UP        := bin/local up --
PKG       ?= ./...
FUZZTIME  ?= 10s
COUNT     ?= 5
EXAMPLES  ?= 300
# Paths of plugins whose hop make bench measures, separated by commas.
HOPS      ?= $(CURDIR)/bin/hop/go,$(CURDIR)/bin/hop/python

.PHONY: help
help: ## list the targets
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{ printf "  %-13s %s\n", $$1, $$2 }'

## Build and run

.PHONY: build
build: plugins ## bin/postcall and bin/plugins/NAME
	CGO_ENABLED=0 go build -trimpath -ldflags '$(LDFLAGS)' -o bin/postcall ./cmd/postcall

.PHONY: plugins
plugins: ## bin/plugins/NAME of each plugins/NAME
	CGO_ENABLED=0 go build -trimpath -o bin/plugins/ ./plugins/...

# Made again only where something of it is newer: pip takes a while.
DETECT_LANGUAGE := bin/plugins/detect-language/detect-language

# The time of the commit, so that the same commit gives the same digest.
CREATED := $(or $(SOURCE_DATE_EPOCH),$(shell git log -1 --format=%ct 2>/dev/null || echo 0))

.PHONY: image
image: ## dist/image: the image for amd64 and arm64 as an OCI tarball, and its SBOM; no container engine, no base
	@go -C deploy/image run . -version '$(VERSION:v%=%)' -commit '$(COMMIT)' -created $(CREATED)

.PHONY: plugins-python
plugins-python: $(DETECT_LANGUAGE) ## bin/plugins/NAME of each plugins/NAME in Python, with its libraries

$(DETECT_LANGUAGE): plugins/detect-language/plugin.py plugins/detect-language/requirements.txt plugins/python/pyproject.toml $(wildcard plugins/python/src/postcall/*)
	PYTHONPATH=plugins/python/src "$(PYTHON)" -B -m postcall.build plugins/detect-language --out bin/plugins

.PHONY: run
run: build bin/local ## start it with a real ClickHouse and Elasticsearch, and deliver sample calls, until Ctrl-C
	bin/local run

.PHONY: demo
demo: build bin/local ## the same, and stop once the calls have been shown
	bin/local run --once

.PHONY: tour
tour: build bin/local ## load a believable month into real engines, show every metric and what analysts ask (docs/analysts.md)
	bin/local tour

.PHONY: bin/local
bin/local:
	@cd deploy/local && go build -o ../../bin/local .

.PHONY: bin/noskip
bin/noskip:
	@cd tools && go build -o ../bin/noskip ./noskip

## Test

# Packages run side by side; those that take minutes come first, so that none is left alone at the end.
SLOW := ./cmd/postcall ./connector ./plugins/redact-pii

# Two run without the race detector, which would make minutes of them: transformtest with its forty broken plugins, whose checks are
# under it in the contract test of every plugin, and deploy/image, which unpacks images and runs nothing side by side.
#
# The modules besides the root run with -count 1: they also read what is outside them, which Go's test cache can't see.
.PHONY: test
test: build plugins-python bin/local bin/noskip $(HELM) $(SCHEMATHESIS) $(CONFORMANCE) python-test ## every test of every module, on real engines; a skipped one fails
	bin/local install
	$(UP) $(GO_TEST) $(SLOW) $$(go list ./... | grep -v '/transformtest$$') | bin/noskip
	go test $(RACELESS) ./transforms/transformtest | bin/noskip
	@for m in $(MODULES); do echo "== $$m"; \
		HELM=$(HELM) go test -C $$m $$([ $$m = ./deploy/image ] && echo $(RACELESS) || echo $(TESTFLAGS)) -count 1 ./... | bin/noskip; \
	done
	docs/api/check.sh $(SCHEMATHESIS) 10
	$(UP) docs/api/check_calls.sh $(SCHEMATHESIS) 10
	docs/api/check_mcp.sh $(CONFORMANCE)

# One run for each: a module plugin.py of its own has the template, and so has every plugin.
.PHONY: python-test
python-test: ## the tests of what is in Python: the SDK, its template, plugins/detect-language
	@cd plugins/python && for tests in tests template ../detect-language; do \
		echo "== $$tests"; PYTHONPATH=src:tests "$(PYTHON)" -B -m pytest -c pyproject.toml "$$tests"; \
	done

.PHONY: race
race: build bin/local bin/noskip ## the tests of PKG, COUNT times in random order under the race detector
	$(UP) $(GO_TEST) -count $(COUNT) -shuffle on $(PKG) | bin/noskip

.PHONY: integration
integration: bin/local bin/noskip ## the loaders on a real ClickHouse and a real Elasticsearch
	$(UP) $(GO_TEST) -count 1 ./connector/clickhouse/... ./connector/elastic/... | bin/noskip

.PHONY: e2e
e2e: build plugins-python bin/local bin/noskip ## the built program, from the delivery to both stores
	$(UP) $(GO_TEST) -count 1 ./cmd/... | bin/noskip

.PHONY: contract
contract: build bin/local $(SCHEMATHESIS) $(CONFORMANCE) ## the running servers against their own OpenAPI, EXAMPLES requests a rule, and against MCP
	docs/api/check_mcp.sh $(CONFORMANCE)
	docs/api/check.sh $(SCHEMATHESIS) $(EXAMPLES)
	$(UP) docs/api/check_calls.sh $(SCHEMATHESIS) $(EXAMPLES)

.PHONY: faults
faults: build bin/local ## kill, freeze, fill, damage and poison it under load and count what is lost (FAULTS=short|long, RUN=REGEXP)
	cd bench && go build -o ../bin/faults ./faults
	bin/faults -run '$(value RUN)'

.PHONY: fuzz
fuzz: ## every fuzz test for FUZZTIME
	@grep -rnoE --include='*_test.go' '^func Fuzz\w+' . | while IFS=: read -r file _ name; do \
		echo "== $$file $${name#func }"; \
		(cd "$$(dirname "$$file")" && go test -run '^$$' -fuzz "^$${name#func }$$" -fuzztime $(FUZZTIME) .); \
	done

# Plugins that do nothing, in two languages: what is left is the hop.
.PHONY: bin/hop
bin/hop:
	CGO_ENABLED=0 go build -trimpath -o bin/hop/go ./transforms/testdata/plugins/drop-short
	@printf '#!/bin/sh\nPYTHONPATH="%s" exec "%s" -B "%s"\n' '$(CURDIR)/plugins/python/src' '$(PYTHON)' '$(CURDIR)/plugins/python/testdata/noop.py' > bin/hop/python
	@chmod +x bin/hop/python

.PHONY: bench
bench: build bin/local ## load the built program, with stand-ins and with real stores, and a hop through a plugin (HOPS: other ones); PEERS=1 adds Redpanda Connect
	go build -C bench -o ../bin/bench .
	bin/bench
	bin/bench -stages
	go test ./connector -run '^$$' -bench 'Receive|Reading'
	$(MAKE) --no-print-directory bin/hop
	go test ./transforms -run '^$$' -bench Hop -args -plugins '$(HOPS)'
	bin/bench -hop '$(HOPS)' -sizes 8,10
	bin/local up --bench -- bin/bench -stores engines -sizes 8
	if [ -n "$(PEERS)" ]; then go build -C bench/peers/redpanda -tags peers -o ../../../bin/peers/redpanda . && bin/bench -peers; fi

# Throw-away data of some 25 GB goes to TMPDIR. SCALE: flags, for example SCALE='-calls 1000000 -transcripts 0'.
.PHONY: scale
scale: build bin/local ## every metric view over 10 million calls, and searches of a million transcripts; half an hour
	go build -C bench -o ../bin/scale ./scale
	bin/local up --bench -- bin/scale $(SCALE)

.PHONY: pii
pii: build ## how much redaction finds in the labelled calls of the folder PII_DIR
	@test -n "$(PII_DIR)" || { echo "set PII_DIR to a folder of labelled calls: see docs/redaction.md" >&2; exit 2; }
	@go run ./transforms/redact/score -postcall bin/postcall $(PII_DIR)

## Check

.PHONY: lint
lint: ## all of the checks below, each of them even when one before it fails
	@$(MAKE) --no-print-directory --keep-going golangci tidy-check proto-check python-lint

.PHONY: golangci
golangci: $(GOLANGCI) ## format, linters and import rules of every module
	@for m in . $(MODULES); do \
		echo "golangci-lint $$m"; (cd $$m && $(GOLANGCI) run --allow-serial-runners --config '$(CURDIR)/.golangci.yaml' ./...) || failed=1; \
	done; exit $${failed:-0}

.PHONY: fmt
fmt: $(GOLANGCI) ## format the Go and Python code
	@for m in . $(MODULES); do (cd $$m && $(GOLANGCI) fmt --config '$(CURDIR)/.golangci.yaml' ./...); done
	@"$(PYTHON)" -m ruff format --config $(PYPROJECT) $(PYTHON_CODE)

PYPROJECT   := plugins/python/pyproject.toml
PYTHON_CODE := plugins/python plugins/detect-language

.PHONY: python-lint
python-lint: ## format, linter and types of the Python code
	@"$(PYTHON)" -m ruff check --no-cache --config $(PYPROJECT) $(PYTHON_CODE)
	@"$(PYTHON)" -m ruff format --no-cache --check --config $(PYPROJECT) $(PYTHON_CODE)
	@cd plugins/python && for code in "src tests testdata template environment.py" ../detect-language; do \
		MYPYPATH=src "$(PYTHON)" -m mypy --cache-dir /dev/null --config-file pyproject.toml $$code; \
	done

.PHONY: proto-check
proto-check: ## the generated code is what the proto says
	sh transforms/wire/generate.sh check
	sh plugins/python/generate.sh check

.PHONY: tidy-check
tidy-check: ## go.mod and go.sum of every module are tidy
	@for m in . $(MODULES); do echo "go mod tidy $$m"; go -C $$m mod tidy -diff || failed=1; done; exit $${failed:-0}

## The chart

CHART := deploy/helm/postcall
# The oldest that Chart.yaml allows, and the last four.
K8S_VERSIONS := 1.30 1.34 1.35 1.36 1.37
K8S_NEWEST   := $(lastword $(K8S_VERSIONS))
# Not asked for: a CPU limit (it throttles an intake that has to answer, and memory is the limit that protects others),
# and to pull on every start (tags are versions, and a registry that is down must not keep the buffer from starting).
KUBE_SCORE_FLAGS := --kubernetes-version v$(K8S_NEWEST) --ignore-container-cpu-limit \
	--ignore-test container-image-pull-policy --output-format ci

.PHONY: helm
helm: $(HELM) $(KUBE_SCORE) $(K8S_VALIDATE) bin/noskip ## lint, render, validate and test the chart
	@rm -rf dist/helm && mkdir -p dist/helm
	@for values in $(CHART)/ci/*-values.yaml; do \
		$(HELM) lint $(CHART) --strict --quiet --kube-version $(K8S_NEWEST).0 --values "$$values"; \
	done
	@for v in $(K8S_VERSIONS); do \
		mkdir dist/helm/$$v; \
		for values in $(CHART)/ci/*-values.yaml; do \
			needs=$$(sed -n 's/^# kubernetes: //p' "$$values"); \
			if [ -n "$$needs" ] && [ "$$(printf '%s\n' "$$needs" $$v | sort -V | head -1)" != "$$needs" ]; then continue; fi; \
			$(HELM) template $$(basename "$$values" -values.yaml) $(CHART) --namespace calls --kube-version $$v.0 --values "$$values" \
				> dist/helm/$$v/$$(basename "$$values" -values.yaml).yaml; \
		done; \
		$(K8S_VALIDATE) --strict --quiet --no-warn -k $$v dist/helm/$$v/*.yaml; \
		echo "$$(ls dist/helm/$$v | wc -l) files of values are valid for Kubernetes $$v"; \
	done
	@for name in full cluster api; do \
		$(KUBE_SCORE) score $(KUBE_SCORE_FLAGS) dist/helm/$(K8S_NEWEST)/$$name.yaml > dist/helm/policy-$$name.txt || \
			{ grep -v '^\[OK\]\|^\[SKIPPED\]' dist/helm/policy-$$name.txt; exit 1; }; \
		echo "kube-score: $$(grep -c '^\[OK\]' dist/helm/policy-$$name.txt) checks passed for $$name"; \
	done
	HELM=$(HELM) go test -C deploy/helm $(TESTFLAGS) -count 1 ./... | bin/noskip

.PHONY: chart
chart: $(HELM) ## dist/chart: the chart as a package, of this version and commit
	@rm -rf dist/chart && mkdir -p dist/chart && cp -r $(CHART) dist/chart/postcall
	@printf '  org.opencontainers.image.revision: "%s"\n' '$(COMMIT)' >> dist/chart/postcall/Chart.yaml
	@$(HELM) package dist/chart/postcall --destination dist/chart --app-version '$(VERSION:v%=%)'
	@rm -r dist/chart/postcall

## Tools and clean-up

INSTALL = CGO_ENABLED=0 GOBIN=$(@D) go install -trimpath

$(GOLANGCI):
	$(INSTALL) github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(GOLANGCI_VERSION)

$(HELM):
	$(INSTALL) helm.sh/helm/v3/cmd/helm@$(HELM_VERSION)

$(KUBE_SCORE):
	$(INSTALL) github.com/zegl/kube-score/cmd/kube-score@$(KUBE_SCORE_VERSION)

$(K8S_VALIDATE):
	@python3 -m venv --clear $(@D)/.. || { echo "make helm needs Python 3 with venv (Debian: python3-venv)" >&2; exit 1; }
	$(@D)/pip install --quiet --disable-pip-version-check --requirement tools/requirements.txt

$(SCHEMATHESIS):
	@python3 -m venv --clear $(@D)/.. || { echo "make contract needs Python 3 with venv (Debian: python3-venv)" >&2; exit 1; }
	$(@D)/pip install --quiet --disable-pip-version-check --requirement tools/schemathesis.txt

$(CONFORMANCE):
	@mkdir -p $(CONFORMANCE:/node_modules/.bin/conformance=) && cp tools/conformance/package*.json $(CONFORMANCE:/node_modules/.bin/conformance=)
	npm ci --prefix $(CONFORMANCE:/node_modules/.bin/conformance=) --ignore-scripts --no-audit --no-fund --silent

.PHONY: clean
clean: ## remove what was built here; the cache stays
	rm -rf bin dist
