import Foundation
import Postgres
import TestSupport

@testable import Sync

/// Runs statements on the source, on the target, or on both.
func onBoth(_ sql: String) async throws {
    try await onSource(sql)
    try await onTarget(sql)
}

func onSource(_ sql: String) async throws {
    try await withConnection(to: DatabasePair.current.source) { try $0.execute(SQL(trusting: sql)) }
}

func onTarget(_ sql: String) async throws {
    try await withConnection(to: DatabasePair.current.target) { try $0.execute(SQL(trusting: sql)) }
}

/// Compares the databases of the running test.
func compare(_ change: (inout Comparison) -> Void = { _ in }) async throws -> Verdict {
    try await comparison(change).run()
}

func comparison(_ change: (inout Comparison) -> Void = { _ in }) -> Comparison {
    let pair = DatabasePair.current
    var comparison = Comparison(source: .init(pair.source), target: .init(pair.target))
    change(&comparison)
    return comparison
}

extension Verdict {
    subscript(table: String) -> TableVerdict? { tables.first { $0.name == table } }
}
