public import Postgres

/// How the sessions that write for martlet keep triggers, rules and foreign keys from acting on what they have acted on before.
///
/// Named after the values of `session_replication_role`, which many managed servers let nobody set.
public enum SessionRole: String, Sendable, Hashable, Codable {
    /// Sessions act as a replica: only what is ENABLE ALWAYS or REPLICA fires.
    case replica
    /// Sessions are like those of an application, because the role may not set the parameter. What would fire is
    /// disabled, and foreign keys are dropped, for as long as martlet writes.
    case origin

    /// What a session sets before it writes rows that the other server has; it passes martlet's own fence, too.
    public var settings: SQL {
        switch self {
        case .replica: "SET session_replication_role = replica; SET martlet.passes = 'yes'"
        case .origin: "SET martlet.passes = 'yes'"
        }
    }
}
