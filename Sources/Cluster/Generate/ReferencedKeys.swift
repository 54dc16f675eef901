import Postgres

/// Keys of other tables, in memory as COPY writes them: at most half a million, beyond which they are a sample.
struct ReferencedKeys: ValueSet {
    private static let limit = 500_000

    private var bytes: [UInt8] = []
    private var ends: [Int] = []

    var count: UInt64 { UInt64(ends.count) }

    func append(_ number: UInt64, to buffer: inout RowBuffer) {
        let place = Int(number)
        buffer.append(bytes[(place == 0 ? 0 : ends[place - 1])..<ends[place]])
    }

    /// What is read, and in which form it is kept.
    struct Wish {
        let table: TableShape
        /// Foreign keys of the table that have a column in common, or a single one.
        let references: [TableShape.Reference]
        /// Whether no key may come that a row of the table has already.
        let mustDiffer: Bool
        let format: RowBuffer.Format
        let rows: Int
        let seed: UInt64

        /// The table's columns that get these keys, each once.
        var columns: [TableShape.Column] {
            var numbers: [Int] = []
            for number in references.flatMap(\.columns) where !numbers.contains(number) { numbers.append(number) }
            return numbers.compactMap { table.column($0) }
        }
    }

    /// The keys that the columns of foreign keys may hold together; none when another table is empty.
    ///
    /// Whole numbers without a gap are not read.
    static func read(_ wish: Wish, on connection: Connection) throws(PostgresError) -> any ValueSet {
        if !wish.mustDiffer, let numbers = try wholeNumbers(wish, on: connection) { return numbers }
        let form: SQL = wish.format == .csv ? "(FORMAT csv)" : "(FORMAT text)"
        var found = ReferencedKeys()
        _ = try connection.copyOut("COPY (\(try question(wish, on: connection))) TO STDOUT \(form)") {
            line throws(PostgresError) in
            // Without its line end.
            found.bytes.append(contentsOf: line.dropLast())
            found.ends.append(found.bytes.count)
        }
        return found
    }

    /// The keys of the first foreign key; to each of them one of the others that goes with it.
    private static func question(_ wish: Wish, on connection: Connection) throws(PostgresError) -> SQL {
        guard let first = wish.references.first else { return "SELECT" }
        let count: Int = try connection.query("SELECT count(*) AS count FROM \(first.table) AS r0").first?("count") ?? 0
        var sample: SQL = ""
        // To each of several keys together one of the other table's rows is looked for.
        let limit = wish.references.count > 1 ? 10_000 : limit
        if count > limit, !wish.mustDiffer {
            let percent: SQL = "\(limit * 100_000 / count) / 1000.0"
            sample = " TABLESAMPLE BERNOULLI (\(percent)) REPEATABLE (\(wish.seed % 1_000_000))"
        }
        // Where each column of the table gets its value.
        var places: [Int: SQL] = [:]
        var from: SQL = "\(first.table) AS r0\(sample)"
        for (number, reference) in wish.references.enumerated() {
            let keys = zip(reference.columns, reference.referencedNames).map { column, name -> (Int, SQL) in
                (column, "r\(number).\(Identifier(name))")
            }
            if number > 0 {
                let shared = keys.compactMap { column, key in places[column].map { "\(key) = \($0)" as SQL } }
                let order = SQL.joined(keys.map(\.1) + places.sorted { $0.key < $1.key }.map(\.value))
                from =
                    from + """
                         CROSS JOIN LATERAL (
                            SELECT * FROM \(reference.table) AS r\(number) WHERE \(.joined(["true"] + shared, separator: " AND "))
                             ORDER BY md5(concat_ws(',', \(order))) LIMIT 1) AS r\(number)
                        """
            }
            for (column, key) in keys where places[column] == nil { places[column] = key }
        }
        let columns = wish.columns
        let values = columns.compactMap { places[$0.number] }
        var conditions = values.map { "\($0) IS NOT NULL" as SQL }
        if wish.mustDiffer {
            let isSame = zip(columns, values).map { "t.\(Identifier($0.name)) = \($1)" as SQL }
            let same = SQL.joined(isSame, separator: " AND ")
            conditions.append("NOT EXISTS (SELECT FROM \(wish.table.name) AS t WHERE \(same))")
        }
        let rest = SQL.joined(conditions, separator: " AND ")
        // Of keys that no other row may have no more are needed than there will be rows.
        let end: SQL = wish.mustDiffer ? " LIMIT \(wish.rows)" : ""
        return "SELECT \(.joined(values)) FROM \(from) WHERE \(rest) ORDER BY \(.joined(values))\(end)"
    }

    /// Whole numbers that follow each other without a gap, of which nothing need be kept.
    private static func wholeNumbers(_ wish: Wish, on connection: Connection) throws(PostgresError) -> DecimalNumbers? {
        guard wish.references.count == 1, let reference = wish.references.first, wish.columns.count == 1,
            let name = reference.referencedNames.first, ["int2", "int4", "int8"].contains(wish.columns[0].type)
        else { return nil }
        let column = Identifier(name)
        let row = try connection.query(
            """
            SELECT min(r.\(column)) AS least, max(r.\(column)) AS greatest, count(r.\(column)) AS count
              FROM \(reference.table) AS r
            """
        ).first
        guard let least = try row?.optional("least", as: Int.self),
            let greatest = try row?.optional("greatest", as: Int.self),
            let count = try row?("count", as: Int.self),
            greatest.subtractingReportingOverflow(least) == (count - 1, false)
        else { return nil }
        return DecimalNumbers(from: least, through: greatest)
    }
}
