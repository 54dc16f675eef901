import Foundation
import TestSupport

/// One storm, as a seed decides it: how the move goes, and what goes wrong.
struct StormStory: Sendable, CustomStringConvertible {
    /// How a move ends.
    enum Ending: String, Sendable, CaseIterable {
        /// Given up while tables are copied, or soon afterwards.
        case abortEarly
        /// Given up after a comparison.
        case abort
        /// Cut over, finished.
        case finish
        /// Cut over without a way back, finished.
        case finishWithoutWayBack
        /// Cut over, rolled back, finished.
        case rollBackFinish
        /// Cut over, rolled back, aborted.
        case rollBackAbort
    }

    let seed: UInt64
    let ending: Ending
    let lanes: Int
    let confirmation: String
    /// Whether both databases are compared while the application writes.
    let comparesEarly: Bool
    /// Whether the application stops before the last switch, so that both servers must be equal at the end.
    let isQuietAtTheEnd: Bool
    /// How long the application works before the cutover and after it, and before an early abort.
    let pauses: [Int]
    var plan: FaultPlan

    /// The story of a seed.
    init(seed: UInt64, plan: FaultPlan? = nil) {
        var generator = SeededGenerator(seed: seed)
        self.seed = seed
        ending = generator.pick([
            .abortEarly, .abort, .finish, .finish, .finish, .finishWithoutWayBack, .rollBackFinish, .rollBackFinish,
            .rollBackAbort,
        ])
        lanes = generator.pick([1, 2, 3])
        confirmation = generator.pick(["spooled", "spooled", "applied"])
        comparesEarly = generator.pick([true, false])
        isQuietAtTheEnd = generator.pick([true, false])
        pauses = (0..<3).map { _ in Int.random(in: 0...700, using: &generator) }
        let count = Int.random(in: 1...4, using: &generator)
        var entries: [FaultPlan.Entry] = []
        for _ in 0..<count {
            let moment = Self.moment(of: ending, &generator)
            entries.append(FaultPlan.Entry(moment, Fault.random(using: &generator)))
        }
        self.plan = plan ?? FaultPlan(entries)
    }

    private static func moment(of ending: Ending, _ generator: inout SeededGenerator) -> FaultPlan.Moment {
        var marks = ["started", "loading", "loading", "following", "ending"]
        if ![.abortEarly, .abort].contains(ending) {
            marks += ["cutover", "cutover", "cuttingOver", "cuttingOver", "cuttingOver"]
            marks.append(ending == .finishWithoutWayBack ? "switched" : "reversing")
        }
        if [.rollBackFinish, .rollBackAbort].contains(ending) {
            marks += ["rollback", "rollingBack", "rollingBack", "rolledBack"]
        }
        let mark = generator.pick(marks)
        let latest = ["cuttingOver", "rollingBack"].contains(mark) ? 300 : mark == "started" ? 1000 : 700
        return FaultPlan.Moment(after: mark, milliseconds: Int.random(in: 0...latest, using: &generator))
    }

    var description: String {
        "MARTLET_SEED=\(seed) ending=\(ending.rawValue) lanes=\(lanes) confirm=\(confirmation) MARTLET_FAULTS='\(plan)'"
    }
}
