import Engine
import Foundation
import Postgres
import Synchronization

/// Validates foreign keys that a switch has given back, one after the other, while writers are at work.
///
/// A fence cannot be put up meanwhile, as it asks for a lock that a validation holds; so a switch calls ``pause()`` first.
/// What is not validated when the move ends, the end of the move validates.
final class LateValidation: Sendable {
    private let state = Mutex((isWanted: true, isRunning: false))

    /// Ends the validation that runs now, and lets none begin until ``resume()``.
    func pause() async throws {
        state.withLock { $0.isWanted = false }
        while state.withLock({ $0.isRunning }) { try await Task.sleep(for: .milliseconds(20)) }
    }

    /// Lets validations go on.
    func resume() { state.withLock { $0.isWanted = true } }

    /// Validates all that the journal lists for one side, then returns.
    func run(_ run: Run, side: Journal.Side) async throws {
        let kinds = [ForeignKeysAside.validationKind]
        while true {
            let objects = try await withNeutralConnection(to: run.endpoints.target, application: "martlet journal") {
                try Journal.objects(kinds: kinds, on: $0).filter { $0.side == side }
            }
            guard let object = objects.first else { return }
            guard try await validate(object, run) else {
                try await Task.sleep(for: .milliseconds(200))
                continue
            }
            if objects.count == 1 { run.monitor.event("every foreign key that was given back is validated") }
        }
    }

    /// Runs one, unless it is not wanted, or becomes so; then false.
    private func validate(_ object: Journal.Object, _ run: Run) async throws -> Bool {
        let begins = state.withLock { state in
            state.isRunning = state.isWanted
            return state.isRunning
        }
        guard begins else { return false }
        defer { state.withLock { $0.isRunning = false } }
        return try await withThrowingTaskGroup(of: Bool.self) { group in
            defer { group.cancelAll() }
            group.addTask {
                let cleanup = Cleanup(endpoints: run.endpoints, directory: run.directory)
                do {
                    let left = try await cleanup.remove(object)
                    if let left { run.monitor.event(left) }
                    return true
                } catch let error as PostgresError where error.isTransient {
                    // Somebody holds on to the table; it is tried again.
                    return false
                }
            }
            group.addTask {
                while self.state.withLock({ $0.isWanted }) { try await Task.sleep(for: .milliseconds(50)) }
                return false
            }
            return try await group.next() ?? false
        }
    }
}
