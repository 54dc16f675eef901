import Postgres

/// Something that a mapping asks for and that cannot be done, or that would do harm.
struct MappingProblem: Sendable, Hashable {
    /// What, with the rule.
    let message: String
    /// Why, or what to do.
    let detail: String?

    init(_ message: String, detail: String? = nil) {
        self.message = message
        self.detail = detail
    }

    /// As an error.
    var error: PostgresError {
        PostgresError(
            message,
            detail: detail,
            hint: "Change the rule, then begin again; martlet assess --mapping shows what each table becomes."
        )
    }
}
