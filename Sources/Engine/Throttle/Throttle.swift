public import Foundation
public import Postgres
import Synchronization

/// What keeps production safe from a copy: a rate, limits on what the servers bear, and a person who says stop.
///
/// Workers call ``pass(_:)`` about every 128 KiB, and before each piece of work. What is held stays where it is, in the
/// middle of its COPY, with its snapshot; the servers see sessions that wait for their client. ``ThrottleWatch`` looks at
/// the servers and the journal, and tells this one.
///
/// Limits on the servers count while somebody works under them (``whileUsed(_:)``), a pause counts always.
public final class Throttle: Sendable {
    /// Why something is held.
    public enum Reason: String, Sendable, Hashable, Codable {
        /// `martlet pause`.
        case paused
        /// Others are at work on the source.
        case sourceLoad = "source load"
        /// A replica is behind.
        case replicaLag = "replica lag"
    }

    /// That it is held, and why.
    public struct Hold: Sendable, Hashable, Codable {
        /// Why.
        public var reason: Reason
        /// Why, for people: "9 active sessions on the source, limit 8".
        public var text: String
        /// Since when, for this reason.
        public var since: Date

        /// Describes a hold.
        public init(reason: Reason, text: String, since: Date) {
            self.reason = reason
            self.text = text
            self.since = since
        }
    }

    /// What was done to the workers of this run.
    public struct Report: Sendable, Hashable {
        /// Why it is held now; nil when it is not.
        public var hold: Hold?
        /// How long it has been held in all.
        public var held: Duration
        /// How long workers have waited for the rate, all added up.
        public var paced: Duration
    }

    fileprivate struct State {
        var pacer: RatePacer?
        var users = 0
        /// Whether somebody has looked whether the move is paused.
        var isPauseKnown: Bool
        /// Whether somebody has looked at the servers since the present work began.
        var isLoadKnown = true
        var paused: Date?
        var over: [Reason: Hold] = [:]
        var hold: Hold?
        var heldSince: ContinuousClock.Instant?
        var held = Duration.zero
        var paced = Duration.zero
        var lastTold: ContinuousClock.Instant?
        var isTold = false
    }

    /// What is to be kept.
    public let limits: Limits
    private let tell: @Sendable (String) -> Void
    private let state: Mutex<State>
    private let isPausedValue = Atomic<Bool>(false)
    private let bell = Bell()

    /// Limits nothing, and is never held.
    public static let none = Throttle(isWatched: false)

    /// Creates a throttle; one that `isWatched` holds until its ``ThrottleWatch`` has looked for the first time.
    ///
    /// `tell` gets what happens, for the log.
    public init(
        _ limits: Limits = Limits(),
        isWatched: Bool = true,
        tell: @escaping @Sendable (String) -> Void = { _ in }
    ) {
        self.limits = limits
        self.tell = tell
        state = Mutex(State(pacer: limits.rate.map { RatePacer(bytesPerSecond: $0) }, isPauseKnown: !isWatched))
    }

    /// Whether the move is paused.
    public var isPaused: Bool { isPausedValue.load(ordering: .acquiring) }

    /// What was done to the workers up to now.
    public var report: Report {
        state.withLock { state in
            let running = state.heldSince.map { $0.duration(to: .now) } ?? .zero
            return Report(hold: state.hold, held: state.held + running, paced: state.paced)
        }
    }

    /// Counts bytes that were copied, and blocks the calling thread for as long as nobody may go on.
    ///
    /// - Returns: for how many seconds it did.
    /// - Throws: SQLSTATE 57014 when the task is cancelled meanwhile.
    @discardableResult
    public func pass(_ bytes: Int = 0) throws(PostgresError) -> Double {
        let (isFree, due) = state.withLock { state in
            (state.isFree, bytes > 0 ? state.pacer?.take(bytes, at: .now) : nil)
        }
        let start = ContinuousClock.now
        if let due, due > start {
            try wait(until: due) { false }
            state.withLock { $0.paced += start.duration(to: .now) }
        }
        if isFree, due == nil { return 0 }
        try wait(until: nil) { self.state.withLock(\.isFree) }
        return start.duration(to: .now) / .seconds(1)
    }

    /// Whether nobody may go on now.
    public var isHeld: Bool { !state.withLock(\.isFree) }

    /// Leaves this process a share of the rate, from 0 to 1; the rest is for workers on other machines.
    public func share(_ share: Double) {
        guard let rate = limits.rate else { return }
        state.withLock { $0.pacer?.bytesPerSecond = max(1, Int(Double(rate) * share)) }
    }

    /// Does on another machine what the one that leads the load says: the share of its rate, and whether it holds.
    public func obey(rate: Int?, isHeld: Bool) {
        state.withLock { state in
            if let rate {
                if state.pacer == nil { state.pacer = RatePacer(bytesPerSecond: rate) }
                state.pacer?.bytesPerSecond = max(1, rate)
            } else {
                state.pacer = nil
            }
            state.isPauseKnown = !isHeld
        }
        bell.ring()
    }

    /// As ``pass(_:)``, off Swift's shared threads.
    public func wait() async throws {
        guard !state.withLock(\.isFree) else { return try Task.checkCancellation() }
        _ = try await withOwnThread("martlet.throttle") { try pass() }
    }

    /// Runs work to which the limits on the servers apply.
    public func whileUsed<Result>(_ body: () async throws -> Result) async throws -> Result {
        state.withLock { state in
            state.users += 1
            if state.users == 1, limits.asksServers { state.isLoadKnown = false }
        }
        defer {
            change { state in
                state.users -= 1
                guard state.users == 0 else { return }
                state.over = [:]
                state.isLoadKnown = true
            }
        }
        return try await body()
    }

    /// Whether there is work to which the limits on the servers apply.
    var isUsed: Bool { state.withLock { $0.users > 0 } }

    /// Holds until somebody has looked again: another run may have been paused meanwhile.
    public func forget() {
        state.withLock {
            $0.isPauseKnown = false
            if $0.users > 0, limits.asksServers { $0.isLoadKnown = false }
        }
    }

    /// Notes since when the move is paused; nil when it is not.
    func note(paused: Date?) {
        change {
            $0.isPauseKnown = true
            $0.paused = paused
        }
        isPausedValue.store(paused != nil, ordering: .releasing)
    }

    /// Notes what is over its limit on the servers, in words.
    func note(sourceLoad: String?, replicaLag: String?) {
        change { state in
            guard state.users > 0 else { return }
            state.isLoadKnown = true
            for (reason, text) in [(Reason.sourceLoad, sourceLoad), (.replicaLag, replicaLag)] {
                let since = state.over[reason]?.since ?? Date()
                state.over[reason] = text.map { Hold(reason: reason, text: $0, since: since) }
            }
        }
    }

    private func change(_ body: (inout State) -> Void) {
        let event = state.withLock { state in
            body(&state)
            return state.settle(at: .now)
        }
        bell.ring()
        if let event { tell(event) }
    }

    /// Nobody rings when a task is cancelled, so that is looked after five times a second.
    private func wait(
        until end: ContinuousClock.Instant?,
        _ isReached: () -> Bool
    ) throws(PostgresError) {
        while true {
            if Task.isCancelled { throw .cancelled }
            let step = ContinuousClock.now + .milliseconds(200)
            if bell.wait(until: min(end ?? step, step), isReached) { return }
            if let end, ContinuousClock.now >= end { return }
        }
    }
}

extension Throttle.State {
    fileprivate var isFree: Bool { hold == nil && isPauseKnown && isLoadKnown }

    /// Draws the conclusions of a change; returns what is to be told.
    fileprivate mutating func settle(at now: ContinuousClock.Instant) -> String? {
        let before = hold
        if let paused {
            hold = Throttle.Hold(reason: .paused, text: "paused by martlet pause", since: paused)
        } else {
            hold = over[.sourceLoad] ?? over[.replicaLag]
        }
        if hold != nil, heldSince == nil { heldSince = now }
        guard let hold else {
            guard let since = heldSince else { return nil }
            let length = since.duration(to: now)
            (heldSince, held) = (nil, held + length)
            defer { isTold = false }
            return isTold ? "goes on, after having been held for \(length.components.seconds) s" : nil
        }
        guard hold.reason != before?.reason else { return nil }
        // Limits may hold every few seconds for days; nobody wants to read that.
        if hold.reason != .paused, let lastTold, lastTold.duration(to: now) < .seconds(60) { return nil }
        (lastTold, isTold) = (now, true)
        return hold.reason == .paused ? hold.text : "held: \(hold.text)"
    }
}
