import Catalog
public import Engine
import Foundation
public import Postgres

/// Copies tables under one snapshot, and builds their indexes as they become complete.
///
/// Each worker is a pair of sessions, one on each server. A part and its entry in the journal commit
/// together. The snapshot does not survive a crash, so a table that was not complete is emptied and
/// copied again from a new one; a complete one is kept.
public struct Loader: Sendable {
    /// Where rows come from.
    public var source: ConnectionString
    /// Where they go.
    public var target: ConnectionString
    /// The encoding that both sides speak.
    public var encoding: String
    /// How many workers there are.
    public var jobs: Int
    /// Memory for each index build, as the server's setting takes it.
    public var maintenanceMemory: String
    /// Whether sessions on the target act as a replica, for which triggers do not fire; it takes a right of its own.
    ///
    /// While tables are loaded they have no triggers but those that somebody else made on them meanwhile.
    public var isReplica: Bool
    /// Told what happens.
    public var progress: LoadProgress
    /// Asked before each piece, and while rows are copied.
    public var throttle: Throttle
    /// Told where the time goes.
    public var stages: Stages

    /// Creates a loader.
    public init(
        source: ConnectionString,
        target: ConnectionString,
        encoding: String,
        jobs: Int,
        maintenanceMemory: String = "512MB",
        isReplica: Bool = true,
        progress: LoadProgress,
        throttle: Throttle = .none,
        stages: Stages = Stages()
    ) {
        self.source = source
        self.target = target
        self.encoding = encoding
        self.jobs = jobs
        self.maintenanceMemory = maintenanceMemory
        self.isReplica = isReplica
        self.progress = progress
        self.throttle = throttle
        self.stages = stages
    }

    /// Copies `tables` and builds the indexes of those and of `loaded`; without tables to copy no snapshot is needed.
    ///
    /// - Throws: the first failure of any worker; what other workers had completed stays.
    public func load(
        _ tables: [LoadTable],
        loaded: [LoadTable],
        under snapshot: Snapshot?
    ) async throws {
        try await prepare(tables, snapshot)
        for load in tables + loaded {
            progress.update(load.table.name) { $0.indexes = load.table.indexes.filter(\.isBuiltAlone).count }
        }
        let queue = LoadQueue(tables, loaded: loaded)
        try await throttle.whileUsed {
            try await withThrowingTaskGroup(of: Void.self) { group in
                for worker in 0..<jobs {
                    group.addTask { try await work(worker, queue, snapshot) }
                }
                // Not waitForAll(), which lets the others wait for a piece that the failed worker will never finish.
                while try await group.next() != nil {}
            }
        }
    }

    /// Empties what is to be copied in parts, and notes the snapshot of every table.
    private func prepare(_ tables: [LoadTable], _ snapshot: Snapshot?) async throws {
        guard !tables.isEmpty else { return }
        try await withNeutralConnection(to: target) { connection in
            try await connection.transaction {
                for load in tables {
                    try Journal.begin(load.table.name, watermark: snapshot?.position, on: connection)
                    if load.isEmptiedBefore { try connection.execute("TRUNCATE ONLY \(load.table.name)") }
                }
            }
        }
    }

    private func work(_ number: Int, _ queue: LoadQueue, _ snapshot: Snapshot?) async throws {
        try await withNeutralConnection(to: target, application: "martlet load \(number)", encoding: encoding) { to in
            if isReplica { try to.execute("SET session_replication_role = replica") }
            try to.execute(
                "SET synchronous_commit = off; SET maintenance_work_mem = \(literal: maintenanceMemory)"
            )
            guard let snapshot else { return try await run(queue, nil, to) }
            let name = "martlet load \(number)"
            try await withNeutralConnection(to: source, application: name, encoding: encoding) { from in
                // A server that is made to wait by us, for hours when the copy is held, must not take us for dead.
                try from.execute("SET tcp_user_timeout = 0")
                try from.begin(sharing: snapshot)
                try from.execute("SAVEPOINT martlet")
                try await run(queue, from, to)
            }
        }
    }

    private func run(_ queue: LoadQueue, _ from: Connection?, _ to: Connection) async throws {
        var clock = LoadClock(stages, from, to)
        defer { clock.publish() }
        var watch = Stopwatch()
        while let item = try queue.next() {
            clock.note { $0.idleSeconds += watch.lap() }
            let held = try throttle.pass()
            clock.note { $0.heldSeconds += held }
            watch = Stopwatch()
            switch item {
            case .part(let load, let part):
                guard let from else { throw PostgresError("a table is left to copy without a session on the source") }
                do {
                    try await copy(load, part, from, to, &clock)
                } catch let error as PostgresError {
                    throw LoadRefusal.explain(error, copying: load.table.name)
                }
            case .index(let load, let index):
                do throws(PostgresError) {
                    try IndexBuilder.build(index, on: to)
                } catch {
                    throw LoadRefusal.explain(error, building: index.name, of: load.table.name)
                }
                clock.note(index: "\(index.name)", seconds: watch.lap())
                progress.update(load.table.name) { $0.indexesBuilt += 1 }
            case .finish(let load):
                try await IndexBuilder.finish(load.table, on: to)
                clock.note { $0.indexSeconds += watch.lap() }
                progress.update(load.table.name) {
                    $0.state = .ready
                    $0.finished = Date()
                }
            }
            let complete = queue.completed(by: item)
            if let complete {
                // Before anybody is given its indexes, whose end is noted after this.
                progress.update(complete) { $0.state = .loaded }
                try Journal.addPart(of: complete, rows: 0, bytes: 0, isLast: true, on: to)
            }
            queue.done(item, completing: complete)
            watch = Stopwatch()
        }
    }

    private func copy(
        _ load: LoadTable,
        _ part: Range<Int>?,
        _ from: Connection,
        _ to: Connection,
        _ clock: inout LoadClock
    ) async throws {
        let name = load.table.name
        let sql = CopySQL(load: load, part: part)
        progress.update(name) {
            $0.state = .loading
            $0.started = $0.started ?? Date()
        }
        try await to.transaction {
            if !load.isEmptiedBefore { try to.execute("TRUNCATE ONLY \(name)") }
            var bytes = 0
            var messages = 0
            let rows = try to.copyIn(sql.into, from: from, sql.out) { newRows, newBytes throws(PostgresError) in
                bytes += newBytes
                messages += newRows
                progress.update(name) {
                    $0.rows += newRows
                    $0.bytes += newBytes
                }
                let held = try throttle.pass(newBytes)
                clock.note {
                    $0.bytes += newBytes
                    $0.heldSeconds += held
                }
            }
            // The end of a binary COPY comes as a message, too.
            progress.update(name) { $0.rows += rows - messages }
            clock.note {
                $0.rows += rows
                $0.parts += 1
            }
            try Journal.addPart(of: name, rows: rows, bytes: bytes, isLast: !load.isSplit, on: to)
        }
        // The snapshot stays, the lock on the table goes: a session with those of several tables would wait in a circle with a
        // TRUNCATE of them, and the server has no room for thousands.
        try from.execute("ROLLBACK TO SAVEPOINT martlet")
    }
}
