import Foundation
import Postgres

/// Messages that martlet writes into the source's log, and finds again in the stream.
///
/// Transactional, so that they come in commit order, and so that the server recomputes what log it
/// may forget (a non-transactional one does not make it).
enum Heartbeat {
    static let prefix = "martlet"

    /// Writes a message with the present time; it takes no lock and changes no row.
    ///
    /// Its commit is flushed even where `synchronous_commit` is off: the server sends only flushed log,
    /// and would leave that to its WAL writer, up to 600 ms later.
    static func send(_ connection: Connection) throws(PostgresError) {
        try connection.query(
            "SELECT set_config('synchronous_commit', 'local', true), pg_logical_emit_message(true, $1, $2)",
            prefix,
            String(Date().timeIntervalSince1970 * 1000)
        )
    }

    /// When a message was written, in milliseconds since 1970.
    static func time(of content: String) -> Double? {
        Double(content)
    }
}
