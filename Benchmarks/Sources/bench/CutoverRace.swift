import Foundation

/// How long writers stand still at a cutover and at a rollback, which has no peer: `martlet demo`, again and again.
struct CutoverRace {
    let options: Options

    private struct Figures: Decodable {
        struct Crossing: Decodable {
            struct Step: Decodable {
                var name: String
                var milliseconds: Double
                var isDowntime: Bool
            }

            var downtimeMilliseconds: Double
            var longestPauseMilliseconds: Double?
            var steps: [Step]
        }

        var cutover: Crossing?
        var rollback: Crossing?
        var problems: [String]
    }

    /// Small data: with writers at full speed on the same processors, catching up takes by far the most of a demo.
    private let command = "martlet demo --json --scale 0.05 --rate 100000"

    func run() async throws -> String {
        var figures: [Figures] = []
        for round in 0..<(options.isQuick ? 3 : 10) {
            let demo = try Spawned(
                "exec \(options.martlet) " + command.dropFirst("martlet ".count) + " 2>'\(options.scratch)/demo.log'",
                environment: ProcessInfo.processInfo.environment
            )
            let status = try await demo.wait()
            guard status == 0 else {
                let log = (try? String(contentsOfFile: options.scratch + "/demo.log", encoding: .utf8)) ?? ""
                throw Failure("\(command) ended with \(status): \(demo.output)\(log.suffix(4000))")
            }
            let found = try JSONDecoder().decode(Figures.self, from: Data(demo.output.utf8))
            figures.append(found)
            let pause = found.cutover?.longestPauseMilliseconds ?? .nan
            tell("cutover, round \(round + 1): a writer stood still for \(pause.formatted(digits: 0)) ms")
        }
        let rows = [("cutover", \Figures.cutover), ("rollback", \.rollback)].map { name, crossing in
            row(name, figures.compactMap { $0[keyPath: crossing] })
        }
        return """
            ## Cutover and rollback

            `\(command)`, \(figures.count) times: four writers as fast as they can, two readers, the reverse stream armed. \
            Milliseconds, median and range: the longest that any writer took from its last operation on the one server to \
            its first on the other, and martlet's own steps meanwhile.

            | | longest pause of a writer | by martlet's clock | steps (medians) |
            |---|---|---|---|
            \(rows.joined(separator: "\n"))
            """
    }

    private func row(_ name: String, _ crossings: [Figures.Crossing]) -> String {
        let names = crossings.first?.steps.filter(\.isDowntime).map(\.name) ?? []
        let steps = names.map { name in
            let times = crossings.compactMap { $0.steps.first { $0.name == name }?.milliseconds }
            return "\(name) \(times.median.formatted(digits: 0))"
        }
        return "| \(name) | \(range(crossings.compactMap(\.longestPauseMilliseconds))) "
            + "| \(range(crossings.map(\.downtimeMilliseconds))) | \(steps.joined(separator: ", ")) |"
    }

    private func range(_ values: [Double]) -> String {
        let (low, high) = ((values.min() ?? .nan).formatted(digits: 0), (values.max() ?? .nan).formatted(digits: 0))
        return "\(values.median.formatted(digits: 0)) [\(low)–\(high)]"
    }
}
