/// What a preflight found: every check with its outcome, and the facts that a plan is made from.
public struct Findings: Sendable, Hashable, Codable {
    /// One server and one database on it.
    public struct Server: Sendable, Hashable, Codable {
        /// The version as a number, 150004 for 15.4.
        public let version: Int
        /// The version as the server says it.
        public let versionText: String
        /// The database's name.
        public let database: String
        /// The database's encoding, as the server spells it.
        public let encoding: String
        /// The database's collation.
        public let collation: String
        /// The size of the whole database in bytes.
        public let bytes: Int
        /// Made by initdb, the same on every physical copy; nil when we may not see it.
        public let systemIdentifier: String?

        private enum CodingKeys: String, CodingKey {
            case version
            case versionText = "version_text"
            case database, encoding, collation, bytes
            case systemIdentifier = "system_identifier"
        }
    }

    /// How large one table is.
    public struct TableSize: Sendable, Hashable, Codable {
        /// The table, as people read it.
        public let table: String
        /// Its size with TOAST, without indexes, in bytes.
        public let bytes: Int
        /// The planner's estimate of its rows.
        public let rows: Int
    }

    /// How much is to be moved, and how long that may take.
    public struct Volume: Sendable, Hashable, Codable {
        /// How many selected tables hold rows of their own.
        public let tables: Int
        /// Their size with TOAST in bytes.
        public let tableBytes: Int
        /// The size of their indexes in bytes, which are built anew.
        public let indexBytes: Int
        /// The largest of them, the largest first; at most ten.
        public let largest: [TableSize]
        /// How many large objects the database has.
        public let largeObjects: Int
        /// How long the copy and the index builds may take, in seconds.
        public let estimatedSeconds: Double
        /// What the estimate rests on, as a sentence.
        public let assumption: String

        private enum CodingKeys: String, CodingKey {
            case tables
            case tableBytes = "table_bytes"
            case indexBytes = "index_bytes"
            case largest
            case largeObjects = "large_objects"
            case estimatedSeconds = "estimated_seconds"
            case assumption
        }
    }

    /// Every check's outcome, in the order in which people should read them.
    public let findings: [Finding]
    /// The server that is moved from.
    public let source: Server
    /// The server that is moved to; nil when none was given.
    public let target: Server?
    /// How much is to be moved.
    public let volume: Volume
    /// How many tables to copy at once, and why; nil when somebody has said.
    public var jobs: JobChoice?

    /// What makes the move impossible.
    public var blockers: [Finding] { findings.filter { $0.level == .blocker } }
    /// What somebody should know.
    public var warnings: [Finding] { findings.filter { $0.level == .warning } }
    /// What would make it faster.
    public var advice: [Finding] { findings.filter { $0.level == .advice } }
    /// The outcomes of one check.
    public subscript(check: String) -> [Finding] { findings.filter { $0.check == check } }
}
