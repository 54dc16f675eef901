import Postgres

/// Counts what one worker of a load does, without a lock, and tells ``Stages`` about once a second.
struct LoadClock {
    private let stages: Stages
    private let from: Connection?
    private let to: Connection
    private var tally = LoadTally()
    private var watch = Stopwatch()
    private var waited: (source: Duration, target: Duration)

    init(_ stages: Stages, _ from: Connection?, _ to: Connection) {
        (self.stages, self.from, self.to) = (stages, from, to)
        waited = (from?.serverWait ?? .zero, to.serverWait)
    }

    mutating func note(_ change: (inout LoadTally) -> Void) {
        change(&tally)
        if watch.elapsed > .seconds(1) { publish() }
    }

    /// Counts an index that took so many seconds.
    mutating func note(index: String, seconds: Double) {
        note {
            $0.indexSeconds += seconds
            $0.indexes += 1
        }
        stages.note(Stages.IndexBuild(index: index, seconds: seconds))
    }

    /// Tells what came since the last time.
    mutating func publish() {
        let now = (source: from?.serverWait ?? .zero, target: to.serverWait)
        tally.seconds = watch.lap()
        tally.sourceSeconds = (now.source - waited.source) / .seconds(1)
        tally.targetSeconds = (now.target - waited.target) / .seconds(1)
        waited = now
        stages.add(tally)
        tally = LoadTally()
    }
}
