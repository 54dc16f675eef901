import ArgumentParser
import Foundation
import Postgres
import Synchronization

/// One call of the program: parses, runs the command until it ends or a signal comes, prints the error.
struct CommandLineRun: Sendable {
    let output: Output

    /// Runs one command line, without the program's name, and says how to exit.
    func execute(_ arguments: [String]) async -> ExitStatus {
        let parsed: any ParsableCommand
        do {
            parsed = try Martlet.parseAsRoot(arguments)
        } catch {
            return parserMessage(error)
        }
        guard let command = parsed as? any Command else {
            // A group of commands without one of them, or "help": the parser prints the help.
            var parsed = parsed
            do { try parsed.run() } catch { return parserMessage(error) }
            return .done
        }
        return await run(command)
    }

    private func run(_ command: any Command) async -> ExitStatus {
        let signals = Signals()
        return await withTaskGroup(of: Event.self) { group in
            group.addTask {
                do { return .ended(.success(try await command.run(output: output))) } catch {
                    return .ended(.failure(error))
                }
            }
            group.addTask {
                for await name in signals.names { return .signalled(name) }
                return .listenedEnough
            }
            var isInterrupted = false
            while let event = await group.next() {
                switch event {
                case .signalled(let name):
                    isInterrupted = true
                    if command.stopsQuietly {
                        // The terminal has shown ^C at the beginning of a line.
                        if output.isTerminal { output.talk("") }
                        exit(ExitStatus.interrupted.rawValue)
                    }
                    output.talk("martlet: stopping after \(name); once more to stop without cleaning up")
                    group.cancelAll()
                case .ended(let result):
                    group.cancelAll()
                    return status(of: result, of: type(of: command), isInterrupted: isInterrupted)
                case .listenedEnough:
                    break
                }
            }
            return .failed
        }
    }

    private enum Event: Sendable {
        case ended(Result<ExitStatus, any Error>)
        case signalled(String)
        case listenedEnough
    }

    private func status(
        of result: Result<ExitStatus, any Error>,
        of command: any Command.Type,
        isInterrupted: Bool
    ) -> ExitStatus {
        switch result {
        case .success(let status): return status
        case .failure(let error) where isInterrupted:
            let interrupted = error as? Interrupted
            let cause = interrupted?.cause ?? error
            if !Self.isCancellation(cause) { output.failure(cause) }
            output.talk(prose: "martlet: \(interrupted?.text ?? "interrupted")")
            return .interrupted
        case .failure(let error):
            if error is CleanExit { return parserMessage(error) }
            if let error = error as? ValidationError {
                // The parser knows no longer which command it was, and would print the usage of the root.
                output.talk("martlet: error: \(error.message)\nUsage: \(Martlet.usageString(for: command))")
                return .usage
            }
            if let wrong = error as? WrongCall {
                output.failure(wrong.error)
                return .usage
            }
            output.failure(error)
            return .failed
        }
    }

    private static func isCancellation(_ error: any Error) -> Bool {
        error is CancellationError || (error as? PostgresError)?.sqlState == "57014"
    }

    /// Prints what the parser has to say: help and version on stdout, complaints on stderr.
    private func parserMessage(_ error: any Error) -> ExitStatus {
        let message = Martlet.fullMessage(for: error)
        if Martlet.exitCode(for: error).isSuccess {
            output.result(message)
            return .done
        }
        output.talk(message.hasPrefix("Error: ") ? "martlet: error: " + message.dropFirst(7) : message)
        return .usage
    }
}

/// SIGINT, SIGTERM and, unless `nohup` has it ignored, SIGHUP as a stream.
///
/// The second one ends the program at once, and watchdogs clean up after it; but a terminal that is closed says SIGHUP more
/// than once.
private final class Signals: Sendable {
    let names: AsyncStream<String>
    private let sources: Mutex<[any DispatchSourceSignal]>

    init() {
        let (names, sender) = AsyncStream<String>.makeStream()
        let count = Mutexed()
        self.names = names
        let queue = DispatchQueue(label: "martlet.signals")
        var signals = [(SIGINT, "^C"), (SIGTERM, "SIGTERM")]
        if !Self.isIgnored(SIGHUP) { signals.append((SIGHUP, "SIGHUP")) }
        let sources = signals.map { number, name in
            signal(number, SIG_IGN)
            let source = DispatchSource.makeSignalSource(signal: number, queue: queue)
            source.setEventHandler {
                if number != SIGHUP, count.next() > 1 { _exit(ExitStatus.interrupted.rawValue) }
                sender.yield(name)
            }
            source.activate()
            return source
        }
        self.sources = Mutex(sources)
    }

    private static func isIgnored(_ number: Int32) -> Bool {
        var action = sigaction()
        sigaction(number, nil, &action)
        return unsafeBitCast(action.__sigaction_handler.sa_handler, to: Int.self)
            == unsafeBitCast(SIG_IGN, to: Int.self)
    }

    private final class Mutexed: Sendable {
        private let value = Mutex(0)
        func next() -> Int {
            value.withLock { value in
                value += 1
                return value
            }
        }
    }
}
