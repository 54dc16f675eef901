import Catalog
import Engine
import Postgres
import Sync

extension Conductor {
    /// Sets aside what is not, on the server that martlet writes to, where its sessions cannot act as a replica.
    ///
    /// May be repeated. Where they can, it was done when the triggers were made, or with the fence. `waits`: until every lock
    /// is got; otherwise what is not done now has to wait for the next call.
    func setAside(on side: Journal.Side, waits: Bool = true) async throws {
        let role = run.options.sessionRoles[side]
        guard role == .origin else { return }
        let place = run.endpoints[side]
        let selection = side == .source ? try await run.sourceSelection() : try await run.targetSelection()
        let aside = SetAside(side: side, role: role, tables: selection.tables.map(\.oid))
        try await withNeutralConnection(to: place, application: "martlet set aside") { server in
            try await withJournal { journal in
                while true {
                    do {
                        let count = try await Gate.patient.pass(server) {
                            try aside.suspend(on: server, journal: journal)
                        }
                        if count > 0 {
                            run.monitor.event("set aside on the \(side.rawValue): \(count) triggers and foreign keys")
                        }
                        return run.monitor.waiting(nil)
                    } catch let error as PostgresError where error.isTransient {
                        guard waits else { return }
                        // Nothing can be applied before; the application does not wait for it.
                        let who = error.detail ?? error.message
                        run.monitor.waiting(
                            "triggers and foreign keys of the \(side.rawValue) can be set aside: \(who)"
                        )
                    }
                }
            }
        }
    }

    /// Runs `body`, and validates meanwhile the foreign keys that were given back to the new server.
    func whileValidating<Result: Sendable>(
        _ crossing: Crossing,
        _ body: @escaping @Sendable () async throws -> Result
    ) async throws -> Result {
        try await withThrowingTaskGroup(of: Result?.self) { group in
            defer { group.cancelAll() }
            group.addTask {
                try await crossing.validation.run(run, side: .target)
                return nil
            }
            group.addTask { try await body() }
            while let result = try await group.next() {
                if let result { return result }
            }
            throw CancellationError()
        }
    }
}
