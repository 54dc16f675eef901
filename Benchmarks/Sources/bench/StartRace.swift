import Foundation

/// From the start of the program to the end of `martlet --version`.
struct StartRace {
    let options: Options

    struct Result {
        let milliseconds: [Double]
        let memory: Int
    }

    func run() async throws -> Result {
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
        return Result(milliseconds: times, memory: memory)
    }
}
