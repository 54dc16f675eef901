import Catalog
import Postgres

/// What of a dump the role of the target may restore, and in which order it can.
///
/// A superuser restores it as it is. Anybody else makes schemas first, with what is granted on them, because an owner must be
/// able to create what he is made the owner of; then all the rest; privileges come last, each granted by the owner,
/// whoever granted it on the source. What was tried and refused is left out, as the preflight has told.
struct RestoreRights: Sendable {
    private let isSuperuser: Bool
    /// What cannot be made: OIDs on the source by their catalog.
    private let leftOut: [UInt32: Set<UInt32>]
    private let leavesOutLabels: Bool
    /// Extensions of the target that belong to somebody else.
    private let foreignExtensions: Set<String>
    private let ownsPublic: Bool

    /// Asks both servers; changes nothing.
    static func read(_ endpoints: Endpoints) async throws -> RestoreRights {
        try await withNeutralConnection(to: endpoints.source) { source in
            try await withNeutralConnection(to: endpoints.target) { try RestoreRights(source: source, target: $0) }
        }
    }

    /// Asks both servers; changes nothing.
    ///
    /// To be called outside of transactions.
    init(source: Connection, target: Connection) throws(PostgresError) {
        let facts = try target.query(
            """
            SELECT rolsuper, (SELECT pg_has_role(nspowner, 'USAGE') FROM pg_namespace WHERE nspname = 'public') AS owns_public
              FROM pg_roles WHERE rolname = current_user
            """
        ).first
        isSuperuser = try facts?("rolsuper", as: Bool.self) ?? false
        ownsPublic = try facts?.optional("owns_public") ?? false
        let objects = isSuperuser ? [] : try PrivilegedObject.readAll(source)
        let denials = try PrivilegedObject.Need.denials(
            of: Set(objects.map(\.need).filter(\.kind.canBeLeftOut)),
            on: target
        )
        let denied = objects.filter { denials[$0.need] != nil }
        leftOut = Dictionary(
            grouping: denied.filter { ![.label, .grant, .privilege].contains($0.need.kind) },
            by: \.catalog
        ).mapValues { Set($0.map(\.oid)) }
        leavesOutLabels = denied.contains { $0.need.kind == .label }
        let foreign = try target.query("SELECT extname FROM pg_extension WHERE NOT pg_has_role(extowner, 'USAGE')")
        foreignExtensions = Set(try foreign.map { row throws(PostgresError) in try row("extname") })
    }

    /// The archive without what cannot be made.
    func archive(_ archive: SchemaArchive) -> SchemaArchive {
        guard !isSuperuser else { return archive }
        return archive.leavingOutForeignPrivileges().leavingOut(leftOut).leavingOut { entry in
            // Whose it is, is not ours to say; what is granted on it is, when it is ours.
            if archive.isOfPublicSchema(entry) { return entry.kind == .schema || !ownsPublic }
            if entry.description.begins(with: "SECURITY LABEL ") { return leavesOutLabels }
            return foreignExtensions.contains { entry.description.begins(with: "COMMENT - EXTENSION \($0) ") }
        }
    }

    /// A section in the order in which it can be made, and in pieces of at most `size` objects; see ``script(of:)``.
    func pieces(_ section: SchemaArchive.Section, of archive: SchemaArchive, size: Int) -> [SchemaArchive.Piece] {
        guard !isSuperuser else { return archive.pieces(section, size: size) }
        return archive.pieces(section, size: size) { $0.isOfSchema() }
            + archive.pieces(section, size: size) { !$0.isOfSchema() && !Self.isPrivilege($0) }
            + archive.pieces(section, size: size) { !$0.isOfSchema() && Self.isPrivilege($0) }
    }

    /// The statements of one of these pieces.
    func script(of piece: SchemaArchive.Piece) async throws -> SQL {
        let script = try await piece.script()
        let isOfNamesAlone = piece.entries.allSatisfy { $0.isOfSchema() || Self.isPrivilege($0) }
        return isSuperuser || !isOfNamesAlone ? script : Self.withoutGrantors(script)
    }

    private static func isPrivilege(_ entry: SchemaArchive.Entry) -> Bool {
        [.privileges, .defaultPrivileges].contains(entry.kind)
    }

    /// Has owners grant, where pg_dump grants as the one who has granted.
    ///
    /// There is nothing else in these statements than names in double quotes, which may go over several lines, and
    /// comments of one line.
    static func withoutGrantors(_ script: SQL) -> SQL {
        var isInName = false
        let lines = script.text.split(separator: "\n", omittingEmptySubsequences: false).filter { line in
            if !isInName {
                if line.hasPrefix("--") { return true }
                if line.hasPrefix("SET SESSION AUTHORIZATION ") || line.hasPrefix("RESET SESSION AUTHORIZATION;") {
                    return false
                }
            }
            if !line.unicodeScalars.count(where: { $0 == "\"" }).isMultiple(of: 2) { isInName.toggle() }
            return true
        }
        return SQL(trusting: lines.joined(separator: "\n"))
    }
}

extension RestoreRights {
    /// Why what a restore makes must differ as it does; nil when it need not.
    func reason(for finding: SchemaFinding) -> String? {
        guard !isSuperuser else { return nil }
        let difference = finding.difference
        if difference.presence == .onlyInSource, leftOut[finding.catalog]?.contains(finding.oid) == true {
            return "left out, because the target's role cannot make it"
        }
        guard let property = difference.property else { return nil }
        if property.begins(with: "security label of "), leavesOutLabels {
            return "left out, because the target's role cannot make it"
        }
        if difference.kind == "schema", difference.name == "public", property == "owner" || !ownsPublic {
            return "schema public is not the target's role's to change"
        }
        if property.begins(with: "privileges of "),
            Self.privileges(in: difference.source) == Self.privileges(in: difference.target)
        {
            return "granted by another role than on the source"
        }
        return nil
    }

    /// The privileges of a list, whoever has granted them.
    private static func privileges(in list: String?) -> Set<Substring> {
        let all = Set(
            (list ?? "").split(separator: ", ").map { privilege in
                privilege[..<(privilege.firstRange(of: " by ")?.lowerBound ?? privilege.endIndex)]
            }
        )
        // Somebody who may pass a privilege on has it.
        return all.filter { !all.contains("\($0) WITH GRANT OPTION") }
    }
}
