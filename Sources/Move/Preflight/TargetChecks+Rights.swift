import Postgres

/// What a role that is no superuser cannot make as it was.
extension TargetChecks {
    /// Whether we may make each owner the owner of what he owned; ALTER … OWNER TO wants membership.
    ///
    /// So does ALTER DEFAULT PRIVILEGES FOR ROLE.
    var ownerRights: [Finding] {
        guard !server.isSuperuser else { return [] }
        let grantors = options.keepsPrivileges ? Set(roleUses.filter(\.isGrantor).map(\.role)) : []
        return [
            membership(
                options.keepsOwners ? owners : [],
                lacks: "make them the owner of anything",
                option: "--no-owner leaves all to role \"\(server.role)\"."
            ),
            membership(
                options.keepsOwners ? grantors.subtracting(owners) : grantors,
                lacks: "set default privileges for them",
                option: "--no-privileges does without."
            ),
        ].compactMap(\.self)
    }

    private func membership(_ roles: Set<Identifier>, lacks what: String, option: String) -> Finding? {
        let lacking = roles.filter { target.roles[$0] == false }.sorted()
        guard !lacking.isEmpty else { return nil }
        // Since PostgreSQL 16 a role that has made another one is its member in name only.
        let with = server.majorVersion >= 16 ? " WITH INHERIT TRUE, SET TRUE" : ""
        let of = Finding.list(lacking.map(\.name))
        return Finding(
            "target.owner_rights",
            .blocker,
            "role \"\(server.role)\" is not a member of \(of), and cannot \(what)",
            detail: "It must be a member, and have what they have. \(option)",
            remedy: lacking.map { "GRANT \($0.quoted) TO \(role.quoted)\(with);" }
        )
    }

    private var owners: Set<Identifier> { Set(roleUses.filter(\.isOwner).map(\.role)) }

    /// The owners who could not create what they shall own: ALTER … OWNER TO wants that, too.
    var ownersWithoutRoom: [Finding] {
        guard options.keepsOwners, !server.isSuperuser else { return [] }
        let owners = owners.filter { target.roles[$0] != nil && $0 != role }
        let lacking = source.ownerships.filter { owners.contains($0.owner) && !hasRoom($0) }
        return [
            ownersWithoutRoom(lacking.filter { $0.schema.map { target.creators[$0] != nil } ?? true }, on: .target),
            ownersWithoutRoom(lacking.filter { $0.schema.map { target.creators[$0] == nil } ?? false }, on: .source),
        ].compactMap(\.self)
    }

    private func hasRoom(_ ownership: SourceSurvey.Ownership) -> Bool {
        let isCarried = ownership.isGranted && options.keepsPrivileges
        guard let schema = ownership.schema else { return target.creators[nil]?.contains(ownership.owner) == true }
        if let creators = target.creators[schema] { return creators.contains(ownership.owner) || isCarried }
        return isCarried || ownership.schemaOwner == ownership.owner
    }

    private func ownersWithoutRoom(_ lacking: [SourceSurvey.Ownership], on side: Finding.Side) -> Finding? {
        guard !lacking.isEmpty else { return nil }
        let places = lacking.map { one in
            "\"\(one.owner.name)\" in "
                + (one.schema.map { "schema \"\($0.name)\"" } ?? "database \"\(server.database)\"")
        }
        return Finding(
            "\(side.rawValue).owners",
            .blocker,
            "\(Finding.count(lacking.count, "owner")) may not create where \(lacking.count == 1 ? "his" : "their") objects are",
            detail: """
                They are \(places.joined(separator: ", ")). Only a superuser makes somebody the owner of what he could not \
                create. --no-owner leaves all to role "\(server.role)".
                """,
            remedy: lacking.map { one in
                let place =
                    one.schema.map { "SCHEMA \($0.quoted)" }
                    ?? "DATABASE \(Identifier(server.database).quoted)"
                return "GRANT CREATE ON \(place) TO \(one.owner.quoted);"
            }
        )
    }

    /// A dump grants what differs from PostgreSQL's own defaults, and knows nothing of those of the target.
    var defaultPrivileges: Finding? {
        guard target.migration == nil, !target.defaultPrivilegeRevokes.isEmpty else { return nil }
        return Finding(
            "target.default_privileges",
            .warning,
            "default privileges of role \"\(server.role)\" on the target give others rights on all that is moved",
            detail:
                "On the source they may not have them. To keep rights as they are there, take the defaults back before the "
                + "move, and give them again after it:",
            remedy: target.defaultPrivilegeRevokes
        )
    }

    var closedTablespaces: Finding? {
        let closed = source.names(of: "tablespace").filter { target.closedTablespaces.contains(Identifier($0)) }
        guard !closed.isEmpty else { return nil }
        return Finding(
            "target.tablespace_rights",
            .blocker,
            "role \"\(server.role)\" may not use \(Finding.count(closed.count, "tablespace"))",
            detail: Finding.named(closed),
            remedy: closed.map { "GRANT CREATE ON TABLESPACE \(Identifier($0).quoted) TO \(role.quoted);" }
        )
    }

    /// What was tried, and refused, of what only a superuser makes by nature: a finding for each kind.
    var privileged: [Finding] {
        let denied = source.movedPrivileged.filter { target.privilegeDenials[$0.need] != nil }
        return PrivilegedObject.Kind.allCases.compactMap { kind in
            let objects = denied.filter { $0.need.kind == kind }
            guard let first = objects.first, let denial = target.privilegeDenials[first.need] else { return nil }
            return kind.canBeLeftOut ? leftOut(objects, kind, denial) : impossible(objects, kind, denial)
        }
    }

    private func leftOut(
        _ objects: [PrivilegedObject],
        _ kind: PrivilegedObject.Kind,
        _ denial: PostgresError
    ) -> Finding? {
        guard options.keepsPrivileges || ![.grant, .privilege].contains(kind) else { return nil }
        let names = "\(Finding.named(objects.map(\.name)))\n\(denial.description)"
        if kind == .grant {
            return Finding(
                "target.grantors",
                .warning,
                "what others than the owner granted will be granted by the owner, because role \"\(server.role)\" is no superuser",
                detail: names
            )
        }
        let count =
            kind == .privilege
            ? "privileges on \(Finding.count(objects.count, "object")) of the system or of an extension"
            : Finding.count(objects.count, kind.rawValue, kind.plural)
        return Finding(
            "target.left_out",
            .warning,
            "\(count) will be left out, because role \"\(server.role)\" cannot make \(objects.count == 1 && kind != .privilege ? "it" : "them")",
            detail: names + "\nLet a superuser make them after the cutover, or whom the provider lets do it."
        )
    }

    private func impossible(
        _ objects: [PrivilegedObject],
        _ kind: PrivilegedObject.Kind,
        _ denial: PostgresError
    ) -> Finding {
        let details = Set(objects.map(\.need.detail)).filter { !$0.isEmpty }.sorted()
        let about = details.isEmpty || kind == .cast ? "" : " (\(details.joined(separator: ", ")))"
        return Finding(
            "target.superuser",
            .blocker,
            "role \"\(server.role)\" cannot make \(Finding.count(objects.count, kind.rawValue, kind.plural))\(about)",
            detail: """
                \(Finding.named(objects.map(\.name))) It was tried, and refused: \(denial.description)
                Other objects may need them, so martlet does not leave them out. Move with a role that may make them, \
                or drop them on the source.
                """
        )
    }
}
