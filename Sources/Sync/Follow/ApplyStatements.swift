import Postgres

/// How the stream writes values, and so how they are handed on to the target.
enum ValueFormat: Sendable {
    /// As the types' send functions write them: rows go out as one array of the table's row type.
    case binary
    /// As the types' output functions write them: columns go out as arrays of text and are cast.
    ///
    /// Needed when a type has no binary form, or one that means something else on another server.
    case text

    /// The OID of `text`, the same on every server.
    static let textType: UInt32 = 25
}

/// The SQL that applies changes to one table.
struct ApplySQL {
    let table: LaneTable
    let format: ValueFormat

    // MARK: Sets of rows

    /// `INSERT` of a set.
    var insertSet: SQL {
        let names = SQL.joined(table.places.map { "\(table[$0].name)" })
        let values = SQL.joined(table.places.map { value(ofSet: $0) })
        return """
            INSERT INTO \(table.name) (\(names)) OVERRIDING SYSTEM VALUE SELECT \(values) FROM \(set(table.places))
            """
    }

    /// `COPY` of a set in the binary format, which sets identity columns of any kind.
    var copySet: SQL {
        "COPY \(table.name) (\(SQL.joined(table.places.map { "\(table[$0].name)" }))) FROM STDIN (FORMAT binary)"
    }

    /// `UPDATE` of a set; `places` are the columns to set, never those of the key.
    func updateSet(setting places: [Int]) -> SQL {
        let assignments = SQL.joined(places.map { "\(table[$0].name) = \(value(ofSet: $0))" })
        return """
            UPDATE \(table.only)\(table.name) AS t SET \(assignments) \
            FROM \(set(places + table.keyPlaces)) WHERE \(keyMatchesSet)
            """
    }

    /// `DELETE` of a set of keys.
    var deleteSet: SQL {
        "DELETE FROM \(table.only)\(table.name) AS t USING \(set(table.keyPlaces)) WHERE \(keyMatchesSet)"
    }

    private func set(_ places: some Sequence<Int>) -> SQL {
        switch format {
        case .binary:
            return "unnest($1::\(table.name)[]) AS s"
        case .text:
            let places = Array(places)
            let arrays = SQL.joined(places.indices.map { "$\($0 + 1)::text[]" })
            let names = SQL.joined(places.map { "\(table[$0].name)" })
            return "unnest(\(arrays)) AS s (\(names))"
        }
    }

    private func value(ofSet place: Int) -> SQL {
        let column = table[place]
        return format == .binary ? "s.\(column.name)" : cast("s.\(column.name)", to: column)
    }

    /// A value of type `text`, read as the column's type reads its own output.
    ///
    /// The cast from `text` to `regclass` is a function of its own (`text_regclass` in PostgreSQL), which
    /// knows neither `-` nor the number that stands for a table which was dropped.
    private func cast(_ text: SQL, to column: LaneTable.Column) -> SQL {
        if let change = column.change { return change.value(ofText: text) }
        let regclass: UInt32 = 2205
        guard column.type == regclass else { return "\(text)::\(column.declaredType)" }
        return "pg_catalog.regclassin(pg_catalog.textout(\(text)))::\(column.declaredType)"
    }

    private var keyMatchesSet: SQL {
        .joined(
            table.keyPlaces.map { "t.\(table[$0].name) \(table[$0].equality) \(value(ofSet: $0))" },
            separator: " AND "
        )
    }

    // MARK: One row

    /// `INSERT` of one row; parameters are all columns.
    var insertRow: SQL {
        guard !table.places.isEmpty else { return "INSERT INTO \(table.name) DEFAULT VALUES" }
        let names = SQL.joined(table.places.map { "\(table[$0].name)" })
        let values = SQL.joined(table.places.enumerated().map { parameter($0 + 1, of: $1) })
        return "INSERT INTO \(table.name) (\(names)) OVERRIDING SYSTEM VALUE VALUES (\(values))"
    }

    /// `UPDATE` of one row; parameters are the columns at `places`, then those that name the row.
    func updateRow(setting places: [Int]) -> SQL {
        if table.updatesByReplacing { return replaceRow(setting: places) }
        let assignments = SQL.joined(
            places.enumerated().map { "\(table[$1].name) = \(parameter($0 + 1, of: $1))" }
        )
        return """
            UPDATE \(table.only)\(table.name) AS t SET \(assignments) WHERE \(isRow(firstParameter: places.count + 1))
            """
    }

    /// Deletes the row and inserts it anew, for columns that GENERATED ALWAYS keeps an UPDATE from setting.
    private func replaceRow(setting places: [Int]) -> SQL {
        let names = SQL.joined(table.places.map { "\(table[$0].name)" })
        let values = SQL.joined(
            table.places.map { place in
                guard let number = places.firstIndex(of: place) else { return "old.\(table[place].name)" }
                return parameter(number + 1, of: place)
            }
        )
        return """
            WITH old AS (DELETE FROM \(table.only)\(table.name) AS t \
            WHERE \(isRow(firstParameter: places.count + 1)) RETURNING t.*) \
            INSERT INTO \(table.name) (\(names)) OVERRIDING SYSTEM VALUE SELECT \(values) FROM old
            """
    }

    /// `DELETE` of one row; parameters are the columns that name it.
    var deleteRow: SQL {
        "DELETE FROM \(table.only)\(table.name) AS t WHERE \(isRow(firstParameter: 1))"
    }

    /// Places of the columns that name one row, in the order of their parameters.
    var namingPlaces: [Int] { table.keyPlaces.isEmpty ? table.places : table.keyPlaces }

    /// By its key; or, without one, the first of the rows that are the same in every column: duplicates keep their number.
    private func isRow(firstParameter: Int) -> SQL {
        let tests = namingPlaces.enumerated().map { number, place -> SQL in
            let column = table[place]
            // What was rounded when it was stored is found as it is stored.
            let stored: SQL = column.change == nil ? "" : "::\(column.declaredType)"
            let value: SQL = "\(parameter(firstParameter + number, of: place))\(stored)"
            if !table.keyPlaces.isEmpty { return "t.\(column.name) \(column.equality) \(value)" }
            let isEqual: SQL = "r.\(column.name) IS NOT DISTINCT FROM \(value)"
            if column.isExact { return isEqual }
            if column.comparesAsText {
                return """
                    r.\(column.name)::text COLLATE pg_catalog."C" IS NOT DISTINCT FROM (\(value))::text COLLATE pg_catalog."C"
                    """
            }
            // What is equal may still be another row: 30 days and 720 hours. A cast of bpchar to text would lose its blanks.
            return """
                \(isEqual) AND concat(r.\(column.name)) COLLATE pg_catalog."C" = concat(\(value)) COLLATE pg_catalog."C"
                """
        }
        // A table without columns: every row is equal to every other.
        let all: SQL = tests.isEmpty ? "true" : .joined(tests, separator: " AND ")
        guard table.keyPlaces.isEmpty else { return all }
        return """
            (t.tableoid, t.ctid) = (SELECT r.tableoid, r.ctid FROM \(table.only)\(table.name) AS r WHERE \(all) LIMIT 1)
            """
    }

    private func parameter(_ number: Int, of place: Int) -> SQL {
        format == .binary ? "$\(number)" : cast("$\(number)::text", to: table[place])
    }

    // MARK: All rows

    /// Empties the table.
    ///
    /// A table that a foreign key points at cannot be truncated by itself.
    var truncate: SQL {
        let delete: SQL = "DELETE FROM \(table.only)\(table.name)"
        guard !table.isReferenced else { return delete }
        // Whoever reads the table keeps TRUNCATE waiting, a comparison for as long as it takes. DELETE disturbs nobody.
        let block: SQL = """
            BEGIN PERFORM set_config('lock_timeout', '200ms', true); TRUNCATE \(table.only)\(table.name); \
            PERFORM set_config('lock_timeout', '30s', true); \
            EXCEPTION WHEN lock_not_available THEN \(delete); END
            """
        return "DO \(literal: block.text)"
    }
}

/// The statements that a lane has prepared for one table.
final class ApplyStatements {
    private enum Kind: Hashable {
        case insertSet, deleteSet, insertRow, deleteRow
        case updateSet([Int])
        case updateRow([Int])
    }

    let sql: ApplySQL
    private var prepared: [Kind: PreparedStatement] = [:]
    private var table: LaneTable { sql.table }

    init(table: LaneTable, format: ValueFormat) {
        sql = ApplySQL(table: table, format: format)
    }

    func insertSet(_ pipeline: Pipeline) throws(PostgresError) -> PreparedStatement {
        try statement(.insertSet, sql.insertSet, setOf: table.places, pipeline)
    }

    func updateSet(_ places: [Int], _ pipeline: Pipeline) throws(PostgresError) -> PreparedStatement {
        try statement(.updateSet(places), sql.updateSet(setting: places), setOf: places + table.keyPlaces, pipeline)
    }

    func deleteSet(_ pipeline: Pipeline) throws(PostgresError) -> PreparedStatement {
        try statement(.deleteSet, sql.deleteSet, setOf: table.keyPlaces, pipeline)
    }

    func insertRow(_ pipeline: Pipeline) throws(PostgresError) -> PreparedStatement {
        try statement(.insertRow, sql.insertRow, rowOf: table.places, pipeline)
    }

    func updateRow(_ places: [Int], _ pipeline: Pipeline) throws(PostgresError) -> PreparedStatement {
        try statement(.updateRow(places), sql.updateRow(setting: places), rowOf: places + sql.namingPlaces, pipeline)
    }

    func deleteRow(_ pipeline: Pipeline) throws(PostgresError) -> PreparedStatement {
        try statement(.deleteRow, sql.deleteRow, rowOf: sql.namingPlaces, pipeline)
    }

    /// Forgets what was prepared, after a rollback: a statement prepared in a failed pipeline may not exist.
    func forget() {
        prepared = [:]
    }

    private func statement(
        _ kind: Kind,
        _ text: @autoclosure () -> SQL,
        setOf places: @autoclosure () -> [Int],
        _ pipeline: Pipeline
    ) throws(PostgresError) -> PreparedStatement {
        if let known = prepared[kind] { return known }
        // The server infers the arrays' types from the casts.
        let count = sql.format == .binary ? 1 : places().count
        return try prepare(kind, text(), types: Array(repeating: 0, count: count), pipeline)
    }

    private func statement(
        _ kind: Kind,
        _ text: @autoclosure () -> SQL,
        rowOf places: @autoclosure () -> [Int],
        _ pipeline: Pipeline
    ) throws(PostgresError) -> PreparedStatement {
        if let known = prepared[kind] { return known }
        let types = places().map { sql.format == .binary ? table[$0].type : ValueFormat.textType }
        return try prepare(kind, text(), types: types, pipeline)
    }

    private func prepare(
        _ kind: Kind,
        _ text: SQL,
        types: [UInt32],
        _ pipeline: Pipeline
    ) throws(PostgresError) -> PreparedStatement {
        let new = try pipeline.prepare(text, types: types)
        prepared[kind] = new
        return new
    }
}
