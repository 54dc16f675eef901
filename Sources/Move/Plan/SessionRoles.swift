public import Engine
import Postgres
public import Sync

/// How martlet writes to each server of a move.
public struct SessionRoles: Sendable, Hashable, Codable {
    /// To the source, after a cutover.
    public var source = SessionRole.replica
    /// To the target, until a cutover.
    public var target = SessionRole.replica

    /// Replicas, on both.
    public init() {}

    /// That on one of them.
    public subscript(side: Journal.Side) -> SessionRole {
        side == .source ? source : target
    }

    /// Tries what the sessions' roles may do; changes nothing.
    ///
    /// Decided once, when a move begins: a right that comes later is not needed any more, and one that is taken away is
    /// an error that names the parameter.
    static func allowed(source: Connection, target: Connection) throws(PostgresError) -> SessionRoles {
        var roles = SessionRoles()
        roles.source = try allowed(on: source)
        roles.target = try allowed(on: target)
        return roles
    }

    private static func allowed(on connection: Connection) throws(PostgresError) -> SessionRole {
        try Probe.denials(of: [.replicaRole], on: connection).isEmpty ? .replica : .origin
    }
}
