import Catalog
import Cluster
import Foundation
import Move
import Postgres
import Synchronization

/// Where the two databases of a demo are.
struct DemoServers: Sendable {
    let old: ConnectionString
    let new: ConnectionString
    /// What starts both again once they are stopped, and what stops them then; one command a line.
    let starts: [String], stops: [String]

    init(old: (server: Server, shop: ConnectionString), new: (server: Server, shop: ConnectionString)) throws {
        self.old = old.shop
        self.new = new.shop
        starts = try [old.server, new.server].map { try Self.command($0, "-l '\($0.directory)/log' start") }
        stops = try [old.server, new.server].map { try Self.command($0, "stop") }
    }

    /// A call of `pg_ctl` as the account that owns the data.
    private static func command(_ server: Server, _ action: String) throws -> String {
        let account = ServerUser.needed.map { "runuser -u \($0.name) -- " } ?? ""
        return "\(account)\(try server.binaries.program("pg_ctl")) -D '\(server.directory)/data' \(action)"
    }
}

/// Sets the stage of a demo: servers, the shop, its application, and a martlet that runs the move.
///
/// The move is the same library calls that the commands make: ``Migration`` runs in a child task, and
/// everything else is asked of it through the journal. What is played is in ``DemoStory``.
struct Demo: Sendable {
    /// What was asked for.
    struct Wish: Sendable {
        var scale: Double
        var writers: Int
        var readers: Int
        var seed: UInt64
        var rate: Double
        var sourceMajor: Int?
        var targetMajor: Int?
        /// How long a writer may stand still before the demo counts as failed.
        var longestPause: Duration
    }

    let wish: Wish
    let output: Output

    /// Plays the demo; `body` gets the report while both servers still run.
    func run<Result>(
        in directory: URL,
        _ body: (DemoReport, DemoServers) async throws -> Result
    ) async throws -> Result {
        let began = ContinuousClock.now
        let steps = DemoSteps(output: output)
        steps.begin("starting two servers")
        let source = configuration(wish.sourceMajor, directory, "old")
        let target = configuration(wish.targetMajor, directory, "new")
        return try await withServer(source) { old in
            try await withServer(target) { new in
                steps.note("PostgreSQL \(old.binaries.version) and \(new.binaries.version)")
                let servers = try await makeShop(old, new, steps)
                var report = try await play(servers, directory, steps)
                report.versions = "PostgreSQL \(old.binaries.version) and \(new.binaries.version)"
                report.total = .now - began
                return try await body(report, servers)
            }
        }
    }

    private func configuration(_ major: Int?, _ directory: URL, _ name: String) -> ServerConfiguration {
        var configuration = ServerConfiguration(
            major: major,
            settings: [
                "shared_buffers": "256MB", "max_wal_size": "4GB", "checkpoint_timeout": "15min",
                "synchronous_commit": "on",
            ]
        )
        configuration.directory = directory.appending(path: name).path
        return configuration
    }

    private func makeShop(_ old: Server, _ new: Server, _ steps: DemoSteps) async throws -> DemoServers {
        steps.begin("filling a shop at scale \(wish.scale)")
        let start = ContinuousClock.now
        let shop = try await ShopDatabase.create("shop", on: old.connection(), scale: wish.scale)
        steps.note("filled in \(DemoReport.seconds(.now - start))")
        try await withConnection(to: new.connection()) { connection in
            try connection.execute("CREATE DATABASE shop TEMPLATE template0 ENCODING 'UTF8'")
        }
        return try DemoServers(old: (old, shop), new: (new, new.connection(to: "shop")))
    }

    /// Runs the application and the move beside the story, and ends all of them with it.
    private func play(_ servers: DemoServers, _ directory: URL, _ steps: DemoSteps) async throws -> DemoReport {
        let endpoints = Endpoints(source: servers.old, target: servers.new)
        let work = directory.appending(path: "work", directoryHint: .isDirectory)
        let monitor = Monitor(endpoints: endpoints, directory: work)
        let migration = Migration(
            endpoints: endpoints,
            options: MigrationOptions(),
            directory: work,
            monitor: monitor
        )
        let lines = (
            old: Switchboard.Line(name: "old", connection: servers.old),
            new: Switchboard.Line(name: "new", connection: servers.new)
        )
        let board = Switchboard(lines.old)
        let plan = try await workload(servers)
        let programs = try await Installation.client(
            atLeast: try await withConnection(to: servers.old) { $0.majorVersion }
        )
        let before = try await programs.definitions(of: servers.old)
        steps.begin("starting \(wish.writers) writers and \(wish.readers) readers")
        return try await withWorkload(plan, on: board) { workload in
            let story = DemoStory(
                endpoints: endpoints,
                directory: work,
                monitor: monitor,
                workload: workload,
                board: board,
                lines: lines,
                steps: steps,
                longestPause: wish.longestPause
            )
            return try await withThrowingTaskGroup(of: DemoReport?.self) { group in
                group.addTask {
                    try await story.begin()
                    _ = try await migration.run()
                    return nil
                }
                group.addTask { try await story.play(definitions: before, programs: programs) }
                while let finished = try await group.next() {
                    guard let report = finished else { continue }
                    group.cancelAll()
                    return report
                }
                throw CancellationError()
            }
        }
    }

    private func workload(_ servers: DemoServers) async throws -> Workload.Plan {
        var plan = Workload.Plan(
            operations: try await ShopDatabase.operations(of: servers.old),
            readOperations: ShopDatabase.reading
        )
        plan.writers = wish.writers
        plan.readers = wish.readers
        plan.seed = wish.seed
        plan.rate = wish.rate
        plan.readRate = wish.rate / 10
        return plan
    }
}

/// Says on stderr which step a demo is at.
final class DemoSteps: Sendable {
    private static let count = 11

    private let output: Output
    private let steps = Mutex<[(began: ContinuousClock.Instant, text: String)]>([])

    init(output: Output) {
        self.output = output
    }

    /// Tells that the next step begins.
    func begin(_ text: String) {
        let number = steps.withLock { steps in
            steps.append((.now, text))
            return steps.count
        }
        output.talk(prose: output.styled("[\(number)/\(Self.count)] \(text)", .bold), indent: "       ")
    }

    /// What was being done at a moment.
    func step(at moment: ContinuousClock.Instant) -> String {
        steps.withLock { $0.last { $0.began <= moment }?.text ?? "the start" }
    }

    /// Tells what came out.
    func note(_ text: String) {
        output.talk(prose: "       " + text)
    }
}
