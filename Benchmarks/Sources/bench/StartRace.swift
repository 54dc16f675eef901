import Foundation

/// From the start of the program to the end of `martlet --version`.
struct StartRace {
    let options: Options

    func run() async throws -> String {
        var times: [Double] = []
        var memory = 0
        for _ in 0..<21 {
            let start = ContinuousClock.now
            let command = try Spawned(
                "exec '\(options.martlet)' --version",
                environment: ProcessInfo.processInfo.environment
            )
            // Looking at its memory would slow it down; a wait of its own tells both.
            var status: Int32 = 0
            var usage = rusage()
            guard wait4(command.process, &status, 0, &usage) == command.process, status == 0 else {
                throw Failure("martlet --version failed: \(command.output)")
            }
            times.append((ContinuousClock.now - start).seconds * 1000)
            memory = max(memory, usage.ru_maxrss * 1024)
        }
        return """
            ## Start

            `martlet --version`: \(times.median.formatted(digits: 1)) ms \
            [\((times.min() ?? 0).formatted(digits: 1))–\((times.max() ?? 0).formatted(digits: 1))] (\(times.count) runs), \
            \(memory / 1_000_000) MB.
            """
    }
}
