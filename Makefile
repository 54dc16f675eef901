.PHONY: help setup build test demo docs lint format bench versions

help:
	@echo "make setup   install what is missing (apt-get, with sudo unless root)"
	@echo "make build   build the debug program"
	@echo "make test    everything above, servers of other versions, all tests"
	@echo "make demo    release build, then a migration on servers of its own"
	@echo "make docs    write docs/cli from --help"
	@echo "make lint    check the form of the sources"
	@echo "make format  correct the form of the sources"

setup:
	@scripts/setup

build: setup
	swift build

versions: setup
	@scripts/postgres-versions

test: setup versions
	@scripts/test

demo: setup
	swift build -c release --product martlet
	.build/release/martlet demo

docs: setup
	MARTLET_WRITE_DOCS=1 swift test --filter MartletTests.HelpTests

lint:
	swift format lint --strict -r Sources Tests Package.swift

format:
	swift format format -i -r Sources Tests Package.swift
