import Cluster
import Move

/// What a demo measured, for programs.
struct DemoFigures: Encodable {
    /// How long the application stood still when it went to the other server.
    struct Crossing: Encodable {
        /// By martlet's clock: the steps in which writers stand still.
        var downtimeMilliseconds: Double
        /// The longest time that a writer took from its last operation there to its first here.
        var longestPauseMilliseconds: Double?
        var steps: [CutoverReport.Step]

        init(_ crossing: DemoReport.Crossing) {
            downtimeMilliseconds = crossing.report.downtimeMilliseconds
            longestPauseMilliseconds = crossing.pause.map { $0.duration / .milliseconds(1) }
            steps = crossing.report.steps
        }
    }

    var bytes: Int
    var rows: Int
    var copySeconds: Double
    var cutover: Crossing?
    var rollback: Crossing?
    /// The longest pause of a writer in the whole demo.
    var longestPauseMilliseconds: Double?
    /// What was not as it must be; empty when all is well.
    var problems: [String]

    init(_ report: DemoReport) {
        bytes = report.bytes
        rows = report.rows
        copySeconds = report.copyTime / .seconds(1)
        cutover = report.cutover.map(Crossing.init)
        rollback = report.rollback.map(Crossing.init)
        longestPauseMilliseconds = report.writers?.longestPause.map { $0.duration / .milliseconds(1) }
        problems = report.problems
    }
}
