/// What every new session of a task, and of its children, does before anything else.
///
/// It is a value of the task, because a run opens sessions in many places, and not one of them may be forgotten.
public enum SessionPrologue {
    /// Called by ``withConnection(to:application:_:)`` with the new session; what it throws refuses the session.
    @TaskLocal public static var current: (@Sendable (Connection) throws -> Void)?
}
