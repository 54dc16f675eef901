import Foundation
import Postgres

/// What `martlet.position` on the target holds of one stream: how far each lane is, and each table that stands still.
struct Positions: Sendable {
    /// By lane.
    let lanes: [LSN]
    /// The tables that stand still, by lane and OID.
    let standing: [Int: [UInt32: Standstill]]

    /// Everything that committed before it is applied.
    var applied: LSN {
        min(lanes.min() ?? .zero, standing.values.flatMap(\.values).map(\.position).min() ?? LSN(.max))
    }

    /// Reads the positions of a stream; those of lanes that are not there yet are made, at the slot's start.
    static func read(_ plan: FollowPlan) async throws -> Positions {
        try await withNeutralConnection(to: plan.target) { connection in
            try connection.query(
                """
                INSERT INTO martlet.position (stream, lane, lsn)
                SELECT $1, lane, $2::pg_lsn FROM generate_series(0, $3::int - 1) AS lane ON CONFLICT DO NOTHING
                """,
                plan.stream,
                plan.start,
                plan.laneCount
            )
            var standing: [Int: [UInt32: Standstill]] = [:]
            let rows = try connection.query(
                "SELECT lane, unit, lsn, failure FROM martlet.position WHERE stream = $1 ORDER BY lane, unit",
                plan.stream
            )
            for row in rows {
                let unit: UInt32 = try row("unit")
                guard plan.tables[unit] != nil, let failure = try row.optional("failure", as: String.self) else {
                    continue
                }
                var table = try JSONDecoder().decode(Standstill.self, from: Data(failure.utf8))
                table.position = try row("lsn")
                standing[try row("lane"), default: [:]][unit] = table
            }
            let lanes = try rows.filter { row in try row("unit", as: UInt32.self) == 0 }
                .map { row throws(PostgresError) in try row("lsn", as: LSN.self) }
            return Positions(lanes: lanes, standing: standing)
        }
    }

    /// Reads the position of a lane, or of a table that stands still, after making it durable: what is read here may be reported as saved.
    static func durable(
        _ plan: FollowPlan,
        lane: Int,
        unit: UInt32 = 0,
        on target: Connection
    ) throws(PostgresError) -> LSN? {
        try target.query(
            """
            UPDATE martlet.position SET lsn = lsn WHERE stream = $1 AND lane = $2 AND unit = $3::oid RETURNING lsn
            """,
            plan.stream,
            lane,
            unit
        ).first?("lsn")
    }

    /// Writes down that a table stands still, or why it still does; its position stays where it was.
    static func save(_ table: Standstill, _ plan: FollowPlan, lane: Int, on target: Connection) throws {
        let failure = String(decoding: try JSONEncoder().encode(table), as: UTF8.self)
        try target.query(
            """
            INSERT INTO martlet.position (stream, lane, unit, lsn, failure) VALUES ($1, $2, $3::oid, $4::pg_lsn, $5::jsonb)
            ON CONFLICT (stream, lane, unit) DO UPDATE SET failure = excluded.failure
            """,
            plan.stream,
            lane,
            table.relation,
            table.position,
            failure
        )
    }

    /// Forgets that a table stood still.
    static func remove(_ unit: UInt32, _ plan: FollowPlan, lane: Int, on target: Connection) throws(PostgresError) {
        try target.query(
            "DELETE FROM martlet.position WHERE stream = $1 AND lane = $2 AND unit = $3::oid",
            plan.stream,
            lane,
            unit
        )
    }
}
