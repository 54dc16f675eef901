import Cluster
import Foundation
import Postgres

/// How the time of a copy grows with the number of tables, and with their size.
struct GrowthRace {
    let options: Options
    let servers: Servers

    private static let command =
        #"martlet migrate --once --jobs 2 --source "$SOURCE" --target "$TARGET" --work-dir "$SCRATCH/work""#

    func run() async throws -> String {
        var tables: [Point] = []
        for count in options.isQuick ? [10, 100, 1000] : [10, 100, 1000, 10_000] {
            try await servers.makeTables("growth", count: count)
            tables.append(try await point(Double(count)))
        }
        var sizes: [Point] = []
        for scale in options.isQuick ? [5, 10, 20] : [67, 134, 268, 536] {
            try await servers.makePgbench("growth", scale: scale)
            sizes.append(try await point(Double(try await servers.bytes(of: "growth", on: servers.source)) / 1e9))
        }
        try await servers.drop("growth", on: servers.source)
        return """
            ## Growth

            `\(Self.command)`, and the straight line through the medians.

            \(text(tables, of: "tables without rows", digits: 0))

            \(text(sizes, of: "GB of pgbench", digits: 2)) By that line 64 GB take \(fit(sizes).at(64).formatted(digits: 0)) s.
            """
    }

    private struct Point {
        let amount: Double
        let rounds: [Measurement]

        func median(_ value: (Measurement) -> Double) -> Double { rounds.map(value).median }
    }

    private func point(_ amount: Double) async throws -> Point {
        var rounds: [Measurement] = []
        for _ in 0..<options.rounds {
            try await servers.create("copy", on: servers.target)
            try await servers.clearScratch()
            try await servers.settle()
            rounds.append(try await servers.measure(.martlet(Self.command), source: "growth", target: "copy") {})
            tell("growth, \(amount): \((rounds.last?.wall ?? .nan).formatted(digits: 2)) s")
            try await servers.drop("copy", on: servers.target)
        }
        return Point(amount: amount, rounds: rounds)
    }

    private func text(_ points: [Point], of unit: String, digits: Int) -> String {
        let line = fit(points)
        let rows = points.map { point in
            let walls = point.rounds.map(\.wall)
            let memory = point.rounds.reduce(into: PeakMemory()) { $0.merge($1.memory) }
            let range = "[\((walls.min() ?? 0).formatted(digits: 2))–\((walls.max() ?? 0).formatted(digits: 2))]"
            return """
                | \(point.amount.formatted(digits: digits)) | \(walls.median.formatted(digits: 2)) \(range) \
                | \(line.at(point.amount).formatted(digits: 2)) | \(point.median(\.client).formatted(digits: 2)) \
                | \(point.median(\.source).formatted(digits: 2)) | \(point.median(\.target).formatted(digits: 2)) \
                | \(memory.text) |
                """
        }
        return """
            | \(unit) | seconds | of the line | client | source | target | memory MB |
            |---|---|---|---|---|---|---|
            \(rows.joined(separator: "\n"))

            \(line.start.formatted(digits: 2)) s and \((line.slope * 1000).formatted(digits: 2)) ms for each of the \(unit).
            """
    }

    private struct Line {
        let start: Double
        let slope: Double

        func at(_ amount: Double) -> Double { start + slope * amount }
    }

    /// The line of least squares.
    private func fit(_ points: [Point]) -> Line {
        let count = Double(points.count)
        let x = points.map(\.amount).reduce(0, +) / count
        let y = points.map { $0.median(\.wall) }.reduce(0, +) / count
        let up = points.map { ($0.amount - x) * ($0.median(\.wall) - y) }.reduce(0, +)
        let slope = up / points.map { ($0.amount - x) * ($0.amount - x) }.reduce(0, +)
        return Line(start: y - slope * x, slope: slope)
    }
}
