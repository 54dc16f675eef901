import Foundation
import Postgres
import Synchronization
import TestSupport
import Testing

@testable import Sync

extension ServerTests {
    @Suite struct FollowerTests {
        @Test(arguments: Scenario.all, Scenario.Variant.allCases)
        func `the target becomes what the source is`(scenario: Scenario, variant: Scenario.Variant) async throws {
            try await Way.with(tables: scenario.tables, rows: scenario.rows, targetTables: scenario.targetTables) {
                way in
                var way = way
                way.isBinary = variant.isBinary
                way.laneCount = 2
                try await way.follow { [way] follower, _ in
                    if variant.isGrouped {
                        try await way.write(scenario.changes)
                    } else {
                        follower.release()
                        for change in scenario.changes {
                            try await way.write([change])
                            try await way.settle(follower)
                        }
                    }
                    follower.release()
                    try await way.settle(follower)
                }
                #expect(try await way.differences() == [])
            }
        }
    }
}

/// All tests with slots on the shared servers, one after the other: a server has few slots.
@Suite(.serialized, .databasePair)
struct ServerTests {}
