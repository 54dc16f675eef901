import Postgres

/// The sessions of one worker, one on each side.
struct SideBySide: Sendable {
    let source: ReaderSession
    let target: ReaderSession

    /// Asks both sides at the same time.
    func both<Result: Sendable>(
        source left: @escaping @Sendable (Connection) throws -> Result,
        target right: @escaping @Sendable (Connection) throws -> Result
    ) async throws -> (source: Result, target: Result) {
        async let source = source.run(left)
        async let target = target.run(right)
        return try await (source, target)
    }
}

/// How many rows there are, and the sum of their hashes as the server wrote it.
struct RowTotal: Sendable, Hashable {
    var rows: Int
    var sum: String

    init(_ row: Row, at place: Int = 0) throws(PostgresError) {
        guard let rows = row.text(place).flatMap({ Int($0) }), let sum = row.text(place + 1) else {
            throw PostgresError("could not read how many rows were compared")
        }
        (self.rows, self.sum) = (rows, sum)
    }
}

/// Compares all rows of one table.
///
/// 1. Each side scans the table once: the number of rows and the sum of their hashes. Equal: done.
/// 2. Each side scans it again and sums by bucket: the low bits of the key's hash, or of the row's
///    when there is no key. A row that was changed makes one bucket differ.
/// 3. Each side gives key and hash of the rows in the buckets that differ, a bounded number of rows
///    at a time; what they do not share are the differences.
///
/// Worked example: 1,000,000 rows are 1024 buckets of about 1000. One changed byte: one bucket
/// differs, 1000 keys are fetched from each side, one is listed.
struct TableComparison {
    let source: TableReading
    let target: TableReading
    let sides: SideBySide

    /// How many rows of a side are held in memory at once.
    static let rowLimit = 100_000
    /// How often a table is scanned for rows that differ; what is left then is not counted.
    static let scanLimit = 5

    func totals() async throws -> (source: RowTotal, target: RowTotal) {
        let (left, right) = (source.total, target.total)
        return try await sides.both(
            source: { try RowTotal($0.query(left)[0]) },
            target: { try RowTotal($0.query(right)[0]) }
        )
    }

    func differences(among rows: Int) async throws -> Differences {
        var differences = Differences()
        guard rows > Self.rowLimit else {
            try await add(buckets: nil, mask: 0, to: &differences)
            return differences
        }
        let mask = Self.mask(for: rows)
        var scans = 0
        for buckets in try await differingBuckets(mask: mask) {
            guard scans < Self.scanLimit else {
                differences.complete = false
                break
            }
            try await add(buckets: buckets, mask: mask, to: &differences)
            scans += 1
        }
        return differences
    }

    /// One less than the number of buckets, a power of two: about 1000 rows in each, 65536 at most.
    private static func mask(for rows: Int) -> Int {
        var buckets = 1
        while buckets < 65_536, buckets * 1000 < rows { buckets *= 2 }
        return buckets - 1
    }

    /// The buckets that differ, as many together as fit into memory.
    private func differingBuckets(mask: Int) async throws -> [[Int]] {
        let (left, right) = (source.buckets(mask: mask), target.buckets(mask: mask))
        let sums = try await sides.both(
            source: { try Self.totals(of: $0.query(left)) },
            target: { try Self.totals(of: $0.query(right)) }
        )
        let differing = Set(sums.source.keys).union(sums.target.keys).filter { sums.source[$0] != sums.target[$0] }
        var chunks: [[Int]] = []
        var fill = Self.rowLimit
        for bucket in differing.sorted() {
            let rows = max(sums.source[bucket]?.rows ?? 0, sums.target[bucket]?.rows ?? 0)
            if fill + rows > Self.rowLimit {
                chunks.append([])
                fill = 0
            }
            chunks[chunks.count - 1].append(bucket)
            fill += rows
        }
        return chunks
    }

    private static func totals(of rows: Rows) throws -> [Int: RowTotal] {
        var totals: [Int: RowTotal] = [:]
        for row in rows {
            guard let bucket = row.text(0).flatMap({ Int($0) }) else { continue }
            totals[bucket] = try RowTotal(row, at: 1)
        }
        return totals
    }

    private func add(buckets: [Int]?, mask: Int, to differences: inout Differences) async throws {
        let left = source.rows(inBuckets: buckets, mask: mask)
        let right = target.rows(inBuckets: buckets, mask: mask)
        let rows = try await sides.both(
            source: { try Self.lines(of: left, $0) },
            target: { try Self.lines(of: right, $0) }
        )
        differences.add(source: rows.source, target: rows.target, key: source.key)
    }

    private static func lines(of sql: SQL, _ connection: Connection) throws(PostgresError) -> RowLines {
        var lines = RowLines()
        _ = try connection.copyOut("COPY (\(sql)) TO STDOUT") { line throws(PostgresError) in
            try lines.add(line: line)
        }
        return lines
    }
}
