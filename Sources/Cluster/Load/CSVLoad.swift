import Foundation
public import Postgres

/// Loads a CSV file into a table, and sets rows aside that the table does not take.
///
/// All of it is one transaction. Rows go in batches, each behind a savepoint. When the server refuses a batch and names the
/// line (the context of its error), what stands before that line is sent again by itself, the line is set aside, and what
/// stands behind it goes on; so the work is at most doubled. Where no line is named, as with foreign keys, which are
/// checked at the end, the batch is halved until the row is found.
public struct CSVLoad: Sendable {
    /// How the file is written, and what its columns are.
    public struct Form: Sendable {
        /// Between the fields.
        public var delimiter = UInt8(ascii: ",")
        /// Around a field.
        public var quote = UInt8(ascii: "\"")
        /// What stands for NULL, when it is not quoted.
        public var null = ""
        /// The encoding of the file, as the server calls it.
        public var encoding = "UTF8"
        /// The columns, when the first line does not name them.
        public var columns: [String]?
        /// Columns of the table by what the first line calls them.
        public var renamed: [String: String] = [:]
        /// Columns of the file that are left out.
        public var skipped: Set<String> = []

        /// Commas, double quotes, UTF8, a heading.
        public init() {}
    }

    /// A row that was set aside.
    public struct Rejected: Sendable {
        /// Its first line in the file.
        public let line: Int
        /// As it stands there.
        public let bytes: [UInt8]
        /// Why the table does not take it.
        public let error: PostgresError
    }

    /// How far it is.
    public struct Progress: Sendable {
        /// Rows that the table has taken.
        public internal(set) var rows = 0
        /// Rows that were set aside.
        public internal(set) var rejected = 0
        /// Bytes of the file that were read.
        public internal(set) var bytes = 0
    }

    private static let batchRows = 5000
    private static let batchBytes = 4 << 20

    private let path: String
    private let table: TableShape
    private let form: Form
    private let limit: Int

    /// A load of the file at `path`, `-` for the standard input; more than `limit` rows that are refused end it.
    public init(path: String, into table: TableShape, _ form: Form, limit: Int) {
        (self.path, self.table, self.form, self.limit) = (path, table, form, limit)
    }

    /// Loads it.
    ///
    /// Locks the table as `COPY` does (ROW EXCLUSIVE) until the end.
    ///
    /// - Throws: when more rows than the limit are refused, which undoes all of it, or what else fails.
    public func run(
        at place: ConnectionString,
        progress: (Progress) -> Void,
        reject: (Rejected) throws -> Void
    ) async throws -> Progress {
        var records = try CSVRecords(path: path, quote: form.quote)
        let columns = try columns(&records)
        // In a file of one column a line without anything is a NULL.
        records.keepsEmptyLines = columns.count == 1
        return try await withNeutralConnection(to: place, application: "martlet load") { connection in
            // Times without a zone mean what they mean to others here, and functions of triggers name tables without schemas.
            try connection.execute("RESET search_path; RESET timezone; RESET default_transaction_read_only")
            return try await connection.transaction {
                var done = Progress()
                var isAtEnd = false
                while !isAtEnd {
                    var (batch, bytes): ([CSVRecords.Record], Int) = ([], 0)
                    while batch.count < Self.batchRows, bytes < Self.batchBytes {
                        guard let record = try records.next() else {
                            isAtEnd = true
                            break
                        }
                        batch.append(record)
                        bytes += record.bytes.count
                    }
                    let (rows, rejected) = try load(batch, columns, atMost: limit - done.rejected, on: connection)
                    done.rows += rows
                    for row in rejected {
                        done.rejected += 1
                        try reject(row)
                        guard done.rejected <= limit else { throw tooMany(row) }
                    }
                    done.bytes = records.bytesRead
                    progress(done)
                }
                return done
            }
        }
    }

    private func tooMany(_ last: Rejected) -> PostgresError {
        let what = limit == 0 ? "a row" : "more than \(limit) rows"
        return PostgresError(
            "table \"\(table.name)\" does not take \(what) of file \"\(path)\"",
            detail: "Line \(last.line): \(last.error.message)",
            hint: "Nothing was loaded: all of it is rolled back."
        )
    }

    // MARK: Columns

    /// A column of the table with its place in the file.
    private struct Mapped {
        let column: TableShape.Column
        let place: Int
    }

    private struct Columns {
        let mapped: [Mapped]
        /// How many fields a record has.
        let count: Int
        /// Whether fields of the file are left out.
        var isPartial: Bool { mapped.count < count }
    }

    private func columns(_ records: inout CSVRecords) throws(PostgresError) -> Columns {
        var names = form.columns
        if names == nil {
            names = try records.next()?.texts(delimiter: form.delimiter, quote: form.quote)
        }
        guard let names else {
            throw PostgresError("file \"\(path)\" is empty", detail: "Its first line should name the columns.")
        }
        var (mapped, unknown): ([Mapped], [String]) = ([], [])
        for (place, name) in names.enumerated() where !form.skipped.contains(name) {
            guard let column = column(named: form.renamed[name] ?? name) else {
                unknown.append(name)
                continue
            }
            mapped.append(Mapped(column: column, place: place))
        }
        guard unknown.isEmpty else {
            throw PostgresError(
                "table \"\(table.name)\" has no column \"\(unknown[0])\"",
                detail:
                    "File \"\(path)\" has it, and the table has: \(table.columns.map(\.name).joined(separator: ", ")).",
                hint: "Say what it is with --map '\(unknown[0])=column', or leave it out with --skip '\(unknown[0])'."
            )
        }
        let doubled = Dictionary(grouping: mapped, by: \.column.number).values.first { $0.count > 1 }
        if let doubled = doubled?.first {
            throw PostgresError("file \"\(path)\" has column \"\(doubled.column.name)\" twice")
        }
        return Columns(mapped: mapped, count: names.count)
    }

    /// The column of exactly this name, or else of one that differs in capitals, spaces and hyphens.
    private func column(named name: String) -> TableShape.Column? {
        func plain(_ name: String) -> String {
            name.trimmingCharacters(in: .whitespaces).lowercased().replacing(" ", with: "_").replacing("-", with: "_")
        }
        return table.columns.first { $0.name.utf8.elementsEqual(name.utf8) }
            ?? table.columns.first { plain($0.name) == plain(name) }
    }

    // MARK: Rows

    /// Copies a batch; returns how many rows the table has taken, and those that were refused, until there are more than `limit`.
    private func load(
        _ batch: [CSVRecords.Record],
        _ columns: Columns,
        atMost limit: Int,
        on connection: Connection
    ) throws(PostgresError) -> (rows: Int, rejected: [Rejected]) {
        var (rejected, whole) = sorted(batch, columns)
        var (rest, rows) = ([whole[...]], 0)
        whole = []
        while let part = rest.popLast(), rejected.count <= limit {
            guard let first = part.first else { continue }
            let error: PostgresError
            switch try copy(part, columns, on: connection) {
            case .taken(let count):
                rows += count
                continue
            case .refused(let reason): error = reason
            }
            if part.count == 1 {
                rejected.append(Rejected(line: first.line, bytes: first.bytes, error: error))
                continue
            }
            if let place = place(in: error, part), part.indices.contains(part.startIndex + place) {
                let bad = part.startIndex + place
                rejected.append(Rejected(line: part[bad].line, bytes: part[bad].bytes, error: error))
                rest.append(part[(bad + 1)...])
                rest.append(part[..<bad])
            } else {
                let middle = part.startIndex + part.count / 2
                rest.append(part[middle...])
                rest.append(part[..<middle])
            }
        }
        return (rows, rejected)
    }

    /// Sorts out records that have too few or too many fields; where all fields are taken the server does that.
    private func sorted(_ batch: [CSVRecords.Record], _ columns: Columns) -> ([Rejected], [CSVRecords.Record]) {
        guard columns.isPartial else { return ([], batch) }
        var (rejected, whole): ([Rejected], [CSVRecords.Record]) = ([], [])
        for record in batch {
            let count = record.fields(delimiter: form.delimiter, quote: form.quote).count
            guard count != columns.count else {
                whole.append(record)
                continue
            }
            let error = PostgresError(
                "the record has \(count) fields, and should have \(columns.count)",
                sqlState: "22P04"
            )
            rejected.append(Rejected(line: record.line, bytes: record.bytes, error: error))
        }
        return (rejected, whole)
    }

    /// The row that an error is about, counted from 0: `COPY users, line 17, column email`.
    ///
    /// The server counts lines, also those within quotes: where a record has several, nobody knows.
    private func place(in error: PostgresError, _ part: ArraySlice<CSVRecords.Record>) -> Int? {
        let start = "COPY \(table.name.name), line "
        guard !part.contains(where: { $0.bytes.contains { $0 == 10 || $0 == 13 } }), let context = error.context,
            let line = context.split(separator: "\n").first(where: { $0.hasPrefix(start) })
        else { return nil }
        return Int(line.dropFirst(start.count).prefix(while: \.isNumber)).map { $0 - 1 }
    }

    /// What became of rows.
    private enum Copied {
        /// The table has taken so many; a trigger may keep some out.
        case taken(Int)
        case refused(PostgresError)
    }

    /// Copies rows behind a savepoint; what the data are guilty of is returned, what else fails is thrown.
    private func copy(
        _ part: ArraySlice<CSVRecords.Record>,
        _ columns: Columns,
        on connection: Connection
    ) throws(PostgresError) -> Copied {
        try connection.execute("SAVEPOINT batch")
        let names = SQL.joined(columns.mapped.map { "\(Identifier($0.column.name))" as SQL })
        let options: SQL = """
            FORMAT csv, DELIMITER \(literal: Self.text(form.delimiter)), QUOTE \(literal: Self.text(form.quote)), \
            NULL \(literal: form.null), ENCODING \(literal: form.encoding)
            """
        do throws(PostgresError) {
            let count = try connection.copyIn("COPY \(table.name) (\(names)) FROM STDIN (\(options))") {
                writer throws(PostgresError) in
                for record in part {
                    try writer.write(line(record, columns))
                }
            }
            try connection.execute("RELEASE SAVEPOINT batch")
            return .taken(count)
        } catch {
            // Classes 22 and 23: data exceptions and violated constraints; P0001 is what triggers raise.
            guard let state = error.sqlState, state.hasPrefix("22") || state.hasPrefix("23") || state == "P0001" else {
                throw error
            }
            try connection.execute("ROLLBACK TO SAVEPOINT batch; RELEASE SAVEPOINT batch")
            return .refused(error)
        }
    }

    /// A record as a line for COPY, of the columns that are taken.
    private func line(_ record: CSVRecords.Record, _ columns: Columns) -> [UInt8] {
        var line: [UInt8] = []
        if columns.isPartial {
            let fields = record.fields(delimiter: form.delimiter, quote: form.quote)
            for (number, mapped) in columns.mapped.enumerated() {
                if number > 0 { line.append(form.delimiter) }
                line += fields[mapped.place]
            }
        } else {
            line = record.bytes
        }
        // Before version 18 this alone on a line ended the data.
        if line.elementsEqual(#"\."#.utf8) { line = [form.quote] + line + [form.quote] }
        line.append(UInt8(ascii: "\n"))
        return line
    }

    private static func text(_ byte: UInt8) -> String { String(UnicodeScalar(byte)) }
}
