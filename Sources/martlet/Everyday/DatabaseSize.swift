import ArgumentParser
import Care
import Foundation
import Postgres
import Sync

/// `martlet db size`.
struct DatabaseSize: Command {
    static let configuration = CommandConfiguration(
        commandName: "size",
        abstract: "Show how large the database is, and its largest tables.",
        discussion: """
            Rows are those of the last ANALYZE, - where there was none; partitions are counted with their table.

            EXAMPLES
              martlet db size
              martlet db size prod --limit 5
              martlet db size --json | jq '.tables[0]'
            """
    )

    @OptionGroup var environment: EnvironmentOptions

    @Option(help: "How many tables to show.")
    var limit = 20

    @Flag(help: "Print as JSON, all tables, sizes in bytes.")
    var json = false

    var stopsQuietly: Bool { true }

    /// What `--json` prints; the keys are stable.
    private struct Document: Encodable {
        struct Table: Encodable {
            let name: String
            let parts: Int, rows: Int?, heap: Int, indexes: Int, toast: Int, total: Int
        }
        let database: String
        let bytes: Int
        let tables: [Table]
    }

    func run(output: Output) async throws -> ExitStatus {
        let environment = try environment.choose(output)
        let (database, bytes, tables) = try await withNeutralConnection(to: environment.connection()) { server in
            let row = try server.query(
                "SELECT current_database() AS name, pg_database_size(current_database()) AS bytes"
            ).first
            return (
                try row?("name", as: String.self) ?? "", try row?("bytes", as: Int.self) ?? 0,
                try TableSize.all(on: server)
            )
        }
        if json {
            let list = tables.map { table in
                Document.Table(
                    name: table.name.description,
                    parts: table.parts,
                    rows: table.rows,
                    heap: table.heap,
                    indexes: table.indexes,
                    toast: table.toast,
                    total: table.total
                )
            }
            try output.json(Document(database: database, bytes: bytes, tables: list))
            return .done
        }
        output.result("database \"\(database)\": \(Self.size(bytes))")
        var table = TextTable(["TABLE", "ROWS", "TOTAL", "ROWS' PAGES", "INDEXES", "TOAST"])
        for one in tables.prefix(max(0, limit)) {
            let name = one.name.description + (one.parts > 1 ? " (\(one.parts) partitions)" : "")
            table.add(
                [name, one.rows.map(Quantity.grouped) ?? "-"]
                    + [one.total, one.heap, one.indexes, one.toast].map(Self.size)
            )
        }
        if !tables.isEmpty { output.result(table.text) }
        if tables.count > limit { output.talk("\(tables.count - limit) more tables; --limit shows more") }
        return .done
    }

    private static func size(_ bytes: Int) -> String {
        bytes.formatted(.byteCount(style: .binary, spellsOutZero: false))
    }
}
