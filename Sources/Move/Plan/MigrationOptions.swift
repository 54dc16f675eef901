public import Catalog
public import Engine
public import Postgres
public import Sync

/// What is decided about a move when it begins; kept in the journal, so that a resumed move does the same.
public struct MigrationOptions: Sendable, Hashable, Codable {
    /// Patterns of tables to take; empty takes all.
    public var include: [String]
    /// Patterns of tables to leave out; they win.
    public var exclude: [String]
    /// How many tables are copied at once.
    public var jobs: Int
    /// Why so many, when nobody has said how many: "this machine has 2 processors".
    public var jobsReason: String?
    /// How large the parts are into which tables are cut, whoever copies them; nil leaves it to ``LoadTable``.
    public var partBytes: Int?
    /// How many sessions apply changes.
    public var lanes: Int
    /// Copy, and do not follow.
    public var isOnce: Bool
    /// What of owners and privileges is taken over.
    public var schema: SchemaArchive.Options
    /// What the source is told to forget.
    public var confirmation: Confirmation
    /// How each server is written to; what the servers allow decides it, not the operator.
    public var sessionRoles: SessionRoles
    /// What a mapping file says; nil moves tables as they are.
    public var mapping: TableMapping?
    /// The rules of the mapping that were about something when the move began.
    var usedRules: Set<Int>?

    /// The defaults.
    public init() {
        include = []
        exclude = []
        jobs = 2
        lanes = 2
        isOnce = false
        schema = SchemaArchive.Options()
        confirmation = .spooled
        sessionRoles = SessionRoles()
    }
}

/// The two ends of a move.
public struct Endpoints: Sendable {
    /// The server that is moved from.
    public let source: ConnectionString
    /// The server that is moved to.
    public let target: ConnectionString

    /// Names the two ends.
    public init(source: ConnectionString, target: ConnectionString) {
        self.source = source
        self.target = target
    }

    /// One of them.
    public subscript(side: Journal.Side) -> ConnectionString {
        side == .source ? source : target
    }
}
