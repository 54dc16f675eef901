import Foundation
public import Postgres

/// A view of the source that stands still, which any number of sessions can share.
public struct Snapshot: Sendable, Hashable {
    /// What `SET TRANSACTION SNAPSHOT` takes.
    public let id: String
    /// Changes that committed before it are in the view, all others are not; nil when no slot belongs to it.
    public let position: LSN?
}

extension Connection {
    /// Opens a read-only transaction that sees exactly `snapshot`.
    public func begin(sharing snapshot: Snapshot) throws(PostgresError) {
        try execute(
            """
            BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET TRANSACTION SNAPSHOT \(literal: snapshot.id)
            """
        )
    }
}

/// Where a snapshot comes from.
public enum SnapshotOrigin: Sendable {
    /// A slot that is made now and stays; `made` is told its start before anything uses the snapshot.
    case newSlot(Identifier, made: @Sendable (LSN) async throws -> Void)
    /// A slot that is made for its snapshot only, and goes away at once.
    case temporarySlot(Identifier)
    /// No slot: what nobody needs to follow.
    case plain
}

/// Holds a snapshot of the source for as long as `body` runs.
///
/// Only the snapshot that a slot exports fits the slot's start: a position read from the log beside
/// a snapshot is wrong in most tries, because a commit reaches the log before it can be seen. The
/// slot's own snapshot dies with the next command of its session, so a second session takes it over
/// and shares it again.
///
/// Making a slot waits for every transaction that has written and still runs. `waiting` is told
/// about every five seconds who they are. Holds back the removal of dead rows on the source.
public func withSnapshot<Result>(
    of source: ConnectionString,
    from origin: SnapshotOrigin,
    waiting: @Sendable ([Blocker]) async throws -> Void,
    _ body: (Snapshot) async throws -> Result
) async throws -> Result {
    try await withNeutralConnection(to: source, application: "martlet snapshot") { holder in
        switch origin {
        case .plain:
            try holder.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
            return try await body(Snapshot(id: try export(holder), position: nil))
        case .newSlot(let name, let made):
            let snapshot = try await takeOver(name, isTemporary: false, source, holder, waiting)
            try await made(snapshot.position ?? .zero)
            return try await body(snapshot)
        case .temporarySlot(let name):
            return try await body(try await takeOver(name, isTemporary: true, source, holder, waiting))
        }
    }
}

private func takeOver(
    _ name: Identifier,
    isTemporary: Bool,
    _ source: ConnectionString,
    _ holder: Connection,
    _ waiting: @Sendable ([Blocker]) async throws -> Void
) async throws -> Snapshot {
    try await withConnection(to: source.with("replication", "database"), application: "martlet slot") { connection in
        // A timeout of statements does not end this wait; one of locks does (XactLockTableWait).
        try connection.execute("SET statement_timeout = 0; SET lock_timeout = '5s'")
        while true {
            do {
                let slot = try connection.createSlot(name, isTemporary: isTemporary)
                try holder.begin(sharing: Snapshot(id: slot.snapshot, position: slot.consistentPoint))
                return Snapshot(id: try export(holder), position: slot.consistentPoint)
            } catch let error as PostgresError where error.sqlState == "55P03" {
                let blockers = try await withNeutralConnection(to: source) { try Blocker.ofSlots($0) }
                try await waiting(blockers)
            }
        }
    }
}

private func export(_ holder: Connection) throws(PostgresError) -> String {
    guard let row = try holder.query("SELECT pg_export_snapshot() AS id").first else {
        throw PostgresError("the source did not export a snapshot")
    }
    return try row("id")
}

/// A session or prepared transaction that others wait for.
public struct Blocker: Sendable, Hashable, Codable {
    /// The process, or nil for a prepared transaction.
    public let pid: Int?
    /// What it is, in one line.
    public let description: String
    /// How long its transaction is open, in seconds; nil where the server does not tell our role.
    public let age: Int?

    /// The transactions that have written and still run, the oldest first: a slot cannot be made before they end.
    public static func ofSlots(_ connection: Connection) throws(PostgresError) -> [Blocker] {
        let rows = try connection.query(
            """
            SELECT pid,
                   CASE WHEN xact_start IS NULL THEN format('pid %s of user "%s"', pid, usename)
                        ELSE format('pid %s, application "%s", %s for %s s', pid, application_name, state,
                                    extract(epoch FROM now() - xact_start)::int) END AS description,
                   extract(epoch FROM now() - xact_start)::int AS age
              FROM pg_stat_activity WHERE backend_xid IS NOT NULL AND pid <> pg_backend_pid()
            UNION ALL
            SELECT NULL, format('prepared transaction "%s"', gid), extract(epoch FROM now() - prepared)::int
              FROM pg_prepared_xacts
            """
        )
        return try rows.map { row throws(PostgresError) in
            Blocker(pid: try row.optional("pid"), description: try row("description"), age: try row.optional("age"))
        }
    }
}
