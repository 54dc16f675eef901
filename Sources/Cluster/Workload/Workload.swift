public import Postgres
import Synchronization

/// An application at work: writers and readers, each a session of its own, until they are told to stop.
///
/// Each session picks operations with a seeded generator. An operation is one statement, so it is one
/// transaction: what was acknowledged is committed. Sessions use the server that a ``Switchboard`` names.
///
/// A writer that is refused with 25006 (`read_only_sql_transaction`: the fence of a cutover) keeps its
/// operation, waits at most 20 ms for the switchboard to name another server, and tries it again. After a
/// deadlock it tries again at once. When the connection breaks, nobody knows whether the operation was
/// committed: it is counted as unknown, and not repeated.
public final class Workload: Sendable {
    /// Something a session does: one statement.
    public struct Operation: Sendable, Hashable {
        /// What people call it.
        public let name: String
        /// How often it runs, compared with the others.
        public let weight: Int
        /// What is sent.
        ///
        /// Its parameters, at most two, are random whole numbers from 0 to 2^53 - 1.
        public let statement: SQL
        /// How many rows it must change or return; nil when any number is right.
        public let rows: Int?
        /// How many parameters it has.
        let parameterCount: Int

        /// Names an operation.
        public init(name: String, weight: Int, statement: SQL, rows: Int? = nil) {
            (self.name, self.weight, self.statement, self.rows) = (name, weight, statement, rows)
            parameterCount = statement.text.contains("$2") ? 2 : statement.text.contains("$1") ? 1 : 0
        }
    }

    /// Who works, and how hard.
    public struct Plan: Sendable {
        /// What the sessions' names begin with: `shop writer 1`.
        public var name = "shop"
        /// How many sessions write.
        public var writers = 4
        /// How many sessions read.
        public var readers = 2
        /// What decides every choice.
        public var seed: UInt64 = 1
        /// How many operations a second all writers do together; nil is as many as they can.
        public var rate: Double?
        /// The same for the readers.
        public var readRate: Double?
        /// What writers do.
        public var operations: [Operation]
        /// What readers do.
        public var readOperations: [Operation]

        /// A plan with four writers and two readers, as fast as they can.
        public init(operations: [Operation], readOperations: [Operation]) {
            (self.operations, self.readOperations) = (operations, readOperations)
        }
    }

    private struct State {
        var isStopping = false
        var working = 0
        var writers: [Int: WorkloadTally] = [:]
        var readers: [Int: WorkloadTally] = [:]
    }

    private let state = Mutex(State())

    fileprivate init() {}

    /// What each writer did so far, the first one first.
    public var eachWriter: [WorkloadTally] {
        state.withLock { state in state.writers.sorted { $0.key < $1.key }.map(\.value) }
    }

    /// What all writers did so far.
    public var writers: WorkloadTally { WorkloadTally(adding: eachWriter) }

    /// What all readers did so far.
    public var readers: WorkloadTally { WorkloadTally(adding: state.withLock { Array($0.readers.values) }) }

    /// Lets every session finish its operation and close; returns when all have.
    ///
    /// May be called again.
    public func stop() async throws {
        state.withLock { $0.isStopping = true }
        try await wait(
            atMost: .seconds(60),
            otherwise: PostgresError("the sessions of the workload did not end in a minute")
        ) { state.withLock { $0.working == 0 } }
    }

    var isStopping: Bool { state.withLock(\.isStopping) }

    /// Takes over what a session did; called after each operation.
    func note(_ tally: WorkloadTally, writer: Bool, number: Int) {
        state.withLock { state in
            if writer { state.writers[number] = tally } else { state.readers[number] = tally }
        }
    }

    fileprivate func begin(_ sessions: Int) { state.withLock { $0.working = sessions } }
    fileprivate func end() { state.withLock { $0.working -= 1 } }
    fileprivate func ask() { state.withLock { $0.isStopping = true } }
}

/// Keeps an application at work for as long as `body` runs, or until it calls ``Workload/stop()``.
///
/// Readers use the server of `reading` where one is given. A server that is away is waited for; any other failure to connect
/// ends `body` and is thrown.
///
/// - Throws: what `body` throws, or what keeps a session from connecting.
public func withWorkload<Result: Sendable>(
    _ plan: Workload.Plan,
    on switchboard: Switchboard,
    reading: Switchboard? = nil,
    _ body: @escaping @Sendable (Workload) async throws -> Result
) async throws -> Result {
    let workload = Workload()
    workload.begin(plan.writers + plan.readers)
    return try await withThrowingTaskGroup(of: Result?.self) { group in
        let sessions = (0..<plan.writers).map { (true, $0) } + (0..<plan.readers).map { (false, $0) }
        for (isWriter, number) in sessions {
            let board = isWriter ? switchboard : reading ?? switchboard
            group.addTask {
                defer { workload.end() }
                var session = WorkloadSession(plan, writer: isWriter, number: number, board, workload)
                try await session.work()
                return nil
            }
        }
        group.addTask { try await body(workload) }
        var result: Result?
        while let finished = try await group.next() {
            guard let finished else { continue }
            result = finished
            workload.ask()
        }
        guard let result else { throw CancellationError() }
        return result
    }
}
