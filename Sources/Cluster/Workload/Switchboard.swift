import Foundation
public import Postgres
import Synchronization

/// Tells an application which server to use now, as a connection pooler or a name in DNS would.
///
/// Whoever moves the application calls ``connect(to:)``; the application's sessions look at ``current``
/// before each operation, and wait here when the server they use refuses to write.
public final class Switchboard: Sendable {
    /// A database with the name under which it is counted.
    public struct Line: Sendable, Hashable {
        /// What people call the server: `old`, `new`.
        public let name: String
        /// Where it is.
        public let connection: ConnectionString

        /// Names a database.
        public init(name: String, connection: ConnectionString) {
            self.name = name
            self.connection = connection
        }
    }

    private let line: Mutex<Line>
    private let bell = Bell()

    /// Starts with one server.
    public init(_ first: Line) {
        line = Mutex(first)
    }

    /// The server to use now.
    public var current: Line { line.withLock { $0 } }

    /// Sends everybody to a server, and wakes those who wait for that.
    public func connect(to next: Line) {
        line.withLock { $0 = next }
        bell.ring()
    }

    /// Blocks the calling thread until another server than `old` is named, or for at most `limit`.
    func wait(after old: Line, atMost limit: Duration) {
        _ = bell.wait(until: .now + limit) { current != old }
    }
}
