public import Postgres

/// What an application does: the statements of its writers and its readers, and what makes the tables that they need.
public struct WorkloadProfile: Sendable {
    /// What it is called; the sessions' names begin with it.
    public let name: String
    /// What writers do.
    public let operations: [Workload.Operation]
    /// What readers do.
    public let readOperations: [Workload.Operation]
    private let setup: String?

    /// A profile whose tables are there.
    public init(name: String, operations: [Workload.Operation], readOperations: [Workload.Operation]) {
        (self.name, self.operations, self.readOperations, setup) = (name, operations, readOperations, nil)
    }

    private init(_ name: String, setup: [UInt8], operations: [UInt8]) {
        self.name = name
        self.setup = String(decoding: setup, as: UTF8.self)
        let all = Self.operations(in: String(decoding: operations, as: UTF8.self))
        self.operations = all.filter { !$0.reads }.map(\.operation)
        readOperations = all.filter(\.reads).map(\.operation)
    }

    /// A table of orders, an inserter, readers, a report.
    public static let orders = WorkloadProfile(
        "orders",
        setup: PackageResources.orders_setup_sql,
        operations: PackageResources.orders_operations_sql
    )

    /// What pgbench does by default, each transfer as one statement, and the balance of an account.
    public static let pgbench = WorkloadProfile(
        "pgbench",
        setup: PackageResources.pgbench_setup_sql,
        operations: PackageResources.pgbench_operations_sql
    )

    /// The demo shop, in a database that ``ShopDatabase/create(_:on:scale:)`` has made.
    public static func shop(of database: ConnectionString) async throws -> WorkloadProfile {
        WorkloadProfile(
            name: "shop",
            operations: try await ShopDatabase.operations(of: database),
            readOperations: ShopDatabase.reading
        )
    }

    /// Makes the tables and about so many rows, unless they are there; does nothing for a profile without tables of its own.
    ///
    /// - Throws: when there are other tables of these names.
    public func prepare(_ database: ConnectionString, rows: Int) async throws {
        guard let setup else { return }
        try await withConnection(to: database, application: "martlet workload") { connection in
            try prepare(SQL(trusting: setup.replacing(":rows", with: String(rows))), on: connection)
        }
    }

    private func prepare(_ setup: SQL, on connection: Connection) throws(PostgresError) {
        do throws(PostgresError) {
            try connection.execute(setup)
        } catch {
            guard ["42703", "42P07"].contains(error.sqlState) else { throw error }
            throw PostgresError(
                "profile \"\(name)\" needs a table that is here already, and is another one",
                detail: error.message,
                hint: "Work on another database, or write down statements for this one: --profile FILE"
            )
        }
    }

    /// Reads `-- name: insert_order, weight: 10, rows: 1` and the statement below it; `reads` makes it one of the readers'.
    private static func operations(in text: String) -> [(operation: Workload.Operation, reads: Bool)] {
        text.split(separator: "-- name: ").compactMap { part in
            guard let end = part.firstIndex(where: \.isNewline) else { return nil }
            let words = part[..<end].split(separator: ", ")
            func number(_ key: String) -> Int? {
                words.first { $0.hasPrefix(key + ": ") }.flatMap { Int($0.dropFirst(key.count + 2)) }
            }
            let operation = Workload.Operation(
                name: words.first.map(String.init) ?? "",
                weight: number("weight") ?? 1,
                statement: SQL(trusting: String(part[end...])),
                rows: number("rows")
            )
            return (operation, words.contains("reads"))
        }
    }
}
