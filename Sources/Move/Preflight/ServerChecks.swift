import Engine
import Postgres

/// Checks that ask the same of either server.
enum ServerChecks {
    /// The oldest major version that martlet moves from and to.
    static let oldest = 14
    /// The newest one that it has been tried with.
    static let newest = 18

    /// Whether we know its catalogs, and talk to the server itself.
    static func canLookOn(_ server: ServerSurvey) -> Bool {
        first(of: server, on: .source).allSatisfy { $0.level != .blocker }
    }

    /// What must be known before anything else is looked at.
    static func first(of server: ServerSurvey, on side: Finding.Side) -> [Finding] {
        [version(of: server, on: side), pooler(server, on: side)]
    }

    /// Whether we know the version.
    static func version(of server: ServerSurvey, on side: Finding.Side) -> Finding {
        version(server.majorVersion, text: server.versionText, on: side)
    }

    static func version(_ major: Int, text: String, on side: Finding.Side) -> Finding {
        let check = "\(side.rawValue).version"
        if major < oldest {
            return Finding(
                check,
                .blocker,
                "PostgreSQL \(text) is too old",
                detail: "martlet knows PostgreSQL \(oldest) to \(newest)."
            )
        }
        if major > newest {
            return Finding(
                check,
                .warning,
                "PostgreSQL \(text) is newer than martlet",
                detail: "It has been tried with PostgreSQL \(oldest) to \(newest)."
            )
        }
        return Finding(check, .pass, "PostgreSQL \(text)")
    }

    /// Whether we talk to the server itself.
    ///
    /// A pooler hands out a process number of its own with the connection, as it must route cancel
    /// requests; the process that answers `pg_backend_pid()` is another.
    static func pooler(_ server: ServerSurvey, on side: Finding.Side) -> Finding {
        let check = "\(side.rawValue).pooler"
        guard server.backendPID != server.connectionPID else {
            return Finding(check, .pass, "the connection goes to the server itself")
        }
        return Finding(
            check,
            .blocker,
            "the connection goes through a pooler",
            detail: "Process \(server.backendPID) serves us, but the connection was told of another one. Replication, "
                + "snapshots and session settings need the server itself: give its own host and port."
        )
    }

    /// Whether the server takes writes.
    static func standby(_ server: ServerSurvey, on side: Finding.Side) -> Finding {
        let check = "\(side.rawValue).standby"
        guard server.isStandby else { return Finding(check, .pass, "the server takes writes") }
        return Finding(
            check,
            .blocker,
            "the server is a standby",
            detail: "A publication and the journal must be written; connect to the primary.",
            remedy: side == .target ? ["SELECT pg_promote();"] : []
        )
    }

    /// Whether the log holds what logical decoding needs.
    static func walLevel(_ server: ServerSurvey, on side: Finding.Side, otherwise level: Finding.Level) -> Finding {
        let check = "\(side.rawValue).wal_level"
        guard server.walLevel != "logical" else { return Finding(check, .pass, "wal_level is \"logical\"") }
        return Finding(
            check,
            level,
            "wal_level is \"\(server.walLevel)\", but must be \"logical\"",
            detail: purpose(on: side) + " Managed servers have a parameter of their own for it, such as "
                + "rds.logical_replication or cloudsql.logical_decoding.",
            remedy: ["ALTER SYSTEM SET wal_level = 'logical';", server.restart]
        )
    }

    /// Whether two slots can be made: one to follow, and a temporary one to compare.
    static func slots(_ server: ServerSurvey, on side: Finding.Side, otherwise level: Finding.Level) -> Finding {
        room(
            server.slots,
            of: ("replication slot", "max_replication_slots"),
            check: "\(side.rawValue).slots",
            server: server,
            side: side,
            otherwise: level
        )
    }

    /// Whether two senders can run: one for the stream, and one for the temporary slot.
    static func senders(_ server: ServerSurvey, on side: Finding.Side, otherwise level: Finding.Level) -> Finding {
        room(
            server.senders,
            of: ("WAL sender", "max_wal_senders"),
            check: "\(side.rawValue).senders",
            server: server,
            side: side,
            otherwise: level
        )
    }

    private static func room(
        _ room: ServerSurvey.Room,
        of resource: (name: String, setting: String),
        check: String,
        server: ServerSurvey,
        side: Finding.Side,
        otherwise level: Finding.Level
    ) -> Finding {
        let facts = "\(room.used) of \(room.limit) are in use"
        guard room.free < 2 else { return Finding(check, .pass, "\(room.free) \(resource.name)s are free, \(facts)") }
        let free = room.free < 1 ? "no \(resource.name) is free" : "only 1 \(resource.name) is free"
        return Finding(
            check,
            level,
            "\(free), 2 are needed",
            detail: "Of \(resource.setting), \(facts). \(purpose(on: side))",
            remedy: ["ALTER SYSTEM SET \(resource.setting) = \(room.used + 4);", server.restart]
        )
    }

    private static func purpose(on side: Finding.Side) -> String {
        side == .source
            ? "Without it changes cannot be followed; a copy that follows nothing (--once) can do without."
            : "It is needed for the way back after the cutover, which streams changes to the old server."
    }

    /// Whether one transaction can lock all tables: pg_dump does on the source, and the fence on the server that is left.
    static func locks(_ server: ServerSurvey, on side: Finding.Side, tables: Int) -> Finding {
        let check = "\(side.rawValue).locks"
        let room = server.locks.each * server.locks.sessions
        // What others lock meanwhile, their indexes too, must have room beside it.
        let needed = tables + tables / 4 + 500
        guard room < needed, tables > 100 else {
            return Finding(check, .pass, "there is room for the locks of \(Finding.count(tables, "table"))")
        }
        return Finding(
            check,
            .blocker,
            "there is room for \(room) locks, and \(tables) tables must be locked at once",
            detail: "pg_dump locks all tables on the source, and a cutover or rollback on the server that is left. "
                + "The room is max_locks_per_transaction (\(server.locks.each)) times \(server.locks.sessions) sessions.",
            remedy: [
                "ALTER SYSTEM SET max_locks_per_transaction = \((needed / server.locks.sessions + 8) / 8 * 8);",
                server.restart,
            ]
        )
    }

    /// Whether all the sessions of a move find room.
    static func connections(_ server: ServerSurvey, on side: Finding.Side, needed: Int) -> Finding {
        let check = "\(side.rawValue).connections"
        let role = Identifier(server.role)
        let database = Identifier(server.database)
        let rooms: [(room: ServerSurvey.Room?, name: String, remedy: [String])] = [
            (
                server.connections, "the server",
                ["ALTER SYSTEM SET max_connections = \(server.connections.limit + needed + 10);", server.restart]
            ),
            (
                server.databaseConnections, "database \"\(server.database)\"",
                ["ALTER DATABASE \(database.quoted) CONNECTION LIMIT -1;"]
            ),
            (server.roleConnections, "role \"\(server.role)\"", ["ALTER ROLE \(role.quoted) CONNECTION LIMIT -1;"]),
        ]
        for case (let room?, let name, let remedy) in rooms where room.free < needed {
            return Finding(
                check,
                .blocker,
                "\(name) has room for \(Finding.count(max(0, room.free), "connection")), \(needed) are needed",
                detail: "\(room.used) of \(room.limit) are in use. Fewer jobs need fewer connections.",
                remedy: remedy
            )
        }
        return Finding(check, .pass, "there is room for the \(needed) connections that are needed")
    }

    /// Whether schema `martlet` is free, or ours.
    static func ownSchema(_ state: OwnSchema.State, on side: Finding.Side) -> Finding {
        let check = "\(side.rawValue).own_schema"
        if case .foreign(let why) = state {
            return Finding(
                check,
                .blocker,
                why.message,
                detail: [why.detail, why.hint].compactMap(\.self).joined(separator: " ")
            )
        }
        return Finding(check, .pass, "schema \"martlet\" is free for what a move needs")
    }
}
