import Engine
import Foundation
import Postgres
import Synchronization

/// What the parts of a running follower tell each other: how far each is, and how far each may go.
final class FollowState: Sendable {
    struct Lane: Sendable {
        /// Everything of this lane that committed before it is applied.
        var applied = LSN.zero
        /// As `applied`, but safe against a crash of the target.
        var durable = LSN.zero
        /// Where in the spool the lane reads; frames before the durable position's are not needed.
        var keepFrom: UInt64 = 0
        /// Whether the lane stands still at the limit.
        var isParked = false
        /// Its tables that stand still while it goes on, by their OID on the server that is followed.
        var standing: [UInt32: Standstill] = [:]
        /// The value of ``State/askedCount`` up to which the lane does what was asked.
        var answered = 0
    }

    struct State: Sendable {
        var lanes: [Lane]
        var received = LSN.zero
        var spooled = LSN.zero
        var confirmed = LSN.zero
        /// Tables that somebody else takes care of for a while, and which therefore are to stand still.
        var asked: Set<UInt32> = []
        /// How often `asked` was changed.
        var askedCount = 0
        var counters = FollowCounters()
    }

    private let state: Mutex<State>
    private let limitValue = Atomic<UInt64>(0)
    private let bell = Bell()
    private let confirmsSpooledValue = Atomic<Bool>(false)
    private let throttle: Throttle
    /// Told where the time goes.
    let stages: Stages

    init(lanes: Int, throttle: Throttle = .none, stages: Stages = Stages()) {
        self.throttle = throttle
        self.stages = stages
        state = Mutex(State(lanes: Array(repeating: Lane(), count: lanes)))
    }

    /// Lanes apply only transactions whose commit record begins before it; zero holds them all.
    var limit: LSN {
        get { LSN(limitValue.load(ordering: .acquiring)) }
        set {
            limitValue.store(newValue.value, ordering: .releasing)
            update { _ in }
        }
    }

    /// Whether a person wants that nothing is applied.
    var isPaused: Bool { throttle.isPaused }

    /// How often it was changed which tables are to stand still.
    var askedCount: Int { state.withLock(\.askedCount) }

    /// Whether the source may forget what is safe in the spool, whatever was chosen.
    var confirmsSpooled: Bool {
        get { confirmsSpooledValue.load(ordering: .acquiring) }
        set { confirmsSpooledValue.store(newValue, ordering: .releasing) }
    }

    /// A copy of everything.
    var current: State { state.withLock { $0 } }

    /// Changes something and wakes those who wait for it.
    func update(_ change: (inout State) -> Void) {
        state.withLock { change(&$0) }
        bell.ring()
    }

    /// Counts, without waking anybody.
    func count(_ change: (inout FollowCounters) -> Void) {
        state.withLock { change(&$0.counters) }
    }

    /// Blocks until `isReached` or the deadline.
    ///
    /// - Returns: whether it was reached.
    func wait(until deadline: ContinuousClock.Instant, _ isReached: (State) -> Bool) -> Bool {
        bell.wait(until: deadline) { isReached(current) }
    }
}

extension FollowState.State {
    /// Everything that committed before it is applied by every lane.
    var applied: LSN { lanes.map(\.applied).min() ?? .zero }

    /// As ``applied``, but safe against a crash of the target, and of the tables that stand still, too.
    var durable: LSN {
        min(lanes.map(\.durable).min() ?? .zero, standing.map(\.position).min() ?? LSN(.max))
    }

    /// The oldest offset of the spool that a lane, or a table that stands still, may need again.
    var keepFrom: UInt64 {
        min(lanes.map(\.keepFrom).min() ?? 0, standing.map(\.offset).min() ?? .max)
    }

    /// Whether every lane does what was asked up to now.
    var isAnswered: Bool { lanes.allSatisfy { $0.answered >= askedCount } }

    /// The tables that stand still, by name.
    var standing: [Standstill] {
        lanes.flatMap { $0.standing.values }.sorted { $0.table < $1.table }
    }
}

/// What a follower has done since it started.
public struct FollowCounters: Sendable, Hashable, Codable {
    /// Transactions seen, of all tables.
    public var transactions = 0
    /// Row changes that lanes took.
    public var changes = 0
    /// Rows that were sent to the target after folding.
    public var rows = 0
    /// Transactions on the target.
    public var groups = 0
    /// Groups that had to be replayed row by row, in the order of the source.
    public var replays = 0
    /// Commit time on the source of the last applied transaction, in microseconds since 2000-01-01 UTC.
    public var lastCommitTime: Int64 = 0
    /// The time that the last heartbeat needed from the source's commit to the target's, in milliseconds.
    public var heartbeatMilliseconds: Double?
}
