public import Foundation
public import Postgres

extension Journal {
    /// What another terminal asks the running martlet to do.
    public struct Request: Sendable, Hashable {
        /// Its number.
        public let id: Int
        /// What is asked, such as `cutover`, `verify` or `rollback`.
        public let kind: String
        /// The details, as JSON.
        public let arguments: Data
    }

    /// The answer to a request.
    public struct Answer: Sendable, Hashable {
        /// Whether what was asked is done; otherwise `content` is the error.
        public let isDone: Bool
        /// The answer, as JSON.
        public let content: Data
    }

    /// Asks; returns the request's number.
    public static func ask(
        _ kind: String,
        arguments: Data,
        on connection: Connection
    ) throws(PostgresError) -> Int {
        let row = try connection.query(
            "INSERT INTO martlet.request (kind, arguments) VALUES ($1, $2::jsonb) RETURNING id",
            kind,
            String(decoding: arguments, as: UTF8.self)
        ).first
        guard let row else { throw PostgresError("could not write a request to the journal") }
        return try row("id")
    }

    /// Takes the oldest request, of these kinds, that nobody has taken and somebody waits for; nil when there is none.
    public static func takeRequest(
        of kinds: [String]? = nil,
        on connection: Connection
    ) throws(PostgresError) -> Request? {
        let row = try connection.query(
            """
            UPDATE martlet.request SET state = 'taken'
             WHERE id = (SELECT id FROM martlet.request AS r
                          WHERE state = 'asked' AND ($1::text[] IS NULL OR kind = ANY ($1))
                            AND (asker IS NULL OR EXISTS (SELECT FROM pg_stat_activity WHERE pid = r.asker))
                          ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED)
            RETURNING id, kind, arguments
            """,
            kinds
        ).first
        guard let row else { return nil }
        return Request(
            id: try row("id"),
            kind: try row("kind"),
            arguments: Data(try row("arguments", as: String.self).utf8)
        )
    }

    /// Whether somebody still waits for the answer to a request that was taken.
    public static func isWanted(_ request: Request, on connection: Connection) throws(PostgresError) -> Bool {
        try !connection.query(
            """
            SELECT FROM martlet.request AS r
             WHERE id = $1::bigint AND state = 'taken'
               AND (asker IS NULL OR EXISTS (SELECT FROM pg_stat_activity WHERE pid = r.asker))
            """,
            request.id
        ).isEmpty
    }

    /// Decides that a request that was taken is carried out; false when it was withdrawn before.
    ///
    /// `answer`: for a switch, which is decided with the same transaction, should nobody be left to give it.
    public static func commit(
        _ request: Request,
        answer: Data? = nil,
        on connection: Connection
    ) throws(PostgresError) -> Bool {
        try !connection.query(
            """
            UPDATE martlet.request SET state = 'committed', answer = $2::jsonb WHERE id = $1::bigint AND state = 'taken'
            RETURNING id
            """,
            request.id,
            answer.map { String(decoding: $0, as: UTF8.self) }
        ).isEmpty
    }

    /// Withdraws a request.
    ///
    /// - Returns: whether an answer is still to come: that it was given up, or, when it was too late, that it is done; nil when
    ///   the journal does not know it.
    public static func withdraw(_ request: Int, on connection: Connection) throws(PostgresError) -> Bool? {
        let row = try connection.query(
            """
            UPDATE martlet.request AS r SET state = 'withdrawn' FROM martlet.request AS old
             WHERE r.id = $1::bigint AND old.id = r.id AND r.state IN ('asked', 'taken')
            RETURNING old.state
            """,
            request
        ).first
        if let row { return try row("state", as: String.self) != "asked" }
        return try connection.query("SELECT FROM martlet.request WHERE id = $1::bigint", request).isEmpty ? nil : true
    }

    /// Answers a request.
    public static func answer(
        _ request: Request,
        isDone: Bool,
        content: Data,
        on connection: Connection
    ) throws(PostgresError) {
        try connection.query(
            """
            UPDATE martlet.request SET state = $2, answer = $3::jsonb, answered = clock_timestamp() WHERE id = $1::bigint
            """,
            request.id,
            isDone ? "done" : "failed",
            String(decoding: content, as: UTF8.self)
        )
    }

    /// The answer to a request; nil while there is none.
    public static func answer(to request: Int, on connection: Connection) throws(PostgresError) -> Answer? {
        let row = try connection.query(
            "SELECT state, answer FROM martlet.request WHERE id = $1::bigint AND state IN ('done', 'failed')",
            request
        ).first
        guard let row else { return nil }
        return Answer(
            isDone: try row("state", as: String.self) == "done",
            content: Data((try row.optional("answer", as: String.self) ?? "null").utf8)
        )
    }

    /// Withdraws the requests that a martlet which died has taken, or that nobody waits for any more.
    ///
    /// A cutover that was decided is done, and is answered so. A rollback that was is not, before the old server is open; see
    /// ``answerCommitted(on:)``.
    public static func dropRequests(on connection: Connection) throws(PostgresError) {
        try connection.execute(
            """
            UPDATE martlet.request SET state = 'done', answered = clock_timestamp()
             WHERE state = 'committed' AND answer IS NOT NULL AND kind <> 'rollback';
            UPDATE martlet.request SET state = 'failed', answered = clock_timestamp(),
                   answer = '{"message": "martlet was stopped before it could answer"}'
             WHERE state IN ('asked', 'taken', 'committed', 'withdrawn') AND answer IS NULL
            """
        )
    }

    /// Answers what was decided by a martlet that died, and is done by now.
    public static func answerCommitted(on connection: Connection) throws(PostgresError) {
        try connection.execute(
            """
            UPDATE martlet.request SET state = 'done', answered = clock_timestamp()
             WHERE state = 'committed' AND answer IS NOT NULL
            """
        )
    }
}
