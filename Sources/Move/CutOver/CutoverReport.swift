import Engine

/// How long each step of a switch took.
public struct CutoverReport: Sendable, Hashable, Codable {
    /// One step.
    public struct Step: Sendable, Hashable, Codable {
        /// What was done.
        public var name: String
        /// How long it took, in milliseconds.
        public var milliseconds: Double
        /// Whether writers stood still meanwhile.
        public var isDowntime: Bool
    }

    /// `forward` at a cutover, `reverse` at a rollback.
    public var direction: String
    /// The steps, in their order.
    public var steps: [Step] = []
    /// Rows that were compared after writers had stopped.
    public var rowsCompared = 0
    /// Sequences that were set.
    public var sequences = 0
    /// Sequences that were set ahead of the other server's, since values were drawn while writers stood still.
    public var sequencesAhead: [String] = []

    /// Unlogged tables, which are neither followed nor compared: they are as they were when they were copied.
    public var unlogged: [String] = []

    /// When the last step in which writers stand still ended.
    private var standingStillUntil: ContinuousClock.Instant?

    private enum CodingKeys: CodingKey {
        case direction, steps, rowsCompared, sequences, sequencesAhead, unlogged
    }

    init(direction: String) {
        self.direction = direction
    }

    /// How long nobody could write: from the lock of the fence to the opening of the other server.
    public var downtimeMilliseconds: Double {
        steps.filter(\.isDowntime).map(\.milliseconds).reduce(0, +)
    }

    /// Takes the time that nobody stood still out of a step that began with waiting.
    mutating func splitOffWait(_ waited: Duration, from name: String) {
        guard let place = steps.firstIndex(where: { $0.name == name }) else { return }
        let milliseconds = Double(waited.components.seconds) * 1000 + Double(waited.components.attoseconds) / 1e15
        steps[place].milliseconds -= milliseconds
        steps.insert(Step(name: "wait for open transactions", milliseconds: milliseconds, isDowntime: false), at: place)
    }

    /// Runs a step and notes its time.
    ///
    /// While writers stand still no time is lost between two steps: what passes after one belongs to the next.
    mutating func measure<Result>(
        _ name: String,
        isDowntime: Bool = true,
        _ body: () async throws -> Result
    ) async throws -> Result {
        let clock = ContinuousClock()
        let start = isDowntime ? standingStillUntil ?? clock.now : clock.now
        Milestone.reach("\(direction): before \(name)")
        let result = try await body()
        Milestone.reach("\(direction): after \(name)")
        let end = clock.now
        if isDowntime { standingStillUntil = end }
        let spent = start.duration(to: end)
        let milliseconds = Double(spent.components.seconds) * 1000 + Double(spent.components.attoseconds) / 1e15
        steps.append(Step(name: name, milliseconds: milliseconds, isDowntime: isDowntime))
        return result
    }
}
