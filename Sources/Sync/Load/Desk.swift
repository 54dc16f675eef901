import Engine
import Foundation
import Postgres

/// What a dispatcher knows of the workers, and of the pieces that they have.
struct Desk {
    /// A piece in the hands of a worker.
    private struct Given {
        let item: LoadQueue.Item
        let title: Journal.PieceTitle
        let worker: Int
        /// What of it counts in the progress of its table.
        var counted = Journal.Amount()
    }

    /// A worker that is there.
    private struct Known {
        var worker: Journal.Worker
        /// Whether it was told already that it is gone.
        var isTold = false
        /// How fast it was told to be.
        var pace = Journal.Pace(rate: nil, isHeld: false)
        /// What it has copied and is done.
        var done = Journal.Amount()
        var bytesPerSecond = 0.0
        var measured: (bytes: Int, at: ContinuousClock.Instant) = (0, .now)
    }

    /// For how many seconds nothing must have been heard of a worker before its pieces go to others.
    static let patience = 15.0

    private let dispatcher: Dispatcher
    private var given: [Int: Given] = [:]
    private var workers: [Int: Known] = [:]
    private var nextCensus = ContinuousClock.now

    /// Whether a session waits for a piece that is not there yet.
    private(set) var isAwaited = false

    /// How many sessions of our own there are besides those of workers.
    private let sessions: Int

    init(_ dispatcher: Dispatcher, besides sessions: Int) {
        self.dispatcher = dispatcher
        self.sessions = sessions
    }

    /// Whether nobody has joined.
    var isEmpty: Bool { workers.isEmpty && given.isEmpty }

    private var queue: LoadQueue { dispatcher.queue }
    private var progress: LoadProgress { dispatcher.progress }

    /// Looks who is there, what is done, and who asks for more.
    mutating func look(on journal: Connection) async throws {
        if ContinuousClock.now >= nextCensus { try await takeCensus(on: journal) }
        guard !isEmpty else { return }
        let pieces = try Journal.pieces(of: dispatcher.run, claims: Array(given.keys), on: journal)
        for piece in pieces where given[piece.id] != nil { try settle(piece, on: journal) }
        isAwaited = false
        for piece in pieces where piece.state == .asked {
            guard workers[piece.worker] != nil else {
                // It has joined since the last census.
                nextCensus = .now
                continue
            }
            try give(to: piece, on: journal)
        }
    }

    // MARK: Pieces

    private mutating func give(to asked: Journal.PieceState, on journal: Connection) throws {
        // What holds our own sessions holds back what others would begin.
        guard !dispatcher.throttle.isHeld, let item = queue.nextForOthers(), let (piece, title) = item.forOthers else {
            isAwaited = true
            return
        }
        guard try Journal.give(title, try JSONEncoder().encode(piece), to: asked, on: journal) else {
            return queue.giveBack(item)
        }
        given[asked.id] = Given(item: item, title: title, worker: asked.worker)
        guard title.kind == .copy else { return }
        progress.update(item.table) {
            $0.state = .loading
            $0.started = $0.started ?? Date()
        }
    }

    /// Takes note of a piece that has come to an end.
    private mutating func settle(_ piece: Journal.PieceState, on journal: Connection) throws {
        switch piece.state {
        case .asked, .given: return
        case .done:
            count(piece.amount, of: piece.id)
            guard let ended = given.removeValue(forKey: piece.id) else { return }
            workers[ended.worker]?.done.rows += piece.amount.rows
            workers[ended.worker]?.done.bytes += piece.amount.bytes
            try Loader.settle(ended.item, in: queue, progress, on: journal)
        case .failed:
            throw try JSONDecoder().decode(PieceFailure.self, from: piece.failure ?? Data("{}".utf8)).error
        case .returned, .withdrawn:
            takeBack(piece.id)
        }
    }

    /// Puts a piece that is not done into the queue again, and uncounts what was copied of it.
    private mutating func takeBack(_ claim: Int) {
        count(Journal.Amount(), of: claim)
        guard let lost = given.removeValue(forKey: claim) else { return }
        queue.giveBack(lost.item)
    }

    /// Brings the progress of a table up to what a worker has copied of it.
    private mutating func count(_ amount: Journal.Amount, of claim: Int) {
        guard let piece = given[claim], piece.title.kind == .copy else { return }
        progress.update(piece.item.table) {
            $0.rows += amount.rows - piece.counted.rows
            $0.bytes += amount.bytes - piece.counted.bytes
        }
        given[claim]?.counted = amount
    }

    // MARK: Workers

    private mutating func takeCensus(on journal: Connection) async throws {
        nextCensus = .now + .milliseconds(500)
        for worker in try Journal.workers(of: dispatcher.run, known: Array(workers.keys), on: journal) {
            if workers[worker.id] == nil {
                queue.share()
                workers[worker.id] = Known(worker: worker)
                let sessions = worker.sessions == 1 ? "1 session" : "\(worker.sessions) sessions"
                dispatcher.tell("worker \(worker.name) joins with \(sessions)")
            }
            workers[worker.id]?.worker = worker
            for (claim, amount) in worker.progress where given[claim]?.worker == worker.id {
                count(amount, of: claim)
            }
            if worker.isEnded {
                try await leave(worker, on: journal)
            } else if !worker.isConnected || worker.silence > Self.patience {
                try await lose(worker, on: journal)
            }
        }
        try pace(on: journal)
        measure()
    }

    /// Shares the rate among all sessions, ours and others', and passes on whether they hold.
    private mutating func pace(on journal: Connection) throws {
        let throttle = dispatcher.throttle
        let all = workers.values.map(\.worker.sessions).reduce(sessions, +)
        throttle.share(Double(sessions) / Double(all))
        for (id, known) in workers {
            let rate = throttle.limits.rate.map { max(1, $0 / all * known.worker.sessions) }
            let pace = Journal.Pace(rate: rate, isHeld: throttle.isHeld)
            guard pace != known.pace else { continue }
            try Journal.set(pace, of: id, on: journal)
            workers[id]?.pace = pace
        }
    }

    /// A worker that goes gives back what it has; what it does not is taken from it.
    private mutating func leave(_ worker: Journal.Worker, on journal: Connection) async throws {
        tell(worker, "leaves")
        try await takeAll(from: worker.id, on: journal)
    }

    /// Says that a worker is gone, and what becomes of its pieces; once.
    private mutating func tell(_ worker: Journal.Worker, _ how: String) {
        guard workers[worker.id]?.isTold == false else { return }
        workers[worker.id]?.isTold = true
        let titles = given.values.filter { $0.worker == worker.id }.map(\.title.text).sorted()
        let others = titles.isEmpty ? "" : "; to others goes \(titles.joined(separator: ", "))"
        dispatcher.tell("worker \(worker.name) \(how)\(others)")
    }

    private mutating func lose(_ worker: Journal.Worker, on journal: Connection) async throws {
        let why =
            worker.isConnected
            ? "was not heard of for \(Int(worker.silence)) s" : "has lost its connection, or has died"
        tell(worker, why)
        try await takeAll(from: worker.id, on: journal)
    }

    /// Leaves nothing with a worker; one whose commit does not come to its end is tried again later.
    private mutating func takeAll(from worker: Int, on journal: Connection) async throws {
        do {
            for claim in try await dispatcher.cutOff(worker, on: journal) { takeBack(claim) }
        } catch let error as PostgresError where error.isTransient {
            return
        }
        // What it has done, or given back, before that.
        let claims = given.filter { $0.value.worker == worker }.map(\.key)
        for piece in try Journal.pieces(of: dispatcher.run, claims: claims, on: journal) where claims.contains(piece.id)
        {
            try settle(piece, on: journal)
        }
        workers[worker] = nil
    }

    /// Tells how far each worker is.
    private mutating func measure() {
        for id in workers.keys {
            guard var known = workers[id] else { continue }
            let current = given.values.filter { $0.worker == id }.map(\.counted.bytes).reduce(0, +)
            let bytes = known.done.bytes + current
            let seconds = known.measured.at.duration(to: .now) / .seconds(1)
            if seconds > 0 {
                // Smoothed over about two seconds.
                let rate = Double(max(0, bytes - known.measured.bytes)) / seconds
                known.bytesPerSecond += (rate - known.bytesPerSecond) * min(1, seconds / 2)
            }
            known.measured = (bytes, .now)
            workers[id] = known
        }
        progress.note(workers.sorted { $0.key < $1.key }.map { id, known in report(id, known) })
    }

    private func report(_ id: Int, _ known: Known) -> LoadProgress.WorkerProgress {
        let pieces = given.values.filter { $0.worker == id }
        return LoadProgress.WorkerProgress(
            host: known.worker.host,
            process: known.worker.pid,
            sessions: known.worker.sessions,
            pieces: pieces.map(\.title).sorted { ($0.name, $0.part) < ($1.name, $1.part) },
            rows: known.done.rows + pieces.map(\.counted.rows).reduce(0, +),
            bytes: known.done.bytes + pieces.map(\.counted.bytes).reduce(0, +),
            bytesPerSecond: known.bytesPerSecond.rounded(),
            lastHeard: Date().addingTimeInterval(-known.worker.silence)
        )
    }
}

/// The failure of a piece, as it travels from a worker to the one that leads the load.
struct PieceFailure: Codable {
    var message: String?
    var detail: String?
    var hint: String?
    var sqlState: String?

    init(_ error: PostgresError) {
        (message, detail, hint, sqlState) = (error.message, error.detail, error.hint, error.sqlState)
    }

    var error: PostgresError {
        PostgresError(message ?? "a worker could not do its piece", detail: detail, hint: hint, sqlState: sqlState)
    }
}
