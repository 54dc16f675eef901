import Foundation
import Postgres
import TestSupport
import Testing

extension TestMove {
    /// Moves there and back: `onSource` runs while changes are followed, `onTarget` after the cutover, with a comparison after each.
    ///
    /// The rollback compares once more, and the abort that follows removes everything but the copy.
    func thereAndBack(
        _ onSource: () async throws -> Void,
        afterCutover onTarget: () async throws -> Void
    ) async throws {
        let migration = try await run("migrate") { _ in
            try await untilFollowing()
            try await onSource()
            try await mustBeEqual()
            try await must("cutover")
            try await onTarget()
            try await mustBeEqual()
            try await must("rollback")
        }
        #expect(migration.status == 0, "martlet migrate: \(migration.output)\(migration.error)")
        try await must("abort", "--keep-copy")
    }

    /// Runs statements on the source, each in a transaction of its own.
    func write(_ transactions: SQL...) async throws {
        try await withConnection(to: source) { writer in
            for transaction in transactions { try writer.execute(transaction) }
        }
    }
}
