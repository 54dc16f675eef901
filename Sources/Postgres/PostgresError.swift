/// A failure reported by the server, by libpq, or by our own checks before we touch the server.
///
/// Message, detail and hint follow PostgreSQL's own style guide: the message is one lower-case
/// line without a full stop that says what could not be done; the detail is a full sentence of
/// fact; the hint is a full sentence that says what the operator can do about it.
public struct PostgresError: Error, Sendable, Hashable {
    /// What went wrong, in one line.
    public var message: String

    /// Facts that help to understand the failure.
    public var detail: String?

    /// What the operator can do about it.
    public var hint: String?

    /// The five-character SQLSTATE, when the server reported the failure.
    public var sqlState: String?

    /// The character of the statement at which the server found the fault, counted from 1.
    public var position: Int?

    /// Where in the server the failure arose: the stack of functions, the line of a COPY.
    public var context: String?

    /// The table the server named, as it was found by a constraint or a column check.
    public var table: QualifiedName?

    /// The column the server named, as it was found null where it must not be.
    public var column: String?

    /// The constraint the server named.
    public var constraint: String?

    /// Creates an error.
    public init(_ message: String, detail: String? = nil, hint: String? = nil, sqlState: String? = nil) {
        self.message = message
        self.detail = detail
        self.hint = hint
        self.sqlState = sqlState
    }

    /// The statement was cancelled because the task that ran it was.
    package static let cancelled = PostgresError("canceled on request", sqlState: "57014")

    /// The message and the first line of its detail, in which libpq says why a server cannot be reached.
    package var line: String {
        message + (detail?.split(separator: "\n").first.map { ": \($0)" } ?? "")
    }

    /// Whether the failure means that the session is gone, so that only a new one can go on.
    ///
    /// SQLSTATE class 08 is a connection exception, except 08P01, which is our own fault; 57P01 to
    /// 57P05 are shutdowns of the session or the server, 25P03 and 25P04 end a session whose
    /// transaction took too long; libpq reports a lost socket without any SQLSTATE of the server,
    /// which ``Connection`` turns into 08006.
    public var isConnectionLoss: Bool {
        guard let sqlState else { return false }
        return sqlState.hasPrefix("08") && sqlState != "08P01"
            || ["57P01", "57P02", "57P03", "57P05", "25P03", "25P04"].contains(sqlState)
    }

    /// Whether another try of the same work may succeed: a lock not got in time, a deadlock, a serialization failure.
    public var isTransient: Bool {
        guard let sqlState else { return false }
        return ["55P03", "40001", "40P01"].contains(sqlState)
    }

    /// The same failure, told as part of something larger.
    ///
    /// The server's message becomes the detail, so that nothing it said is lost.
    public func explained(as message: String, hint: String? = nil) -> PostgresError {
        var error = self
        error.message = message
        error.detail = [self.message, detail].compactMap(\.self).joined(separator: "\n")
        error.hint = hint ?? self.hint
        return error
    }
}

extension PostgresError: CustomStringConvertible {
    /// The message, then the detail and the hint on lines of their own, the way `psql` prints them.
    public var description: String {
        var lines = [sqlState.map { "\(message) (SQLSTATE \($0))" } ?? message]
        if let detail, !detail.isEmpty { lines.append("DETAIL:  \(detail)") }
        if let hint { lines.append("HINT:  \(hint)") }
        if let context { lines.append("CONTEXT:  \(context)") }
        return lines.joined(separator: "\n")
    }
}
