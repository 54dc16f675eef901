public import Engine
public import Foundation
public import Postgres
import Synchronization

/// How far a load is, for those who watch it.
public final class LoadProgress: Sendable {
    /// One table's state.
    public struct TableProgress: Sendable, Hashable, Codable {
        /// How far it is.
        public var state: Journal.TableLoad.State = .waiting
        /// Its size on the source in bytes.
        public var totalBytes = 0
        /// Bytes copied.
        public var bytes = 0
        /// Rows copied.
        public var rows = 0
        /// Indexes to be built.
        public var indexes = 0
        /// Indexes that are built.
        public var indexesBuilt = 0
        /// When its load began.
        public var started: Date?
        /// When it was ready.
        public var finished: Date?
    }

    /// A martlet on another machine that helps.
    public struct WorkerProgress: Sendable, Hashable, Codable {
        /// Its host.
        public var host: String
        /// Its process there.
        public var process: Int
        /// How many pieces it works at side by side.
        public var sessions: Int
        /// What it does now.
        public var pieces: [Journal.PieceTitle]
        /// Rows that it has copied.
        public var rows: Int
        /// Bytes that it has copied.
        public var bytes: Int
        /// How fast it copies.
        public var bytesPerSecond: Double
        /// When it was heard of last.
        public var lastHeard: Date

        /// What people call it.
        public var name: String { Self.name(host: host, process: process) }

        static func name(host: String, process: Int) -> String { "process \(process) on host \"\(host)\"" }
    }

    private let tables: Mutex<[QualifiedName: TableProgress]>
    private let helpers = Mutex<[WorkerProgress]>([])

    /// Starts with what the journal knows.
    public init(_ loads: [Journal.TableLoad]) {
        var tables: [QualifiedName: TableProgress] = [:]
        for load in loads {
            var progress = TableProgress()
            progress.state = load.state
            progress.totalBytes = load.bytes
            progress.bytes = load.bytesDone
            progress.rows = load.rowsDone
            tables[load.table] = progress
        }
        self.tables = Mutex(tables)
    }

    /// A copy of the present state.
    public var current: [QualifiedName: TableProgress] { tables.withLock { $0 } }

    /// The workers on other machines that are there now.
    public var workers: [WorkerProgress] { helpers.withLock { $0 } }

    func note(_ workers: [WorkerProgress]) {
        helpers.withLock { $0 = workers }
    }

    func update(_ table: QualifiedName, _ change: (inout TableProgress) -> Void) {
        tables.withLock { change(&$0[table, default: TableProgress()]) }
    }
}
