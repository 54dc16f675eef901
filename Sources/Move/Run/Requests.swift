public import Foundation
public import Postgres

/// What another terminal can ask the running martlet, and what it answers; both travel as JSON through the journal.
public enum Ask {
    /// Compare both databases at one position.
    public struct Verify: Sendable, Hashable, Codable {
        /// Compare the text of every value instead of hashes.
        public var isStrict: Bool
        /// The user's own checks, as SQL.
        public var checks: String?
        /// Bring what differs into line with the server that is followed.
        public var repairs: Bool

        /// Describes a comparison.
        public init(isStrict: Bool = false, checks: String? = nil, repairs: Bool = false) {
            self.isStrict = isStrict
            self.checks = checks
            self.repairs = repairs
        }
    }

    /// Copy tables again, while all others are followed.
    public struct Resync: Sendable, Hashable, Codable {
        /// Patterns of tables, as `--include` takes them.
        public var tables: [String]

        /// Describes what is to be copied again.
        public init(tables: [String]) {
            self.tables = tables
        }
    }

    /// What was copied again.
    public struct Resynced: Sendable, Hashable, Codable {
        /// One table, with its partitions.
        public struct Table: Sendable, Hashable, Codable {
            /// Its schema.
            public var schema: String
            /// Its name.
            public var name: String
            /// How many rows were copied.
            public var rows: Int

            /// The name as people read it.
            public var qualifiedName: QualifiedName { QualifiedName(schema: schema, name: name) }
        }

        /// The tables.
        public var tables: [Table]
    }

    /// Move the application to the other server.
    public struct Switch: Sendable, Hashable, Codable {
        /// Only say what would be in the way.
        public var isDryRun: Bool
        /// Whether changes flow back afterwards, so that a rollback is possible.
        public var keepsWayBack: Bool
        /// Whether a comparison that found no difference counts, so that only what changed since is compared.
        public var isSinceVerify: Bool

        /// Describes a switch.
        public init(isDryRun: Bool = false, keepsWayBack: Bool = true, isSinceVerify: Bool = false) {
            self.isDryRun = isDryRun
            self.keepsWayBack = keepsWayBack
            self.isSinceVerify = isSinceVerify
        }
    }

    /// End the move.
    public struct Stop: Sendable, Hashable, Codable {
        /// Whether the copied tables go as well.
        public var dropsCopy: Bool

        /// Describes an end.
        public init(dropsCopy: Bool) {
            self.dropsCopy = dropsCopy
        }
    }

    /// What a dry run of a switch found.
    public struct DryRun: Sendable, Hashable, Codable {
        /// What would keep the switch from succeeding now; empty when nothing would.
        public var obstacles: [String]
        /// How many tables would be fenced.
        public var tables: Int
        /// How many sequences would be set.
        public var sequences: Int
        /// Bytes of log still to be applied.
        public var lagBytes: UInt64
        /// Sessions of applications on the server that is left.
        public var sessions: Int
    }

    /// The part of a ``Switch`` that its title needs.
    private struct Rehearsal: Decodable {
        var isDryRun: Bool?
    }

    /// Whether a switch is only to be rehearsed.
    static func isRehearsal(_ arguments: Data) -> Bool {
        // What cannot be read is refused later, with its reason.
        (try? JSONDecoder().decode(Rehearsal.self, from: arguments))?.isDryRun == true
    }

    /// Whether what is asked waits for the stream; what only looks, and what ends the move, is possible while it is paused.
    public static func needsStream(_ kind: String, arguments: Data) -> Bool {
        ["verify", "resync", "cutover", "rollback"].contains(kind) && !isRehearsal(arguments)
    }

    /// The SQLSTATE of ``paused(_:)``: object not in prerequisite state.
    static let pausedState = "55000"

    /// The refusal of what needs a stream that goes on, by its kind.
    public static func paused(_ kind: String) -> PostgresError {
        let action =
            switch kind {
            case "cutover": "cut over"
            case "rollback": "roll back"
            case "verify": "compare"
            case "resync": "copy tables again"
            default: kind
            }
        return PostgresError(
            "cannot \(action) while the move is paused",
            detail: "Nothing was stopped. martlet pause has the move hold until martlet resume.",
            hint: "Let it go on with martlet resume, then try again.",
            sqlState: pausedState
        )
    }

    /// What is asked for, as people say it: `the cutover`, `a rehearsal of the rollback`.
    static func title(_ kind: String, arguments: Data) -> String {
        switch kind {
        case "cutover", "rollback":
            return isRehearsal(arguments) ? "a rehearsal of the \(kind)" : "the \(kind)"
        case "verify": return "a comparison"
        case "resync": return "tables to be copied again"
        case "finish", "abort": return "the end of the move (\(kind))"
        default: return kind
        }
    }

    /// An error, as it travels.
    public struct Failure: Sendable, Hashable, Codable {
        /// The message.
        public var message: String
        /// Facts.
        public var detail: String?
        /// What to do.
        public var hint: String?

        /// Takes an error's texts.
        init(_ error: any Error) {
            let error = PostgresError(telling: error)
            message = error.message
            detail = error.detail
            hint = error.hint
        }

        /// The error that the asker shows.
        public var error: PostgresError { PostgresError(message, detail: detail, hint: hint) }
    }
}
