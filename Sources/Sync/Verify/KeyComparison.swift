import Catalog
import Postgres

/// Compares the rows of one table that have certain keys.
///
/// The keys go to each side as parameters of one statement that is prepared once. Binary keys are
/// one array of the side's own row type, in which the other columns are null (see ``RowEncoder``);
/// keys as text are one array of text for each column.
struct KeyComparison: Sendable {
    /// One side's statements.
    private struct Reading: Sendable {
        let total: SQL
        let rows: SQL
        let layout: KeyLayout
    }

    static let chunk = 10_000

    private let source: Reading
    private let target: Reading
    private let key: [Identifier]
    private let sides: SideBySide

    /// - Returns: nil when the target's key is not a key of columns that both sides have: then only the whole tables can be compared.
    init?(_ pair: TablePair, hash: RowHash, format: ValueFormat, sides: SideBySide) {
        guard let source = pair.source, let target = pair.target, !target.key.isEmpty else { return nil }
        // The keys were taken down in the order of the target's key.
        let names = target.key.map(\.identifier)
        let columns = names.compactMap { name in pair.columns.first { $1.identifier == name } }
        guard columns.count == names.count else { return nil }
        let rows = pair.sourceRows
        let left = KeyLayout(
            of: source,
            key: columns.map { .init($0.source, as: rows == nil ? $0.target.identifier : TablePair.rawKey($0.target)) },
            format: format
        )
        let right = KeyLayout(
            of: target,
            key: columns.map {
                .init($0.target, as: $0.target.identifier, change: pair.map?.changes[$0.source.identifier])
            },
            format: format
        )
        func reading(_ table: Table, _ rows: SQL?, _ layout: KeyLayout) -> Reading {
            let reading = TableReading(table, rows: rows, hash: hash, key: names, joinedTo: layout.join)
            return Reading(total: reading.total, rows: reading.rows(inBuckets: nil, mask: 0), layout: layout)
        }
        self.source = reading(source, rows, left)
        self.target = reading(target, nil, right)
        self.sides = sides
        key = names
    }

    func compare(_ keys: [[UInt8]]) async throws -> (source: Int, target: Int, differences: Differences) {
        let totals = try await sides.both(
            source: Self.prepare(source.total, source),
            target: Self.prepare(target.total, target)
        )
        var result = (source: 0, target: 0, differences: Differences())
        for start in stride(from: 0, to: keys.count, by: Self.chunk) {
            let chunk = keys[start..<min(start + Self.chunk, keys.count)]
            let (left, right) = (source.layout, target.layout)
            let sums = try await sides.both(
                source: { try RowTotal(left.query($0, totals.source, chunk)[0]) },
                target: { try RowTotal(right.query($0, totals.target, chunk)[0]) }
            )
            result.source += sums.source.rows
            result.target += sums.target.rows
            if sums.source != sums.target { try await add(chunk, to: &result.differences) }
        }
        return result
    }

    private func add(_ keys: ArraySlice<[UInt8]>, to differences: inout Differences) async throws {
        let (left, right) = (source, target)
        let rows = try await sides.both(
            source: { try Self.lines($0, left, keys) },
            target: { try Self.lines($0, right, keys) }
        )
        differences.add(source: rows.source, target: rows.target, key: key)
    }

    private static func prepare(
        _ sql: SQL,
        _ reading: Reading
    ) -> @Sendable (Connection) throws -> PreparedStatement {
        { try $0.prepare(sql, types: Array(repeating: 0, count: reading.layout.parameterCount)) }
    }

    private static func lines(
        _ connection: Connection,
        _ reading: Reading,
        _ keys: ArraySlice<[UInt8]>
    ) throws -> RowLines {
        let statement = try prepare(reading.rows, reading)(connection)
        var lines = RowLines()
        for row in try reading.layout.query(connection, statement, keys) { try lines.add(row: row) }
        return lines
    }
}

/// How the keys of one table are sent to one side.
struct KeyLayout: Sendable {
    /// A column of the key.
    struct Part {
        let column: Column
        /// What it is called in `t`.
        let name: Identifier
        /// What was done to its values on the way to `t`.
        let change: ValueChange?

        init(_ column: Column, as name: Identifier, change: ValueChange? = nil) {
            (self.column, self.name, self.change) = (column, name, change)
        }

        func isValue(_ text: SQL, by equality: SQL) -> SQL {
            "t.\(name) \(equality) \(change?.value(ofText: text) ?? "\(text)::\(SQL(trusting: column.declaredType))")"
        }
    }

    /// What joins the table `t` to the keys.
    let join: SQL
    let parameterCount: Int
    private let format: ValueFormat
    private let rowType: UInt32
    /// The columns of the row type: the type's OID and the place in the key, or nil.
    private let row: [(type: UInt32, place: Int?)]

    init(of table: Table, key: [Part], format: ValueFormat) {
        self.format = format
        rowType = table.rowType
        row = table.columns.map { column in (column.type.oid, key.firstIndex { $0.column.number == column.number }) }
        switch format {
        case .binary:
            parameterCount = 1
            let tests = key.map { "t.\($0.name) \(table.equality(of: $0.column)) k.\($0.column.identifier)" as SQL }
            join = " JOIN unnest($1::\(table.name)[]) AS k ON \(.joined(tests, separator: " AND "))"
        case .text:
            parameterCount = key.count
            let arrays = SQL.joined(key.indices.map { "$\($0 + 1)::text[]" })
            let names = SQL.joined(key.map { "\($0.column.identifier)" })
            let tests = key.map { $0.isValue("k.\($0.column.identifier)", by: table.equality(of: $0.column)) }
            join = " JOIN unnest(\(arrays)) AS k (\(names)) ON \(.joined(tests, separator: " AND "))"
        }
    }

    /// Runs a statement with some keys as its parameters.
    func query(
        _ connection: Connection,
        _ statement: PreparedStatement,
        _ keys: ArraySlice<[UInt8]>
    ) throws(PostgresError) -> Rows {
        let output = Bytes()
        switch format {
        case .binary:
            writeRows(keys, output)
            return try connection.query(statement, binary: [output.view])
        case .text:
            var bounds = [0]
            for place in 0..<parameterCount {
                writeColumn(place, keys, output)
                bounds.append(output.count)
            }
            return try connection.query(
                statement,
                binary: zip(bounds, bounds.dropFirst()).map { output.view($0, $1 - $0) }
            )
        }
    }

    private func writeRows(_ keys: ArraySlice<[UInt8]>, _ output: Bytes) {
        Self.writeHeader(element: rowType, count: keys.count, output)
        for key in keys {
            let values = Self.values(of: key)
            let lengthAt = output.extend(by: 4)
            output.append(bigEndian: Int32(row.count))
            for (type, place) in row {
                output.append(bigEndian: type)
                Self.write(place.map { values[$0] }, of: key, output)
            }
            output.store(bigEndian: Int32(output.count - lengthAt - 4), at: lengthAt)
        }
    }

    private func writeColumn(_ place: Int, _ keys: ArraySlice<[UInt8]>, _ output: Bytes) {
        Self.writeHeader(element: ValueFormat.textType, count: keys.count, output)
        for key in keys { Self.write(Self.values(of: key)[place], of: key, output) }
    }

    private static func writeHeader(element: UInt32, count: Int, _ output: Bytes) {
        output.append(bigEndian: Int32(1))
        output.append(bigEndian: Int32(0))
        output.append(bigEndian: element)
        output.append(bigEndian: Int32(count))
        output.append(bigEndian: Int32(1))
    }

    private static func write(_ value: Range<Int>??, of key: [UInt8], _ output: Bytes) {
        guard let value, let value else { return output.append(bigEndian: Int32(-1)) }
        output.append(bigEndian: Int32(value.count))
        key.withUnsafeBytes { _ = output.append(UnsafeRawBufferPointer(rebasing: $0[value])) }
    }

    /// Where the values of a key lie in its bytes, as ``ChangeSet`` wrote them; nil is NULL.
    private static func values(of key: [UInt8]) -> [Range<Int>?] {
        key.withUnsafeBytes { bytes in
            var values: [Range<Int>?] = []
            var offset = 0
            while offset + 4 <= bytes.count {
                let length = Int(bytes.bigEndian(at: offset, as: Int32.self))
                offset += 4
                values.append(length < 0 ? nil : offset..<offset + length)
                offset += max(length, 0)
            }
            return values
        }
    }
}
