import Catalog
import Engine
import Postgres

/// What the target must be, hold and allow, and how it must fit the source.
struct TargetChecks {
    let source: SourceSurvey
    let target: TargetSurvey
    let options: Preflight.Options

    var server: ServerSurvey { target.server }
    var role: Identifier { Identifier(server.role) }

    /// Every check, in the order in which people should read them.
    var all: [Finding] {
        var findings = ServerChecks.first(of: server, on: .target)
        findings += [
            ServerChecks.encryption(server, on: .target),
            ServerChecks.standby(server, on: .target),
            ServerChecks.connections(server, on: .target, needed: 2 * options.jobCount + options.targetSessions),
            ServerChecks.locks(server, on: .target, tables: source.tables.count),
            sameDatabase, versions, encoding, locale, collations, occupants,
            ServerChecks.ownSchema(target.ownSchema, on: .target), create,
        ]
        if !options.isOnce { findings.append(replicaRole) }
        if !options.isOnce, options.wantsRollback {
            findings += [
                ServerChecks.walLevel(server, on: .target, otherwise: .warning),
                ServerChecks.slots(server, on: .target, otherwise: .warning),
                ServerChecks.senders(server, on: .target, otherwise: .warning),
                replication,
            ]
            if let generatedIdentity { findings.append(generatedIdentity) }
        }
        findings += [maxWAL, minimalLog, logCompression].compactMap(\.self) + extensions + extensionVersions + [roles]
        findings += ownerRights
        findings += [defaultPrivileges, icu, forcedRowSecurity, tablespaces, closedTablespaces, compression].compactMap(
            \.self
        )
        return findings + ownersWithoutRoom + privileged
    }

    /// The tables whose changes cannot flow back, because publishing them would make the application's own UPDATE fail.
    private var generatedIdentity: Finding? {
        // A source for which that is so, too, is told of already.
        guard source.server.majorVersion < 18 else { return nil }
        let tables = source.tables.filter { source.schema.cannotBePublished($0, by: server.majorVersion) }
        guard !tables.isEmpty else { return nil }
        return Finding(
            "target.identity_generated",
            .warning,
            "\(Finding.count(tables.count, "table")) with generated columns cannot be followed back",
            detail: "\(Finding.named(tables.map(\.name.description))) Only the whole row can name a row of "
                + "them, and PostgreSQL 18 refuses UPDATE and DELETE on such a table when it is published. Give it a primary "
                + "key and the default replica identity, or cut over with --no-rollback.",
            remedy: tables.map { "ALTER TABLE \($0.name.quoted) REPLICA IDENTITY DEFAULT;" }
        )
    }

    /// Whether the target is the source.
    ///
    /// A physical copy has the same system identifier, but was started at another time.
    private var sameDatabase: Finding {
        let check = "both.same"
        let isSame =
            source.server.systemIdentifier == server.systemIdentifier && source.server.started == server.started
            && Identifier(source.server.database) == Identifier(server.database)
        guard isSame else { return Finding(check, .pass, "source and target are two databases") }
        return Finding(
            check,
            .blocker,
            "source and target are the same database",
            detail: "Both are database \"\(server.database)\" of the same server."
        )
    }

    private var versions: Finding {
        let from = source.server.majorVersion
        guard server.majorVersion < from else {
            return Finding("both.versions", .pass, "from PostgreSQL \(from) to \(server.majorVersion)")
        }
        return Finding(
            "both.versions",
            .warning,
            "the target is older than the source: PostgreSQL \(from) to \(server.majorVersion)",
            detail: "What only the newer one knows cannot be made on the older one; the schema may not load."
        )
    }

    /// Whether there is room for the tables, or a move from this source to go on with.
    private var occupants: Finding {
        let check = "target.empty"
        if let migration = target.migration {
            let isOurs =
                migration.sourceSystem == source.server.systemIdentifier
                && Identifier(migration.sourceDatabase) == Identifier(source.server.database)
            guard isOurs else {
                return Finding(
                    check,
                    .blocker,
                    "the target holds an unfinished migration of another source",
                    detail: "It is of database \"\(migration.sourceDatabase)\" at \(migration.source), "
                        + "in phase \"\(migration.phase)\". Most likely this is not the target that was meant. If nobody needs "
                        + "that move any more, end it with its own source."
                )
            }
            return Finding(check, .pass, "a migration from this source goes on, from phase \"\(migration.phase)\"")
        }
        let fresh = Identifier(server.database + "_new")
        guard !target.occupants.isEmpty else {
            let shared = target.sharedObjects
            guard !shared.isEmpty else { return Finding(check, .pass, "the target database is empty") }
            return Finding(
                check,
                .blocker,
                "the target database holds \(Finding.count(shared.count, "large object")) with the numbers of those to be moved",
                detail:
                    "\(Finding.named(shared.map(\.description))) martlet overwrites nothing; remove them with lo_unlink, or move "
                    + "into a new database:",
                remedy: ["CREATE DATABASE \(fresh.quoted) TEMPLATE template0;"]
            )
        }
        let many = target.occupants.count >= 1000 ? "1000 or more relations" : nil
        return Finding(
            check,
            .blocker,
            "the target database is not empty: it holds "
                + (many ?? Finding.count(target.occupants.count, "relation")),
            detail: "\(Finding.named(target.occupants.map(\.description))) martlet overwrites nothing; move "
                + "into a new database:",
            remedy: ["CREATE DATABASE \(fresh.quoted) TEMPLATE template0;"]
        )
    }
}

/// Rights.
extension TargetChecks {
    private var create: Finding {
        let check = "target.create"
        guard let denial = target.denials[.schema] else {
            return Finding(check, .pass, "role \"\(server.role)\" can create schemas and tables")
        }
        return Finding(
            check,
            .blocker,
            "role \"\(server.role)\" cannot create a schema",
            detail: denial.description,
            remedy: ["GRANT CREATE ON DATABASE \(Identifier(server.database).quoted) TO \(role.quoted);"]
        )
    }

    /// How triggers and foreign keys are kept from acting on what is only replayed.
    private var replicaRole: Finding {
        ServerChecks.replicaRole(
            server,
            on: .target,
            denial: target.denials[.replicaRole],
            bystanders: source.bystanders
        )
    }

    /// Whether the stream of the way back may be opened here.
    private var replication: Finding {
        ServerChecks.replication(server, on: .target, denial: target.replicationDenial, otherwise: .warning)
    }

    private var forcedRowSecurity: Finding? {
        let forced = source.objects.filter { $0.kind == "forced row security" && source.isMoved($0.name) }
        guard !forced.isEmpty, !server.bypassesRowSecurity else { return nil }
        return Finding(
            "target.row_security",
            .blocker,
            "row security would keep role \"\(server.role)\" from writing to \(Finding.count(forced.count, "table"))",
            detail: "\(Finding.named(forced.map(\.name.description)))",
            remedy: ["ALTER ROLE \(role.quoted) BYPASSRLS;"]
        )
    }
}
