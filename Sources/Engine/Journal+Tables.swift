public import Postgres

extension Journal {
    /// How far the load of one table is.
    public struct TableLoad: Sendable, Hashable {
        /// The steps of a table's load, in their order.
        public enum State: String, Sendable, Hashable, Codable {
            /// Nothing is done.
            case waiting
            /// Rows are being copied.
            case loading
            /// All rows are copied.
            case loaded
            /// Indexes and the constraints on them are built.
            case ready
        }

        /// The table.
        public let table: QualifiedName
        /// Its OID on the source.
        public let sourceOID: UInt32
        /// The OID on the source of the table that the stream names: the root of its partitions, or itself.
        public let unit: UInt32
        /// The lane that applies its changes.
        public let lane: Int
        /// Its size on the source in bytes when the move was planned.
        public let bytes: Int
        /// How far it is.
        public var state: State
        /// The position of the snapshot it was copied from; changes that committed before are in the copy.
        public var watermark: LSN?
        /// Whether a TRUNCATE in the transaction at the watermark made void what came before it.
        public var isTruncated = false
        /// Whether the table had another file on the source when rows of it were copied than its snapshot knows.
        public var isRewritten = false
        /// Rows copied.
        public var rowsDone: Int
        /// Bytes copied, as they went over the wire.
        public var bytesDone: Int

        /// Describes a table whose load has not begun.
        public init(table: QualifiedName, sourceOID: UInt32, unit: UInt32, lane: Int, bytes: Int) {
            self.table = table
            self.sourceOID = sourceOID
            self.unit = unit
            self.lane = lane
            self.bytes = bytes
            state = .waiting
            watermark = nil
            rowsDone = 0
            bytesDone = 0
        }
    }

    /// Writes down the tables that are to be moved.
    public static func plan(_ loads: [TableLoad], on connection: Connection) throws(PostgresError) {
        try connection.query(
            """
            INSERT INTO martlet.table_load (schema, name, source_oid, unit, lane, bytes)
            SELECT * FROM unnest($1::text[], $2::text[], $3::oid[], $4::oid[], $5::int[], $6::bigint[])
            ON CONFLICT DO NOTHING
            """,
            loads.map(\.table.schema),
            loads.map(\.table.name),
            loads.map(\.sourceOID),
            loads.map(\.unit),
            loads.map(\.lane),
            loads.map(\.bytes)
        )
    }

    /// How far every table is.
    public static func loads(on connection: Connection) throws(PostgresError) -> [TableLoad] {
        let rows = try connection.query(
            """
            SELECT schema, name, source_oid, unit, lane, bytes, state, watermark, is_truncated, is_rewritten, rows_done,
                   bytes_done
              FROM martlet.table_load ORDER BY schema, name
            """
        )
        return try rows.map { row throws(PostgresError) in
            var load = TableLoad(
                table: QualifiedName(schema: try row("schema"), name: try row("name")),
                sourceOID: try row("source_oid"),
                unit: try row("unit"),
                lane: try row("lane"),
                bytes: try row("bytes")
            )
            load.state = TableLoad.State(rawValue: try row("state")) ?? .waiting
            load.watermark = try row.optional("watermark")
            load.isTruncated = try row("is_truncated")
            load.isRewritten = try row("is_rewritten")
            load.rowsDone = try row("rows_done")
            load.bytesDone = try row("bytes_done")
            return load
        }
    }

    /// Notes that the load of a table begins, from a snapshot at `watermark`; what was loaded before does not count.
    public static func begin(
        _ table: QualifiedName,
        watermark: LSN?,
        on connection: Connection
    ) throws(PostgresError) {
        try connection.query(
            """
            UPDATE martlet.table_load
               SET state = 'loading', watermark = $3::pg_lsn, is_truncated = false, is_rewritten = false, rows_done = 0,
                   bytes_done = 0,
                   started = clock_timestamp(), finished = NULL
             WHERE schema = $1 AND name = $2
            """,
            table.schema,
            table.name,
            watermark
        )
    }

    /// Adds the rows of a part; called in the transaction that brings them.
    public static func addPart(
        of table: QualifiedName,
        rows: Int,
        bytes: Int,
        isLast: Bool,
        isRewritten: Bool = false,
        on connection: Connection
    ) throws(PostgresError) {
        try connection.query(
            """
            UPDATE martlet.table_load
               SET rows_done = rows_done + $3::bigint, bytes_done = bytes_done + $4::bigint,
                   is_rewritten = is_rewritten OR $6,
                   state = CASE WHEN $5 THEN 'loaded' ELSE state END,
                   finished = CASE WHEN $5 THEN clock_timestamp() END
             WHERE schema = $1 AND name = $2
            """,
            table.schema,
            table.name,
            rows,
            bytes,
            isLast,
            isRewritten
        )
    }

    /// Notes that tables have to be copied again, each with all that the stream knows by the same name.
    public static func noteIncomplete(units: [UInt32], on connection: Connection) throws(PostgresError) {
        try connection.query("UPDATE martlet.table_load SET state = 'loading' WHERE unit = ANY ($1::oid[])", units)
    }

    /// Notes that a table was truncated at `position`: what changed in it before does not count any more, not even in the
    /// same transaction.
    ///
    /// A copy that was made after a TRUNCATE, under a snapshot from before it, lacks the rows that earlier changes look for.
    public static func noteTruncated(unit: UInt32, at position: LSN, on connection: Connection) throws(PostgresError) {
        try connection.query(
            """
            UPDATE martlet.table_load
               SET watermark = greatest(watermark, $2::pg_lsn), is_truncated = is_truncated OR coalesce($2::pg_lsn >= watermark, true)
             WHERE unit = $1::oid
            """,
            unit,
            position
        )
    }

    /// Notes that the indexes of a table are built.
    public static func noteReady(_ table: QualifiedName, on connection: Connection) throws(PostgresError) {
        try connection.query(
            """
            UPDATE martlet.table_load SET state = 'ready', finished = clock_timestamp() WHERE schema = $1 AND name = $2
            """,
            table.schema,
            table.name
        )
    }
}
