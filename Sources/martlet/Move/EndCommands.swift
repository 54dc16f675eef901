import ArgumentParser
import Engine
import Foundation
import Move
import Postgres

/// `martlet finish`.
struct FinishCommand: Command {
    static let configuration = CommandConfiguration(
        commandName: "finish",
        abstract: "End a move: remove everything martlet made on both servers.",
        discussion: """
            After a cutover this gives up the way back: the reverse stream ends, and the old server accepts writes again. \
            So it is refused while somebody is still connected to the old database, who would write there unawares. After a rollback, or migrate --once, it removes what is left.

            EXAMPLES
              martlet finish --source postgresql://app@old/shop \\
                  --target postgresql://app@new/shop
            """
    )

    @OptionGroup var endpoints: EndpointOptions
    @OptionGroup var work: WorkDirectoryOption

    @OptionGroup var source: LostSourceOption

    @Flag(help: "Also when somebody is still connected to the old database.")
    var force = false

    func run(output: Output) async throws -> ExitStatus {
        if !force, !source.sourceIsGone { try await refuseStragglers() }
        return try await EndOfMove(kind: "finish", dropsCopy: false) { !$0.canAbort || $0 == .rolledBack }
            .run(endpoints.endpoints(), work, source, output)
    }

    private func refuseStragglers() async throws {
        let endpoints = try endpoints.endpoints()
        let migration = try await withNeutralConnection(to: endpoints.target) { try Journal.migration(on: $0) }
        let phase = migration.flatMap { Phase(rawValue: $0.phase) }
        guard let migration, phase == .reversing || phase == .switched else { return }
        let sessions = try await LostSourceOption.offered(for: "finish") {
            try await withNeutralConnection(to: endpoints.source) { source in
                try Migration.check(migration, on: source)
                return try source.query(
                    """
                    SELECT format('%s (pid %s%s)', coalesce(nullif(application_name, ''), usename), pid,
                                  ', from ' || host(client_addr)) AS session
                      FROM pg_stat_activity
                     WHERE datname = current_database() AND coalesce(backend_type, 'client backend') = 'client backend'
                       AND pid <> pg_backend_pid() AND application_name NOT LIKE 'martlet%'
                     ORDER BY backend_start
                    """
                ).map { row throws(PostgresError) in try row("session", as: String.self) }
            }
        }
        guard !sessions.isEmpty else { return }
        let more = sessions.count > 5 ? ", and \(sessions.count - 5) more" : ""
        throw PostgresError(
            "somebody is still connected to the old database, which would accept writes again",
            detail: "Sessions: \(sessions.prefix(5).joined(separator: ", "))\(more).",
            hint: "Point them to the new server, or end them; or finish with --force."
        )
    }
}

/// `martlet abort`.
struct AbortCommand: Command {
    static let configuration = CommandConfiguration(
        commandName: "abort",
        abstract: "Give up a move before its cutover: remove everything martlet made, and the copy.",
        discussion: """
            Both servers are as they were before: what was on the target already stays. Not possible after a cutover, \
            when the target's data are the only ones that are up to date, until a rollback.

            EXAMPLES
              martlet abort --source postgresql://app@old/shop \\
                  --target postgresql://app@new/shop
            """
    )

    @OptionGroup var endpoints: EndpointOptions
    @OptionGroup var work: WorkDirectoryOption

    @OptionGroup var source: LostSourceOption

    @Flag(help: "Leave the copied tables on the target.")
    var keepCopy = false

    func run(output: Output) async throws -> ExitStatus {
        try await EndOfMove(kind: "abort", dropsCopy: !keepCopy) { $0.canAbort }
            .run(endpoints.endpoints(), work, source, output)
    }
}

/// `--source-is-gone`.
struct LostSourceOption: ParsableArguments {
    @Flag(
        help:
            "The source does not exist any more: remove what is on the target, and list what nobody can remove on the source."
    )
    var sourceIsGone = false

    /// Tells of it when the source cannot be reached.
    static func offered<Result>(for kind: String, _ body: () async throws -> Result) async throws -> Result {
        do {
            return try await body()
        } catch var error as PostgresError where error.isConnectionLoss {
            // What was copied may be all that is left.
            let keeping = kind == "abort" ? " --keep-copy" : ""
            let offer = "If that server does not exist any more: martlet \(kind) --source-is-gone\(keeping)."
            error.hint = error.hint.map { "\($0) \(offer)" } ?? offer
            throw error
        }
    }
}

/// What `finish` and `abort` have in common.
struct EndOfMove {
    let kind: String
    /// A rolled-back move leaves a copy that nobody uses; it goes only when asked for.
    let dropsCopy: Bool
    let isAllowed: @Sendable (Phase) -> Bool

    func run(
        _ endpoints: Endpoints,
        _ work: WorkDirectoryOption,
        _ source: LostSourceOption,
        _ output: Output
    ) async throws -> ExitStatus {
        let asker = Asker(target: endpoints.target, output: output)
        let directory = work.url(for: endpoints.source)
        show(
            source.sourceIsGone
                ? try await endWithoutSource(endpoints, directory: directory, asker)
                : try await end(endpoints, directory: directory, asker),
            output
        )
        return .done
    }

    /// Ends the move through the martlet that runs it, or without one, and returns what was removed.
    func end(_ endpoints: Endpoints, directory: URL, _ asker: Asker) async throws -> [Cleanup.Removed] {
        let migration = try await asker.migration()
        try check(migration)
        // With another source it is another move that would be ended; and where nobody runs it, nothing would be found to
        // remove there, and the journal would forget what is left on its own.
        try await LostSourceOption.offered(for: kind) {
            try await withNeutralConnection(to: endpoints.source) { source in
                try Migration.check(migration, on: source)
                if dropsCopy { try Migration.checkCopy(migration, on: source) }
            }
        }
        let removed = try await asker.ask(kind, Ask.Stop(dropsCopy: dropsCopy), as: [Cleanup.Removed].self)
        // The one that ran the move may have died between its answer and the end of its journal.
        if let removed, try await isGone(endpoints.target) { return removed }
        return try await withNeutralConnection(to: endpoints.target) { journal in
            let lease = try await Lease.take(of: migration.id, on: journal)
            return try await withNeutralConnection(to: endpoints.source) { source in
                try await lease.extend(to: source)
                let cleanup = Cleanup(endpoints: endpoints, directory: directory)
                return try await (removed ?? [])
                    + clean(lease, cleanup, asker) { try await cleanup.removeObjects(dropsCopy: dropsCopy) }
            }
        }
    }

    /// Ends the move on the target alone, and returns what was removed there, and what nobody can remove on the source.
    private func endWithoutSource(
        _ endpoints: Endpoints,
        directory: URL,
        _ asker: Asker
    ) async throws -> [Cleanup.Removed] {
        let migration = try await asker.migration()
        try check(migration)
        // Nobody can ask the source whether a cutover was done after all.
        guard !dropsCopy || Phase(rawValue: migration.phase) != .cuttingOver else {
            throw PostgresError(
                "the copy may be all that is left, as the move was cutting over when it was last heard of",
                hint:
                    "To leave the tables: martlet \(kind) --source-is-gone --keep-copy. Drop them afterwards, if they are not needed."
            )
        }
        return try await withNeutralConnection(to: endpoints.target) { journal in
            let lease = try await Lease.take(of: migration.id, on: journal)
            let cleanup = Cleanup(endpoints: endpoints, directory: directory)
            return try await clean(lease, cleanup, asker) {
                try await cleanup.removeObjects(side: .target, dropsCopy: dropsCopy) + cleanup.objectsOnSource()
            }
        }
    }

    /// Removes objects and then the journal, while no other martlet can run the move.
    private func clean(
        _ lease: Lease,
        _ cleanup: Cleanup,
        _ asker: Asker,
        removing: () async throws -> [Cleanup.Removed]
    ) async throws -> [Cleanup.Removed] {
        try await lease.bind {
            // Another martlet may have gone on until a moment ago.
            try check(try await asker.migration())
            let removed = try await removing()
            try await cleanup.removeJournal(dropsCopy: dropsCopy)
            return removed
        }
    }

    /// Waits until the martlet that has answered has removed the journal, or has died; false when the journal is still there.
    private func isGone(_ target: ConnectionString) async throws -> Bool {
        try await withNeutralConnection(to: target, application: "martlet \(kind)") { connection in
            while try Journal.exists(on: connection) {
                guard try Lease.isTaken(on: connection) else { return try !Journal.exists(on: connection) }
                try await Task.sleep(for: .milliseconds(50))
            }
            return true
        }
    }

    private func check(_ migration: Journal.Migration) throws {
        let phase = Phase(rawValue: migration.phase)
        guard let phase, isAllowed(phase) else {
            throw PostgresError(
                "cannot \(kind) a move that is \(phase?.title ?? migration.phase)",
                hint: phase == .copied
                    ? "The copy is complete, and nothing follows: martlet finish removes the journal, and leaves the tables."
                    : kind == "abort"
                        ? "The application may be on the new server: use martlet rollback, or martlet finish."
                        : "Bring the application over with martlet cutover first, or give up with martlet abort."
            )
        }
    }

    private func show(_ removed: [Cleanup.Removed], _ output: Output) {
        for object in removed {
            if let left = object.left {
                output.result(prose: "left on the \(object.side): \(left)", indent: "  ")
            } else {
                output.result("removed from the \(object.side): \(object.kind) \"\(object.name)\"")
            }
        }
        output.result(kind == "abort" ? "aborted" : "finished")
    }
}
