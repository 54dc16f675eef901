import Engine
import Foundation
import Postgres
import TestSupport
import Testing

@Suite(.temporaryDatabase)
struct PauseTests {
    @Test func `a pause stays as it is until it is taken back, and keeps a switch from being begun`() async throws {
        try await withConnection(to: TemporaryDatabase.current) { connection in
            #expect(throws: PostgresError.self) { try Journal.paused(on: connection) }
            try await Journal.create(JournalTests.migration, on: connection)
            #expect(try Journal.paused(on: connection) == nil)
            #expect(try Journal.resume(on: connection) == nil)
            #expect(try Journal.pause(in: ["follow"], on: connection) == nil)
            let since = try #require(try Journal.pause(in: ["load", "follow"], on: connection))
            #expect(try Journal.pause(in: ["load"], on: connection) == since)
            #expect(try Journal.paused(on: connection) == since)
            #expect(try Journal.migration(on: connection)?.paused == since)
            #expect(try !Journal.isPauseObeyed(on: connection))
            #expect(try !Journal.enter("cut over", from: "load", unlessPaused: true, on: connection))
            #expect(try Journal.enter("follow", from: "load", on: connection))
            let seconds = try #require(try Journal.resume(on: connection))
            #expect(seconds >= 0 && seconds < 3600)
            #expect(try Journal.enter("cut over", from: "follow", unlessPaused: true, on: connection))
        }
    }
}
