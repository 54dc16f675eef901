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
    /// The run of the lease under which martlets on other machines may help; nil when none may.
    public var run: Int?
    /// Whether the journal tells of each part who has copied it, also before anybody helps.
    public var recordsParts = false
    /// Told what workers on other machines do, for the log.
    public var tell: @Sendable (String) -> Void = { _ in }

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
        guard let run else { return try await work(queue, snapshot, with: nil) }
        let dispatcher = Dispatcher(
            run: run,
            target: target,
            source: source,
            queue: queue,
            progress: progress,
            throttle: throttle,
            tell: tell
        )
        try await dispatcher.open(snapshot, encoding: encoding, settings: settings)
        Milestone.reach("load opened")
        try await work(queue, snapshot, with: dispatcher)
        try await dispatcher.close()
    }

    /// Works with sessions of our own, while a dispatcher gives pieces to others.
    private func work(_ queue: LoadQueue, _ snapshot: Snapshot?, with dispatcher: Dispatcher?) async throws {
        try await throttle.whileUsed {
            try await withThrowingTaskGroup(of: Bool.self) { group in
                for worker in 0..<jobs {
                    group.addTask {
                        try await work(worker, queue, snapshot)
                        return true
                    }
                }
                if let dispatcher {
                    group.addTask {
                        try await dispatcher.dispatch(besides: jobs)
                        return false
                    }
                }
                // Not waitForAll(), which lets the others wait for a piece that the failed worker will never finish.
                var working = jobs
                while working > 0, let isSession = try await group.next() { working -= isSession ? 1 : 0 }
                group.cancelAll()
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

    /// What each session on the target sets.
    private var settings: SQL {
        let role: SQL = isReplica ? "SET session_replication_role = replica; " : ""
        return "\(role)SET synchronous_commit = off; SET maintenance_work_mem = \(literal: maintenanceMemory)"
    }

    private func work(_ number: Int, _ queue: LoadQueue, _ snapshot: Snapshot?) async throws {
        try await withNeutralConnection(to: target, application: "martlet load \(number)", encoding: encoding) { to in
            try to.execute(settings)
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
                    try await copy(load, part, queue, from, to, &clock)
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
            case .finish(let load):
                try await IndexBuilder.finish(load.table, on: to)
                clock.note { $0.indexSeconds += watch.lap() }
                progress.update(load.table.name) {
                    $0.state = .ready
                    $0.finished = Date()
                }
            }
            try Self.settle(item, in: queue, progress, on: to)
            watch = Stopwatch()
        }
    }

    /// Notes that a piece is done, whoever has done it; with the last part of a table its indexes can be built.
    static func settle(
        _ item: LoadQueue.Item,
        in queue: LoadQueue,
        _ progress: LoadProgress,
        on connection: Connection
    ) throws(PostgresError) {
        if case .index(let load, _) = item { progress.update(load.table.name) { $0.indexesBuilt += 1 } }
        let complete = queue.completed(by: item)
        if let complete {
            // Before anybody is given its indexes, whose end is noted after this.
            progress.update(complete) { $0.state = .loaded }
            try Journal.addPart(of: complete, rows: 0, bytes: 0, isLast: true, on: connection)
        }
        queue.done(item, completing: complete)
    }

    private func copy(
        _ load: LoadTable,
        _ part: Range<Int>?,
        _ queue: LoadQueue,
        _ from: Connection,
        _ to: Connection,
        _ clock: inout LoadClock
    ) async throws {
        let name = load.table.name
        progress.update(name) {
            $0.state = .loading
            $0.started = $0.started ?? Date()
        }
        try await PartCopy(load, part).run(from: from, to: to) { amount throws(PostgresError) in
            progress.update(name) {
                $0.rows += amount.rows
                $0.bytes += amount.bytes
            }
            let held = try throttle.pass(amount.bytes)
            clock.note {
                $0.bytes += amount.bytes
                $0.heldSeconds += held
            }
        } close: { amount in
            clock.note {
                $0.rows += amount.rows
                $0.parts += 1
            }
            guard let run, recordsParts || queue.isShared else { return }
            try Journal.record(load.title(of: part), amount, run: run, on: to)
        }
    }
}
