public import Postgres

/// A database by its name, whether it is there or not, and the server that it is or would be on.
public struct ServerDatabase: Sendable {
    /// Its name.
    public let name: String
    private let place: ConnectionString

    /// A database of the server that a connection string leads to.
    public init(_ name: String, at place: ConnectionString) {
        (self.name, self.place) = (name, place)
    }

    /// What keeps a database from being dropped: a session, a slot, a prepared transaction, a subscription.
    public struct Occupant: Sendable, Hashable {
        /// What it is, in the words of the documentation.
        public let kind: String
        /// Its name, or its process.
        public let name: String
        /// Who it is, and since when.
        public let facts: String
    }

    /// How a new database is made; what is nil is left to the server.
    public struct Making: Sendable {
        /// The role that owns it.
        public var owner: String?
        /// The database that it is a copy of.
        public var template: String?
        /// Its encoding.
        public var encoding: String?

        /// Creates a wish.
        public init(owner: String? = nil, template: String? = nil, encoding: String? = nil) {
            (self.owner, self.template, self.encoding) = (owner, template, encoding)
        }
    }

    /// Whether it is there.
    public func exists() async throws -> Bool {
        try await onServer { try exists($0) }
    }

    /// Makes it.
    ///
    /// - Throws: also when it is there already.
    public func create(_ making: Making = Making()) async throws {
        try await onServer { server in
            guard try !exists(server) else {
                throw PostgresError(
                    "database \"\(name)\" exists already on \(place.with("dbname", nil).place)",
                    hint: "To begin anew: martlet db setup"
                )
            }
            var options: [SQL] = []
            if let owner = making.owner { options.append("OWNER \(Identifier(owner))") }
            if let template = making.template { options.append("TEMPLATE \(Identifier(template))") }
            if let encoding = making.encoding { options.append("ENCODING \(literal: encoding)") }
            // Only template0 may be copied with another encoding.
            if making.encoding != nil, making.template == nil { options.append("TEMPLATE template0") }
            try server.execute("CREATE DATABASE \(Identifier(name)) \(.joined(options, separator: " "))")
        }
    }

    /// What would keep it from being dropped, our own session not among it.
    public func occupants() async throws -> [Occupant] {
        try await onServer { server in
            try server.query(CareSQL.occupants, name).map { row throws(PostgresError) in
                Occupant(kind: try row("kind"), name: try row("name"), facts: try row("facts"))
            }
        }
    }

    /// Drops it, and with `force` ends its sessions first; false when it was not there.
    ///
    /// - Throws: when somebody is connected to it and `force` is not given, with who they are; what no force removes
    ///   (slots, prepared transactions, subscriptions) is told with what removes it.
    public func drop(force: Bool) async throws -> Bool {
        guard try await exists() else { return false }
        let occupants = try await occupants()
        let inTheWay = force ? occupants.filter { $0.kind != "session" } : occupants
        guard inTheWay.isEmpty else { throw inUse(inTheWay) }
        try await onServer { server in
            try server.execute("DROP DATABASE \(Identifier(name))\(force ? " WITH (FORCE)" : "" as SQL)")
        }
        return true
    }

    private func inUse(_ occupants: [Occupant]) -> PostgresError {
        let lines = occupants.prefix(20).map { "\($0.kind) \($0.name): \($0.facts)" }
        let more = occupants.count > 20 ? "\nand \(occupants.count - 20) more" : ""
        let remedies = Set(occupants.map(\.kind)).sorted().map { kind in
            switch kind {
            case "session": "end its sessions with --force"
            case "replication slot": "SELECT pg_drop_replication_slot('NAME')"
            case "prepared transaction": "COMMIT PREPARED or ROLLBACK PREPARED, in that database"
            default: "DROP SUBSCRIPTION, in that database"
            }
        }
        return PostgresError(
            "database \"\(name)\" is in use",
            detail: lines.joined(separator: "\n") + more,
            hint: "Nothing was dropped. To drop it: \(remedies.joined(separator: "; "))."
        )
    }

    private func exists(_ server: Connection) throws(PostgresError) -> Bool {
        try !server.query("SELECT FROM pg_database WHERE datname = $1", name).isEmpty
    }

    /// Connects to a database of the server that is there whatever becomes of this one.
    private func onServer<Result>(_ body: (Connection) async throws -> Result) async throws -> Result {
        let first = name == "postgres" ? "template1" : "postgres"
        do {
            return try await withNeutralConnection(to: place.with("dbname", first), body)
        } catch let error as PostgresError where error.sqlState == "3D000" && first == "postgres" {
            // Somebody has removed it; template1 is always there, but who is connected to it keeps others from copying it.
            return try await withNeutralConnection(to: place.with("dbname", "template1"), body)
        }
    }
}
