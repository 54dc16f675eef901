public import Cluster
import Foundation
public import Postgres

extension TestMove {
    /// The same move by a martlet that is killed when it reaches a point; see `Milestone`.
    public func dying(at milestone: String) -> TestMove { with("MARTLET_DIE_AT", milestone) }

    /// The same move by a martlet that stops (SIGSTOP) when it reaches a point; see `Milestone`.
    public func stopping(at milestone: String) -> TestMove { with("MARTLET_STOP_AT", milestone) }

    private func with(_ variable: String, _ value: String) -> TestMove {
        var move = self
        move.program.environment[variable] = value
        return move
    }

    /// Asks for something as another terminal does that does not wait for the answer.
    public func request(_ kind: String) async throws {
        try await execute(
            target,
            """
            INSERT INTO martlet.request (kind, arguments, asker)
            VALUES (\(literal: kind), '{"isDryRun": false, "keepsWayBack": true, "isSinceVerify": false}', NULL)
            """
        )
    }

    /// Waits until a martlet has stopped itself.
    public static func untilStopped(_ process: Int32) async throws {
        try await eventually("process \(process) stops itself") {
            state(of: process) == "T"
        }
    }

    /// Whether a program that this move runs has ended.
    public func hasEnded(_ process: Int32) -> Bool { Self.state(of: process) == nil }

    /// The state of a process, such as `S` or `T`; nil when it has ended.
    static func state(of process: Int32) -> Substring? {
        // The state follows the name, which is in parentheses; a process that is gone has no file.
        let line = (try? String(contentsOfFile: "/proc/\(process)/stat", encoding: .utf8)) ?? ""
        let state = line.split(separator: ")").last?.split(separator: " ").first
        return state == "Z" ? nil : state
    }

    /// How many locks of martlets there are in a database; 0 when none runs.
    public static let leases: SQL = """
        SELECT count(*) FROM pg_locks
         WHERE locktype = 'advisory' AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
        """

    /// Makes it look as if nothing had been heard of the martlet that runs the move for a day.
    public func forgetRunner() async throws {
        try await execute(target, "UPDATE martlet.lease SET beat = now() - interval '1 day'")
    }

    /// What martlet has left on either server; empty when nothing.
    public func leftovers() async throws -> String {
        var found: [String] = []
        for place in [source, target] {
            let database = place["dbname"] ?? ""
            let question: SQL = """
                SELECT concat_ws(', ',
                    (SELECT 'slots ' || string_agg(slot_name, ' ') FROM pg_replication_slots
                      WHERE database = \(literal: database)),
                    (SELECT 'publications ' || string_agg(pubname, ' ') FROM pg_publication),
                    (SELECT 'schema ' || nspname FROM pg_namespace WHERE nspname = 'martlet'),
                    (SELECT 'triggers on ' || string_agg(tgrelid::regclass::text, ' ') FROM pg_trigger
                      WHERE tgname LIKE 'martlet%'))
                """
            found.append(try await ask(place, question) ?? "")
        }
        return found.joined()
    }
}

/// Runs `body` with a move between two servers of its own, each behind a wire that can be bad.
///
/// `disks`: the servers' data and the work directory lie on small disks; nil where none can be mounted.
public func withFaultyMove<Result>(
    of definitions: SQL,
    _ body: (TestMove, FaultyServers) async throws -> Result
) async throws -> Result {
    try await withServer(ServerConfiguration(tcp: .anyPort)) { source in
        try await withServer(ServerConfiguration(tcp: .anyPort)) { target in
            try await withNetworkProxy(to: source.port ?? 0) { sourceWire in
                try await withNetworkProxy(to: target.port ?? 0) { targetWire in
                    try await withTemporaryDirectory { directory in
                        try await execute(source.socketConnection(), definitions)
                        try await execute(target.socketConnection(), "CREATE DATABASE copy")
                        let move = TestMove(
                            source: sourceWire.connection(source.connection()),
                            target: targetWire.connection(target.connection(to: "copy")),
                            directory: directory
                        )
                        return try await body(
                            move,
                            FaultyServers(
                                source: source,
                                target: target,
                                sourceWire: sourceWire,
                                targetWire: targetWire
                            )
                        )
                    }
                }
            }
        }
    }
}

/// The two servers of a move, and the wires to them.
public struct FaultyServers: Sendable {
    /// The server that is moved from.
    public let source: Server
    /// The server that is moved to.
    public let target: Server
    /// The way to it.
    public let sourceWire: NetworkProxy
    /// The way to it.
    public let targetWire: NetworkProxy

    /// The source, past its wire.
    public var directSource: ConnectionString { source.socketConnection() }
    /// The target's database, past its wire.
    public var directTarget: ConnectionString { target.socketConnection(to: "copy") }
}
