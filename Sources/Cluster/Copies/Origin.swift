public import Foundation
public import Postgres

/// Where a server of ours came from, when it was not made empty.
///
/// It is written before anything is made on the source, so that also what was left half-made can be removed there.
public struct Origin: Sendable, Codable, Hashable {
    /// What it is.
    public enum Kind: String, Sendable, Codable {
        /// It follows its source.
        case replica
        /// It was its source at a moment, and can be written.
        case clone
        /// It is what a backup and the log told of a moment.
        case restored
    }

    /// What it is.
    public var kind: Kind
    /// What people call its source.
    public var source: String
    /// The sandbox that is its source, when it is one.
    public var sandbox: String?
    /// How it was made: `pg_basebackup`, `reflink`.
    public var provider: String
    /// The replication slot that it has on its source.
    public var slot: String?
    /// When it goes by itself.
    public var expires: Date?
    /// The database on its source that it is, when it has no server of its own.
    public var database: String?
    /// What the comment on that database says.
    var mark: String?
    /// Whether that database is made to its end, and may be shown to people.
    var isMade: Bool?
    /// Libpq's keywords of its source; secrets are among them, as they are in a standby's settings.
    var connection: [String: String]

    /// The database on its source, when it is one.
    var clone: DatabaseClone? {
        guard let database, let mark else { return nil }
        return DatabaseClone(server: place, database: database, mark: mark)
    }

    /// Where its source is.
    public var place: ConnectionString { ConnectionString(settings: connection) }
}
