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

            `\(Self.command)`, once for each line, and the straight line through them.

            \(text(tables, of: "tables without rows", digits: 0))

            \(text(sizes, of: "GB of pgbench", digits: 2))
            """
    }

    private struct Point {
        let amount: Double
        let measured: Measurement
    }

    private func point(_ amount: Double) async throws -> Point {
        try await servers.create("copy", on: servers.target)
        try await servers.clearScratch()
        try await servers.settle()
        let measured = try await servers.measure(.martlet(Self.command), source: "growth", target: "copy") {}
        tell("growth, \(amount): \(measured.wall.formatted(digits: 2)) s")
        try await servers.drop("copy", on: servers.target)
        return Point(amount: amount, measured: measured)
    }

    private func text(_ points: [Point], of unit: String, digits: Int) -> String {
        let line = fit(points)
        let rows = points.map { point in
            let measured = point.measured
            let expected = line.start + line.slope * point.amount
            return """
                | \(point.amount.formatted(digits: digits)) | \(measured.wall.formatted(digits: 2)) \
                | \(expected.formatted(digits: 2)) | \(measured.client.formatted(digits: 2)) \
                | \(measured.source.formatted(digits: 2)) | \(measured.target.formatted(digits: 2)) \
                | \(measured.memory.text) |
                """
        }
        return """
            | \(unit) | seconds | of the line | client | source | target | memory MB |
            |---|---|---|---|---|---|---|
            \(rows.joined(separator: "\n"))

            \(line.start.formatted(digits: 2)) s and \((line.slope * 1000).formatted(digits: 2)) ms for each of the \(unit).
            """
    }

    /// The line of least squares.
    private func fit(_ points: [Point]) -> (start: Double, slope: Double) {
        let count = Double(points.count)
        let x = points.map(\.amount).reduce(0, +) / count
        let y = points.map(\.measured.wall).reduce(0, +) / count
        let up = points.map { ($0.amount - x) * ($0.measured.wall - y) }.reduce(0, +)
        let slope = up / points.map { ($0.amount - x) * ($0.amount - x) }.reduce(0, +)
        return (y - slope * x, slope)
    }
}
