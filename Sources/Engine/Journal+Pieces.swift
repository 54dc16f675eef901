public import Foundation
public import Postgres

extension Journal {
    /// A session of a worker, as it asks for pieces: its two backends, so that they can be ended when it falls silent.
    public struct WorkSession: Sendable, Hashable {
        /// The worker.
        public let worker: Int
        /// Which of the worker's sessions it is, counted from 0.
        public let number: Int
        /// Its backend on the target.
        public let target: Backend
        /// Its backend on the source; nil when no rows are left to copy.
        public let source: Backend?

        /// Names a session.
        public init(worker: Int, number: Int, target: Backend, source: Backend?) {
            self.worker = worker
            self.number = number
            self.target = target
            self.source = source
        }

        /// The channel on which it hears that it was given something.
        public var channel: Identifier { Self.channel(worker: worker, number: number) }

        static func channel(worker: Int, number: Int) -> Identifier { Identifier("martlet_work_\(worker)_\(number)") }
    }

    /// What is given out as one piece, for people and for the record; what is to be done travels beside it as JSON.
    public struct PieceTitle: Sendable, Hashable, Codable {
        /// What is done.
        public enum Kind: String, Sendable, Hashable, Codable {
            /// Rows are copied.
            case copy
            /// An index is built.
            case index
        }

        /// What is done.
        public var kind: Kind
        /// The table, or the index.
        public var name: QualifiedName
        /// Which part of the table it is, counted from 1; of an index 1.
        public var part: Int
        /// How many parts the table has.
        public var parts: Int

        /// Describes a piece.
        public init(_ kind: Kind, _ name: QualifiedName, part: Int = 1, of parts: Int = 1) {
            self.kind = kind
            self.name = name
            self.part = part
            self.parts = parts
        }

        /// As people say it: `part 2 of 8 of table "public.orders"`.
        public var text: String {
            switch kind {
            case .copy: parts > 1 ? "part \(part) of \(parts) of table \"\(name)\"" : "table \"\(name)\""
            case .index: "index \"\(name)\""
            }
        }
    }

    /// How a piece that was given out stands.
    public struct PieceState: Sendable, Hashable {
        /// The states of a piece.
        public enum State: String, Sendable, Hashable {
            /// A session waits for it to be filled in.
            case asked
            /// A session works at it.
            case given
            /// Done, in the same transaction as the rows.
            case done
            /// It cannot be done, which ends the load.
            case failed
            /// The worker has given it back.
            case returned
            /// It was taken from the worker.
            case withdrawn
        }

        /// The piece.
        public let id: Int
        /// Its worker.
        public let worker: Int
        /// Which of the worker's sessions it is.
        public let session: Int
        /// Its state.
        public let state: State
        /// What was copied, when it is done.
        public let amount: Amount
        /// Why it cannot be done, as JSON.
        public let failure: Data?
    }

    // MARK: What a worker says

    /// Asks for a piece; returns the number of the claim.
    public static func ask(
        _ session: WorkSession,
        run: Int,
        on connection: Connection
    ) throws(PostgresError) -> Int {
        let row = try connection.query(
            """
            INSERT INTO martlet.piece (run, worker, session, backend, backend_start, source_backend, source_start, state)
            VALUES ($1::int, $2::bigint, $3::int, $4::int, $5, $6::int, $7, 'asked') RETURNING id
            """,
            run,
            session.worker,
            session.number,
            session.target.pid,
            session.target.start,
            session.source?.pid,
            session.source?.start
        ).first
        try connection.execute(callLeader)
        guard let row else { throw PostgresError("could not ask for a piece") }
        return try row("id")
    }

    /// What a session finds that has asked for a piece.
    public enum Assignment: Sendable, Hashable {
        /// Nothing yet.
        case none
        /// This, as JSON, and how fast it may be done.
        case piece(PieceTitle, work: Data, Pace)
        /// Nothing is left to do of the load.
        case loadIsOver
    }

    /// What was given for a claim.
    ///
    /// - Throws: ``claimLost`` when it was withdrawn.
    public static func assignment(for claim: Int, on connection: Connection) throws(PostgresError) -> Assignment {
        let row = try connection.query(
            """
            SELECT state, kind, schema, name, part, parts, work, w.rate, w.is_held,
                   NOT EXISTS (SELECT FROM martlet.load AS l WHERE l.run = p.run AND closed IS NULL) AS is_over
              FROM martlet.piece AS p JOIN martlet.worker AS w ON w.id = p.worker WHERE p.id = $1::bigint
            """,
            claim
        ).first
        guard let row else { throw claimLost }
        switch PieceState.State(rawValue: try row("state")) {
        case .asked: return try row("is_over") ? .loadIsOver : .none
        case .given: break
        default: throw claimLost
        }
        guard let kind = PieceTitle.Kind(rawValue: try row("kind")) else { throw claimLost }
        let title = PieceTitle(
            kind,
            QualifiedName(schema: try row("schema"), name: try row("name")),
            part: try row("part"),
            of: try row("parts")
        )
        let pace = Pace(rate: try row.optional("rate"), isHeld: try row("is_held"))
        return .piece(title, work: Data(try row("work", as: String.self).utf8), pace)
    }

    /// Notes in the transaction that brings a piece that it is done, and asks for the next one, whose claim it returns.
    ///
    /// The row of the claim stays locked until the transaction ends, so that a withdrawal waits for its outcome.
    ///
    /// - Throws: ``claimLost`` when it was withdrawn; the transaction must not commit then.
    public static func finish(
        _ claim: Int,
        _ amount: Amount,
        on connection: Connection
    ) throws(PostgresError) -> Int {
        let row = try connection.query(
            """
            WITH done AS (
                UPDATE martlet.piece SET state = 'done', rows = $2::bigint, bytes = $3::bigint, ended = clock_timestamp()
                 WHERE id = $1::bigint AND state = 'given' RETURNING *
            ), next AS (
                INSERT INTO martlet.piece
                       (run, worker, session, backend, backend_start, source_backend, source_start, state)
                SELECT run, worker, session, backend, backend_start, source_backend, source_start, 'asked' FROM done
                RETURNING id
            )
            SELECT id, pg_notify('martlet_work', '') FROM next
            """,
            claim,
            amount.rows,
            amount.bytes
        ).first
        guard let row else { throw claimLost }
        return try row("id")
    }

    /// Notes why a piece cannot be done.
    public static func fail(_ claim: Int, _ failure: Data, on connection: Connection) throws(PostgresError) {
        try connection.query(
            """
            UPDATE martlet.piece SET state = 'failed', failure = $2::jsonb, ended = clock_timestamp()
             WHERE id = $1::bigint AND state = 'given'
            """,
            claim,
            String(decoding: failure, as: UTF8.self)
        )
        try connection.execute(callLeader)
    }

    /// That a piece was taken from a worker, so that what it has done of it must not count.
    public static let claimLost = PostgresError(
        "what this worker was given was taken from it",
        detail: "The martlet that runs the move has not heard of it for too long, or has itself begun anew.",
        sqlState: "08006"
    )
}
