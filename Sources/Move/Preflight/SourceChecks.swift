import Catalog
import Engine
import Postgres

/// What the source must be, hold and allow.
struct SourceChecks {
    let source: SourceSurvey
    let options: Preflight.Options

    var server: ServerSurvey { source.server }
    var role: Identifier { Identifier(server.role) }

    /// Every check, in the order in which people should read them.
    var all: [Finding] {
        var findings = ServerChecks.first(of: server, on: .source)
        findings += [
            ServerChecks.encryption(server, on: .source),
            ServerChecks.connections(server, on: .source, needed: options.jobCount + options.sourceSessions),
            ServerChecks.locks(server, on: .source, tables: source.tables.count),
            ownSchema, readable, rowSecurity, unsupportedExtensions,
        ]
        if let readableLargeObjects { findings.append(readableLargeObjects) }
        findings += selection + mapping
        if !options.isOnce {
            findings += [
                ServerChecks.standby(server, on: .source),
                ServerChecks.walLevel(server, on: .source, otherwise: .blocker),
                ServerChecks.slots(server, on: .source, otherwise: .blocker),
                ServerChecks.senders(server, on: .source, otherwise: .blocker),
                slotRetention, replication, publication, ownership, marker, fence, identities,
            ]
            findings += [
                decodingMemory, replicaRole, partlyEnforced, identityIndexes, identityFull, generatedIdentity, unlogged,
            ]
            .compactMap(\.self)
            findings += transactions
        }
        return findings + objects
    }

    /// Whether schema `martlet` is free: what is in it is not moved, and a cutover puts things of its own there.
    var ownSchema: Finding {
        let check = "source.own_schema"
        switch source.ownSchema {
        case .ours(hasJournal: true) where !options.isOnce:
            return Finding(
                check,
                .blocker,
                "the source is itself the target of a move that has not ended",
                detail:
                    "Its journal would be dropped with this one's. End it first: martlet finish, or martlet abort, with "
                    + "this database as --target."
            )
        case .ours(hasJournal: false):
            return Finding(
                check,
                .warning,
                "a move has cut over from the source, and has not ended",
                detail:
                    "Applications write to another server since. End that move before another one cuts over from here."
            )
        default: return ServerChecks.ownSchema(source.ownSchema, on: .source)
        }
    }

    /// Whether the server throws away log that a slot still needs.
    var slotRetention: Finding {
        let check = "source.slot_retention"
        if server.slotKeepMegabytes >= 0 {
            return Finding(
                check,
                .warning,
                "the server drops a slot that is more than \(server.slotKeepMegabytes) MB behind",
                detail: "Then the move must begin anew (max_slot_wal_keep_size).",
                remedy: ["ALTER SYSTEM SET max_slot_wal_keep_size = -1;", "SELECT pg_reload_conf();"]
            )
        }
        guard server.idleSlotTimeout == "0" else {
            return Finding(
                check,
                .warning,
                "the server drops a slot that nobody reads for \(server.idleSlotTimeout) s",
                detail: "Then the move must begin anew (idle_replication_slot_timeout).",
                remedy: ["ALTER SYSTEM SET idle_replication_slot_timeout = 0;", "SELECT pg_reload_conf();"]
            )
        }
        return Finding(
            check,
            .pass,
            "the server keeps its log for as long as a slot needs it",
            detail: "Watch the disk that pg_wal is on while martlet is stopped."
        )
    }
}

/// Rights.
extension SourceChecks {
    /// Whether every selected table, and every sequence, can be read.
    var readable: Finding {
        let check = "source.select"
        let denied = source.objects.filter {
            $0.kind == "unreadable" && ($0.detail == "S" || source.isMoved($0.name))
        }
        guard !denied.isEmpty else {
            return Finding(check, .pass, "role \"\(server.role)\" can read what is moved")
        }
        let message =
            "role \"\(server.role)\" cannot read \(Finding.count(denied.count, "table or sequence", "tables and sequences"))"
        // Thousands of names make no command that anybody wants to read.
        guard denied.count <= 20 else {
            return Finding(
                check,
                .blocker,
                message,
                detail: Finding.named(denied.map(\.name.description)),
                remedy: ["GRANT pg_read_all_data TO \(role.quoted);"]
            )
        }
        let schemas = Set(denied.map(\.name.schema)).sorted().map { Identifier($0).quoted }.joined(separator: ", ")
        var remedy = ["GRANT USAGE ON SCHEMA \(schemas) TO \(role.quoted);"]
        for (word, isSequence) in [("TABLE", false), ("SEQUENCE", true)] {
            let names = denied.filter { ($0.detail == "S") == isSequence }.map(\.name.quoted)
            guard !names.isEmpty else { continue }
            remedy.append("GRANT SELECT ON \(word) \(names.joined(separator: ", ")) TO \(role.quoted);")
        }
        return Finding(
            check,
            .blocker,
            message,
            detail: "\(Finding.named(denied.map(\.name.description))) "
                + "Membership in pg_read_all_data lets a role read all.",
            remedy: remedy
        )
    }

    /// Whether every large object can be read; each has an owner and grants of its own.
    var readableLargeObjects: Finding? {
        let denied = source.objects.filter { $0.kind == "unreadable large objects" }
        guard !denied.isEmpty else { return nil }
        let count = denied.reduce(0) { $0 + (Int($1.detail) ?? 0) }
        return Finding(
            "source.large_object_rights",
            .blocker,
            "role \"\(server.role)\" cannot read \(Finding.count(count, "large object"))",
            detail:
                "\(denied.count == 1 ? "Their owner is" : "Their owners are") \(Finding.list(denied.map(\.name.name)))."
                + " Membership in pg_read_all_data does not let a role read them.",
            remedy: denied.map { "GRANT \(Identifier($0.name.name).quoted) TO \(role.quoted);" }
        )
    }

    /// Whether policies would hide rows.
    var rowSecurity: Finding {
        let check = "source.row_security"
        let forced = Set(source.names(of: "forced row security"))
        let secured = source.tables.filter(\.hasRowSecurity)
        let hidden = secured.filter { !$0.isOurs || forced.contains($0.name.description) }
        guard !server.bypassesRowSecurity, !hidden.isEmpty else {
            return Finding(check, .pass, "row security hides nothing from role \"\(server.role)\"")
        }
        return Finding(
            check,
            .blocker,
            "row security would hide rows of \(Finding.count(hidden.count, "table")) from role \"\(server.role)\"",
            detail: "\(Finding.named(hidden.map(\.name.description)))",
            remedy: ["ALTER ROLE \(role.quoted) BYPASSRLS;"]
        )
    }

    /// Whether we may open the stream.
    var replication: Finding {
        ServerChecks.replication(server, on: .source, denial: source.replicationDenial, otherwise: .blocker)
    }

    /// How the way back is kept from setting off triggers and foreign keys.
    var replicaRole: Finding? {
        guard options.wantsRollback else { return nil }
        return ServerChecks.replicaRole(
            server,
            on: .source,
            denial: source.denials[.replicaRole],
            bystanders: source.bystanders
        )
    }

    /// What a rollback cannot bring back to what it was.
    var partlyEnforced: Finding? {
        let keys = source.objects.filter { $0.kind == "partly enforced foreign key" && source.isMoved($0.name) }
        guard options.wantsRollback, !keys.isEmpty, source.denials[.replicaRole] != nil else { return nil }
        return Finding(
            "source.partly_enforced",
            .warning,
            "\(Finding.count(keys.count, "foreign key is", "foreign keys are")) enforced in part, and will be wholly after a rollback",
            detail: keys.map { "Foreign key \"\($0.detail)\" of table \"\($0.name)\"." }.joined(separator: "\n")
                + "\nThe triggers behind one of the tables are disabled, which only a superuser can do again."
        )
    }

    /// Whether a publication can be made.
    var publication: Finding {
        denied(
            .publication,
            check: "source.create",
            pass: "role \"\(server.role)\" can create a publication",
            message: "role \"\(server.role)\" cannot create a publication",
            remedy: ["GRANT CREATE ON DATABASE \(Identifier(server.database).quoted) TO \(role.quoted);"]
        )
    }

    /// Whether the end of the stream can be marked in the log.
    var marker: Finding {
        denied(
            .marker,
            check: "source.marker",
            pass: "role \"\(server.role)\" can write a marker into the log",
            message: "role \"\(server.role)\" cannot write a marker into the log",
            remedy: [
                "GRANT EXECUTE ON FUNCTION pg_catalog.pg_logical_emit_message(boolean, text, text) TO \(role.quoted);"
            ]
        )
    }

    /// Whether the triggers that hold writers off at the cutover can be made; that the tables are ours is another check.
    var fence: Finding {
        denied(
            .fence,
            check: "source.fence",
            pass: "role \"\(server.role)\" can build the fence of the cutover",
            message: "role \"\(server.role)\" cannot build the fence of the cutover",
            remedy: [
                "GRANT CREATE ON DATABASE \(Identifier(server.database).quoted) TO \(role.quoted);",
                "GRANT USAGE ON LANGUAGE plpgsql TO \(role.quoted);",
            ]
        )
    }

    /// Whether the tables are ours: only their owner publishes them and sets their replica identity.
    var ownership: Finding {
        let check = "source.ownership"
        let foreign = source.tables.filter { !$0.isOurs }
        guard !foreign.isEmpty else {
            return Finding(check, .pass, "role \"\(server.role)\" has the rights of the tables' owners")
        }
        let owners = Set(foreign.map(\.owner)).sorted()
        return Finding(
            check,
            .blocker,
            "role \"\(server.role)\" has not the rights of the owner of \(Finding.count(foreign.count, "table"))",
            detail: "\(Finding.named(foreign.map(\.name.description))) "
                + "Only a table's owner can publish it and set its replica identity.",
            remedy: owners.map { "GRANT \(Identifier($0).quoted) TO \(role.quoted);" }
        )
    }

    private func denied(
        _ attempt: Probe.Attempt,
        check: String,
        pass: String,
        message: String,
        remedy: [String]
    ) -> Finding {
        guard let denial = source.denials[attempt] else { return Finding(check, .pass, pass) }
        let triggers = source.names(of: "event trigger")
        // What is no lack of rights is most likely somebody's own rule.
        guard denial.sqlState == "42501" || triggers.isEmpty else {
            return Finding(
                check,
                .blocker,
                message,
                detail: denial.description
                    + "\nAn event trigger may refuse it. Let martlet set session_replication_role, "
                    + "for which most of them do not fire, or disable them for the move:",
                remedy: (server.majorVersion >= 15
                    ? ["GRANT SET ON PARAMETER session_replication_role TO \(role.quoted);"] : [])
                    + triggers.map { "ALTER EVENT TRIGGER \(Identifier($0).quoted) DISABLE;" }
            )
        }
        return Finding(check, .blocker, message, detail: denial.description, remedy: remedy)
    }
}
