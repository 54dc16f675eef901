public import Postgres

/// The tables of a database in an order in which each is filled after those that it refers to.
public struct FillingOrder: Sendable {
    /// A table with its place in the order.
    public struct Step: Sendable {
        /// The table.
        public let table: TableShape
        /// How many tables stand on the longest way that its foreign keys lead.
        public let depth: Int
    }

    /// The steps, in their order.
    public let steps: [Step]

    /// Reads the tables of an application's own in a database.
    ///
    /// Where tables refer to each other in a ring, one comes first whose reference may be NULL, and stays so.
    ///
    /// - Throws: when a ring has no such table.
    public static func read(at place: ConnectionString) async throws -> FillingOrder {
        try await withNeutralConnection(to: place, application: "martlet generate") { connection in
            try FillingOrder(TableShape.read(nil, on: connection))
        }
    }

    init(_ tables: [TableShape]) throws(PostgresError) {
        var (steps, depths, rest): ([Step], [UInt32: Int], [TableShape]) = ([], [:], tables)
        let all = Set(tables.map(\.oid))
        while !rest.isEmpty {
            // Tables that are none of these are there already.
            func blockers(_ table: TableShape) -> [TableShape.Reference] {
                table.references.filter {
                    $0.referenced != table.oid && all.contains($0.referenced) && depths[$0.referenced] == nil
                }
            }
            func mayWait(_ table: TableShape) -> Bool {
                blockers(table).allSatisfy { $0.columns.contains { table.column($0)?.isNotNull == false } }
            }
            guard let place = rest.firstIndex(where: { blockers($0).isEmpty }) ?? rest.firstIndex(where: mayWait) else {
                throw PostgresError(
                    "tables refer to each other in a ring",
                    detail:
                        "None of these can be filled first: \(rest.map { "\"\($0.name)\"" }.joined(separator: ", ")).",
                    hint: "Let a column of a foreign key among them be NULL."
                )
            }
            let table = rest.remove(at: place)
            let depth = table.references.compactMap { depths[$0.referenced] }.max().map { $0 + 1 } ?? 0
            depths[table.oid] = depth
            steps.append(Step(table: table, depth: depth))
        }
        self.steps = steps
    }
}
