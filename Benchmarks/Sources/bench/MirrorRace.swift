import Foundation
import Postgres

/// A clone of a server under load, and a table that is brought back; both on sandboxes of their own.
struct MirrorRace {
    let options: Options
    let servers: Servers
    /// Where sandboxes are kept.
    private let folder: String

    private init(_ options: Options, _ servers: Servers, folder: String) {
        (self.options, self.servers, self.folder) = (options, servers, folder)
    }

    // MARK: A clone

    private var scale: Int { options.isQuick ? 20 : 140 }

    /// On a file system of our own, which only root can make.
    static func clone(_ options: Options, _ servers: Servers) async throws -> String {
        try await withFolder { folder in
            let race = MirrorRace(options, servers, folder: folder)
            let size = options.isQuick ? "4G" : "16G"
            guard try await servers.has("mkfs.xfs"), geteuid() == 0 else {
                tell("WARNING: clone is left out, because it needs root and mkfs.xfs; apt-get install xfsprogs")
                return "## Clone\n\nNot measured: it needs root and mkfs.xfs."
            }
            try await race.shell(
                "truncate -s \(size) \(folder)/disk && mkfs.xfs -q -m reflink=1 \(folder)/disk && mkdir \(folder)/mounted && "
                    + "mount -o loop \(folder)/disk \(folder)/mounted && chmod 755 \(folder)/mounted"
            )
            let mounted = MirrorRace(options, servers, folder: folder + "/mounted")
            let result: Result<String, any Error>
            do { result = .success(try await mounted.clone()) } catch { result = .failure(error) }
            _ = try? await mounted.shell("martlet teardown big --confirm big")
            try await race.shell("umount \(folder)/mounted")
            return try result.get()
        }
    }

    private func clone() async throws -> String {
        let place = try await shell(
            "martlet sandbox start big --set max_wal_size=8GB --set shared_buffers=1GB 2>/dev/null"
        )
        try await shell("pgbench -i -q -s \(scale) '\(place)' && psql -X -q -c CHECKPOINT '\(place)'")
        let bytes = try await shell("psql -X -A -t -c \"SELECT pg_database_size(current_database())\" '\(place)'")
        let ask = #"psql -X -A -t -c "SELECT count(*) FROM pgbench_branches""#
        let contenders = [
            Contender(
                "pg_basebackup, and a start",
                "rm -rf '\(folder)/copy' && install -d -o postgres -m 700 '\(folder)/copy' && cd / && "
                    + #"runuser -u postgres -- "$(command -v pg_basebackup)" -c fast -D '\#(folder)/copy' -d '\#(place)' && "#
                    + "sed -i '/martlet.conf/d' '\(folder)/copy/postgresql.conf' && "
                    + #"runuser -u postgres -- "$(command -v pg_ctl)" -s -w -t 600 -D '\#(folder)/copy' -l '\#(folder)/copy/log' "#
                    + "-o \"-k '\(folder)/copy' -c listen_addresses=\" start && \(ask) -h '\(folder)/copy' -U postgres postgres"
            ),
            Contender.martlet(
                "clone create --from big --as trial --provider reflink >$SCRATCH-place && \(ask) \"$(cat $SCRATCH-place)\""
            ),
        ]
        let load = try Spawned("exec pgbench -n -c 2 -T 3600 '\(place)'", environment: environment)
        defer { kill(load.process, SIGTERM) }
        let measured = try await race("clone", contenders, rounds: 0..<options.rounds) { contender in
            let start = ContinuousClock.now
            let command = try Spawned(contender.command, environment: environment)
            guard try await command.wait() == 0 else { throw Failure("\(contender.name) failed: \(command.output)") }
            let wall = (ContinuousClock.now - start).seconds
            try await shell(
                contender.role == .ours
                    ? "martlet clone remove trial"
                    : #"runuser -u postgres -- "$(command -v pg_ctl)" -s -m immediate -D '\#(folder)/copy' stop; rm -rf '\#(folder)/copy'"#
            )
            return Measurement(wall: wall, client: .nan, source: .nan, target: .nan, memory: command.peakMemory, log: 0)
        }
        let lines = measured.map { contender in
            let walls = contender.rounds.map(\.wall)
            let range = "[\((walls.min() ?? .nan).formatted(digits: 2))–\((walls.max() ?? .nan).formatted(digits: 2))]"
            return "| \(contender.name) | \(walls.median.formatted(digits: 2)) \(range) |"
        }
        let ratio = measured[0].median(\.wall) / measured[1].median(\.wall)
        return """
            ## A clone of a server of \(((Double(bytes) ?? 0) / 1e9).formatted(digits: 1)) GB under pgbench

            On XFS, two clients of pgbench as fast as they can; until the copy answers a query. Ratio \(ratio.formatted(digits: 1)).

            | | seconds |
            |---|---|
            \(lines.joined(separator: "\n"))
            """
    }

    // MARK: A table

    static func bringBack(_ options: Options, _ servers: Servers) async throws -> String {
        try await withFolder { folder in
            let race = MirrorRace(options, servers, folder: folder)
            let result: Result<String, any Error>
            do { result = .success(try await race.bringBack()) } catch { result = .failure(error) }
            _ = try? await race.shell("martlet teardown shop --with-backups --confirm shop")
            return try result.get()
        }
    }

    private func bringBack() async throws -> String {
        let rows = options.isQuick ? 50_000 : 1_000_000
        let place = try await shell("martlet sandbox start shop 2>/dev/null")
        func sql(_ text: String) async throws {
            try await shell("psql -X -q -v ON_ERROR_STOP=1 -c \"\(text)\" '\(place)'")
        }
        try await sql(
            "CREATE TABLE orders (id bigint PRIMARY KEY, customer int, note text);"
                + "INSERT INTO orders SELECT i, i % 1000, 'note ' || i FROM generate_series(1, \(rows)) AS i;"
                + "CREATE INDEX ON orders (customer); CREATE VIEW recent AS SELECT * FROM orders WHERE id > 100"
        )
        try await shell("martlet backup take shop")
        var times: [String: [Double]] = [:]
        for round in 0..<options.rounds {
            try await sql("INSERT INTO orders VALUES (-\(round + 1), 1, 'the last')")
            try await sql("DROP TABLE orders CASCADE")
            for command in ["restore find-drop orders --from shop", "restore bring-back orders --from shop"] {
                let start = ContinuousClock.now
                try await shell("martlet \(command)")
                times[command, default: []].append((ContinuousClock.now - start).seconds)
                tell("\(command), round \(round + 1): \(times[command]?.last?.formatted(digits: 2) ?? "") s")
            }
            let count = try await shell("psql -X -A -t -c 'SELECT count(*) FROM orders' '\(place)'")
            guard count == String(rows + round + 1) else { throw Failure("\(count) rows came back") }
        }
        let lines = times.sorted { $0.key > $1.key }.map { command, times in
            "| `martlet \(command)` | \(times.median.formatted(digits: 1)) "
                + "[\((times.min() ?? .nan).formatted(digits: 1))–\((times.max() ?? .nan).formatted(digits: 1))] |"
        }
        return """
            ## A dropped table

            \(rows) rows, two indexes, a view, dropped with CASCADE some time after the backup, with what was committed right before; \
            \(options.rounds) times, each drop behind the ones before.

            | | seconds |
            |---|---|
            \(lines.joined(separator: "\n"))
            """
    }

    // MARK: Commands

    private var environment: [String: String] {
        servers.environment(source: "postgres", target: "postgres").merging(["MARTLET_STATE_DIR": folder + "/state"]) {
            $1
        }
    }

    /// Runs a command that must succeed, and returns what it printed.
    @discardableResult
    private func shell(_ command: String) async throws -> String {
        let program = try Spawned(command, environment: environment)
        guard try await program.wait() == 0 else { throw Failure("\(command) failed: \(program.output)") }
        return program.output.trimmingCharacters(in: .whitespacesAndNewlines)
    }

    /// A folder that the account of our servers can enter.
    private static func withFolder(_ body: (String) async throws -> String) async throws -> String {
        var name = Array("/tmp/martlet-bench-XXXXXX".utf8CString)
        guard mkdtemp(&name) != nil else { throw Failure("could not make a folder in /tmp") }
        let folder = String(decoding: name.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        guard chmod(folder, 0o755) == 0 else { throw Failure("could not open \(folder) for others") }
        return try await body(folder)
    }
}
