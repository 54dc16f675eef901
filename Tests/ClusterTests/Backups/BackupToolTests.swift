import Catalog
import Foundation
import Postgres
import TestSupport
import Testing

@testable import Cluster

/// Restores from backups that other programs have taken of a server that knows nothing of martlet.
struct BackupToolTests {
    @Test(.enabled(if: isThere("pgbackrest"), "pgbackrest is not installed"), .timeLimit(.minutes(5)))
    func `a stanza of pgBackRest is restored to a moment`() async throws {
        try await withTemporarySandboxes { sandboxes in
            let place = ServerDirectory(path: sandboxes.directory + "-tool")
            try place.make()
            defer { try? place.remove() }
            let file = place.path + "/pgbackrest.conf"
            let tool = PgBackRest(stanza: "main", configuration: file)
            let archive = "pgbackrest --config='\(file)' --stanza=main archive-push %p"
            let source = try await sandboxes.start(
                "shop",
                .init(settings: ["archive_mode": "on", "archive_command": archive])
            )
            try await place.write(
                """
                [global]
                repo1-path=\(place.path)/repo
                repo1-retention-full=1
                log-level-file=off
                lock-path=\(place.path)/lock
                start-fast=y
                [main]
                pg1-path=\(source.directory)/data
                pg1-socket-path=\(source.record?.socket ?? "")
                pg1-user=postgres
                """,
                to: "pgbackrest.conf"
            )
            try await run(place, "pgbackrest --config=\"$1\"/pgbackrest.conf --stanza=main stanza-create")
            try await checkRestores(.pgBackRest(tool), of: source, sandboxes) {
                try await run(place, "pgbackrest --config=\"$1\"/pgbackrest.conf --stanza=main backup")
            } archive: {
            }
            let unknown = PgBackRest(stanza: "nobody", configuration: file)
            let error = await #expect(throws: PostgresError.self) {
                try await Restore(of: .pgBackRest(unknown), to: .latest, sandboxes).run(as: "r") { _ in }
            }
            #expect(error?.message == "pgbackrest knows no stanza \"nobody\"")
        }
    }

    @Test(
        .enabled(if: isThere("barman") && isThere("rsync"), "barman or rsync is not installed"),
        .timeLimit(.minutes(5))
    )
    func `a server of Barman is restored to a moment`() async throws {
        try await withTemporarySandboxes { sandboxes in
            let place = ServerDirectory(path: sandboxes.directory + "-tool")
            try place.make()
            defer { try? place.remove() }
            let incoming = place.path + "/home/main/incoming"
            let archive =
                "mkdir -p '\(incoming)' && cp %p '\(incoming)/%f.tmp' && mv '\(incoming)/%f.tmp' '\(incoming)/%f'"
            let source = try await sandboxes.start(
                "shop",
                .init(settings: ["archive_mode": "on", "archive_command": archive])
            )
            let account = ServerUser.needed?.name ?? NSUserName()
            try await place.write(
                """
                [barman]
                barman_home = \(place.path)/home
                barman_user = \(account)
                log_file = \(place.path)/barman.log
                [main]
                description = main
                conninfo = host=\(source.record?.socket ?? "") user=postgres dbname=postgres
                streaming_conninfo = host=\(source.record?.socket ?? "") user=postgres dbname=postgres
                backup_method = postgres
                archiver = on
                path_prefix = \(source.record?.binaries ?? "")
                """,
                to: "barman.conf"
            )
            let tool = Barman(server: "main", configuration: place.path + "/barman.conf")
            let barman = "HOME=\"$1\" barman -c \"$1\"/barman.conf"
            try await checkRestores(.barman(tool), of: source, sandboxes) {
                let steps = [
                    "mkdir -p \"$1\"/home", "\(barman) switch-wal --force --archive main", "\(barman) backup main",
                ]
                try await run(place, steps.joined(separator: " && "))
            } archive: {
                try await run(place, "\(barman) archive-wal main")
            }
        }
    }

    /// WAL-G is in no registry of packages: what takes its place here is ``walGAsDocumented``.
    @Test(.enabled(if: isThere("python3"), "python3 is not installed"), .timeLimit(.minutes(5)))
    func `a storage of WAL-G is restored to a moment`() async throws {
        try await withTemporarySandboxes { sandboxes in
            let place = ServerDirectory(path: sandboxes.directory + "-tool")
            try place.make()
            defer { try? place.remove() }
            let archive = "'\(place.path)/wal-g' --config '\(place.path)/wal-g.json' wal-push %p"
            try await place.write(walGAsDocumented, to: "wal-g")
            let source = try await sandboxes.start(
                "shop",
                .init(settings: ["archive_mode": "on", "archive_command": archive])
            )
            try await place.write(
                """
                {"WALG_FILE_PREFIX": "\(place.path)/storage", "PGHOST": "\(source.record?.socket ?? "")",
                 "PGUSER": "postgres", "PGBIN": "\(source.record?.binaries ?? "")"}
                """,
                to: "wal-g.json"
            )
            try await run(
                place,
                "chmod u+x \"$1\"/wal-g && mkdir -p \"$1\"/storage/wal_005 \"$1\"/storage/basebackups_005"
            )
            let tool = WalG(
                server: "main",
                configuration: place.path + "/wal-g.json",
                program: place.path + "/wal-g"
            )
            try await checkRestores(.walG(tool), of: source, sandboxes) {
                try await run(place, "\"$1\"/wal-g --config \"$1\"/wal-g.json backup-push")
            } archive: {
            }
            try await checkFailures(tool, place, sandboxes)
        }
    }

    private func checkFailures(_ tool: WalG, _ place: ServerDirectory, _ sandboxes: Sandboxes) async throws {
        // Storage that cannot be read is not the end of the log.
        try await run(place, "chmod 000 \"$1\"/storage/wal_005/*")
        let error = await #expect(throws: PostgresError.self) {
            try await Restore(of: .walG(tool), to: .latest, sandboxes).run(as: "r") { _ in }
        }
        #expect(error?.message.contains("the log ends") == false, "\(String(describing: error))")
        #expect(sandboxes.list().map(\.name) == ["r0", "r1", "r2", "shop"])
        let missing = WalG(server: "main", configuration: "/nowhere", program: place.path + "/no such wal-g")
        let absent = await #expect(throws: PostgresError.self) {
            try await Restore(of: .walG(missing), to: .latest, sandboxes).run(as: "r") { _ in }
        }
        #expect(absent?.hint == "Install it: https://github.com/wal-g/wal-g/releases")
    }

    /// Takes a backup of rows, one of them in a tablespace, and restores to moments after it.
    private func checkRestores(
        _ tool: BackupSource,
        of source: Sandbox,
        _ sandboxes: Sandboxes,
        backup: () async throws -> Void,
        archive: () async throws -> Void
    ) async throws {
        let server = try #require(source.connection())
        let space = ServerDirectory(path: sandboxes.directory + "-a space")
        try space.make()
        defer { try? space.remove() }
        try await execute(server, "CREATE TABLESPACE \"my space\" LOCATION \(literal: space.path)")
        try await execute(
            server,
            "CREATE TABLE far TABLESPACE \"my space\" AS SELECT 1 AS a; CREATE TABLE t AS SELECT 1 AS a"
        )
        try await backup()
        // Barman knows whole seconds.
        try await execute(server, "SELECT pg_sleep(2); INSERT INTO t VALUES (2); INSERT INTO far VALUES (2)")
        let transaction = try #require(try await ask(server, "SELECT pg_current_xact_id()::text"))
        let moment = try #require(try await ask(server, "SELECT clock_timestamp()::text"))
        try await execute(server, "DELETE FROM t")
        try await archiveAll(server, archive)
        let targets: [(RestoreTarget, String)] = [
            (.time(try #require(RestoreTarget.date(moment))), "2"),
            (.transaction(try #require(UInt64(transaction))), "2"),
            (.latest, "0"),
        ]
        for (number, (target, rows)) in targets.enumerated() {
            let report = try await Restore(of: tool, to: target, sandboxes).run(as: "r\(number)") { _ in }
            let place = try #require(report.sandbox.connection())
            #expect(try await ask(place, "SELECT count(*) FROM t") == rows, "\(target)")
            #expect(try await ask(place, "SELECT count(*) FROM far") == "2")
            #expect(report.sandbox.origin?.source == tool.title)
        }
        try await checkBringBack(tool, to: server, sandboxes, archive)
        let early = RestoreTarget.time(.now.addingTimeInterval(-3600))
        await #expect(throws: PostgresError.self) {
            try await Restore(of: tool, to: early, sandboxes).run(as: "r") { _ in }
        }
        #expect(sandboxes.list().map(\.name) == ["r0", "r1", "r2", "shop"])
        try await checkTablespace(tool, of: server, later: space.path + "-later", sandboxes, archive)
    }

    /// Finds a table that was dropped in the tool's log, and brings it back to the server, which the tool does not know.
    private func checkBringBack(
        _ tool: BackupSource,
        to server: ConnectionString,
        _ sandboxes: Sandboxes,
        _ archive: () async throws -> Void
    ) async throws {
        try await execute(server, "INSERT INTO far VALUES (3)")
        try await execute(server, "DROP TABLE far")
        try await archiveAll(server, archive)
        let losses = try await LossSearch(in: tool, database: "postgres", table: "far", sandboxes).run { _ in }.losses
        #expect(losses.map(\.rows) == [3])
        let loss = try #require(losses.last)
        let elsewhere = try await sandboxes.start("other")
        await #expect(throws: PostgresError.self) {
            try await BringBack(from: tool, to: elsewhere.connection(), database: "postgres", loss, sandboxes)
                .run(merges: false) { _ in }
        }
        try await sandboxes.remove("other")
        _ = try await BringBack(from: tool, to: server, database: "postgres", loss, sandboxes).run(merges: false) { _ in
        }
        #expect(try await ask(server, "SELECT count(*) FROM far") == "3")
    }

    /// Replayed here, a tablespace that was made since would be the source's own folder.
    private func checkTablespace(
        _ tool: BackupSource,
        of server: ConnectionString,
        later path: String,
        _ sandboxes: Sandboxes,
        _ archive: () async throws -> Void
    ) async throws {
        let later = ServerDirectory(path: path)
        try later.make()
        defer { try? later.remove() }
        try await execute(server, "CREATE TABLESPACE later LOCATION \(literal: later.path)")
        try await archiveAll(server, archive)
        let error = await #expect(throws: PostgresError.self) {
            try await Restore(of: tool, to: .latest, sandboxes).run(as: "r") { _ in }
        }
        #expect(
            error?.message.contains("tablespaces were made since the backup") == true,
            "\(String(describing: error))"
        )
        #expect(try await ask(server, "SELECT count(*) FROM pg_tablespace WHERE spcname = 'later'") == "1")
        // What was lost before can be found all the same.
        try await execute(server, "CREATE TABLE x ()")
        try await execute(server, "DROP TABLE x")
        try await archiveAll(server, archive)
        let found = try await LossSearch(in: tool, database: "postgres", table: "far", sandboxes).run { _ in }
        #expect(found.losses.map(\.rows) == [3] && found.gaps.contains { $0.contains("tablespaces were made") })
        #expect(try await ask(server, "SELECT count(*) FROM far") == "3")
    }

    private func archiveAll(_ server: ConnectionString, _ archive: () async throws -> Void) async throws {
        let segment = try #require(try await ask(server, "SELECT pg_walfile_name(pg_switch_wal())"))
        try await eventually("the log is archived") {
            try await ask(server, "SELECT last_archived_wal >= \(literal: segment) FROM pg_stat_archiver") == "t"
        }
        try await archive()
    }

    private func run(_ place: ServerDirectory, _ script: String) async throws {
        let outcome = try await Program.ofServer(script: script, [place.path]).run()
        #expect(outcome.isSuccess, "\(script): \(outcome.complaint)\n\(outcome.output)")
    }

    private static func isThere(_ program: String) -> Bool {
        let path = ProcessInfo.processInfo.environment["PATH"] ?? ""
        return path.split(separator: ":").contains { FileManager.default.isExecutableFile(atPath: "\($0)/\(program)") }
    }
}
