import ArgumentParser
import Foundation
import Move
import Postgres

/// `martlet resync`.
struct ResyncCommand: Command {
    static let configuration = CommandConfiguration(
        commandName: "resync",
        abstract: "Copy single tables again, while all others go on.",
        discussion: """
            Asks the martlet that runs the move. The tables stand still, are emptied and copied from a new snapshot in one \
            transaction, and catch up. For a few rows, martlet verify --repair is quicker.

            EXAMPLES
              martlet resync --target postgresql://app@new/shop --table public.orders
              martlet resync --target service=new --table 'audit.*'
            """
    )

    @OptionGroup var target: TargetOption

    @Option(
        help: ArgumentHelp(
            "A table to copy again: schema.table or table, with * and ?; may be repeated.",
            valueName: "pattern"
        )
    )
    var table: [String]

    @Flag(help: "Print what was copied as JSON.")
    var json = false

    func run(output: Output) async throws -> ExitStatus {
        let asker = Asker(target: try target.connection(), output: output)
        let migration = try await asker.migration()
        guard let report = try await asker.ask("resync", Ask.Resync(tables: table), as: Ask.Resynced.self) else {
            throw asker.nobodyRuns(migration)
        }
        if json {
            try output.json(report)
        } else {
            for table in report.tables {
                output.result(prose: "table \"\(table.qualifiedName)\": \(table.rows) rows copied, and caught up")
            }
        }
        return .done
    }

    func validate() throws {
        if table.isEmpty { throw ValidationError("Name at least one table with --table.") }
    }
}
