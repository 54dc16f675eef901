public import Foundation
public import Postgres

/// What the martlet that leads a load says to its workers.
extension Journal {
    /// The pieces of a run that sessions ask for, and those of `claims`.
    public static func pieces(
        of run: Int,
        claims: [Int],
        on connection: Connection
    ) throws(PostgresError) -> [PieceState] {
        let rows = try connection.query(
            """
            SELECT id, worker, session, state, coalesce(rows, 0) AS rows, coalesce(bytes, 0) AS bytes, failure
              FROM martlet.piece WHERE id = ANY ($2::bigint[])
            UNION ALL
            SELECT p.id, worker, session, state, 0, 0, NULL
              FROM martlet.piece AS p JOIN martlet.worker AS w ON w.id = p.worker
             WHERE state = 'asked' AND p.run = $1::int AND w.ended IS NULL
            """,
            run,
            claims
        )
        return try rows.map { row throws(PostgresError) in
            PieceState(
                id: try row("id"),
                worker: try row("worker"),
                session: try row("session"),
                state: PieceState.State(rawValue: try row("state")) ?? .withdrawn,
                amount: Amount(rows: try row("rows"), bytes: try row("bytes")),
                failure: try row.optional("failure", as: String.self).map { Data($0.utf8) }
            )
        }
    }

    /// Gives a piece to the session that asks for it; false when it does not ask any more.
    public static func give(
        _ title: PieceTitle,
        _ work: Data,
        to asked: PieceState,
        on connection: Connection
    ) throws(PostgresError) -> Bool {
        try !connection.query(
            """
            WITH given AS (
                UPDATE martlet.piece SET state = 'given', kind = $2, schema = $3, name = $4, part = $5::int, parts = $6::int,
                       work = $7::jsonb, given = clock_timestamp()
                 WHERE id = $1::bigint AND state = 'asked' RETURNING id
            )
            SELECT pg_notify($8, '') FROM given
            """,
            asked.id,
            title.kind.rawValue,
            title.name.schema,
            title.name.name,
            title.part,
            title.parts,
            String(decoding: work, as: UTF8.self),
            WorkSession.channel(worker: asked.worker, number: asked.session)
        ).isEmpty
    }

    /// Has every session that waits for a piece of a run look again.
    public static func callWaiting(of run: Int, on connection: Connection) throws(PostgresError) {
        let waiting = try connection.query(
            "SELECT worker, session FROM martlet.piece WHERE run = $1::int AND state = 'asked'",
            run
        )
        for row in waiting {
            let channel = WorkSession.channel(worker: try row("worker"), number: try row("session"))
            try connection.query("SELECT pg_notify($1, '')", channel)
        }
    }

    /// The backends of a worker's sessions that may still work at something, on either server.
    public static func backends(
        of worker: Int,
        on connection: Connection
    ) throws(PostgresError) -> (target: [Backend], source: [Backend]) {
        let rows = try connection.query(
            """
            SELECT DISTINCT backend, backend_start, source_backend, source_start FROM martlet.piece
             WHERE worker = $1::bigint AND state IN ('asked', 'given')
            """,
            worker
        )
        var (target, source): ([Backend], [Backend]) = ([], [])
        for row in rows {
            target.append(Backend(pid: try row("backend"), start: try row("backend_start")))
            guard let pid = try row.optional("source_backend", as: Int.self) else { continue }
            source.append(Backend(pid: pid, start: try row("source_start")))
        }
        return (target, source)
    }

    /// Takes back what a worker was given and has not done, and returns the claims; what it has done meanwhile stays done.
    ///
    /// A transaction that commits just now is waited for, two seconds: its backend must have been ended before.
    ///
    /// - Throws: 55P03 when it holds on to a claim; then nothing is withdrawn.
    public static func withdraw(from worker: Int, on connection: Connection) async throws -> [Int] {
        try await connection.transaction {
            try connection.execute("SET LOCAL lock_timeout = '2s'")
            let rows = try connection.query(
                """
                UPDATE martlet.piece SET state = 'withdrawn', ended = clock_timestamp()
                 WHERE worker = $1::bigint AND state IN ('asked', 'given') RETURNING id
                """,
                worker
            )
            return try rows.map { row throws(PostgresError) in try row("id") }
        }
    }

    /// Records a part that the one that leads a load has copied itself, in the transaction that brings it.
    public static func record(
        _ title: PieceTitle,
        _ amount: Amount,
        run: Int,
        on connection: Connection
    ) throws(PostgresError) {
        try connection.query(
            """
            INSERT INTO martlet.piece (run, state, kind, schema, name, part, parts, rows, bytes, ended)
            VALUES ($1::int, 'done', $2, $3, $4, $5::int, $6::int, $7::bigint, $8::bigint, clock_timestamp())
            """,
            run,
            title.kind.rawValue,
            title.name.schema,
            title.name.name,
            title.part,
            title.parts,
            amount.rows,
            amount.bytes
        )
    }
}
