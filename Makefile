.PHONY: help setup build test storm random large three-hosts demo docs lint format bench bench-quick versions

help:
	@echo "make setup   install what is missing (apt-get, with sudo unless root)"
	@echo "make build   build the program: .build/release/martlet"
	@echo "make test    set up, fetch servers of other versions, run all tests"
	@echo "make storm   move N databases (N=200) while everything fails; MARTLET_SEED=… begins there"
	@echo "make random  move databases that seeds made: N=50 seeds, from FIRST=1, between MAJORS=\"15-15 15-18\""
	@echo "make large   measure the memory of moves with very large transactions and values"
	@echo "make three-hosts  move between network namespaces with two workers, one killed and one cut off (root)"
	@echo "make demo    release build, then a migration on servers of its own"
	@echo "make bench   measure martlet beside its peers; make bench-quick in some minutes"
	@echo "make docs    write docs/cli from --help"
	@echo "make lint    check the form of the sources"
	@echo "make format  correct the form of the sources"

setup:
	@scripts/setup

build: setup
	swift build -c release --product martlet

versions: setup
	@scripts/postgres-versions
	@scripts/debian-program pgbouncer pgbackrest rsync
	@scripts/barman
	@scripts/kubernetes-validate

test: setup versions
	@scripts/test

storm: setup versions
	@MARTLET_STORMS=$(or $(N),200) scripts/test --filter Scenarios.StormTests

random: setup versions
	@MARTLET_SEEDS=$(or $(N),50) MARTLET_FIRST_SEED=$(or $(FIRST),1) MARTLET_MAJORS="$(or $(MAJORS),15-15 15-18)" \
		scripts/test --filter Scenarios.RandomMoveTests

large: setup
	@MARTLET_LARGE=1 scripts/test --filter Scenarios.Pitfall20MemoryTests

demo: build
	.build/release/martlet demo

three-hosts: build
	@scripts/three-hosts $(SCALE)

docs: setup
	MARTLET_WRITE_DOCS=1 swift test --filter MartletTests.HelpTests

lint:
	swift format lint --strict -r Sources Tests Package.swift

format:
	swift format format -i -r Sources Tests Package.swift

bench: setup
	@Benchmarks/run

bench-quick: setup
	@Benchmarks/run --quick
