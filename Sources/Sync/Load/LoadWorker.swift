public import Engine
import Foundation
public import Postgres
import Synchronization

/// Helps with a load that another martlet leads, from another machine or this one.
///
/// It decides nothing: each session asks the journal for a piece, does what is written there, and notes it as done in the
/// transaction that brings it, which fails when the piece was taken from it meanwhile. It may die at any time.
public struct LoadWorker: Sendable {
    /// Where rows come from.
    let source: ConnectionString
    /// Where they go.
    let target: ConnectionString
    /// How many pieces it works at side by side.
    let jobs: Int
    /// Told what happens.
    let progress: WorkProgress

    /// Creates a worker; nothing is connected to yet.
    public init(source: ConnectionString, target: ConnectionString, jobs: Int, progress: WorkProgress) {
        self.source = source
        self.target = target
        self.jobs = jobs
        self.progress = progress
    }

    /// That the source does not have the snapshot, because the load has ended, or because it is another server.
    public static let noSnapshot = PostgresError(
        "the source does not have the snapshot of the load",
        detail: "It is another server than the one that martlet migrate reads from, or that one has just ended.",
        hint: "Give the same --source as martlet migrate; a standby of it has no part in its snapshots.",
        sqlState: "08006"
    )

    private static let leftHeld = PostgresError(
        "the martlet that runs the move has ended while it held the copy",
        sqlState: "08006"
    )

    /// Works until nothing is left to do, or until the run that leads the load is over.
    ///
    /// What it has in hand when its task is cancelled is given back. To be called within ``Lease/bind(_:)`` of that run.
    ///
    /// - Returns: whether the load is done; otherwise nobody leads it any more, and another run may come.
    /// - Throws: what kept a piece from being done, which the one that leads the load is told as well; a loss of a
    ///   connection also when pieces were taken from it.
    public func work(for load: Journal.OpenLoad, of lease: Lease) async throws -> Bool {
        try await withNeutralConnection(to: target, application: "martlet work") { control in
            let worker = try Journal.join(
                run: load.run,
                host: ProcessInfo.processInfo.hostName,
                pid: Int(ProcessInfo.processInfo.processIdentifier),
                sessions: jobs,
                on: control
            )
            progress.begin(sessions: jobs)
            let shift = Shift(worker: worker, load: load)
            do {
                try await work(shift, lease, control)
                try await Self.leave(worker, target)
            } catch {
                // What cannot be given back is taken from us.
                try? await Self.leave(worker, target)
                throw error
            }
            return shift.isLoadOver
        }
    }

    private static func leave(_ worker: Int, _ target: ConnectionString) async throws {
        try await withoutCancellation {
            try await withNeutralConnection(to: target, application: "martlet work") { connection in
                guard try connection.query("SELECT to_regclass('martlet.worker') AS name").first?.text(0) != nil else {
                    return
                }
                try Journal.leave(worker, on: connection)
            }
        }
    }

    /// Runs the sessions, and shows meanwhile that they live.
    private func work(_ shift: Shift, _ lease: Lease, _ control: Connection) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            for number in 0..<jobs {
                // Not on the thread of our own session, which waits for the server.
                group.addTask(executorPreference: globalConcurrentExecutor) {
                    do {
                        try await serve(number, shift)
                        shift.sessionEnded(failure: nil)
                    } catch {
                        shift.sessionEnded(failure: error)
                    }
                }
            }
            while !shift.waitForEnd(of: jobs, within: .seconds(1)) {
                try Task.checkCancellation()
                guard let pace = try Journal.beat(shift.worker, progress: progress.current, on: control) else {
                    throw Journal.claimLost
                }
                shift.throttle.obey(rate: pace.rate, isHeld: pace.isHeld)
                guard try !lease.isHeld(on: control) else { continue }
                // Nobody is there who would let it go on, and until then its snapshot is a burden of the source.
                if pace.isHeld { throw Self.leftHeld }
                // What is in hand is done yet; nobody gives out more.
                shift.endAfterThis()
            }
            if shift.failure != nil { group.cancelAll() }
            try await group.waitForAll()
        }
        if let failure = shift.failure { throw failure }
    }

    /// One session: asks, works, and asks again.
    private func serve(_ number: Int, _ shift: Shift) async throws {
        let (load, name) = (shift.load, "martlet work \(number)")
        try await withNeutralConnection(to: target, application: name, encoding: load.encoding) { to in
            try to.execute(load.settings)
            guard let id = load.snapshot else { return try await serve(number, shift, nil, to) }
            try await withNeutralConnection(to: source, application: name, encoding: load.encoding) { from in
                // A server that is made to wait by us, for hours when the copy is held, must not take us for dead.
                try from.execute("SET tcp_user_timeout = 0")
                do throws(PostgresError) {
                    try from.begin(sharing: Snapshot(id: id, position: nil))
                } catch  where ["22023", "42704", "55000"].contains(error.sqlState) {
                    throw Self.noSnapshot
                }
                try from.execute("SAVEPOINT martlet")
                try await serve(number, shift, from, to)
            }
        }
    }

    private func serve(_ number: Int, _ shift: Shift, _ from: Connection?, _ to: Connection) async throws {
        let session = Journal.WorkSession(
            worker: shift.worker,
            number: number,
            target: try to.backend(),
            source: try from?.backend()
        )
        try to.listen(to: session.channel)
        var claim = try Journal.ask(session, run: shift.load.run, on: to)
        while !shift.isEnding {
            switch try Journal.assignment(for: claim, on: to) {
            case .none:
                _ = try to.waitForNotification(within: .milliseconds(500))
            case .loadIsOver:
                return shift.noteLoadOver()
            case .piece(let title, let work, let pace):
                shift.throttle.obey(rate: pace.rate, isHeld: pace.isHeld)
                let piece = try JSONDecoder().decode(Piece.self, from: work)
                progress.begin(title, claim, session: number)
                Milestone.reach("work given")
                defer { progress.drop(claim, session: number) }
                claim = try await carryOut(piece, title, claim, shift, from, to)
            }
        }
    }

    /// Does one piece, and returns the claim on the next one.
    private func carryOut(
        _ piece: Piece,
        _ title: Journal.PieceTitle,
        _ claim: Int,
        _ shift: Shift,
        _ from: Connection?,
        _ to: Connection
    ) async throws -> Int {
        do {
            let (amount, next) = try await run(piece, claim, shift.throttle, from, to)
            progress.done(title, table: piece.table, amount)
            return next
        } catch let error as PostgresError {
            guard error.sqlState != nil, !error.isConnectionLoss, !Task.isCancelled else { throw error }
            let explained = piece.explain(error)
            try Journal.fail(claim, try JSONEncoder().encode(PieceFailure(explained)), on: to)
            throw explained
        }
    }

    private func run(
        _ piece: Piece,
        _ claim: Int,
        _ throttle: Throttle,
        _ from: Connection?,
        _ to: Connection
    ) async throws -> (amount: Journal.Amount, next: Int) {
        var amount = Journal.Amount()
        var next = 0
        switch piece {
        case .copy(let part):
            guard let from else { throw PostgresError("a table is left to copy without a session on the source") }
            try await part.run(from: from, to: to) { new throws(PostgresError) in
                progress.add(new, to: claim)
                try throttle.pass(new.bytes)
            } close: { whole in
                Milestone.reach("work copied")
                amount = whole
                next = try Journal.finish(claim, whole, on: to)
                Milestone.reach("work noted")
            }
        case .index(let build):
            try await build.run(on: to) {
                Milestone.reach("work built")
                next = try Journal.finish(claim, Journal.Amount(), on: to)
            }
        }
        return (amount, next)
    }
}

extension Piece {
    /// The table that it is about.
    var table: QualifiedName {
        switch self {
        case .copy(let part): part.table
        case .index(let build): build.table
        }
    }

    /// What it means that it could not be done, in the words of a load on one machine.
    func explain(_ error: PostgresError) -> PostgresError {
        switch self {
        case .copy(let part): LoadRefusal.explain(error, copying: part.table)
        case .index(let build): LoadRefusal.explain(error, building: build.index, of: build.table)
        }
    }
}

/// One worker's time with one load: what its sessions and its heartbeat tell each other.
private final class Shift: Sendable {
    let worker: Int
    let load: Journal.OpenLoad
    /// What the one that leads the load has it obey.
    let throttle = Throttle(isWatched: false)

    private struct State {
        var ended = 0
        var failure: (any Error)?
        var isEnding = false
        var isLoadOver = false
    }

    private let state = Mutex(State())
    private let bell = Bell()

    init(worker: Int, load: Journal.OpenLoad) {
        self.worker = worker
        self.load = load
    }

    /// Whether sessions ask for nothing more.
    var isEnding: Bool { state.withLock { $0.isEnding || $0.failure != nil } }
    var isLoadOver: Bool { state.withLock(\.isLoadOver) }
    /// The first failure of a session.
    var failure: (any Error)? { state.withLock(\.failure) }

    func endAfterThis() { state.withLock { $0.isEnding = true } }

    func noteLoadOver() { state.withLock { $0.isLoadOver = true } }

    func sessionEnded(failure: (any Error)?) {
        state.withLock { state in
            state.ended += 1
            state.failure = state.failure ?? failure
        }
        bell.ring()
    }

    /// Waits until all sessions have ended, or one has failed.
    func waitForEnd(of sessions: Int, within limit: Duration) -> Bool {
        bell.wait(until: .now + limit) { state.withLock { $0.ended == sessions || $0.failure != nil } }
    }
}
