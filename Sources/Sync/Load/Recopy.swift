public import Catalog
public import Engine
public import Postgres

/// Copies again what is on the target already: some rows of a table, or all of them.
///
/// Works inside the caller's transactions: `from` sees one snapshot, and on `to` everything or nothing comes to stay.
public struct Recopy {
    private let from: Connection
    private let to: Connection
    private let throttle: Throttle

    /// Copies between two sessions that speak the same encoding, as fast as `throttle` lets it.
    public init(from: Connection, to: Connection, throttle: Throttle) {
        self.from = from
        self.to = to
        self.throttle = throttle
    }

    /// Replaces all rows of a table, without its children's; returns how many there are now.
    ///
    /// `isReferenced`: a foreign key points at the table, so that TRUNCATE, which takes ACCESS EXCLUSIVE, is not
    /// possible; its rows are deleted one by one then. `map` says what the table is on the target.
    public func all(of table: Table, map: TableMap? = nil, isReferenced: Bool) throws(PostgresError) -> Int {
        let load = LoadTable(table, map: map, totalBytes: 0, jobs: 1)
        let name = map?.target ?? table.name
        try to.execute(isReferenced ? "DELETE FROM ONLY \(name)" : "TRUNCATE ONLY \(name)")
        let copy = CopySQL(load: load, part: nil)
        let rows = try to.copyIn(copy.into(isFrozen: !isReferenced), from: from, copy.out) {
            _,
            bytes throws(PostgresError) in try throttle.pass(bytes)
        }
        guard rows == 0, try from.queryLast(TableFile.isOther(table.name)).first?("is_other") ?? true else {
            return rows
        }
        throw PostgresError(
            "table \"\(table.name)\" was rewritten on the server that is followed while it was copied again",
            detail: "The copy would have no rows.",
            hint: "Nothing was changed. Run the command again."
        )
    }

    /// Replaces the rows with these keys, each given as the text of the key's columns by their names.
    public func rows(of table: Table, keys: [[String: String]]) throws(PostgresError) -> Int {
        let known = Set(keys.flatMap(\.keys))
        let columns = table.storedColumns.filter { known.contains($0.name) }
        let only: SQL = table.kind == .partitioned ? "" : "ONLY "
        let tests = keys.map { key in
            SQL.joined(
                columns.map { column in
                    let value: SQL = "\(literal: key[column.name] ?? "")::\(SQL(trusting: column.declaredType))"
                    return "\(column.identifier) \(table.equality(of: column)) \(value)"
                },
                separator: " AND "
            )
        }
        let condition = SQL.joined(tests, separator: " OR ")
        let stored = SQL.joined(table.storedColumns.map { "\($0.identifier)" })
        try to.execute("DELETE FROM \(only)\(table.name) WHERE \(condition)")
        return try to.copyIn(
            "COPY \(table.name) (\(stored)) FROM STDIN",
            from: from,
            "COPY (SELECT \(stored) FROM \(only)\(table.name) WHERE \(condition)) TO STDOUT"
        ) { _, bytes throws(PostgresError) in try throttle.pass(bytes) }
    }
}
