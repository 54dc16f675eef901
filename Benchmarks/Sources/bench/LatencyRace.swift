import Cluster
import Foundation
import Postgres

/// From a commit on the source to the moment when another session sees it on the target, beside a load.
///
/// One session commits a row on the source, then asks the target for it until it is there, and so on; the pause between two
/// questions is a round trip. Its commits are synchronous: a decoder sees nothing before it is in the log on disk.
struct LatencyRace {
    let options: Options
    let servers: Servers

    func run() async throws -> String {
        try await servers.makePgbench("seed", scale: options.isQuick ? 5 : 20)
        let followers = Followers(servers: servers, kinds: [.native, .ours])
        let tables = ["accounts", "branches", "tellers", "history"].map { "pgbench_" + $0 } + ["heartbeat"]
        try await followers.prepare(from: "seed", "CREATE TABLE heartbeat (n int PRIMARY KEY)", tables: tables)
        var lines: [String] = []
        var last = 0
        for rate in [500, 5000] {
            for kind in followers.kinds {
                let name = followers.contender(kind).name
                var (delays, later): ([Double], [Double]) = ([], [])
                for round in 0..<options.rounds {
                    let measured = try await measure(kind, followers, rate: rate, &last)
                    delays += measured
                    later += measured.suffix(measured.count / 2)
                    tell(
                        "latency at \(rate)/s, round \(round + 1): \(name) \(delays.median.formatted(digits: 2)) ms"
                    )
                }
                lines.append("| \(rate) | \(name) | \(cells(delays, later: later.median)) |")
            }
        }
        try await followers.clean()
        try await servers.drop("seed", on: servers.source)
        return """
            ## Latency

            From the return of COMMIT on the source until another session sees the row on the target, while pgbench \
            commits so many transactions a second on the source; milliseconds. *Later* is the median of the second half of \
            each run: a follower that falls behind shows there.

            | transactions/s | | samples | p50 | p95 | p99 | longest | p50 later |
            |---|---|---|---|---|---|---|---|
            \(lines.joined(separator: "\n"))
            """
    }

    private func cells(_ delays: [Double], later: Double) -> String {
        let values = [0.5, 0.95, 0.99].map { delays.percentile($0) } + [delays.max() ?? .nan, later]
        return ([String(delays.count)] + values.map { $0.formatted(digits: 1) }).joined(separator: " | ")
    }

    private func measure(
        _ kind: Followers.Kind,
        _ followers: Followers,
        rate: Int,
        _ last: inout Int
    ) async throws -> [Double] {
        let seconds = options.isQuick ? 10 : 30
        return try await withConnection(to: servers.source.connection(to: "live")) { source in
            try await withConnection(to: servers.target.connection(to: kind.database)) { target in
                let command = try await followers.start(kind)
                try await followers.untilStreaming(kind, command, on: source)
                // What lies between two runs is applied before the clock runs.
                _ = try await beat(source, target, command, &last)
                let load = try Spawned(
                    #"PGOPTIONS="-c synchronous_commit=off" exec pgbench -n -c 4 -j 1 -R \#(rate) -T \#(seconds) "$SOURCE""#,
                    environment: servers.environment(source: "live", target: "postgres")
                )
                var delays: [Double] = []
                while !load.hasEnded() {
                    delays.append(try await beat(source, target, command, &last))
                    try await Task.sleep(for: .milliseconds(10))
                }
                guard load.status == 0 else { throw Failure("pgbench failed: \(load.output)") }
                try await followers.stop(kind, command)
                return delays
            }
        }
    }

    /// The delay of one commit in milliseconds.
    private func beat(
        _ source: Connection,
        _ target: Connection,
        _ command: Spawned?,
        _ last: inout Int
    ) async throws -> Double {
        last += 1
        try source.query("INSERT INTO heartbeat VALUES ($1)", last)
        let committed = ContinuousClock.now
        while try target.query("SELECT FROM heartbeat WHERE n = $1", last).isEmpty {
            try Followers.check(command, committed + .seconds(120))
        }
        return (ContinuousClock.now - committed).seconds * 1000
    }
}
