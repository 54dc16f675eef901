public import Postgres

/// A sequence and where it stands.
public struct Sequence: Sendable, Hashable {
    /// The sequence's name.
    public let name: QualifiedName
    /// Where it started.
    public let start: Int64
    /// What each step adds; may be negative.
    public let increment: Int64
    /// The least value.
    public let minimum: Int64
    /// The greatest value.
    public let maximum: Int64
    /// Whether it starts again at its end.
    public let isCycle: Bool
    /// The last value that was drawn; nil when none was.
    public let lastValue: Int64?
    /// The OID of the table that owns it.
    public let ownerTable: UInt32?
    /// The attribute number of the column that owns it.
    public let ownerColumn: Int?

    init(_ row: Row) throws(PostgresError) {
        name = QualifiedName(schema: try row("schema"), name: try row("name"))
        start = try row("start")
        increment = try row("increment")
        minimum = try row("minimum")
        maximum = try row("maximum")
        isCycle = try row("is_cycle")
        lastValue = try row.optional("last_value")
        ownerTable = try row.optional("owner_table")
        ownerColumn = try row.optional("owner_column")
    }

    /// How many values are left, as a share of all it can give; nil when it starts again.
    public var shareLeft: Double? {
        guard !isCycle else { return nil }
        let at = Double(lastValue ?? start)
        let span = Double(maximum) - Double(minimum)
        guard span > 0 else { return 0 }
        return (increment > 0 ? Double(maximum) - at : at - Double(minimum)) / span
    }

    /// How many values were drawn between two of them; nil when it started again in between, or was set back.
    public func steps(from first: Int64, to last: Int64) -> Int64? {
        let (distance, isOver) = last.subtractingReportingOverflow(first)
        guard !isOver, increment != 0, distance.signum() == increment.signum() else { return nil }
        return distance / increment
    }

    /// A value that is ahead of the last one by ten times `draws`, and a thousand at least; nil when it is at its end.
    ///
    /// Beyond a thousand it takes no more than the hundredth part of what is left, and never more than half.
    public func value(ahead draws: Int64) -> Int64? {
        let at = lastValue ?? start
        // Nearly the whole range of bigint is more than a difference can hold.
        let (distance, isOver) = (increment > 0 ? maximum : minimum).subtractingReportingOverflow(at)
        let left = (isOver ? Int64.max / 2 * increment.signum() : distance) / increment
        guard left > 1 else { return nil }
        let wanted = draws > left / 10 ? left : draws * 10
        return at + min(max(1000, min(wanted, left / 100)), left / 2) * increment
    }
}

extension Sequence {
    /// Reads where every sequence of a database stands.
    public static func readAll(_ connection: Connection) throws(PostgresError) -> [Sequence] {
        try connection.query(CatalogSQL.sequences).map { row throws(PostgresError) in try Sequence(row) }
    }
}
