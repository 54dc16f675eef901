import ArgumentParser
import Catalog
import Cluster
import Foundation
import Postgres
import Sync
import Synchronization

/// `martlet restore find-drop`.
struct RestoreFindDrop: Command {
    static let configuration = CommandConfiguration(
        commandName: "find-drop",
        abstract: "Find when a table was dropped or emptied.",
        discussion: """
            The log since the newest backup that knows the table is read, and a server is restored beside, read-only, to \
            look at the table before and behind each transaction that may have been the one. The server that runs is \
            not touched. A DELETE of all rows is not found: it leaves the table's file where it is. It looks behind older \
            backups until the table is the same in two of them.

            EXAMPLES
              martlet restore find-drop orders --from shop
              martlet restore find-drop sales.orders --from shop --database app --json
              martlet restore find-drop orders --from main --kept-by pgbackrest
            """
    )

    @Argument(help: "Table, as SQL writes it.")
    var table: String

    @Option(help: ArgumentHelp("The sandbox that it was in, or the stanza or server of --kept-by.", valueName: "name"))
    var from: String

    @OptionGroup var keeper: KeeperOptions

    @Option(help: "The database that it was in.")
    var database = "postgres"

    @OptionGroup var lookBack: LookBackOption

    @Flag(help: "Print as JSON.")
    var json = false

    /// What `--json` prints; the keys are stable.
    private struct Document: Encodable {
        let kind: TableLoss.Kind
        let at: Date
        let lsn: String
        let transaction: UInt64
        let rows: Int
    }

    func run(output: Output) async throws -> ExitStatus {
        let looking = Mutex("")
        let began = ContinuousClock.now
        let search = LossSearch(
            in: keeper.backups(of: from),
            database: database,
            table: table,
            lookingBackTo: try lookBack.date()
        )
        let report = try await LiveView(output: output).show({
            { _ in
                ["looking at \(looking.withLock { $0 }), \(Painter.duration(began.duration(to: .now) / .seconds(1)))"]
            }
        }) {
            try await search.run { text in looking.withLock { $0 = text } }
        }
        for gap in report.gaps { output.talk(prose: "\(output.styled("warning:", .yellow)) \(gap)") }
        if json {
            try output.json(
                report.losses.map { loss in
                    Document(
                        kind: loss.kind,
                        at: loss.at,
                        lsn: "\(loss.place)",
                        transaction: loss.transaction,
                        rows: loss.rows
                    )
                }
            )
            return .done
        }
        guard !report.losses.isEmpty else {
            output.result(report.nothing(of: table))
            return .done
        }
        for loss in report.losses {
            let rows = Quantity.of(loss.rows, "row")
            output.result(
                "\(RestoreTarget.time(loss.at).title)  transaction \(loss.transaction), \(loss.place): \(loss.kind.rawValue), it had \(rows)"
            )
            for note in try await notes(of: loss) ?? [] {
                output.result(prose: RestoreRecorder.line(note), indent: "  ")
            }
        }
        return .done
    }
}

extension LossReport {
    /// That nothing was found, and where.
    fileprivate func nothing(of table: String, by transaction: UInt64? = nil) -> String {
        let who = transaction.map { " by transaction \($0)" } ?? ""
        let end = until.map { " to \(RestoreTarget.time($0).title), where the log that is kept ends" } ?? ""
        return
            "table \"\(table)\" was neither dropped nor emptied\(who) from \(RestoreTarget.time(since).title)\(end)"
    }
}

extension RestoreFindDrop {
    /// Who it was, when the recorder was on; a server that is gone, or that only a backup program knows, tells nobody.
    private func notes(of loss: TableLoss) async throws -> [DropRecorder.Note]? {
        guard keeper.keptBy == .martlet else { return nil }
        do {
            let recorder = try await DropRecorder(of: from, database: database)
            return try await recorder.notes(of: loss.transaction).map { $0.filter { $0.kind.hasSuffix("table") } }
        } catch is PostgresError {
            return nil
        }
    }
}

/// `martlet restore recorder`.
struct RestoreRecorder: Command {
    static let configuration = CommandConfiguration(
        commandName: "recorder",
        abstract: "Note who drops tables, views and schemas of a database.",
        discussion: """
            An event trigger takes a note in the transaction of the drop: when, who, from where, by which statement. It \
            lives in schema martlet_recorder, which only superusers may read. find-drop then names who it was. A TRUNCATE \
            leaves no note.

            EXAMPLES
              martlet restore recorder on --from shop --database app
              martlet restore recorder show --from shop --database app
              martlet restore recorder off --from shop --database app
            """
    )

    /// What to do with it.
    enum Action: String, ExpressibleByArgument, CaseIterable {
        case on, off, show
    }

    @Argument(help: ArgumentHelp("Switch it on, off with all its notes, or show the notes.", valueName: "on|off|show"))
    var action: Action

    @Option(help: ArgumentHelp("The sandbox, or the name of a server's backups.", valueName: "name"))
    var from: String

    @Option(help: "The database.")
    var database = "postgres"

    func run(output: Output) async throws -> ExitStatus {
        let recorder = try await DropRecorder(of: from, database: database)
        switch action {
        case .on, .off:
            let isChanged = try await recorder.set(action == .on)
            output.result(
                "the recorder of database \"\(database)\" is \(isChanged ? "" : "already ")\(action.rawValue)"
            )
        case .show:
            guard let notes = try await recorder.notes() else {
                throw PostgresError(
                    "the recorder of database \"\(database)\" is off",
                    hint: "Switch it on: martlet restore recorder on --from \(from) --database \(ShellWord(database))"
                )
            }
            for note in notes { output.result(prose: Self.line(note)) }
            if notes.isEmpty { output.result("nothing was dropped since it is on") }
        }
        return .done
    }

    static func line(_ note: DropRecorder.Note) -> String {
        let application = note.application.isEmpty ? "" : " (\(note.application))"
        return
            "\(RestoreTarget.time(note.at).title)  transaction \(note.transaction): \(note.kind) \(note.name) by role \(note.role)\(application) from "
            + "\(note.client ?? "this machine"): \(Layout.plain(note.statement))"
    }
}

/// `martlet restore bring-back`.
struct RestoreBringBack: Command {
    static let configuration = CommandConfiguration(
        commandName: "bring-back",
        abstract: "Bring a dropped or emptied table back, with all that went with it.",
        discussion: """
            A server is restored beside as it was right before the last loss; rows, indexes, constraints, sequences, \
            privileges, comments, and what CASCADE took (views, foreign keys, policies) come from it, and it is removed. \
            Foreign keys are added NOT VALID and then validated. With --merge rows go into a table of this name that is \
            there already; those whose keys it has stay away.

            EXAMPLES
              martlet restore bring-back orders --from shop
              martlet restore bring-back orders --from shop --database app --merge
              martlet restore bring-back orders --from main --kept-by pgbackrest \\
                  --server "$PROD" --database app
            """
    )

    @Argument(help: "Table, as SQL writes it.")
    var table: String

    @Option(help: ArgumentHelp("The sandbox that it was in, or the stanza or server of --kept-by.", valueName: "name"))
    var from: String

    @OptionGroup var keeper: KeeperOptions

    @Option(
        help: ArgumentHelp("Where that server runs, where --kept-by is a backup program.", valueName: "connection")
    )
    var server: String?

    @Option(help: "The database that it was in.")
    var database = "postgres"

    @OptionGroup var lookBack: LookBackOption

    @Flag(help: "Put the rows into the table of this name that is there.")
    var merge = false

    @Option(
        help: ArgumentHelp("The transaction that took it, as find-drop shows it (default: the last).", valueName: "xid")
    )
    var transaction: UInt64?

    func validate() throws {
        guard (keeper.keptBy == .martlet) == (server == nil) else {
            throw ValidationError(
                "--server says where the server runs that a backup program knows; give it with --kept-by, and only then."
            )
        }
    }

    func run(output: Output) async throws -> ExitStatus {
        let place = try server.map { try Environment.connection($0, or: "", option: "--server") }
        let backups = keeper.backups(of: from)
        let doing = Mutex("")
        let began = ContinuousClock.now
        let report = try await LiveView(output: output).show({
            { _ in ["\(doing.withLock { $0 }), \(Painter.duration(began.duration(to: .now) / .seconds(1)))"] }
        }) {
            let tell: @Sendable (String) -> Void = { text in doing.withLock { $0 = text } }
            tell("looking at the server")
            try await BringBack.target(backups, place, database: database)
            let search = LossSearch(
                in: backups,
                database: database,
                table: table,
                lookingBackTo: try lookBack.date()
            )
            let found = try await search.run { tell("looking at \($0)") }
            for gap in found.gaps { output.talk(prose: "\(output.styled("warning:", .yellow)) \(gap)") }
            let loss = try choose(found)
            output.talk(
                "\(loss.kind.rawValue) at \(RestoreTarget.time(loss.at).title) by transaction \(loss.transaction)"
            )
            return try await BringBack(from: backups, to: place, database: database, loss).run(
                merges: merge,
                progress: tell
            )
        }
        return tell(report, output)
    }

    private func choose(_ report: LossReport) throws -> TableLoss {
        let losses = report.losses
        let meant = transaction.map { number in losses.filter { $0.transaction == number } } ?? losses
        guard let loss = meant.last else {
            throw PostgresError(
                report.nothing(of: table, by: transaction),
                hint: (keeper.keptBy == .martlet
                    ? "" : "What is not archived yet is not seen: SELECT pg_switch_wal(). ")
                    + "A DELETE of all rows is not found; restore a server to the moment before it: martlet restore server"
            )
        }
        guard transaction == nil, loss.rows == 0, losses.contains(where: { $0.rows > 0 }) else { return loss }
        throw PostgresError(
            "table \"\(table)\" was lost more than once, and was empty the last time",
            detail: losses.map { "transaction \($0.transaction): \(Quantity.of($0.rows, "row"))" }.joined(
                separator: "\n"
            ),
            hint: "Choose one: --transaction XID"
        )
    }

    private func tell(_ report: BringBack.Report, _ output: Output) -> ExitStatus {
        for object in report.objects { output.result("made again: \(object)") }
        if let merged = report.merged { output.result("merged: \(Quantity.of(merged, "row"))") }
        for table in report.tables {
            output.result(
                "\(table.name): \(Quantity.of(table.before, "row")) before the loss, \(Quantity.grouped(table.now)) now"
            )
        }
        for problem in report.problems { output.result(prose: "not made: \(problem)", indent: "  ") }
        // Rows that were there, or come meanwhile, make it more.
        return report.tables.allSatisfy { $0.now >= $0.before } && report.problems.isEmpty ? .done : .foundProblems
    }
}
