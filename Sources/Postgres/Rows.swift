private import CLibPQ

/// The rows of one result, held by libpq; reading a value copies only that value.
@safe public final class Rows {
    private let result: OpaquePointer

    /// How many rows there are.
    public let count: Int

    /// How many rows the statement inserted, updated, deleted, copied or selected.
    public let affected: Int

    /// The command's tag, such as `COMMIT` or `INSERT 0 1`.
    public let tag: String

    init(taking result: OpaquePointer) {
        unsafe self.result = result
        count = unsafe Int(PQntuples(result))
        tag = unsafe String(cString: PQcmdStatus(result))
        affected = unsafe Int(String(cString: PQcmdTuples(result))) ?? 0
    }

    deinit {
        unsafe PQclear(result)
    }

    /// The columns' names, in order.
    public var columns: [String] {
        (0..<(unsafe PQnfields(result))).map { unsafe String(cString: PQfname(result, $0)) }
    }

    fileprivate func text(row: Int, column: Int) -> String? {
        guard unsafe PQgetisnull(result, Int32(row), Int32(column)) == 0 else { return nil }
        return unsafe String(cString: PQgetvalue(result, Int32(row), Int32(column)))
    }

    fileprivate func index(of column: String) -> Int? {
        // PQfnumber folds unquoted names, so the name goes in quotes.
        let index = unsafe PQfnumber(result, Identifier(column).quoted)
        return index < 0 ? nil : Int(index)
    }

    fileprivate var columnCount: Int { unsafe Int(PQnfields(result)) }
}

extension Rows: RandomAccessCollection {
    /// The first row's index.
    public var startIndex: Int { 0 }
    /// The index past the last row.
    public var endIndex: Int { count }
    /// One row.
    public subscript(position: Int) -> Row {
        precondition((0..<count).contains(position), "no such row")
        return Row(rows: self, index: position)
    }
}

/// One row of a result.
public struct Row {
    fileprivate let rows: Rows
    fileprivate let index: Int

    /// How many columns it has.
    public var count: Int { rows.columnCount }

    /// The value of a column by its place, counted from 0, as the server wrote it; nil is NULL.
    public func text(_ column: Int) -> String? {
        rows.text(row: index, column: column)
    }

    /// The value of a column by its name.
    ///
    /// Throws when there is no such column, when it is NULL, or when it is not of that type: a
    /// fault of the query, never of the data.
    public func callAsFunction<Value: ColumnValue>(
        _ column: String,
        as type: Value.Type = Value.self
    ) throws(PostgresError) -> Value {
        guard let value = try optional(column, as: type) else {
            throw PostgresError("column \"\(column)\" of a result is null, but a value is needed")
        }
        return value
    }

    /// The value of a column by its name, or nil when it is NULL.
    public func optional<Value: ColumnValue>(
        _ column: String,
        as type: Value.Type = Value.self
    ) throws(PostgresError) -> Value? {
        guard let place = rows.index(of: column) else {
            throw PostgresError("a result has no column \"\(column)\"", detail: "It has \(rows.columns).")
        }
        guard let text = rows.text(row: index, column: place) else { return nil }
        guard let value = Value(columnText: text) else {
            throw PostgresError("could not read \"\(text)\" in column \"\(column)\" as \(Value.self)")
        }
        return value
    }
}
