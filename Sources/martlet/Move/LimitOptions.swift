import ArgumentParser
import Engine
import Postgres

/// How much of the servers a run may take.
struct LimitOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Copy at most so much a second, over all workers together, such as 50MB.",
            valueName: "size"
        )
    )
    var maxRate: String?

    @Option(
        help: ArgumentHelp(
            "Hold the copy while more than so many other sessions are at work on the source.",
            valueName: "sessions"
        )
    )
    var maxSourceLoad: Int?

    @Option(
        help: ArgumentHelp(
            "Hold the copy while a physical replica of either server is further behind, such as 10s.",
            valueName: "time"
        )
    )
    var maxReplicaLag: String?

    func validate() throws {
        _ = try limits()
    }

    /// The limits; of this run only.
    func limits() throws -> Limits {
        var limits = Limits()
        do throws(PostgresError) {
            limits.rate = try maxRate.map { text throws(PostgresError) in try ServerUnit.bytes(text, for: "--max-rate")
            }
            limits.replicaLag = try maxReplicaLag.map { text throws(PostgresError) in
                try ServerUnit.duration(text, for: "--max-replica-lag")
            }
        } catch {
            throw ValidationError([error.message + ".", error.hint].compactMap(\.self).joined(separator: " "))
        }
        if let maxSourceLoad, !(0...100_000).contains(maxSourceLoad) {
            throw ValidationError("--max-source-load takes a number of sessions, from 0 on.")
        }
        limits.sourceLoad = maxSourceLoad
        return limits
    }
}
