import Engine
public import Foundation
import Postgres
import Sync
import Synchronization

/// Gathers what a running move does, for the terminal, the journal and the log files.
public final class Monitor: Sendable {
    private struct State {
        var report: StatusReport
        var load: LoadProgress?
        var follower: Follower?
        var throttle: Throttle?
        var stages: Stages?
        /// Whether rows are copied, under a snapshot that stays open.
        var isUnderSnapshot = false
        var sourcePosition: LSN?
        /// What the clock of the server that is followed showed, and when: our own may be wrong.
        var sourceClock: (shown: Double, at: ContinuousClock.Instant)?
        var events: [String] = []
        var standing: [Standstill] = []
        var hasRun = false
        /// Whether writers may be locked out by a switch that has not come to its end.
        var isSwitching = false
        /// Whether what is waited for is a lock on the server that is written to.
        var waitsForLocks = false
        /// Whether a connection was lost and no position of the source has come since.
        var isPositionOld = false

        /// The time of the server that is followed, in seconds since 1970; our own until it has told.
        var sourceTime: Double {
            guard let sourceClock else { return Date().timeIntervalSince1970 }
            let passed = sourceClock.at.duration(to: .now).components
            return sourceClock.shown + Double(passed.seconds) + Double(passed.attoseconds) / 1e18
        }
    }

    private let state: Mutex<State>
    private let log: LogFiles

    /// Called with each event, on whatever thread it happens.
    private let onEvent: @Sendable (String) -> Void

    /// Creates a monitor that writes its log files into `directory`.
    public init(
        endpoints: Endpoints,
        directory: URL,
        onEvent: @escaping @Sendable (String) -> Void = { _ in }
    ) {
        let now = Date()
        state = Mutex(
            State(
                report: StatusReport(
                    id: "",
                    phase: .planned,
                    activity: "connecting",
                    source: endpoints.source.place,
                    target: endpoints.target.place,
                    started: now,
                    at: now,
                    tables: []
                )
            )
        )
        log = LogFiles(database: endpoints.source["dbname"] ?? "database", directory: directory, started: now)
        self.onEvent = onEvent
    }

    /// The present state.
    public var report: StatusReport {
        state.withLock { state in
            var report = state.report
            report.at = Date()
            if let load = state.load {
                report.tables = StatusReport.tables(load)
                report.workers = load.workers.isEmpty ? nil : load.workers
            }
            if let throttle = state.throttle { report.note(throttle) }
            report.stages = state.stages?.report
            if let progress = state.follower?.progress {
                report.follow = progress
                if !state.isPositionOld {
                    let position = state.sourcePosition ?? progress.received
                    report.lag = Self.lag(progress, source: position, now: state.sourceTime)
                }
            }
            return report
        }
    }

    /// Whether the move has got as far as to be worth another try when a connection breaks.
    var hasRun: Bool { state.withLock(\.hasRun) }

    /// Whether writers may be locked out by a switch that has not come to its end: then martlet must not give up.
    var isSwitching: Bool {
        get { state.withLock(\.isSwitching) }
        set { state.withLock { $0.isSwitching = newValue } }
    }

    /// Tells what happens: to the log, to the terminal, to the journal.
    public func event(_ text: String) {
        log.write(text)
        state.withLock { $0.events.append(text) }
        onEvent(text)
    }

    /// Takes the events that are not in the journal yet.
    func takeEvents() -> [String] {
        state.withLock { state in
            defer { state.events = [] }
            return state.events
        }
    }

    /// Tells how a run ended, to the log and the journal; the terminal is told by the command itself.
    func end(_ text: String) {
        if let spent = report.stages?.text { log.write(spent) }
        log.write(text)
        state.withLock {
            $0.events.append(text)
            $0.report.waiting = nil
            $0.report.isDisconnected = nil
        }
    }

    /// Tells that something failed after which the move goes on.
    func failure(of what: String, _ error: PostgresError) {
        log.write("\(what) failed: \(error.whole)")
        state.withLock { $0.events.append("\(what) failed: \(error.whole)") }
        onEvent("\(what) failed: \(error.message)")
    }

    func enter(_ phase: Phase, id: String) {
        state.withLock {
            $0.report.id = id
            $0.report.phase = phase
            // What was done belongs to the phase before.
            $0.report.activity = ""
            $0.report.waiting = nil
            $0.report.isDisconnected = nil
            $0.hasRun = true
        }
        event("phase: \(phase.title)")
    }

    func activity(_ text: String) {
        state.withLock {
            $0.report.activity = text
            $0.report.waiting = nil
        }
        event(text)
    }

    /// Shows how many bytes of an activity are done, without an event.
    func progress(of activity: String, _ done: Int, of all: Int) {
        let text = "\(activity): \(Finding.bytes(done)) of \(Finding.bytes(all))"
        state.withLock { $0.report.activity = text }
    }

    func waiting(_ text: String?) {
        let isNew = state.withLock { state in
            defer { state.report.waiting = text }
            return state.report.waiting != text
        }
        if let text, isNew { event("waiting: \(text)") }
    }

    /// Tells who keeps the stream from writing; nil when nobody does, or does any more.
    func waiting(forLocks text: String?) {
        let waited = state.withLock { state in
            defer { state.waitsForLocks = text != nil }
            return state.waitsForLocks
        }
        if text != nil || waited { waiting(text) }
    }

    /// Tells that a server is gone; how far the stream is behind is not known until it is back.
    func lost(_ text: String) {
        state.withLock { state in
            if let progress = state.follower?.progress { state.report.follow = progress }
            state.follower = nil
            state.sourcePosition = nil
            state.isPositionOld = true
            state.report.isDisconnected = true
            state.report.activity = ""
        }
        waiting(text)
    }

    /// Shows what will end the move unless somebody acts; nil when all is well.
    func warning(_ text: String?) {
        state.withLock { $0.report.warning = text }
    }

    /// Lets the source forget what is safe in the spool, so that it need not keep it for the target.
    func confirmSpooled() {
        state.withLock { $0.follower }?.confirmSpooled()
    }

    func watch(_ throttle: Throttle) {
        state.withLock { $0.throttle = throttle }
    }

    func watch(_ stages: Stages) {
        state.withLock { $0.stages = stages }
    }

    /// Whether rows are copied, under a snapshot that stays open.
    var isUnderSnapshot: Bool {
        get { state.withLock(\.isUnderSnapshot) }
        set { state.withLock { $0.isUnderSnapshot = newValue } }
    }

    /// Shows what a copy that is held keeps the source from.
    func note(heldBack: StatusReport.HeldBack?) {
        state.withLock { $0.report.heldBack = heldBack }
    }

    func watch(_ load: LoadProgress) {
        state.withLock { $0.load = load }
    }

    func watch(_ follower: Follower?) {
        state.withLock {
            $0.follower = follower
            $0.report.follow = nil
        }
    }

    /// Notes where the log of the server that is followed ends, and what its clock shows, in seconds since 1970.
    func note(sourcePosition: LSN, clock: Double) {
        state.withLock {
            $0.sourcePosition = sourcePosition
            $0.sourceClock = (clock, .now)
            $0.isPositionOld = false
        }
    }

    /// Tells which tables have come to a stand since the last call, and which go on.
    func note(standing: [Standstill]) {
        let known = state.withLock { state in
            defer { state.standing = standing }
            return state.standing
        }
        guard known != standing else { return }
        for table in standing
        where !known.contains(where: { $0.relation == table.relation && $0.message == table.message }) {
            event("table \"\(table.table)\" stands still, the others go on: \(table.error.whole)")
        }
        for table in known where !standing.contains(where: { $0.relation == table.relation }) {
            event("table \"\(table.table)\" goes on")
        }
    }

    /// Tells how tables have become different, when that has changed.
    func note(drift: [String]) {
        let known = state.withLock { state in
            defer { state.report.drift = drift.isEmpty ? nil : drift }
            return state.report.drift ?? []
        }
        for text in drift where !known.contains(text) { event(text) }
    }

    func note(_ comparison: StatusReport.Comparison) {
        state.withLock { $0.report.comparison = comparison }
    }

    func note(_ cutover: CutoverReport) {
        state.withLock { $0.report.cutover = cutover }
    }

    /// Writes the file with a line per table.
    func writeTables() {
        let tables = report.tables
        if !tables.isEmpty { log.write(tables: tables) }
    }

    private static func lag(_ progress: Follower.Progress, source: LSN, now: Double) -> StatusReport.Lag {
        let bytes = source.bytes(since: progress.applied)
        let isBehind = progress.received > progress.applied
        // Microseconds since 2000-01-01, as the protocol has them.
        let commit = Double(progress.counters.lastCommitTime) / 1e6 + 946_684_800
        let age = progress.counters.lastCommitTime == 0 ? 0 : max(0, now - commit)
        return StatusReport.Lag(
            bytes: bytes,
            seconds: isBehind ? age : 0,
            heartbeatMilliseconds: progress.counters.heartbeatMilliseconds
        )
    }
}

extension PostgresError {
    /// Any error as one that can be told.
    init(telling error: any Error) {
        self = error as? PostgresError ?? PostgresError(String(describing: error))
    }

    /// Message, detail and hint, each on lines of its own: for what is kept.
    var whole: String {
        let parts = [message, detail.map { "DETAIL: \($0)" }, hint.map { "HINT: \($0)" }]
        return parts.compactMap(\.self).joined(separator: "\n")
    }
}
