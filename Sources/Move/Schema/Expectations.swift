import Catalog
import Engine
import Foundation
import Postgres

/// What two databases may differ in because it was asked for, or because a move is under way.
struct Expectations {
    /// What the move was told; nil when there is none.
    var options: MigrationOptions?
    /// Whether a move will still set the sequences.
    var setsSequences = false
    /// Tables that are left out, and what cannot be made without them: OIDs on the source by their catalog.
    var leftOut: [UInt32: Set<UInt32>] = [:]
    /// The names of the tables that are left out.
    var excluded: [String] = []
    /// Tables whose replica identity was set for the time of the move, without quotes.
    var identities: Set<String> = []
    /// Triggers and rules that were set aside for the time of the move, without quotes.
    var setAside: Set<String> = []
    /// Foreign keys that were dropped for the time of the move, or are not validated yet, without quotes.
    var keysAside: Set<String> = []
    /// What the target's role could not restore.
    var rights: RestoreRights?
    /// Whether the target lacks a tablespace of the source, so that a move uses none.
    var lacksTablespaces = false
    /// Whether schema `public` of the source has the owner that it had before version 15 when nobody chose one.
    var hasOldPublic = false
    /// The version that the target's server makes an extension in.
    var extensionVersions: [String: String] = [:]

    /// What is to be done with a finding.
    enum Answer: Equatable {
        /// It is no difference at all.
        case nothing
        /// It is there for a reason.
        case askedFor(String)
        /// It is a difference.
        case difference
    }

    /// Judges one finding.
    func answer(to finding: SchemaFinding) -> Answer {
        let difference = finding.difference
        if difference.presence == .onlyInSource, leftOut[finding.catalog]?.contains(finding.oid) == true {
            return .askedFor("left out with --include or --exclude")
        }
        if isKeyAside(difference) { return .askedFor("set aside as long as the move lasts") }
        if let reason = rights?.reason(for: finding) { return .askedFor(reason) }
        switch difference.property {
        case "owner" where options?.schema.keepsOwners == false: return .askedFor("--no-owner")
        case let property? where property.begins(with: "privileges of ") && options?.schema.keepsPrivileges == false:
            return .askedFor("--no-privileges")
        case "position": return positionAnswer(difference)
        case "enabled" where setAside.contains("\(difference.kind) \(Self.plain(difference.name))"):
            return .askedFor("set aside as long as the move lasts")
        case "tablespace" where lacksTablespaces && difference.target == nil:
            return .askedFor("tablespaces that the target does not have")
        case "replica identity" where identities.contains(Self.plain(difference.name)):
            return .askedFor("replica identities that last as long as the move")
        case "owned by" where excluded.contains { difference.source?.begins(with: $0 + ".") == true }:
            return .askedFor("left out with --include or --exclude")
        case "version"
        where difference.kind == "extension" && difference.target != nil
            && extensionVersions[difference.name] == difference.target:
            return .askedFor("extensions are made in the version that the target's server brings")
        case "owner"
        where difference.kind == "schema" && difference.name == "public" && hasOldPublic
            && difference.target == "pg_database_owner":
            return .askedFor("schema public belongs to the owner of its database since PostgreSQL 15")
        default: return .difference
        }
    }

    /// A name of the journal's or the server's, as both write it.
    private static func plain(_ name: String) -> String {
        name.replacing("\"", with: "").replacing(" on ", with: " of ")
    }

    /// A foreign key that is gone for a while, or there again and not validated.
    private func isKeyAside(_ difference: SchemaDifference) -> Bool {
        guard difference.kind == "constraint", keysAside.contains(Self.plain(difference.name)) else { return false }
        guard difference.presence == .different else { return true }
        let definitions = [difference.source, difference.target].map { $0?.replacing(" NOT VALID", with: "") }
        return difference.property == "definition" && definitions[0] == definitions[1]
    }

    /// A sequence that is ahead on the target gives no value twice; one that is behind does.
    private func positionAnswer(_ sequence: SchemaDifference) -> Answer {
        if setsSequences { return .askedFor("sequences are set again at the cutover") }
        guard let old = sequence.source.flatMap({ Int64($0) }), let new = sequence.target.flatMap({ Int64($0) }) else {
            return .nothing
        }
        return new < old ? .difference : .nothing
    }
}

extension Expectations {
    /// Reads what the journal on the target, if there is one, and both catalogs know.
    init(source: Connection, target: Connection) throws {
        for row in try target.query("SELECT quote_ident(name) AS name, default_version FROM pg_available_extensions") {
            extensionVersions[try row("name")] = try row.optional("default_version")
        }
        if source.majorVersion < 15 { hasOldPublic = try PublicSchema(source)?.hasDefaultOwner ?? false }
        guard let migration = try Journal.migration(on: target) else { return }
        let options = try JSONDecoder().decode(MigrationOptions.self, from: migration.plan)
        guard options.mapping == nil else { throw SchemaVerification.mapped }
        self.options = options
        let phase = Phase(rawValue: migration.phase)
        setsSequences = ![.reversing, .switched, .copied, .rolledBack].contains(phase)
        identities = Set(
            try Journal.objects(kinds: [SourceObjects.identityKind], on: target)
                .map { Self.plain($0.name) }
        )
        setAside = Set(
            try Journal.objects(kinds: [ReplicaTriggers.kind], on: target).map { Self.plain($0.name) }
        )
        keysAside = Set(
            try Journal.objects(kinds: [ForeignKeysAside.kind, ForeignKeysAside.validationKind], on: target)
                .map { Self.plain($0.name) }
        )
        lacksTablespaces = try !SchemaSteps.hasTablespaces(of: source, target)
        // What may be made is tried, which a standby does not allow.
        if try target.query("SELECT pg_is_in_recovery() AS is_standby").first?("is_standby", as: Bool.self) == false {
            rights = try RestoreRights(source: source, target: target)
        }
        let selection = try Selection.ofSource(source, options: options)
        guard !selection.excluded.isEmpty else { return }
        let rows = try source.query(
            "SELECT oid::regclass::text AS name FROM unnest($1::oid[]) AS oid",
            selection.excluded.map(\.oid)
        )
        excluded = try rows.map { row throws(PostgresError) in try row("name") }
        leftOut = Dictionary(
            grouping: try Dependent.readAll(of: selection.excluded.map(\.oid), source),
            by: \.catalog
        ).mapValues { Set($0.map(\.oid)) }
        // The catalog pg_class.
        leftOut[1259, default: []].formUnion(selection.excluded.map(\.oid))
    }
}
