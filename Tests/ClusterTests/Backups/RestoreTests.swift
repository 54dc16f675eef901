import Catalog
import Foundation
import Postgres
import TestSupport
import Testing

@testable import Cluster

struct RestoreTests {
    @Test(.timeLimit(.minutes(10)))
    func `a server is restored to moments, places and names, and what was lost is found`() async throws {
        try await withTemporarySandboxes { sandboxes in
            let backups = Backups(of: sandboxes)
            _ = try await sandboxes.start("shop")
            let place = try #require(try sandboxes.find("shop").connection())
            try await execute(place, "CREATE TABLE t AS SELECT generate_series(1, 100) AS a")
            let backup = try await backups.take(of: "shop") { _, _ in }
            #expect(backups.list(of: "shop") == [backup])
            try await execute(place, "INSERT INTO t VALUES (101)")
            try await execute(place, "SELECT pg_create_restore_point('before the release')")
            let moment = try #require(try await ask(place, "SELECT clock_timestamp() AT TIME ZONE 'UTC'"))
            try await execute(place, "INSERT INTO t VALUES (102)")
            try await execute(place, "DROP TABLE t")

            let date = try #require(RestoreTarget.date(moment + "+00"))
            for (name, target, last) in [
                ("by-name", RestoreTarget.name("before the release"), "101"), ("by-time", .time(date), "101"),
            ] {
                let report = try await Restore(of: .sandbox("shop"), to: target, sandboxes).run(as: name) { _ in }
                #expect(try await ask(#require(report.sandbox.connection()), "SELECT max(a) FROM t") == last)
                #expect(report.proof.contains("recovery stopping"), "\(report.proof)")
                try await sandboxes.remove(name)
            }
            let losses = try await LossSearch(in: .sandbox("shop"), database: "postgres", table: "t", sandboxes).run {
                _ in
            }.losses
            let loss = try #require(losses.first)
            #expect(losses.count == 1 && loss.kind == .dropped && loss.rows == 102)
            let before = try await Restore(of: .sandbox("shop"), to: .lsn(loss.place), sandboxes).run(as: "before") {
                _ in
            }
            #expect(try await ask(#require(before.sandbox.connection()), "SELECT max(a) FROM t") == "102")
            #expect(sandboxes.list().map(\.name) == ["before", "shop"])
        }
    }

    @Test(.timeLimit(.minutes(5)))
    func `what was lost after a failover is found`() async throws {
        try await withTemporarySandboxes { sandboxes in
            let sandbox = try await sandboxes.start("shop")
            let place = try #require(sandbox.connection())
            try await execute(place, "CREATE TABLE t AS SELECT generate_series(1, 100) AS a")
            _ = try await Backups(of: sandboxes).take(of: "shop") { _, _ in }
            try await execute(place, "INSERT INTO t VALUES (101)")
            for timeline in ["2", "3"] {
                try await sandboxes.stop("shop")
                try await ServerDirectory(path: sandbox.directory + "/data").write("", to: "standby.signal")
                _ = try await sandboxes.start("shop")
                let again = try #require(try sandboxes.find("shop").connection())
                #expect(try await ask(again, "SELECT pg_promote()") == "t")
                try await execute(again, "INSERT INTO t VALUES (\(literal: timeline)::int); CHECKPOINT")
                #expect(try await ask(again, "SELECT timeline_id FROM pg_control_checkpoint()") == timeline)
            }
            let again = try #require(try sandboxes.find("shop").connection())
            try await execute(again, "DROP TABLE t")
            let losses = try await LossSearch(in: .sandbox("shop"), database: "postgres", table: "t", sandboxes).run {
                _ in
            }.losses
            #expect(losses.map(\.rows) == [103])
            let report = try await BringBack(
                from: .sandbox("shop"),
                database: "postgres",
                try #require(losses.last),
                sandboxes
            ).run(merges: false) { _ in }
            #expect(report.tables.map(\.now) == [103])
        }
    }

    @Test(.timeLimit(.minutes(5)))
    func `old backups go with the log that only they need, and the newer ones restore`() async throws {
        try await withTemporarySandboxes { sandboxes in
            let backups = Backups(of: sandboxes)
            let place = try #require(try await sandboxes.start("shop").connection())
            await #expect(throws: PostgresError.self) {
                try await backups.prune("shop", keeping: 1, rehearses: false)
            }
            var taken: [Backup] = []
            for _ in 1...3 {
                try await execute(
                    #require(try sandboxes.find("shop").connection()),
                    "SELECT pg_switch_wal(), pg_sleep(1)"
                )
                taken.append(try await backups.take(of: "shop") { _, _ in })
            }
            func log() throws -> [String] {
                try FileManager.default.contentsOfDirectory(atPath: backups.archive(of: "shop")).filter {
                    $0.count == 24
                }
            }
            let before = try log()
            let rehearsed = try await backups.prune("shop", keeping: 2, rehearses: true)
            #expect(rehearsed.backups == [taken[0]] && rehearsed.segments > 0)
            #expect(backups.list(of: "shop") == taken)
            #expect(try log() == before)
            let pruned = try await backups.prune("shop", keeping: 2, rehearses: false)
            #expect(pruned.backups == rehearsed.backups && pruned.segments == rehearsed.segments)
            #expect(backups.list(of: "shop") == Array(taken[1...]))
            #expect(try log().count == before.count - pruned.segments)
            try await execute(place, "CREATE TABLE t AS SELECT 1 AS a")
            for (name, target) in [("old", RestoreTarget.time(taken[1].ended)), ("new", .latest)] {
                let report = try await Restore(of: .sandbox("shop"), to: target, sandboxes).run(as: name) { _ in }
                let table = try await ask(#require(report.sandbox.connection()), "SELECT to_regclass('t') IS NOT NULL")
                #expect(table == (name == "new" ? "t" : "f"))
            }
            let none = try await backups.prune("shop", keeping: 2, rehearses: false)
            #expect(none.backups.isEmpty && none.segments == 0)
        }
    }

    @Test(.timeLimit(.minutes(10)))
    func `a loss is found behind a later one, in a prepared transaction, and behind another table's lock`() async throws
    {
        try await withTemporarySandboxes { sandboxes in
            _ = try await sandboxes.start("shop", .init(settings: ["max_prepared_transactions": "2"]))
            let backups = Backups(of: sandboxes)
            func losses(of table: String) async throws -> [TableLoss] {
                try await LossSearch(in: .sandbox("shop"), database: "postgres", table: table, sandboxes).run { _ in }
                    .losses
            }
            func take() async throws { _ = try await backups.take(of: "shop") { _, _ in } }
            try await take()
            let place = try #require(try sandboxes.find("shop").connection())
            try await execute(
                place,
                """
                CREATE TABLE early AS SELECT generate_series(1, 9) AS a; CREATE TABLE prepared AS SELECT generate_series(1, 4) AS a;
                CREATE TABLE staging (a int); CREATE TABLE orders (a int);
                CREATE TABLE parent AS SELECT 1 AS a; CREATE TABLE child () INHERITS (parent); INSERT INTO child VALUES (2)
                """
            )
            try await take()
            try await execute(place, "TRUNCATE early")
            try await execute(place, "BEGIN; DROP TABLE child; DROP TABLE parent; COMMIT")
            try await withConnection(to: place) { session in
                try session.execute("BEGIN; TRUNCATE staging")
                try await execute(place, "INSERT INTO orders SELECT generate_series(1, 5)")
                try session.execute("TRUNCATE orders; COMMIT; BEGIN; DROP TABLE prepared; PREPARE TRANSACTION 'p'")
                try session.execute("COMMIT PREPARED 'p'")
            }
            #expect(try await losses(of: "orders").map(\.rows) == [5])
            #expect(try await losses(of: "parent").map(\.rows) == [2])
            let prepared = try await losses(of: "prepared")
            #expect(prepared.map(\.rows) == [4] && prepared.first?.transaction != 0)
            try await take()
            try await execute(place, "DROP TABLE early")
            let both = try await losses(of: "early")
            #expect(both.map(\.kind) == [.emptied, .dropped] && both.map(\.rows) == [9, 0])
            // Unchanged in two backups, it is not looked for in the third, unless asked for.
            try await execute(place, "CREATE TABLE early AS SELECT 1 AS a")
            try await take()
            try await take()
            #expect(try await losses(of: "early").isEmpty)
            let search = LossSearch(
                in: .sandbox("shop"),
                database: "postgres",
                table: "early",
                lookingBackTo: .distantPast,
                sandboxes
            )
            let all = try await search.run { _ in }
            #expect(all.losses.map(\.rows) == [9, 0] && all.gaps.isEmpty && all.since < .now)
            try await sandboxes.remove("shop")
        }
    }

    @Test(.timeLimit(.minutes(5)))
    func `log is read window by window, and refused when it is not whole`() async throws {
        try await withTemporarySandboxes { sandboxes in
            let backups = Backups(of: sandboxes)
            _ = try await sandboxes.start("shop")
            let backup = try await backups.take(of: "shop") { _, _ in }
            let place = try #require(try sandboxes.find("shop").connection())
            var segments: [String] = []
            for number in 1...6 {
                let table = Identifier("t\(number)")
                try await execute(place, "CREATE TABLE \(table) AS SELECT generate_series(1, 10) AS a")
                try await execute(place, "DROP TABLE \(table)")
                segments.append(try #require(try await ask(place, "SELECT pg_walfile_name(pg_current_wal_lsn())")))
                try await execute(place, "SELECT pg_switch_wal()")
            }
            try await SandboxArchive(name: "shop", sandboxes: sandboxes).archivePresent()
            // Only the archive is looked at, where something can be missing.
            try await sandboxes.remove("shop")
            let binaries = try await Installation.server(major: backup.major)
            let restore = Restore(of: .sandbox("shop"), to: .latest, sandboxes)
            func log(window: UInt64) async throws -> LogCommits {
                try await restore.withPausedServer(from: backup) { server in
                    try await LogCommits(since: backup, until: nil, in: server.place, binaries, window: window) { _ in }
                }
            }
            let whole = try await log(window: LogCommits.window)
            #expect(whole.removals.count == 6 && whole.lastCommit != nil)
            for window in [1, 2, 5] as [UInt64] {
                let log = try await log(window: window << 24)
                #expect(log.removals == whole.removals && log.locks == whole.locks, "\(window)")
                #expect(log.lastCommit == whole.lastCommit)
            }
            let archive = backups.archive(of: "shop")
            func change(_ script: String) async throws {
                let outcome = try await Program.ofServer(script: script, [archive, segments[2], segments[3]]).run()
                #expect(outcome.isSuccess, "\(outcome.complaint)")
            }
            for (script, word) in [
                (#"mv "$1/$2" "$1/$3" "$1/..""#, "not whole"),
                (#"cp "$1/$2" "$1/.." && head -c 16777216 /dev/zero >"$1/$2""#, "damaged"),
            ] {
                try await change(script)
                for window in [1, 64] as [UInt64] {
                    let error = await #expect(throws: PostgresError.self) { _ = try await log(window: window << 24) }
                    #expect(error?.message.contains(word) == true, "\(String(describing: error))")
                }
                try await change(#"mv "$1/../$2" "$1"; test ! -e "$1/../$3" || mv "$1/../$3" "$1""#)
            }
            #expect(try await log(window: LogCommits.window).removals == whole.removals)
        }
    }

    @Test func `a segment is looked for on the newest timeline first`() {
        let timelines = LogTimelines(
            history: "1\t0/3000060\tno recovery target specified\n\n2\t0/5000000\tbefore x\n",
            of: 3
        )
        let size: UInt64 = 1 << 24
        let found = (2...6).map { timelines.timelines(ofSegment: $0, size: size) }
        #expect(found == [[1], [2, 1], [2], [3, 2], [3]])
        #expect(timelines.end(of: 2) == LSN("0/5000000") && timelines.end(of: 3) == nil)
        #expect(LogTimelines.segmentName(0x1FF, timeline: 11, size: size) == "0000000B00000001000000FF")
        #expect(LogTimelines.historyName(of: 11) == "0000000B.history")
    }

    @Test(.timeLimit(.minutes(5)))
    func `a moment that is not kept is refused, and nothing is left`() async throws {
        try await withTemporarySandboxes { sandboxes in
            _ = try await sandboxes.start("shop")
            func message(_ target: RestoreTarget) async -> String {
                let error = await #expect(throws: PostgresError.self) {
                    try await Restore(of: .sandbox("shop"), to: target, sandboxes).run(as: "r") { _ in }
                }
                return error?.message ?? ""
            }
            #expect(await message(.latest) == "there is no backup")
            _ = try await Backups(of: sandboxes).take(of: "shop") { _, _ in }
            #expect(await message(.time(.now.addingTimeInterval(-86_400))).contains("before the oldest backup"))
            #expect(await message(.time(.now.addingTimeInterval(86_400))).contains("in the future"))
            #expect(await message(.name("nowhere")).contains("the log ends before"))
            #expect(await message(.lsn(LSN(UInt64(1) << 40))).contains("the log ends before"))
            #expect(sandboxes.list().map(\.name) == ["shop"])
        }
    }

    @Test(arguments: [
        ("2026-11-23 02:50:11.123456+00", 1_795_402_211.123456), ("2026-11-23T02:50:11Z", 1_795_402_211),
        ("2026-11-23 02:50+01:30", 1_795_396_800), ("2026-11-23 02:50:11 UTC", 1_795_402_211),
    ])
    func `times are read to the microsecond`(text: String, seconds: Double) throws {
        let date = try #require(RestoreTarget.date(text))
        #expect(abs(date.timeIntervalSince1970 - seconds) < 0.000_001)
        let again = try #require(RestoreTarget.date(RestoreTarget.time(date).title))
        #expect(abs(again.timeIntervalSince1970 - seconds) < 0.000_001)
    }

    @Test(arguments: [
        "", "yesterday", "2026-13-01 00:00", "2026-02-30 00:00", "2026-11-23 25:00", "2026-11-23 02:50 PM",
    ])
    func `what is no time is refused`(text: String) {
        #expect(RestoreTarget.date(text) == nil)
    }

    @Test func `a commit that removed files is read`() throws {
        let line = """
            rmgr: Transaction len (rec/tot):    230/   230, tx:        735, lsn: 0/01529A38, prev 0/01529A00, desc: COMMIT \
            2026-11-23 03:00:11.123456 UTC; rels: base/5/16384 base/5/t3_16390; inval msgs: catcache 55 relcache 16384
            """
        let removal = try #require(LogCommits.removal(line))
        #expect(removal.transaction == 735 && removal.place == LSN("0/1529A38") && removal.files == ["base/5/16384"])
    }

    @Test(.timeLimit(.minutes(5)))
    func `a server that is no sandbox is restored from what is kept of it, also when it is gone`() async throws {
        try await withServer(ServerConfiguration(tcp: .anyPort, settings: ["wal_level": "replica"])) { server in
            try await withTemporarySandboxes { sandboxes in
                let backups = Backups(of: sandboxes)
                let place = server.connection()
                try await execute(place, "CREATE TABLE t AS SELECT 1 AS a")
                try await backups.keep(place, as: "main")
                await #expect(throws: PostgresError.self) { try await backups.keep(place, as: "main") }
                _ = try await backups.take(of: "main") { _, _ in }
                try await execute(place, "INSERT INTO t VALUES (2)")
                let first = try await Restore(of: .sandbox("main"), to: .latest, sandboxes).run(as: "one") { _ in }
                #expect(try await ask(try #require(first.sandbox.connection()), "SELECT count(*) FROM t") == "2")
                // One that fetches the log all the time, and is stopped.
                let receiver = Task { try await backups.receive("main") { _ in } }
                let kept = try #require(backups.kept("main"))
                try await eventually("the log is fetched") { try await kept.isReceiving() }
                try await execute(place, "DROP TABLE t")
                let found = try await LossSearch(in: .sandbox("main"), database: "postgres", table: "t", sandboxes).run
                { _ in }
                #expect(found.losses.map(\.rows) == [2])
                let report = try await BringBack(
                    from: .sandbox("main"),
                    database: "postgres",
                    try #require(found.losses.last),
                    sandboxes
                ).run(merges: false) { _ in }
                #expect(report.tables.map(\.now) == [2])
                receiver.cancel()
                await #expect(throws: CancellationError.self) { try await receiver.value }
                try await server.stop()
                let second = try await Restore(of: .sandbox("main"), to: .latest, sandboxes).run(as: "two") { _ in }
                #expect(try await ask(try #require(second.sandbox.connection()), "SELECT count(*) FROM t") == "2")
                let error = await #expect(throws: PostgresError.self) { try await backups.remove(of: "main") }
                #expect(error?.hint?.contains("--source-is-gone") == true)
                try await backups.remove(of: "main", sourceIsGone: true)
                #expect(!backups.areThere(of: "main"))
            }
        }
    }
}
