# Images and what compose.yaml runs, by podman or by docker, whichever works here. ENGINE=… and COMPOSE=… choose.

ENGINE ?= $(shell for engine in podman docker; do $$engine info >/dev/null 2>&1 && echo $$engine && exit; done)
COMPOSE ?= $(shell for engine in podman docker; do $$engine info >/dev/null 2>&1 || continue; \
  for compose in "$$engine compose" "$$engine-compose"; do \
    $$compose version >/dev/null 2>&1 && echo "$$compose" && exit; done; done)
NEEDS_ENGINE = @[ -n "$(ENGINE)" ] || { echo "Images need podman or docker, and neither of them works here: install one, or start the docker service."; exit 1; }
NEEDS_COMPOSE = @[ -n "$(COMPOSE)" ] || { echo "This needs 'docker compose', 'podman compose' or podman-compose, and none of them works here: install one."; exit 1; }

IMAGE_NAME := localhost/crm-mcp:latest
# Not PYTHON: that is the one which the rest of this Makefile runs.
BUILD_ARGS = $(if $(EXTRAS),--build-arg EXTRAS="$(EXTRAS)") $(if $(BASE),--build-arg BASE="$(BASE)") \
  $(if $(PYTHON_VERSION),--build-arg PYTHON=$(PYTHON_VERSION))

.PHONY: image up down

image: ## Build the server's image (EXTRAS="vertex otel grammar", PYTHON_VERSION=3.14, BASE=…)
	$(NEEDS_ENGINE)
	@$(ENGINE) build $(if $(findstring podman,$(ENGINE)),--format docker) --tag $(IMAGE_NAME) --file Containerfile \
	  --build-arg REVISION="$$(git rev-parse HEAD 2>/dev/null)" $(BUILD_ARGS) $(ARGS) .

up: ## Run it all: nginx, two servers, PostgreSQL, Redis (PROFILE=demo adds a tenant to try out)
	$(NEEDS_COMPOSE)
	@COMPOSE="$(COMPOSE)" PROFILE="$(PROFILE)" IMAGE="$(IMAGE)" sh deploy/up.sh

down: ## Stop it all; the data stays
	$(NEEDS_COMPOSE)
	@$(COMPOSE) down
