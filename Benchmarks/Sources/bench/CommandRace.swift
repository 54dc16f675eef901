import Foundation
import Postgres

/// The everyday commands, beside psql with the statement that they come to.
struct CommandRace {
    let options: Options
    let servers: Servers

    private static let pairs = [
        ("db create", "CREATE DATABASE everyday"), ("db size", "SELECT pg_database_size(current_database())"),
        ("db sessions", "SELECT * FROM pg_stat_activity"), ("db drop --confirm everyday", "DROP DATABASE everyday"),
    ]

    func run() async throws -> String {
        var times: [String: [Double]] = [:]
        for round in 0..<(options.isQuick ? 3 : 11) {
            // The one that makes the database runs first, the one that drops it last.
            for ours in round % 2 == 0 ? [true, false] : [false, true] {
                for (command, statement) in Self.pairs {
                    let database = statement.contains("DATABASE") ? "postgres" : "everyday"
                    let text =
                        ours
                        ? #"exec martlet \#(command) --connection "$TARGET""#
                        : #"exec psql -X -q -o /dev/null -c "\#(statement)" "$TARGET""#
                    let target = ours ? "everyday" : database
                    let environment = servers.environment(source: "postgres", target: target)
                    let start = ContinuousClock.now
                    let program = try Spawned(text, environment: environment)
                    var status: Int32 = 0
                    guard waitpid(program.process, &status, 0) == program.process, status == 0 else {
                        throw Failure("\(text) failed: \(program.output)")
                    }
                    times[command + (ours ? "" : " by psql"), default: []].append(
                        (ContinuousClock.now - start).seconds * 1000
                    )
                }
            }
        }
        let lines = Self.pairs.map { command, statement in
            let ours = times[command]?.median ?? .nan
            let psql = times[command + " by psql"]?.median ?? .nan
            return "| `\(command)` | \(ours.formatted(digits: 0)) | \(psql.formatted(digits: 0)) | "
                + "\((ours - psql).formatted(digits: 0)) | `\(statement)` |"
        }
        return """
            ## Everyday commands

            Milliseconds from the start of the program to its end, medians of \(times.values.first?.count ?? 0).

            | | martlet | psql | beyond psql | psql's statement |
            |---|---|---|---|---|
            \(lines.joined(separator: "\n"))
            """
    }
}
