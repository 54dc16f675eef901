public import Catalog
public import Engine
import Foundation
public import Postgres

/// Compares tables of two databases row by row, exactly, each side under one snapshot.
///
/// It reads only. Each worker has one session on each side and takes the biggest table that is left;
/// both sides of a table are read at the same time. What is equal costs one scan of each side, see
/// ``TableComparison`` for what is not. Rows are compared by 64-bit hashes, see ``RowHash``: a
/// difference is always real, and one that is there is missed about once in 2^32 cases or less.
///
/// The two sides must be looked at when they should be equal: at rest, or under two snapshots that
/// belong to the same position of the stream.
public struct Comparison: Sendable {
    /// A database, and the moment at which it is looked at.
    public struct Side: Sendable {
        /// Where it is.
        public var database: ConnectionString
        /// An exported snapshot, whose session must stay open; nil for the moment at which the comparison begins.
        public var snapshot: String?

        /// Creates a side.
        public init(_ database: ConnectionString, snapshot: String? = nil) {
            self.database = database
            self.snapshot = snapshot
        }
    }

    /// What happened in a comparison that runs.
    public enum Progress: Sendable {
        /// A table was begun; its size on the source tells what is to come.
        case started(QualifiedName, bytes: Int)
        /// A table was compared.
        case finished(TableVerdict)
    }

    /// The catalogs of both sides, when the caller has read them before and every millisecond counts.
    public struct Catalogs: Sendable {
        /// The source's.
        public let source: Schema
        /// The target's.
        public let target: Schema

        /// Creates a pair.
        public init(source: Schema, target: Schema) {
            self.source = source
            self.target = target
        }
    }

    /// Where the data come from.
    public var source: Side
    /// Where they went to.
    public var target: Side
    /// The tables to compare, by their names on the source; nil for all that either side has.
    ///
    /// A partition stands for its whole table.
    public var tables: [QualifiedName]?
    /// How many tables are read at the same time.
    public var workers = 2
    /// Whether to compare the text of every value: tells -0 from 0, and is several times slower.
    public var isStrict = false
    /// The position of the stream that both snapshots belong to; goes into the verdict.
    public var lsn: LSN?
    /// Questions of the user, asked under the same snapshots.
    public var checks: CheckFile?
    /// The tables that are not the same on both sides.
    public var maps = TableMaps.none
    /// The catalogs; nil to read them.
    public var catalogs: Catalogs?
    /// Asked before each table; what runs on the servers then runs to its end.
    public var throttle = Throttle.none
    /// Is told how far the comparison is.
    public var progress: @Sendable (Progress) -> Void = { _ in }

    /// Creates a comparison of all tables.
    public init(source: Side, target: Side) {
        self.source = source
        self.target = target
    }

    /// Compares.
    ///
    /// - Throws: a ``PostgresError`` when a side cannot be read; differences are not an error.
    public func run() async throws -> Verdict {
        try await run { pairs in pairs.map { ($0, .everything) } }
    }

    /// Compares only the rows whose keys changed; a table without a key, or with too many, in whole.
    ///
    /// `changes` are, by the tables' names on the target, the keys as ``ChangedKeys`` took them down, in the order of the target's key;
    /// `isBinary` tells the form in which the stream brought them. Ten thousand keys make one statement
    /// on each side, so this is for the short time in which nobody may write.
    public func compareKeys(
        _ changes: [QualifiedName: ChangedKeys.Change],
        isBinary: Bool
    ) async throws -> Verdict {
        var comparison = self
        let changes = Dictionary(changes.map { (maps.source(of: $0), $1) }) { first, _ in first }
        comparison.tables = Array(changes.keys)
        return try await comparison.run(format: isBinary ? .binary : .text, partitionsAsTables: true) { pairs in
            pairs.map { ($0, changes[$0.name] ?? .everything) }
        }
    }

    private func run(
        format: ValueFormat = .binary,
        partitionsAsTables: Bool = false,
        _ work: ([TablePair]) -> [(TablePair, ChangedKeys.Change)]
    ) async throws -> Verdict {
        let clock = ContinuousClock()
        let start = clock.now
        return try await withSides(source, target) { sides in
            let catalogs: Catalogs
            if let known = self.catalogs { catalogs = known } else { catalogs = try await sides.catalogs() }
            let pairs = pairs(in: catalogs, partitionsAsTables: partitionsAsTables)
            let method = try await sides.method(for: pairs, isStrict: isStrict)
            let queue = WorkQueue(work(pairs).sorted { $0.0.bytes > $1.0.bytes })
            let worker = ComparisonWorker(
                method: method,
                format: format,
                queue: queue,
                throttle: throttle,
                progress: progress
            )
            var verdicts = try await throttle.whileUsed { try await runWorkers(worker, first: sides) }
            verdicts.sort { $0.qualifiedName < $1.qualifiedName }
            for place in verdicts.indices { verdicts[place].differences.sortKeys() }
            let findings = try await sides.findings(checks)
            return Verdict(
                equal: verdicts.allSatisfy(\.equal) && findings.allSatisfy(\.equal),
                lsn: lsn?.description,
                method: method.isText ? .text : .hash,
                typesByText: Self.typesByText(pairs, method),
                tables: verdicts,
                checks: findings,
                seconds: (clock.now - start) / .seconds(1)
            )
        }
    }

    private func pairs(in catalogs: Catalogs, partitionsAsTables: Bool) -> [TablePair] {
        var names: Set<QualifiedName> = []
        for (schema, isSource) in [(catalogs.source, true), (catalogs.target, false)] {
            for table in schema.tables where !table.isPartition {
                // What was a partition on the source is looked at through its root.
                let name = isSource ? table.name : maps.source(of: table.name)
                let isPart = !isSource && catalogs.source.table(named: name)?.isPartition == true
                if tables == nil, !isPart { names.insert(name) }
            }
        }
        for name in tables ?? [] {
            let (left, right) = (
                catalogs.source.table(named: name), catalogs.target.table(named: maps.target(of: name))
            )
            let isOnBoth = left != nil && right != nil
            names.insert(partitionsAsTables && isOnBoth ? name : left.map { catalogs.source.root(of: $0).name } ?? name)
        }
        return names.map { TablePair($0, source: catalogs.source, target: catalogs.target, map: maps[$0]) }
    }

    private static func typesByText(_ pairs: [TablePair], _ method: RowHash.Method) -> [String] {
        guard case .functions = method else { return [] }
        let parts = pairs.flatMap { pair -> [QualifiedName] in
            let hash = pair.rowHash(method)
            return hash.parts.filter { hash.hash(of: $0) == .text }.compactMap(\.type)
        }
        return Set(parts).sorted().map { $0.schema == "pg_catalog" ? $0.name : $0.description }
    }

    /// Runs the workers: the first on the sessions that are there, the others on their own under the same snapshots.
    private func runWorkers(_ worker: ComparisonWorker, first: SideBySide) async throws -> [TableVerdict] {
        let others = min(workers, worker.queue.count) - 1
        guard others > 0 else { return try await worker.run(first) }
        let snapshots = try await first.exportSnapshots(unless: (source.snapshot, target.snapshot))
        let left = Side(source.database, snapshot: snapshots.source)
        let right = Side(target.database, snapshot: snapshots.target)
        return try await withThrowingTaskGroup(of: [TableVerdict].self) { group in
            group.addTask { try await worker.run(first) }
            for _ in 0..<others {
                group.addTask { try await withSides(left, right) { try await worker.run($0) } }
            }
            return try await group.reduce(into: []) { $0 += $1 }
        }
    }
}

/// Opens a session on each side for as long as `body` runs.
private func withSides<Result>(
    _ source: Comparison.Side,
    _ target: Comparison.Side,
    _ body: (SideBySide) async throws -> Result
) async throws -> Result {
    try await withReader(of: source.database, snapshot: source.snapshot) { left in
        try await withReader(of: target.database, snapshot: target.snapshot) { right in
            try await body(SideBySide(source: left, target: right))
        }
    }
}
