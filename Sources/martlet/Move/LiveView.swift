import Engine
import Foundation
import Move
import Sync

/// A calm picture of a running move, redrawn in place on a terminal; nothing where there is none.
struct LiveView: Sendable {
    let output: Output
    /// Runs `body` while the picture of a move is shown, which is left at the end.
    func show<Result: Sendable>(
        _ monitor: Monitor,
        while body: @escaping @Sendable () async throws -> Result
    ) async throws -> Result {
        try await show(
            {
                var painter = Painter(output: output)
                return { width in painter.lines(monitor.report, width: width) }
            },
            leaves: true,
            while: body
        )
    }

    /// Runs `body` while a picture is shown; `begin` makes what draws its lines for a width.
    ///
    /// Unless it `leaves` the picture, nothing stands there at the end: the result tells what was done.
    func show<Result: Sendable>(
        _ begin: @escaping @Sendable () -> (Int) -> [String],
        leaves: Bool = false,
        while body: @escaping @Sendable () async throws -> Result
    ) async throws -> Result {
        guard output.isTerminal else { return try await body() }
        return try await withThrowingTaskGroup(of: Result?.self) { group in
            group.addTask {
                let screen = output.screen
                defer { screen.end(erases: !leaves) }
                let lines = begin()
                while !Task.isCancelled {
                    screen.draw(lines(screen.width))
                    // Ends early when cancelled, which is what the loop looks for.
                    try? await Task.sleep(for: .milliseconds(250))
                }
                screen.draw(lines(screen.width))
                return nil
            }
            group.addTask { try await body() }
            defer { group.cancelAll() }
            while let finished = try await group.next() {
                guard let result = finished else { continue }
                group.cancelAll()
                try await group.waitForAll()
                return result
            }
            throw CancellationError()
        }
    }
}
