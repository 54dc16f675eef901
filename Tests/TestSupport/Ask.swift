public import Postgres

/// The first column of the first row of a question, asked in a session of its own; nil for NULL or no row.
public func ask(_ place: ConnectionString, _ question: SQL) async throws -> String? {
    try await withConnection(to: place) { connection in
        try connection.query(question).first?.text(0)
    }
}

/// Runs statements in a session of its own.
public func execute(_ place: ConnectionString, _ statements: SQL) async throws {
    try await withConnection(to: place) { try $0.execute(statements) }
}
