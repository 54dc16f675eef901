public import Postgres

/// Plausible rows for tables that exist, made from what their catalog says.
///
/// Rows satisfy types, lengths, NOT NULL, unique keys, CHECKs, foreign keys, exclusion constraints and the bounds of
/// partitions. What a seed and the tables' contents decide is the same every time.
public enum GeneratedRows {
    /// What is wanted.
    public struct Wish: Sendable {
        /// How many rows.
        public var rows: Int
        /// What decides every choice.
        public var seed: UInt64
        /// How unevenly foreign keys are drawn: 0 is evenly, 1 is Zipf's law.
        public var skew = 0.0
        /// The days from which dates come, since 1970-01-01.
        public var days: ClosedRange<Int>
        /// Values for columns, by their names.
        public var values: [String: [String]] = [:]
        /// The share of NULL where it is allowed.
        public var nullShare = 0.05
        /// Whether fewer rows will do where no more of them can differ.
        public var takesFewer = false

        /// A wish for rows with dates of some days.
        public init(rows: Int, seed: UInt64, days: ClosedRange<Int>) {
            (self.rows, self.seed, self.days) = (rows, seed, days)
        }
    }

    /// The table of a name, which is written as in SQL; without a schema it is looked for in the search path.
    ///
    /// - Throws: when there is none, or it is a partition, a view or the like.
    public static func table(named name: String, at place: ConnectionString) async throws -> TableShape {
        let oid = try await withConnection(to: place, application: "martlet generate") { connection in
            try connection.query("SELECT to_regclass($1)::oid AS oid", name).first?.optional("oid", as: UInt32.self)
        }
        guard let oid else {
            throw PostgresError(
                "there is no table \"\(name)\" in \(place.place)",
                hint: "Write it as in SQL: schema.table, and in double quotes what has capital letters."
            )
        }
        let shapes = try await withNeutralConnection(to: place, application: "martlet generate") { connection in
            try TableShape.read([oid], on: connection)
        }
        guard let shape = shapes.first else { throw PostgresError("table \"\(name)\" has gone") }
        return shape
    }

    /// Makes rows and copies them into their table, in one transaction.
    ///
    /// Locks the table as `COPY` does (ROW EXCLUSIVE). `progress` gets how many rows were sent.
    ///
    /// - Returns: how many rows there are more.
    public static func copy(
        into table: TableShape,
        _ wish: Wish,
        at place: ConnectionString,
        progress: (Int) -> Void
    ) async throws -> Int {
        try await withPlan(table, wish, .text, at: place) { plan in
            try await withNeutralConnection(to: place, application: "martlet generate") { target in
                // Functions of triggers may name tables without their schemas.
                try target.execute("RESET search_path")
                let columns = SQL.joined(plan.columns.map { "\(Identifier($0.name))" as SQL })
                return try target.copyIn("COPY \(table.name) (\(columns)) FROM STDIN") { writer throws(PostgresError) in
                    try make(plan) { block, rows throws(PostgresError) in
                        try writer.write(block)
                        progress(rows)
                    }
                }
            }
        }
    }

    /// Makes rows and hands them over as CSV with a heading, in blocks; `place` is asked for keys and conditions.
    public static func csv(
        of table: TableShape,
        _ wish: Wish,
        at place: ConnectionString,
        _ body: ([UInt8], _ rows: Int) throws(PostgresError) -> Void
    ) async throws {
        try await withPlan(table, wish, .csv, at: place) { plan in
            var heading = RowBuffer(.csv)
            for column in plan.columns {
                let start = heading.count
                heading.append(Array(column.name.utf8))
                heading.protect(from: start)
                heading.endField()
            }
            heading.endRow()
            try body(heading.bytes, 0)
            try make(plan, body)
        }
    }

    /// The day of `YYYY-MM-DD`, counted from 1970-01-01; nil when it is none.
    public static func day(_ text: String) -> Int? { text.count == 10 ? Dates.day(of: text) : nil }

    private static func withPlan<Result>(
        _ table: TableShape,
        _ wish: Wish,
        _ format: RowBuffer.Format,
        at place: ConnectionString,
        _ body: (RowPlan) async throws -> Result
    ) async throws -> Result {
        try await withNeutralConnection(to: place, application: "martlet generate") { connection in
            let plan = try RowPlan(table, wish, format, on: connection)
            guard !plan.columns.isEmpty else {
                throw PostgresError(
                    "table \"\(table.name)\" has no column to fill",
                    detail: "The server computes all of them, or draws them from sequences."
                )
            }
            return try await body(plan)
        }
    }

    private static func make(
        _ plan: RowPlan,
        _ body: ([UInt8], _ rows: Int) throws(PostgresError) -> Void
    ) throws(PostgresError) {
        var (maker, buffer) = (RowMaker(plan), RowBuffer(plan.format))
        while maker.count < plan.rows {
            try maker.append(to: &buffer)
            if buffer.count >= 64 << 10 {
                try body(buffer.bytes, maker.count)
                buffer.removeAll()
            }
        }
        try body(buffer.bytes, maker.count)
    }
}
