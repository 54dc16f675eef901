import Postgres

/// Says which of many definitions the target refused.
enum DefinitionFailure {
    /// `isFinal`: the definitions were read from the source long ago and will not be read again.
    static func explain(_ error: PostgresError, in script: SQL, isFinal: Bool) -> PostgresError {
        guard !error.isConnectionLoss, !error.isTransient, error.sqlState != nil,
            error.sqlState != PostgresError.cancelled.sqlState
        else { return error }
        var explained = error.explained(
            as: "the target refused a definition of the source",
            hint: isFinal
                ? "Make what is missing on the target, and run the same command again."
                : "Make what is missing on the target, or change the definition on the source where the target, being older, "
                    + "does not know it, and run the same command again; to leave a table out, martlet abort and begin anew "
                    + "with --exclude."
        )
        if let statement = error.position.flatMap({ Self.statement(in: script.text, at: $0) }) {
            explained.detail = [explained.detail, statement].compactMap(\.self).joined(separator: "\n")
        }
        return explained
    }

    /// The lines around a position, counted in characters from 1, between two empty ones: so a script of pg_dump is made.
    ///
    /// nil for what may hold a password: options of servers and user mappings, connections of subscriptions.
    static func statement(in script: String, at position: Int) -> String? {
        let scalars = script.unicodeScalars
        guard position > 0,
            let place = scalars.index(scalars.startIndex, offsetBy: position - 1, limitedBy: scalars.endIndex)
        else { return nil }
        let before = script[..<place].ranges(of: "\n\n").last?.upperBound ?? script.startIndex
        let after = script[place...].firstRange(of: "\n\n")?.lowerBound ?? script.endIndex
        let lines = script[before..<after].split(separator: "\n").filter { !$0.hasPrefix("--") }
        guard let first = lines.first, first.hasPrefix("CREATE ") || first.hasPrefix("ALTER "),
            !lines.contains(where: { $0.contains("OPTIONS") || $0.contains("SUBSCRIPTION") })
        else { return nil }
        return lines.prefix(20).joined(separator: "\n") + (lines.count > 20 ? "\n…" : "")
    }
}
