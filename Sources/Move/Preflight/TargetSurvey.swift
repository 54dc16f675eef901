import Engine
import Postgres

/// The target as a preflight sees it.
struct TargetSurvey: Sendable {
    let server: ServerSurvey
    let extensions: [SourceSurvey.Extension]
    /// The roles, with whether we may hand ownership over to each.
    let roles: [String: Bool]
    /// Relations that are there already.
    let occupants: [QualifiedName]
    /// A migration that was begun and not yet finished.
    let migration: Journal.Migration?
    let tablespaces: Set<String>
    let collations: Set<String>
    let settings: [DatabaseSetting]
    let denials: [Probe.Attempt: PostgresError]
    let replicationDenial: PostgresError?

    /// Reads it in half a dozen round trips.
    static func read(
        _ connection: Connection,
        server: ServerSurvey,
        options: Preflight.Options
    ) async throws -> TargetSurvey {
        let streams = !options.isOnce && options.wantsRollback && !server.isStandby
        var roles: [String: Bool] = [:]
        for row in try connection.query(PreflightSQL.targetRoles) { roles[try row("name")] = try row("is_ours") }
        var names: [String: Set<String>] = [:]
        for row in try connection.query(PreflightSQL.names) {
            names[try row("kind"), default: []].insert(try row("name"))
        }
        return TargetSurvey(
            server: server,
            extensions: try SourceSurvey.extensions(connection),
            roles: roles,
            occupants: try connection.query(PreflightSQL.occupants).map { row throws(PostgresError) in
                QualifiedName(schema: try row("schema"), name: try row("name"))
            },
            migration: try Journal.migration(on: connection),
            tablespaces: names["tablespace"] ?? [],
            collations: names["collation"] ?? [],
            settings: try DatabaseSetting.readAll(connection),
            denials: server.isStandby ? [:] : try Probe.denials(of: Probe.Attempt.onTarget, on: connection),
            replicationDenial: streams ? try await Probe.replicationDenial(at: connection.target) : nil
        )
    }
}
