import ArgumentParser
import Care
import Postgres

/// `martlet db sessions`.
struct DatabaseSessions: Command {
    static let configuration = CommandConfiguration(
        commandName: "sessions",
        abstract: "Show who is connected, what they do, and who keeps whom waiting.",
        discussion: """
            A session that waits for a lock stands below the one that holds it. Times are those of the state and, \
            with "tx", of the open transaction.

            EXAMPLES
              martlet db sessions
              martlet db sessions prod --watch
              martlet db sessions prod --blocked
              martlet db sessions --terminate 4711
            """
    )

    @OptionGroup var environment: EnvironmentOptions
    @OptionGroup var confirmation: ConfirmOption

    @Flag(help: "Sessions of all databases of the server.")
    var all = false

    @Flag(help: "Only those that wait for a lock, and whom they wait for.")
    var blocked = false

    @Flag(help: "Show them again every second, until ^C.")
    var watch = false

    @Option(help: ArgumentHelp("End the session of this process.", valueName: "pid"))
    var terminate: Int?

    @Flag(help: "Print as JSON.")
    var json = false

    var stopsQuietly: Bool { true }

    func run(output: Output) async throws -> ExitStatus {
        let environment = try environment.choose(output)
        if terminate != nil { try confirmation.ask(for: environment, to: "end a session of", output) }
        return try await withNeutralConnection(to: environment.connection(), application: "martlet db") { server in
            let database = try server.query("SELECT current_database() AS name").first?("name", as: String.self)
            if let terminate { return try end(terminate, in: all ? nil : database, server, output) }
            repeat {
                let sessions = try ServerSession.all(of: all ? nil : database, on: server)
                let tree = SessionTree(sessions, onlyBlocked: blocked)
                if json {
                    try output.json(tree.lines.compactMap(\.session).map(SessionDocument.init))
                } else if watch, output.isTerminal {
                    output.screen.draw(lines(tree, output))
                } else {
                    output.result(lines(tree, output).joined(separator: "\n"))
                }
                if watch { try await Task.sleep(for: .seconds(1)) }
            } while watch
            return .done
        }
    }

    private func lines(_ tree: SessionTree, _ output: Output) -> [String] {
        guard !tree.lines.isEmpty else {
            return [blocked ? "nobody waits for a lock" : "nobody else is connected"]
        }
        var table = TextTable([
            "PID", "USER", all ? "DATABASE" : "CLIENT", "APPLICATION", "STATE", "WAITS FOR", "STATEMENT",
        ])
        for line in tree.lines {
            let lead = line.depth == 0 ? "" : String(repeating: "  ", count: line.depth - 1) + "└ "
            guard let session = line.session else {
                table.add([lead + "-", "", "", "", "prepared transaction", "", ""])
                continue
            }
            table.add([
                lead + "\(session.pid)", session.user, all ? session.database : session.client, session.application,
                state(session), session.wait ?? "", Layout.plain(String(session.query.prefix(200))),
            ])
        }
        return table.text.split(separator: "\n").map { line in
            output.resultWidth.map { Layout.cut(String(line), to: $0) } ?? String(line)
        }
    }

    private func state(_ session: ServerSession) -> String {
        let state = session.state.isEmpty ? session.kind : session.state
        let time = session.stateSeconds.map { " " + Self.time($0) } ?? ""
        let transaction = session.transactionSeconds.map { ", tx " + Self.time($0) } ?? ""
        return state + time + transaction
    }

    static func time(_ seconds: Double) -> String {
        switch seconds {
        case ..<60: "\(Int(seconds)) s"
        case ..<3600: "\(Int(seconds) / 60) min"
        case ..<86_400: "\(Int(seconds) / 3600) h \(Int(seconds) / 60 % 60) min"
        default: "\(Int(seconds) / 86_400) d"
        }
    }

    private func end(_ pid: Int, in database: String?, _ server: Connection, _ output: Output) throws -> ExitStatus {
        let sessions = try ServerSession.all(of: database, on: server)
        guard let session = sessions.first(where: { $0.pid == pid }) else {
            throw PostgresError(
                "there is no session with process \(pid)\(database.map { " in database \"\($0)\"" } ?? "")",
                hint: database == nil ? nil : "--all looks at all databases of the server."
            )
        }
        // It waits until the process has gone (14 and later).
        let row = try server.query("SELECT pg_terminate_backend($1::int, 5000) AS gone", pid).first
        guard try row?("gone", as: Bool.self) == true else {
            throw PostgresError(
                "session \(pid) has not ended within five seconds",
                detail: "It was told to; a session that cannot be interrupted just now ends later."
            )
        }
        let who = [session.user, session.application, session.client].filter { !$0.isEmpty }.joined(separator: ", ")
        output.result("session \(pid) is ended (\(who))")
        return .done
    }
}

/// A session as `--json` shows it; the keys are stable.
private struct SessionDocument: Encodable {
    let pid: Int
    let user: String
    let database: String
    let client: String
    let application: String
    let kind: String
    let state: String
    let wait: String?
    let query: String
    let seconds: Double
    let transactionSeconds: Double?
    let stateSeconds: Double?
    let blockedBy: [Int]

    init(_ session: ServerSession) {
        pid = session.pid
        user = session.user
        database = session.database
        client = session.client
        application = session.application
        kind = session.kind
        state = session.state
        wait = session.wait
        query = session.query
        seconds = session.seconds
        transactionSeconds = session.transactionSeconds
        stateSeconds = session.stateSeconds
        blockedBy = session.blockers
    }
}
