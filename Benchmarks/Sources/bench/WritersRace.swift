import Foundation
import Postgres

/// What a comparison of a running move costs those who write meanwhile: pgbench on the source, with and without it.
struct WritersRace {
    let options: Options
    let servers: Servers

    private static let command = #"martlet verify --source "$SOURCE" --target "$TARGET""#
    private var seconds: Int { options.isQuick ? 8 : 20 }

    func run() async throws -> String {
        let followers = Followers(servers: servers, kinds: [.ours])
        try await servers.makePgbench("live", scale: options.scale)
        try await servers.create(Followers.Kind.ours.database, on: servers.target)
        try await servers.clearScratch()
        let move = try await followers.catchUp()
        var lines: [String] = []
        for (load, rate) in [("500 transactions/s", "-R 500"), ("as fast as they can", "")] {
            var (alone, beside): ([Load], [Load]) = ([], [])
            for round in 0..<options.rounds {
                // Who is first has the fewest dirty pages; that takes turns.
                for compares in round % 2 == 0 ? [false, true] : [true, false] {
                    try await servers.settle()
                    let load = try await measure(rate, compares: compares)
                    if compares { beside.append(load) } else { alone.append(load) }
                }
            }
            lines += [line(load, "nobody compares", alone), line(load, "**martlet verify**", beside)]
            tell(
                "writers, \(load): \(alone.map(\.rate).median) alone, \(beside.map(\.rate).median) beside a comparison"
            )
        }
        _ = try await move.interrupt()
        try await followers.removeSlots()
        try await servers.drop("live", on: servers.source)
        try await servers.drop(Followers.Kind.ours.database, on: servers.target)
        return """
            ## Comparing under writes

            `pgbench -c 4` writes to the source of a running move of `pgbench -s \(options.scale)` for \(seconds) s, alone and while \
            `martlet verify` compares all tables again and again. Medians; at full speed both share the processors with both servers, the \
            move and the comparison.

            | writers | | transactions/s | average latency ms | comparisons | seconds each |
            |---|---|---|---|---|---|
            \(lines.joined(separator: "\n"))

            ```
            \(Self.command)
            ```
            """
    }

    private struct Load {
        let rate: Double
        let latency: Double
        let comparisons: [Double]
    }

    private func measure(_ rate: String, compares: Bool) async throws -> Load {
        let environment = servers.environment(source: "live", target: Followers.Kind.ours.database)
        let load = try Spawned(
            #"exec pgbench -n -c 4 -j 1 \#(rate) -T \#(seconds) "$SOURCE""#,
            environment: environment
        )
        var comparisons: [Double] = []
        while compares, !load.hasEnded() {
            let start = ContinuousClock.now
            let verify = try Spawned("exec " + Self.command, environment: environment)
            guard try await verify.wait() == 0 else { throw Failure("a comparison failed: \(verify.output)") }
            comparisons.append((ContinuousClock.now - start).seconds)
        }
        guard try await load.wait() == 0, let rate = number("tps = ", in: load.output),
            let latency = number("latency average = ", in: load.output)
        else { throw Failure("pgbench failed: \(load.output)") }
        return Load(rate: rate, latency: latency, comparisons: comparisons)
    }

    private func number(_ label: String, in output: String) -> Double? {
        output.range(of: label).flatMap { Double(output[$0.upperBound...].prefix { $0.isNumber || $0 == "." }) }
    }

    private func line(_ load: String, _ who: String, _ rounds: [Load]) -> String {
        let comparisons = rounds.flatMap(\.comparisons)
        let cells = [
            load, who, rounds.map(\.rate).median.formatted(digits: 0),
            rounds.map(\.latency).median.formatted(digits: 2),
            comparisons.isEmpty ? "–" : String(comparisons.count),
            comparisons.isEmpty ? "–" : comparisons.median.formatted(digits: 2),
        ]
        return "| \(cells.joined(separator: " | ")) |"
    }
}
