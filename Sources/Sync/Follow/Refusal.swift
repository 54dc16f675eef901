import Catalog
import Postgres

/// What it means that the target did not take a group of changes.
enum Refusal {
    /// Whether the group is to be done again row by row: the rows collided as a set, or the replay will find the one at fault.
    ///
    /// The SQLSTATE classes are those of values (22), constraints (23), views (44) and what a trigger
    /// of the target raises (P0), among them a row that is not there.
    static func isOfRows(_ error: PostgresError) -> Bool {
        guard let state = error.sqlState else { return false }
        return error.isTransient || ["22", "23", "44", "P0"].contains(String(state.prefix(2)))
    }

    /// Whether the target may be defined otherwise than when its catalog was read.
    ///
    /// 42 is the class of names and types that do not fit; the row arrays of a table that has got or
    /// lost a column fail with 42804 (`record_recv` in PostgreSQL), those of a table that is gone with an
    /// internal error, and a view in its place is in the wrong state.
    static func isOfDefinitions(_ error: PostgresError) -> Bool {
        guard let state = error.sqlState else { return false }
        return state.hasPrefix("42") || ["3F000", "0A000", "55000", "XX000"].contains(state)
    }

    /// Whether the failure is one of a table and of what it holds, so that other tables can go on.
    static func isOfTable(_ error: PostgresError) -> Bool {
        if error.isConnectionLoss || error.isTransient || error == .cancelled { return false }
        return error.sqlState == nil || isOfRows(error) || isOfDefinitions(error)
    }

    /// That the rules of a mapping were applied before a column was there; of the class of undefined columns (42).
    static let unruledColumn = "42M01"

    /// What the target says of an enum's label that it does not know: invalid_text_representation.
    static let unknownLabel = "22P02"

    /// Whether rows are there that ought not to be, or the other way round: somebody else wrote to the target.
    static func isOfStrangers(_ error: PostgresError) -> Bool {
        ["23505", "23P01", PostgresError.wrongRowCount].contains(error.sqlState)
    }

    /// Names the table whose set of rows the server refused; an error that is not of a statement stays as it is.
    static func explain(_ error: PostgresError, of table: LaneTable?) -> PostgresError {
        guard let table, error.sqlState != nil, !error.isConnectionLoss, error != .cancelled else { return error }
        var explained = error.explained(
            as: "could not apply changes of table \"\(table.name)\"",
            hint: hint(for: error, table: table)
        )
        explained.detail = "The target said: \(explained.detail ?? "")\(detail(for: error, table: table))"
        explained.table = table.name
        return explained
    }

    /// Facts about the table that explain the server's words, to be put after them.
    static func detail(for error: PostgresError, table: LaneTable) -> String {
        guard isOfReference(error) else { return "" }
        return table.columns.compactMap(\.self).filter(\.isReference).map { column in
            "\nColumn \"\(column.name.name)\" of type \(column.declaredType.text) holds names of other objects."
        }.joined()
    }

    /// What the operator can do about it.
    static func hint(for error: PostgresError, table: LaneTable) -> String {
        let state = error.sqlState ?? ""
        if isOfReference(error), table.columns.contains(where: { $0?.isReference == true }) {
            return
                "Create the object that is named on the target as it is on the source; the table then goes on by itself."
        }
        if isOfStrangers(error) {
            return "Something other than martlet changed the target. Find it, then bring the table into line: "
                + "martlet verify --repair, or martlet resync --table \(ShellWord(table.followedName.description).quoted)."
        }
        if isOfRows(error), !error.isTransient {
            return "The target does not take what the source holds. Make the table's columns, constraints "
                + "and ENABLE ALWAYS triggers the same on both servers; the table then goes on by itself."
        }
        if state == "42501" {
            return "Grant the role that martlet uses on the target what it lacks; the table then goes on by itself."
        }
        if isOfDefinitions(error) {
            return "Make the table on the target as it is on the source; it then goes on by itself."
        }
        return "Remove the cause, which the target's log may tell more about, then run martlet migrate again."
    }

    /// Whether a name was not found: of a relation, a function or operator, another object, or a schema.
    private static func isOfReference(_ error: PostgresError) -> Bool {
        ["42P01", "42883", "42704", "3F000"].contains(error.sqlState)
    }
}
