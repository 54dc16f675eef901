public import Catalog
import Cluster
import Foundation
public import Postgres

/// A move between two servers as providers rent them out: martlet's role is a superuser on neither, and owns what it moves.
public struct ManagedMove: Sendable {
    /// The move, by that role.
    public let move: TestMove
    /// Its role, on both servers, with a name that has to be quoted.
    public let role: Identifier
    /// The source as its superuser.
    public let sourceAdmin: ConnectionString
    /// The target as its superuser.
    public let targetAdmin: ConnectionString
    /// The programs of the newer one of the two servers.
    public let programs: Installation

    /// What martlet's role is named.
    public static let role: Identifier = #"o'dd "boss" ✓"#

    /// The statements that define the source's database, as its superuser sees them.
    public func definitions(of place: ConnectionString) async throws -> String {
        try await programs.definitions(of: place)
    }
}

/// Runs `body` with a managed move between two servers of its own.
///
/// The role may replicate on both, as with `GRANT rds_replication`, owns both databases, and may make databases and roles.
/// What providers let their admins do besides is granted by `rights`, as the superuser of each server.
public func withManagedMove(
    from sourceMajor: Int? = nil,
    to targetMajor: Int? = nil,
    of definitions: SQL,
    rights: (_ role: Identifier) -> (source: SQL, target: SQL) = { _ in ("", "") },
    _ body: (ManagedMove) async throws -> Void
) async throws {
    let (from, to) = (
        try await TestServer.binaries(major: sourceMajor), try await TestServer.binaries(major: targetMajor)
    )
    var (sourceSettings, targetSettings) = (ServerConfiguration(), ServerConfiguration())
    sourceSettings.binaries = from
    targetSettings.binaries = to
    let role = ManagedMove.role
    try await withServer(sourceSettings) { source in
        try await withServer(targetSettings) { target in
            for server in [source, target] {
                try await execute(
                    server.connection(),
                    "CREATE ROLE \(role) LOGIN CREATEDB CREATEROLE REPLICATION; GRANT pg_monitor, pg_signal_backend TO \(role)"
                )
                try await execute(server.connection(), "CREATE DATABASE shop OWNER \(role)")
            }
            let admins = (source: source.connection(to: "shop"), target: target.connection(to: "shop"))
            try await execute(admins.source, rights(role).source)
            try await execute(admins.target, rights(role).target)
            let place = admins.source.with("user", role.name)
            try await execute(place, definitions)
            try await withTemporaryDirectory { directory in
                let move = TestMove(
                    source: place,
                    target: admins.target.with("user", role.name),
                    directory: directory
                )
                try await body(
                    ManagedMove(
                        move: move,
                        role: role,
                        sourceAdmin: admins.source,
                        targetAdmin: admins.target,
                        programs: from.major > to.major ? from : to
                    )
                )
            }
        }
    }
}
