import Engine
import Foundation
public import Postgres

/// Gives pieces of a load to martlets on other machines, and takes them back from those that fall silent.
///
/// The queue in memory stays the only one that knows what is to be done and in which order. A session of a worker asks in
/// the journal, is given the most expensive piece there is, and notes it as done in the transaction that brings the rows;
/// see docs/design/0008-workers.md. While nobody has joined this is one question a second.
struct Dispatcher: Sendable {
    /// The run of the lease.
    let run: Int
    let target: ConnectionString
    let source: ConnectionString
    let queue: LoadQueue
    let progress: LoadProgress
    let throttle: Throttle
    let tell: @Sendable (String) -> Void

    /// Lets others join.
    func open(_ snapshot: Snapshot?, encoding: String, settings: SQL) async throws {
        let sourceRole = try await withNeutralConnection(to: source, application: "martlet workers") { source in
            try source.query("SELECT current_user AS role").first?("role", as: String.self)
        }
        try await withNeutralConnection(to: target, application: "martlet workers") { journal in
            let targetRole = try journal.query("SELECT current_user AS role").first?("role", as: String.self)
            let load = Journal.OpenLoad(
                run: run,
                snapshot: snapshot?.id,
                encoding: encoding,
                settings: settings,
                sourceRole: sourceRole ?? "",
                targetRole: targetRole ?? ""
            )
            try Journal.open(load, on: journal)
        }
    }

    /// Serves workers until the task is cancelled; `sessions` is how many of our own there are besides them.
    ///
    /// - Throws: the failure of a piece, as the worker had it.
    func dispatch(besides sessions: Int) async throws {
        try await withNeutralConnection(to: target, application: "martlet workers") { journal in
            try journal.execute("SET synchronous_commit = off")
            try journal.listen(to: Journal.toLeader)
            var desk = Desk(self, besides: sessions)
            while true {
                try await desk.look(on: journal)
                if desk.isEmpty {
                    try await Task.sleep(for: .seconds(1))
                } else {
                    // Nobody rings here when our own sessions make something available that was in the way.
                    _ = try journal.waitForNotification(within: .milliseconds(desk.isAwaited ? 50 : 200))
                }
            }
        }
    }

    /// Sends the workers home once nothing is left to do; one that does not go is cut off, so that it holds no snapshot.
    func close() async throws {
        // What comes after the load has the rate for itself.
        throttle.share(1)
        try await withNeutralConnection(to: target, application: "martlet workers") { journal in
            try Journal.closeLoad(of: run, on: journal)
            guard queue.isShared else { return }
            try Journal.callWaiting(of: run, on: journal)
            let end = ContinuousClock.now + .seconds(3)
            var left = try Journal.workers(of: run, known: [], on: journal)
            while !left.isEmpty, ContinuousClock.now < end {
                try await Task.sleep(for: .milliseconds(20))
                left = try Journal.workers(of: run, known: [], on: journal)
            }
            for worker in left {
                tell("worker \(worker.name) does not leave; its sessions are ended")
                do {
                    _ = try await cutOff(worker.id, on: journal)
                } catch let error as PostgresError where !error.isConnectionLoss && error != .cancelled {
                    // It has nothing in hand any more; what it keeps is a snapshot.
                    tell("could not end the sessions of worker \(worker.name): \(error.message)")
                }
            }
            progress.note([])
        }
    }

    /// Ends what a worker still has on both servers, and takes its pieces back; returns their claims.
    ///
    /// First its backends end, so that no transaction of theirs is in the middle of its commit for long; then the claims are
    /// withdrawn, which waits for such a one. Only when that has succeeded may anybody else get a piece of them.
    func cutOff(_ worker: Int, on journal: Connection) async throws -> [Int] {
        try await Self.cutOff(worker, on: journal, source: source)
    }

    fileprivate static func cutOff(
        _ worker: Int,
        on journal: Connection,
        source: ConnectionString
    ) async throws -> [Int] {
        try Journal.end(worker, on: journal)
        let backends = try Journal.backends(of: worker, on: journal)
        let end = ContinuousClock.now + .seconds(5)
        while try journal.terminate(backends.target) > 0, ContinuousClock.now < end {
            try await Task.sleep(for: .milliseconds(20))
        }
        let claims = try await Journal.withdraw(from: worker, on: journal)
        if !backends.source.isEmpty {
            // They only read; what is left of them ends by itself when its machine is gone.
            try? await withNeutralConnection(to: source, application: "martlet workers") { source in
                _ = try source.terminate(backends.source)
            }
        }
        return claims
    }
}

/// Ends the load of a run for all who help with it: nobody gets a piece of it any more, and who has one is cut off.
///
/// - Throws: when a server cannot be reached, or does not let us end the sessions of a worker.
public func endLoad(of run: Int, source: ConnectionString, target: ConnectionString) async throws {
    try await withNeutralConnection(to: target, application: "martlet workers") { journal in
        try Journal.closeLoad(of: run, on: journal)
        for worker in try Journal.workers(of: run, known: [], on: journal) {
            _ = try await Dispatcher.cutOff(worker.id, on: journal, source: source)
        }
    }
}

extension Journal.Worker {
    /// What people call it.
    var name: String { LoadProgress.WorkerProgress.name(host: host, process: pid) }
}
