import Catalog
import Cluster
import Engine
import Foundation
import Move
import Postgres
import Sync

/// What happens in a demo once everybody is at work: there, verified, and back again.
struct DemoStory: Sendable {
    let endpoints: Endpoints
    let directory: URL
    let monitor: Monitor
    let workload: Workload
    let board: Switchboard
    let lines: (old: Switchboard.Line, new: Switchboard.Line)
    let steps: DemoSteps
    /// How long a writer may stand still before the demo counts as failed.
    let longestPause: Duration

    private var asker: Asker { Asker(target: endpoints.target) { _ in } }

    /// Waits until the application has found its pace.
    func begin() async throws {
        try await wait(for: "the first operations of the application", seconds: 60) { workload.writers.total >= 50 }
    }

    /// Plays it; `definitions` are those of the source before anything of martlet was there.
    func play(definitions: String, programs: Installation) async throws -> DemoReport {
        var report = DemoReport()
        try await begin()
        try await copy(&report)
        try await follow(&report)
        try await verify(&report)
        try await cutOver(&report)
        try await rollBack(&report)
        try await finish(&report, definitions: definitions, programs: programs)
        report.judge(writers: workload.writers, readers: workload.readers, longestPause: longestPause)
        report.longestPauseStep = workload.writers.longestPause.map { steps.step(at: $0.began) }
        return report
    }

    // MARK: There

    private func copy(_ report: inout DemoReport) async throws {
        report.bytes = try await withConnection(to: endpoints.source) { source in
            try source.query("SELECT pg_database_size(current_database()) AS size").first?("size") ?? 0
        }
        steps.begin("copying \(Painter.size(report.bytes)) to the new server")
        let start = ContinuousClock.now
        var told = start
        try await wait(for: "the copy", seconds: 3600) {
            if .now - told > .seconds(10) {
                told = .now
                let tables = monitor.report.tables
                let sent = Painter.size(tables.map(\.load.bytes).reduce(0, +))
                let ready = tables.count { $0.load.state == .ready }
                steps.note("\(sent) sent, \(ready) of \(tables.count) tables ready")
            }
            return monitor.report.phase == .following
        }
        report.copyTime = .now - start
        let tables = monitor.report.tables
        report.tables = tables.count
        report.rows = tables.map(\.load.rows).reduce(0, +)
        report.copiedBytes = tables.map(\.load.bytes).reduce(0, +)
        steps.note(report.copyLine)
    }

    private func follow(_ report: inout DemoReport) async throws {
        steps.begin("making constraints, following changes")
        let start = ContinuousClock.now
        try await wait(for: "the stream to catch up", seconds: 3600) {
            let now = monitor.report
            return now.activity == "waiting for changes" && now.lag?.heartbeatMilliseconds ?? .infinity < 1000
        }
        report.catchUpTime = .now - start
        try await Task.sleep(for: .seconds(2))
        report.lag = monitor.report.lag
        steps.note(report.lagLine)
    }

    private func verify(_ report: inout DemoReport) async throws {
        steps.begin("comparing both servers while writers go on")
        let start = ContinuousClock.now
        let answer = try await asker.ask("verify", Ask.Verify(), as: Answer.self)
        report.verifyTime = .now - start
        guard answer != nil, let comparison = monitor.report.comparison else { throw Self.noAnswer("verify") }
        report.verdict = comparison
        steps.note(report.verdictLine)
    }

    private func cutOver(_ report: inout DemoReport) async throws {
        steps.begin("cutting over")
        guard let cutover = try await asker.ask("cutover", Ask.Switch(), as: CutoverReport.self) else {
            throw Self.noAnswer("cutover")
        }
        board.connect(to: lines.new)
        try await crossed(to: lines.new)
        report.cutover = DemoReport.Crossing(cutover, workload.eachWriter.compactMap(\.crossings.first))
        steps.note(report.cutover?.line ?? "")
        steps.begin("working on the new server")
        try await Task.sleep(for: .seconds(10))
        let done = workload.writers.acknowledged[lines.new.name] ?? 0
        steps.note("\(Painter.count(done)) operations acknowledged there; each flows back to the old server")
    }

    // MARK: And back

    /// Goes back, and compares what the new server has with the old one as it was opened, before anybody wrote to it.
    private func rollBack(_ report: inout DemoReport) async throws {
        steps.begin("rolling back")
        let frozen = DemoComparison(old: endpoints.source, new: endpoints.target)
        report.comparison = try await withNeutralConnection(to: endpoints.source) { old in
            guard let rollback = try await asker.ask("rollback", Ask.Switch(), as: CutoverReport.self) else {
                throw Self.noAnswer("rollback")
            }
            try old.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SELECT 1")
            board.connect(to: lines.old)
            try await crossed(to: lines.old)
            report.rollback = DemoReport.Crossing(rollback, workload.eachWriter.compactMap(\.crossings.last))
            steps.note(report.rollback?.line ?? "")
            steps.begin("comparing every row and the shop's own figures, before and after the way back")
            return try await frozen.compare(frozen: old)
        }
        steps.note(report.comparison?.line ?? "")
        let goal = (workload.writers.acknowledged[lines.old.name] ?? 0) + 500
        try await wait(for: "the application on the old server", seconds: 60) {
            workload.writers.acknowledged[lines.old.name] ?? 0 > goal
        }
    }

    private func finish(
        _ report: inout DemoReport,
        definitions: String,
        programs: Installation
    ) async throws {
        steps.begin("stopping the application, removing everything of martlet")
        try await workload.stop()
        let end = EndOfMove(kind: "finish", dropsCopy: false) { _ in true }
        let removed = try await end.end(endpoints, directory: directory, asker)
        report.failedChecks = try await DemoComparison.failedChecks(of: endpoints.source)
        report.leftovers =
            try await Leftovers.find(on: endpoints.source, name: "old")
            + Leftovers.find(on: endpoints.target, name: "new")
        let after = try await programs.definitions(of: endpoints.source)
        if after != definitions {
            report.leftovers.append("definitions of the old server: \(Leftovers.difference(definitions, after))")
        }
        steps.note("\(removed.count) objects removed, \(report.leftovers.count) left")
    }

    // MARK: Waiting

    /// Waits until every writer has worked on a server.
    private func crossed(to line: Switchboard.Line) async throws {
        try await wait(for: "writers on the \(line.name) server", seconds: 60) {
            workload.eachWriter.allSatisfy { $0.crossings.last?.to == line.name }
        }
    }

    private func wait(for what: String, seconds: Double, until condition: () -> Bool) async throws {
        let end = ContinuousClock.now + .seconds(seconds)
        while !condition() {
            guard .now < end else { throw PostgresError("\(what) did not come in \(Int(seconds)) seconds") }
            try await Task.sleep(for: .milliseconds(10))
        }
    }

    /// An answer of which only the arrival counts; what was found is in the monitor's report.
    private struct Answer: Decodable {}

    private static func noAnswer(_ request: String) -> PostgresError {
        PostgresError("the move ended before it answered \(request)")
    }
}
