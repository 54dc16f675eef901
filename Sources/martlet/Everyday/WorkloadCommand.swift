import ArgumentParser
import Cluster
import Foundation
import Postgres
import Synchronization

/// `martlet workload`.
struct WorkloadCommand: Command {
    static let configuration = CommandConfiguration(
        commandName: "workload",
        abstract: "Let writers and readers work on a database, as an application would.",
        discussion: """
            Each writer and each reader is a client of its own, which pg_stat_activity shows by its name. Readers may \
            work on a replica. Profiles: orders and pgbench, which make their tables when they are missing; shop, for \
            a database of the demo; or a YAML file of statements with weights. It ends with ^C or after --duration, \
            and tells how many operations there were, how long they took, the longest time that a client stood \
            still, and errors by SQLSTATE; the exit status is 2 when an operation failed or was not what it should be.

            EXAMPLES
              martlet workload --profile orders
              martlet workload --profile orders --sandbox shop --rate 200 --duration 60
              martlet workload staging --profile bookings.yaml --writers 8 --readers 0
              martlet workload --profile pgbench --rows 1000000 --read-from "$REPLICA"
            """
    )

    @OptionGroup var environment: EnvironmentOptions
    @OptionGroup var confirmation: ConfirmOption

    @Option(help: ArgumentHelp("What is done.", valueName: "shop|orders|pgbench|file"))
    var profile: String

    @Option(
        help: ArgumentHelp(
            "Where readers read (default: the replica of a sandbox, or where writers write).",
            valueName: "connection"
        )
    )
    var readFrom: String?

    @Option(help: "How many clients write.")
    var writers = 4

    @Option(help: "How many clients read.")
    var readers = 2

    @Option(help: "How many operations a second all writers do together (default: as many as they can).")
    var rate: Double?

    @Option(help: "The same, of the readers.")
    var readRate: Double?

    @Option(help: ArgumentHelp("How long, in seconds (default: until ^C).", valueName: "seconds"))
    var duration: Double?

    @Option(help: "How many rows a table has that is made.")
    var rows = 200_000

    @Option(help: "What decides every choice.")
    var seed: UInt64 = 1

    @Flag(help: "Print the result as JSON.")
    var json = false

    func validate() throws {
        guard (0...1000).contains(writers), (0...1000).contains(readers), writers + readers > 0 else {
            throw ValidationError("--writers and --readers are from 0 to 1000, and one of them is not 0.")
        }
        for number in [rate, readRate, duration].compactMap(\.self) where !(number > 0 && number <= 1e9) {
            throw ValidationError("--rate, --read-rate and --duration are greater than 0, and 1000000000 at most.")
        }
    }

    func run(output: Output) async throws -> ExitStatus {
        let (place, replica) = try await places(output)
        let profile = try await profile(place)
        try await profile.prepare(place, rows: rows)
        if let replica { try await catchUp(replica, with: place, output) }
        let plan = try plan(profile)
        let began = ContinuousClock.now
        let (writers, readers) = try await work(plan, place, replica, since: began, output)
        let report = WorkloadReport(writers: writers, readers: readers, seconds: began.duration(to: .now) / .seconds(1))
        if json { try output.json(report.document) } else { output.result(report.lines.joined(separator: "\n")) }
        return report.hasSurprise ? .foundProblems : .done
    }

    /// Lets the clients work until the time is over; ^C is an end like any other, at which each finishes its operation.
    private func work(
        _ plan: Workload.Plan,
        _ place: ConnectionString,
        _ replica: ConnectionString?,
        since began: ContinuousClock.Instant,
        _ output: Output
    ) async throws -> (writers: WorkloadTally, readers: WorkloadTally) {
        let isInterrupted = Atomic(false)
        let end = began + .seconds(duration ?? 1e9)
        let board = Switchboard(Switchboard.Line(name: place.place, connection: place))
        let reading = replica.map { Switchboard(Switchboard.Line(name: $0.place, connection: $0)) }
        return try await withTaskCancellationHandler {
            try await withoutCancellation {
                try await withWorkload(plan, on: board, reading: reading) { workload in
                    try await LiveView(output: output).show({ { _ in WorkloadReport(workload, since: began).lines } }) {
                        while !isInterrupted.load(ordering: .relaxed), ContinuousClock.now < end {
                            try await Task.sleep(for: .milliseconds(50))
                        }
                        try await workload.stop()
                        return (workload.writers, workload.readers)
                    }
                }
            }
        } onCancel: {
            isInterrupted.store(true, ordering: .relaxed)
        }
    }

    /// Waits until a standby has what its primary has now, so that readers find the tables that were just made.
    private func catchUp(_ replica: ConnectionString, with place: ConnectionString, _ output: Output) async throws {
        let end = try await withNeutralConnection(to: place, application: "martlet workload") { session in
            // A standby may be written to by somebody else's primary.
            try session.query(
                "SELECT CASE WHEN NOT pg_is_in_recovery() THEN pg_current_wal_insert_lsn() END AS lsn"
            ).first?.optional("lsn", as: LSN.self)
        }
        guard let end else { return }
        try await withNeutralConnection(to: replica, application: "martlet workload") { session in
            var isTold = false
            while true {
                let row = try session.query(
                    "SELECT pg_is_in_recovery() AS follows, pg_last_wal_replay_lsn() AS lsn"
                ).first
                guard let row, try row("follows"), try (row.optional("lsn") ?? LSN(0)) < end else { return }
                if !isTold { output.talk(prose: "waiting for the replica to have what the primary has") }
                isTold = true
                try await Task.sleep(for: .milliseconds(50))
            }
        }
    }

    private func places(_ output: Output) async throws -> (ConnectionString, ConnectionString?) {
        let given = try readFrom.map { try Environment.connection($0, or: "", option: "--read-from") }
        let environment = try environment.choose(output)
        try confirmation.ask(for: environment, to: "work on", output)
        let place = try await environment.connection()
        guard given == nil, let sandbox = environment.sandbox else { return (place, given) }
        let replica = Sandboxes().list().first { $0.replicated == sandbox && $0.status == .running }
        if let replica { output.talk("readers read from its replica, sandbox \(replica.name)") }
        return (place, replica?.connection(to: place["dbname"] ?? "postgres"))
    }

    private func profile(_ place: ConnectionString) async throws -> WorkloadProfile {
        switch profile {
        case "orders": .orders
        case "pgbench": .pgbench
        case "shop": try await .shop(of: place)
        default: try WorkloadFile.profile(at: profile)
        }
    }

    private func plan(_ profile: WorkloadProfile) throws -> Workload.Plan {
        var plan = Workload.Plan(operations: profile.operations, readOperations: profile.readOperations)
        (plan.name, plan.seed, plan.rate, plan.readRate) = (profile.name, seed, rate, readRate)
        plan.writers = profile.operations.isEmpty ? 0 : writers
        plan.readers = profile.readOperations.isEmpty ? 0 : readers
        return plan
    }
}
