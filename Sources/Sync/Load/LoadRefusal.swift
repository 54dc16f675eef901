import Postgres

/// What it means that a table could not be copied, or an index could not be built.
enum LoadRefusal {
    /// Names the table; a lost session and a cancelled statement stay as they are.
    static func explain(_ error: PostgresError, copying table: QualifiedName) -> PostgresError {
        explain(error, as: "could not copy table \"\(table)\"")
    }

    /// Names the index and its table.
    static func explain(
        _ error: PostgresError,
        building index: QualifiedName,
        of table: QualifiedName
    ) -> PostgresError {
        explain(error, as: "could not build index \"\(index.name)\" of table \"\(table)\"")
    }

    private static func explain(_ error: PostgresError, as message: String) -> PostgresError {
        guard error.sqlState != nil, !error.isConnectionLoss, error != .cancelled else { return error }
        var explained = error.explained(as: message, hint: hint(for: error))
        explained.detail = [explained.detail, error.context].compactMap(\.self).joined(separator: "\n")
        return explained
    }

    private static func hint(for error: PostgresError) -> String? {
        switch error.sqlState {
        case "22021":
            "The source holds bytes that are no text in the target's encoding. Correct the rows on the source, or move "
                + "into a database with the encoding SQL_ASCII, which takes any; then run martlet migrate again."
        case "22P05":
            "The target's encoding has no such character. Move into a database in the source's encoding, or in UTF8."
        case "42P01" where isInFunction(error), "42883" where isInFunction(error), "42704" where isInFunction(error):
            // As with pg_restore, whose search_path is empty.
            "martlet works with search_path = pg_catalog, so a function of a check, a domain, a default or an index must "
                + "name its objects with their schemas, or have a search_path of its own: "
                + "ALTER FUNCTION … SET search_path = … on both servers; then run martlet migrate again."
        case "23505":
            "Values that are different on the source are equal on the target, as another collation or another version "
                + "of one may have it, or an index of the source is corrupt: check it with amcheck. Correct the rows "
                + "on the source, then run martlet migrate again."
        default: error.hint
        }
    }

    private static func isInFunction(_ error: PostgresError) -> Bool {
        error.context?.contains("function") == true
    }
}
