import Postgres

/// Fields that the server has looked at before they become part of a row, because something must be true of them that only it
/// can tell: a CHECK that is not understood here, or a key that the table must not have yet.
///
/// Rows of candidates go into a temporary table, five thousand at a time, and those that pass come back by their numbers.
final class CheckedRows {
    private static let batch = 5000

    let fields: [Field]
    private let table: TableShape
    private let conditions: [SQL]
    private let names: [String]
    private let place: QualifiedName
    private let numberName: Identifier
    private let connection: Connection
    private let seed: UInt64
    /// So many batches without a row that passes are enough.
    private let patience: Int
    private var numbers: SeededNumbers
    private var row: UInt64 = 0

    private var candidates: RowBuffer
    /// Where each field of each candidate ends, with the separator behind it.
    private var ends: [Int] = []
    /// Where each candidate begins.
    private var starts: [Int] = []
    private var passed: [Int] = []
    private var next = 0

    /// Makes the temporary table; `names` say for people what the conditions are.
    init(
        _ fields: [Field],
        of table: TableShape,
        _ conditions: [(name: String, condition: SQL)],
        number: Int,
        patience: Int,
        _ format: RowBuffer.Format,
        seed: UInt64,
        on connection: Connection
    ) throws(PostgresError) {
        self.fields = fields
        self.table = table
        self.conditions = conditions.map(\.condition)
        names = conditions.map(\.name)
        self.connection = connection
        (self.seed, self.patience) = (seed, patience)
        numbers = SeededNumbers(seed: seed)
        candidates = RowBuffer(format)
        place = QualifiedName(schema: "pg_temp", name: "martlet_candidates_\(number)")
        numberName = Identifier(table.freeName("martlet_number"))
        let columns = fields.flatMap(\.columns).map { column -> SQL in
            let collation: SQL = column.collation.map { " COLLATE \($0)" } ?? ""
            return "\(Identifier(column.name)) \(SQL(trusting: column.plainType))\(collation)"
        }
        try connection.execute("CREATE TEMP TABLE \(place) (\(.joined(columns + ["\(numberName) int"])))")
    }

    /// Removes the temporary table, which otherwise goes with the session.
    func remove() throws(PostgresError) { try connection.execute("DROP TABLE \(place)") }

    /// Goes on to the next candidate that has passed.
    func advance() throws(PostgresError) {
        next += 1
        guard next >= passed.count else { return }
        var tries = 0
        while tries < patience {
            try refill()
            if !passed.isEmpty { return next = 0 }
            tries += 1
        }
        throw PostgresError(
            "could not find rows for table \"\(table.name)\" that satisfy its conditions",
            detail: "None of the last \(Self.batch * patience) satisfied all of: \(names.joined(separator: ", ")).",
            hint: "Name values for its columns: --values '\(fields.first?.columns.first?.name ?? "column")=one,another'"
        )
    }

    /// Adds a field of the present candidate.
    func append(_ field: Int, to buffer: inout RowBuffer) {
        let place = passed[next] * fields.count + field
        // Its separator is the caller's.
        buffer.append(candidates.bytes[start(of: place)..<ends[place] - 1])
    }

    /// Whether all of the first `count` candidates pass; begins anew after it.
    func allPass(of count: Int) throws(PostgresError) -> Bool {
        try refill(count)
        defer {
            (row, passed, next) = (0, [], 0)
            numbers = SeededNumbers(seed: seed)
        }
        return passed.count == starts.count
    }

    /// The number of a candidate stands behind its last field.
    private func start(of place: Int) -> Int {
        place.isMultiple(of: fields.count) ? starts[place / fields.count] : ends[place - 1]
    }

    private func refill(_ count: Int = batch) throws(PostgresError) {
        candidates.removeAll()
        ends.removeAll(keepingCapacity: true)
        starts.removeAll(keepingCapacity: true)
        for candidate in 0..<count {
            if let field = add(candidate) {
                guard candidate > 0 else { throw exhausted(field) }
                break
            }
        }
        let form: SQL = candidates.format == .csv ? "(FORMAT csv)" : "(FORMAT text)"
        try connection.execute("TRUNCATE \(place)")
        _ = try connection.copyIn("COPY \(place) FROM STDIN \(form)") { writer throws(PostgresError) in
            try writer.write(candidates.bytes)
        }
        let all = SQL.joined(conditions.map { "(\($0)) IS NOT FALSE" }, separator: " AND ")
        passed = try connection.query("SELECT c.\(numberName) AS number FROM \(place) AS c WHERE \(all) ORDER BY 1")
            .map { row throws(PostgresError) in try row("number") }
    }

    /// Adds a candidate; returns the field that has no value left for it, if there is one.
    private func add(_ candidate: Int) -> Field? {
        let start = candidates.count
        for field in fields {
            guard field.append(row, to: &candidates, &numbers) else {
                candidates.cut(to: start)
                ends.removeLast(ends.count - starts.count * fields.count)
                return field
            }
            candidates.endField()
            ends.append(candidates.count)
        }
        starts.append(start)
        candidates.append(UInt64(candidate))
        candidates.endField()
        candidates.endRow()
        row += 1
        return nil
    }

    private func exhausted(_ field: Field) -> PostgresError {
        .noMoreValues(for: field, of: table, after: Int(clamping: row))
    }
}

extension PostgresError {
    static func noMoreValues(for field: Field, of table: TableShape, after rows: Int) -> PostgresError {
        let names = field.columns.map { "\"\($0.name)\"" }.joined(separator: ", ")
        return PostgresError(
            "table \"\(table.name)\" cannot take so many rows",
            detail: "After \(rows) rows there is no value left for \(names) that no other row has.",
            hint: "Make fewer rows, or more in the tables that it refers to."
        )
    }
}
