import Cluster
import Foundation
import Postgres

/// A database on the source, and copies on the target that can follow it: by a native subscription, by pglogical, by martlet.
struct Followers {
    enum Kind: String {
        case native
        case pglogical
        case ours
        /// Another build of martlet.
        case other

        /// The copy's database.
        var database: String { rawValue }

        /// The slot that it reads, on the source.
        fileprivate var slotPattern: String {
            switch self {
            case .native: "bench\\_native"
            case .pglogical: "pgl\\_%"
            case .ours, .other: "martlet\\_%"
            }
        }

        /// What lets a subscription go on, or stops it; martlet is a command.
        fileprivate func statement(enables: Bool) -> SQL? {
            switch self {
            case .native: enables ? "ALTER SUBSCRIPTION bench ENABLE" : "ALTER SUBSCRIPTION bench DISABLE"
            case .pglogical:
                enables
                    ? "SELECT pglogical.alter_subscription_enable('bench', true)"
                    : "SELECT pglogical.alter_subscription_disable('bench', true)"
            case .ours, .other: nil
            }
        }
    }

    let servers: Servers
    let kinds: [Kind]

    private static let native = Contender(
        "native subscription",
        "ALTER SUBSCRIPTION bench ENABLE (binary, copy_data = false, create_slot = false)"
    )
    private static let pglogical = Contender("pglogical", "SELECT pglogical.alter_subscription_enable('bench', true)")
    private static let ours = Contender.martlet(arguments)
    private static func other(_ options: Options) -> Contender? { .otherMartlet(arguments, options) }

    private static let arguments = #"migrate --source "$SOURCE" --target "$TARGET" --work-dir "$SCRATCH/work-$KIND""#

    func contender(_ kind: Kind) -> Contender {
        switch kind {
        case .native: Self.native
        case .pglogical: Self.pglogical
        case .ours: Self.ours
        case .other: Self.other(servers.options) ?? Self.ours
        }
    }

    /// Slots for readers of the same changes that apply nothing.
    static let idleSlots: [Identifier] = ["bench_decoded", "bench_received"]

    // MARK: Before and after

    /// Makes the database and its copies, equal to it, which do not follow it yet.
    ///
    /// `seed`: the database it is copied from; `definitions`: what it has besides; `tables`: those that will change.
    func prepare(from seed: String, _ definitions: SQL, tables: [String]) async throws {
        try await servers.create("live", on: servers.source, template: seed)
        try await withConnection(to: servers.source.connection(to: "live")) { try $0.execute(definitions) }
        for kind in kinds { try await servers.create(kind.database, on: servers.target) }
        try await servers.clearScratch()
        for kind in kinds where kind.statement(enables: true) == nil { _ = try await catchUp(kind).interrupt() }
        try await subscribe(tables)
    }

    /// Moves the database, and returns martlet when it says that it waits for changes.
    func catchUp(_ kind: Kind = .ours) async throws -> Spawned {
        let command = try spawn(kind)
        let deadline = ContinuousClock.now + .seconds(300)
        while !command.output.contains("waiting for changes") {
            guard !command.hasEnded(), ContinuousClock.now < deadline else {
                throw Failure("martlet did not catch up: \(command.output)")
            }
            try await Task.sleep(for: .milliseconds(50))
        }
        return command
    }

    private func subscribe(_ tables: [String]) async throws {
        for kind in kinds where kind.statement(enables: true) != nil {
            try await servers.shell(
                #"pg_dump --no-publications "$SOURCE" | psql -X -q -v ON_ERROR_STOP=1 "$TARGET""#,
                source: "live",
                target: kind.database
            )
        }
        if kinds.contains(.pglogical) { try await subscribeByPglogical(tables) }
        try await withConnection(to: servers.source.connection(to: "live")) { source in
            try source.execute("CREATE PUBLICATION bench FOR TABLE \(.joined(tables.map { "\(Identifier($0))" }))")
            for slot in [Self.slot] + Self.idleSlots {
                try source.query("SELECT pg_create_logical_replication_slot($1, 'pgoutput')", slot)
            }
        }
        let address = servers.address("live", on: servers.source)
        try await withConnection(to: servers.target.connection(to: Kind.native.database)) { target in
            try target.execute(
                """
                CREATE SUBSCRIPTION bench CONNECTION \(literal: address) PUBLICATION bench
                  WITH (enabled = false, copy_data = false, create_slot = false, slot_name = \(Self.slot), binary = true)
                """
            )
        }
    }

    /// A table without a key goes into the set whose updates and deletions are left out; there are none of it.
    private func subscribeByPglogical(_ tables: [String]) async throws {
        try await servers.preload("pglogical")
        let address = servers.address("live", on: servers.source)
        try await withConnection(to: servers.source.connection(to: "live")) { source in
            try source.execute("CREATE EXTENSION pglogical")
            try source.query("SELECT pglogical.create_node('source', $1)", address)
            for table in tables {
                try source.query(
                    """
                    SELECT pglogical.replication_set_add_table(CASE WHEN relhasindex THEN 'default' ELSE 'default_insert_only' END, oid)
                      FROM pg_class WHERE oid = $1::text::regclass
                    """,
                    table
                )
            }
        }
        try await withConnection(to: servers.target.connection(to: Kind.pglogical.database)) { target in
            let own = servers.address(Kind.pglogical.database, on: servers.target)
            try target.execute("CREATE EXTENSION pglogical")
            try target.query("SELECT pglogical.create_node('target', $1)", own)
            try target.query(
                "SELECT pglogical.create_subscription('bench', $1, '{default,default_insert_only}', false, false)",
                address
            )
            let deadline = ContinuousClock.now + .seconds(60)
            while try target.query(
                "SELECT FROM pglogical.show_subscription_status() WHERE status = 'replicating'"
            ).isEmpty {
                try Self.check(nil, deadline)
                try await Task.sleep(for: .milliseconds(50))
            }
        }
        try await stop(.pglogical, nil)
    }

    func clean() async throws {
        // Its supervisor keeps DROP DATABASE waiting (pglogical's issue 399).
        if kinds.contains(.pglogical) { try await servers.preload("") }
        try await withConnection(to: servers.target.connection(to: Kind.native.database)) { target in
            try target.execute("ALTER SUBSCRIPTION bench DISABLE")
            try target.execute("ALTER SUBSCRIPTION bench SET (slot_name = NONE)")
            try target.execute("DROP SUBSCRIPTION bench")
        }
        try await removeSlots()
        try await servers.drop("live", on: servers.source)
        for kind in kinds { try await servers.drop(kind.database, on: servers.target) }
    }

    /// Removes every slot on the source, whoever reads it.
    func removeSlots() async throws {
        try await withConnection(to: servers.source.connection(to: "live")) { source in
            // A walsender may take a moment to notice that its client is gone.
            try source.execute(
                """
                SELECT pg_terminate_backend(active_pid, 10000) FROM pg_replication_slots WHERE active_pid IS NOT NULL;
                SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE database = current_database()
                """
            )
        }
    }

    private static let slot: Identifier = "bench_native"

    // MARK: Following

    /// Lets one follow; returns its command, which a subscription has not.
    func start(_ kind: Kind) async throws -> Spawned? {
        guard let enable = kind.statement(enables: true) else { return try spawn(kind) }
        try await withConnection(to: servers.target.connection(to: kind.database)) { try $0.execute(enable) }
        return nil
    }

    /// Waits until somebody reads its slot.
    func untilStreaming(_ kind: Kind, _ command: Spawned?, on source: Connection) async throws {
        let isStreaming: SQL = """
            SELECT FROM pg_replication_slots WHERE database = current_database() AND active
               AND slot_name LIKE \(literal: kind.slotPattern)
            """
        let deadline = ContinuousClock.now + .seconds(60)
        while try source.query(isStreaming).isEmpty {
            try Self.check(command, deadline)
            try await Task.sleep(for: .milliseconds(1))
        }
    }

    func stop(_ kind: Kind, _ command: Spawned?) async throws {
        _ = try await command?.interrupt()
        guard let disable = kind.statement(enables: false) else { return }
        try await withConnection(to: servers.target.connection(to: kind.database)) { try $0.execute(disable) }
    }

    static func check(_ command: Spawned?, _ deadline: ContinuousClock.Instant) throws {
        if let command, command.hasEnded() { throw Failure("martlet ended before its time: \(command.output)") }
        guard ContinuousClock.now < deadline else { throw Failure("what was waited for did not happen in time") }
    }

    private func spawn(_ kind: Kind) throws -> Spawned {
        var environment = servers.environment(source: "live", target: kind.database)
        environment["KIND"] = kind.rawValue
        return try Spawned("exec " + contender(kind).command, environment: environment)
    }
}
