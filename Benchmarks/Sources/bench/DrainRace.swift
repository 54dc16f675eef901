import Cluster
import Foundation
import Postgres

/// Draining a backlog of pgbench transactions that were made while the stream was stopped.
///
/// Both sides have all rows from before the backlog. The last transaction changes one row of every
/// table; when all four are on the target, everything before them is. The same query looks for them
/// on both sides, every 10 ms.
///
/// Two clocks: from the moment when the source reports a sender for the stream (*streaming*), and
/// from the command that lets it go on (*whole*): `ALTER SUBSCRIPTION … ENABLE`, or the start of martlet.
struct DrainRace {
    let options: Options
    let servers: Servers

    private static let native = "native subscription"
    private static let ours = "**martlet**"
    private static let slot: Identifier = "bench_native"

    func run() async throws -> [Contender] {
        let migrate = #"martlet migrate --source "$SOURCE" --target "$TARGET" --work-dir "$SCRATCH/work""#
        var contenders = [
            Contender(Self.native, "ALTER SUBSCRIPTION bench ENABLE (binary, copy_data = false, create_slot = false)"),
            Contender(Self.ours, migrate, isPeer: false),
        ]
        for round in 0..<options.rounds {
            try await prepare(migrate)
            let expected = try await servers.fingerprint("live", on: servers.source)
            for turn in contenders.indices {
                let place = (turn + round) % contenders.count
                try await servers.settle()
                let isOurs = !contenders[place].isPeer
                let measured = isOurs ? try await drainOurs(migrate) : try await drainNative()
                let database = isOurs ? "ours" : "native"
                guard try await servers.fingerprint(database, on: servers.target) == expected else {
                    throw Failure("\(contenders[place].name) is not equal to the source in the end")
                }
                tell("drain, round \(round + 1): \(contenders[place].name) \(measured.wall.formatted(digits: 2)) s")
                contenders[place].rounds.append(measured)
            }
            try await clean()
        }
        return contenders
    }

    // MARK: Before

    private func prepare(_ migrate: String) async throws {
        tell("making a backlog of \(options.backlog) transactions")
        try await servers.create("live", on: servers.source, template: "seed")
        try await servers.create("ours", on: servers.target)
        try await servers.create("native", on: servers.target)
        try await servers.shell(#"rm -rf "$SCRATCH" && mkdir -p "$SCRATCH""#, source: "live", target: "ours")
        try await catchUp(migrate)
        try await subscribe()
        let each = options.backlog / 4
        try await servers.shell(
            #"PGOPTIONS="-c synchronous_commit=off" pgbench -n -c 4 -j 2 -t \#(each) "$SOURCE" && "#
                + #"psql -X -q -v ON_ERROR_STOP=1 -c "\#(Self.marker)" "$SOURCE""#,
            source: "live",
            target: "ours"
        )
    }

    /// Moves the database and stops when martlet says that it waits for changes.
    private func catchUp(_ migrate: String) async throws {
        let command = try spawn(migrate)
        let deadline = ContinuousClock.now + .seconds(120)
        while !command.output.contains("waiting for changes") {
            guard !command.hasEnded(), ContinuousClock.now < deadline else {
                throw Failure("martlet did not catch up: \(command.output)")
            }
            try await Task.sleep(for: .milliseconds(50))
        }
        _ = try await command.interrupt()
    }

    private func subscribe() async throws {
        try await servers.shell(
            #"pg_dump --no-publications "$SOURCE" | psql -X -q -v ON_ERROR_STOP=1 "$TARGET""#,
            source: "live",
            target: "native"
        )
        try await withConnection(to: servers.source.connection(to: "live")) { source in
            try source.execute(
                """
                CREATE PUBLICATION bench FOR TABLE pgbench_accounts, pgbench_branches, pgbench_tellers, pgbench_history
                """
            )
            try source.query("SELECT pg_create_logical_replication_slot($1, 'pgoutput')", Self.slot)
        }
        let address = servers.address("live", on: servers.source)
        try await withConnection(to: servers.target.connection(to: "native")) { target in
            try target.execute(
                """
                CREATE SUBSCRIPTION bench CONNECTION \(literal: address) PUBLICATION bench
                  WITH (enabled = false, copy_data = false, create_slot = false, slot_name = \(Self.slot), binary = true)
                """
            )
        }
    }

    /// The last transaction: one change of every table.
    private static let marker = """
        BEGIN;
        UPDATE pgbench_accounts SET filler = 'the end' WHERE aid = 1;
        UPDATE pgbench_branches SET filler = 'the end' WHERE bid = 1;
        UPDATE pgbench_tellers SET filler = 'the end' WHERE tid = 1;
        INSERT INTO pgbench_history VALUES (-1, -1, -1, 0, now(), 'the end');
        COMMIT
        """

    // MARK: Draining

    private func drainNative() async throws -> Measurement {
        try await drain(into: "native", sender: "bench") {
            try await withConnection(to: servers.target.connection(to: "native")) { target in
                try target.execute("ALTER SUBSCRIPTION bench ENABLE")
            }
            return nil
        }
    }

    private func drainOurs(_ migrate: String) async throws -> Measurement {
        try await drain(into: "ours", sender: "martlet receive") { try spawn(migrate) }
    }

    private func drain(
        into database: String,
        sender: String,
        _ start: () async throws -> Spawned?
    ) async throws -> Measurement {
        try await withConnection(to: servers.source.connection(to: "live")) { source in
            try await withConnection(to: servers.target.connection(to: database)) { target in
                let before = ServerClock(servers)
                let began = ContinuousClock.now
                let command = try await start()
                let deadline = began + .seconds(600)
                let isStreaming: SQL = """
                    SELECT FROM pg_stat_replication WHERE application_name = \(literal: sender) AND state <> 'startup'
                    """
                while try source.query(isStreaming).isEmpty {
                    try check(command, deadline)
                    try await Task.sleep(for: .milliseconds(1))
                }
                let streaming = ContinuousClock.now
                var looks = 0
                while try target.query(Self.isDrained).isEmpty {
                    try check(command, deadline)
                    if looks % 10 == 0 { command?.notePeak() }
                    looks += 1
                    try await Task.sleep(for: .milliseconds(10))
                }
                let ended = ContinuousClock.now
                let (client, after) = (command?.processorSeconds ?? 0, ServerClock(servers))
                command?.notePeak()
                try await stop(command)
                return Measurement(
                    wall: (ended - streaming).seconds,
                    otherWall: (ended - began).seconds,
                    client: client,
                    source: after.source - before.source,
                    target: after.target - before.target,
                    memory: command?.peakMemory ?? 0
                )
            }
        }
    }

    /// Rows by their keys; the table without one is looked through only when they are there.
    private static let isDrained: SQL = """
        SELECT WHERE CASE WHEN
             EXISTS (SELECT FROM pgbench_accounts WHERE aid = 1 AND filler = 'the end')
         AND EXISTS (SELECT FROM pgbench_branches WHERE bid = 1 AND filler = 'the end')
         AND EXISTS (SELECT FROM pgbench_tellers WHERE tid = 1 AND filler = 'the end')
        THEN EXISTS (SELECT FROM pgbench_history WHERE tid = -1) END
        """

    private func check(_ command: Spawned?, _ deadline: ContinuousClock.Instant) throws {
        if let command, command.hasEnded() { throw Failure("martlet ended before its time: \(command.output)") }
        guard ContinuousClock.now < deadline else { throw Failure("the backlog was not drained in ten minutes") }
    }

    private func stop(_ command: Spawned?) async throws {
        if let command {
            _ = try await command.interrupt()
        } else {
            try await withConnection(to: servers.target.connection(to: "native")) { target in
                try target.execute("ALTER SUBSCRIPTION bench DISABLE")
            }
        }
    }

    private func spawn(_ migrate: String) throws -> Spawned {
        var environment = servers.environment(source: "live", target: "ours")
        let directory = URL(filePath: options.martlet).deletingLastPathComponent().path
        environment["PATH"] = directory + ":" + (environment["PATH"] ?? "")
        return try Spawned("exec " + migrate, environment: environment)
    }

    // MARK: After

    private func clean() async throws {
        try await withConnection(to: servers.target.connection(to: "native")) { target in
            try target.execute("ALTER SUBSCRIPTION bench DISABLE")
            try target.execute("ALTER SUBSCRIPTION bench SET (slot_name = NONE)")
            try target.execute("DROP SUBSCRIPTION bench")
        }
        try await withConnection(to: servers.source.connection(to: "live")) { source in
            // A walsender may take a moment to notice that its client is gone.
            try source.execute(
                """
                SELECT pg_terminate_backend(active_pid, 10000) FROM pg_replication_slots WHERE active_pid IS NOT NULL;
                SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE database = current_database()
                """
            )
        }
        try await servers.drop("live", on: servers.source)
        for database in ["ours", "native"] { try await servers.drop(database, on: servers.target) }
    }
}
