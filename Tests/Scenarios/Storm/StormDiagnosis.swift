import Cluster
import Foundation
import Postgres
import TestSupport

/// What is to be seen of a move from outside: where it is, what it waits for, who blocks whom.
struct StormDiagnosis: Sendable {
    let world: StormWorld
    let database: String

    /// The journal's last words.
    private static let journal: SQL = """
        SELECT concat_ws(E'\n',
            (SELECT 'phase ' || phase || ' for ' || date_trunc('second', clock_timestamp() - changed) FROM martlet.migration),
            (SELECT 'status ' || date_trunc('second', clock_timestamp() - at) || ' ago: '
                || jsonb_strip_nulls(report::jsonb - 'tables')::text FROM martlet.status),
            (SELECT string_agg('request ' || to_jsonb(r)::text, E'\n') FROM martlet.request AS r))
        """

    /// What each session does, and which others it waits for.
    private func sessions() -> SQL {
        """
        SELECT string_agg(concat_ws(' ', pid, application_name, state, 'for', date_trunc('second', clock_timestamp() - state_change),
                   wait_event_type, wait_event, 'blocked by ' || nullif(pg_blocking_pids(pid)::text, '{}'), left(query, 100)), E'\n')
          FROM pg_stat_activity WHERE datname = \(literal: database) AND pid <> pg_backend_pid()
        """
    }

    /// All of it, as far as the servers answer within some seconds.
    func text() async -> String {
        var parts = ["journal:\n\(await answer(of: world.target.direct(database), Self.journal))"]
        for (name, station) in [("source", world.source), ("target", world.target)] {
            parts.append("sessions on the \(name):\n\(await answer(of: station.direct("postgres"), sessions()))")
        }
        parts.append("martlets:\n\(martlets)")
        return parts.joined(separator: "\n")
    }

    /// The ends of both servers' logs.
    var serverLogs: String {
        [("source", world.source), ("target", world.target)].map { name, station in
            "log of the \(name):\n\(station.server.logTail(lines: 30))"
        }.joined(separator: "\n")
    }

    private func answer(of place: ConnectionString, _ question: SQL) async -> String {
        do {
            return try await withThrowingTaskGroup(of: String.self) { group in
                group.addTask { try await ask(place, question) ?? "none" }
                group.addTask {
                    try await untilMoment(.now + .seconds(20))
                    return "no answer within 20 seconds"
                }
                defer { group.cancelAll() }
                return try await group.next() ?? ""
            }
        } catch { return "\(error)" }
    }

    /// The processes of the move, by /proc, each with its state: T is stopped, Z has ended.
    private var martlets: String {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []
        return names.filter { Int($0) != nil }.compactMap { process in
            // One that has ended meanwhile has no file any more.
            let words = (try? String(contentsOfFile: "/proc/\(process)/cmdline", encoding: .utf8)) ?? ""
            guard words.contains("martlet"), words.contains(database) else { return nil }
            let line = (try? String(contentsOfFile: "/proc/\(process)/stat", encoding: .utf8)) ?? ""
            let state = line.split(separator: ")").last?.split(separator: " ").first ?? "?"
            let command = words.split(separator: "\0").dropFirst().prefix(1).joined()
            return "process \(process) in state \(state): martlet \(command)"
        }.joined(separator: "\n")
    }
}
