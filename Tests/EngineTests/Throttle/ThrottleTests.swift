import Foundation
import Postgres
import Synchronization
import TestSupport
import Testing

@testable import Engine

struct ThrottleTests {
    private static let start = ContinuousClock.now

    @Test func `in any time no more goes through than the rate and a quarter of a second`() {
        var generator = SeededGenerator(seed: 7)
        var pacer = RatePacer(bytesPerSecond: 1000)
        var now = Self.start
        var sent: [(at: ContinuousClock.Instant, bytes: Int)] = []
        for _ in 0..<2000 {
            let bytes = Int.random(in: 1...300, using: &generator)
            sent.append((now, bytes))
            // Whoever goes on late must not be let through faster for it.
            let late = Bool.random(using: &generator) ? 0 : Int.random(in: 0...400, using: &generator)
            now = max(now, pacer.take(bytes, at: now)) + .milliseconds(late)
        }
        for first in stride(from: 0, to: sent.count, by: 37) {
            for last in stride(from: first, to: sent.count, by: 53) {
                let seconds = sent[first].at.duration(to: sent[last].at) / .seconds(1)
                let bytes = sent[first...last].map(\.bytes).reduce(0, +)
                // The last message is paid for after it.
                #expect(Double(bytes) <= 1000 * (seconds + 0.25) + 600)
            }
        }
    }

    @Test func `several workers share one rate`() {
        var pacer = RatePacer(bytesPerSecond: 1_000_000)
        let first = pacer.take(125_000, at: Self.start)
        let second = pacer.take(125_000, at: Self.start + .milliseconds(10))
        #expect(first == Self.start + .milliseconds(125) && second == Self.start + .milliseconds(250))
        // After a long pause there is no burst.
        let late = Self.start + .seconds(60)
        #expect(pacer.take(1_000_000, at: late) == late + .milliseconds(750))
    }

    @Test func `something is over its limit from the first look above until three below`() {
        var gauge = Gauge()
        let seen = ["", "9", "", "", "8", "", "", ""].map { text in
            gauge.look(text.isEmpty ? nil : text)
            return gauge.text ?? ""
        }
        #expect(seen == ["", "9", "9", "9", "8", "8", "8", ""])
    }

    @Test func `the age of what a replica lacks is known from the log's history`() {
        var history = LogHistory(span: .seconds(10))
        func at(_ second: Int) -> ContinuousClock.Instant { Self.start + .seconds(second) }
        for second in 0..<100 { history.note(LSN(UInt64(100 + second)), at: at(second)) }
        // Nothing is missing, whatever the server still reports.
        #expect(history.lag(of: LSN(199), reported: .seconds(50), at: at(99)) == .zero)
        #expect(history.lag(of: LSN(190), reported: nil, at: at(99)) == .seconds(8))
        // One that stands still falls behind, although the server reports the same as before.
        #expect(history.lag(of: LSN(190), reported: .seconds(1), at: at(150)) == .seconds(59))
        // Before the history begins, it is at least as old as that; or as the server says.
        #expect(history.lag(of: LSN(5), reported: nil, at: at(99)) >= .seconds(20))
        #expect(history.lag(of: LSN(5), reported: .seconds(3600), at: at(99)) == .seconds(3600))
    }

    @Test func `who is held goes on when nobody holds him, and obeys a cancellation`() async throws {
        var limits = Limits()
        limits.sourceLoad = 3
        let told = Mutex<[String]>([])
        let throttle = Throttle(limits) { text in told.withLock { $0.append(text) } }
        try await throttle.whileUsed {
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 0..<2 {
                    group.addTask { try await throttle.wait() }
                }
                // Nobody has looked yet.
                throttle.note(sourceLoad: "4 sessions", replicaLag: nil)
                throttle.note(paused: Date(timeIntervalSince1970: 5))
                #expect(throttle.report.hold?.reason == .paused && throttle.isPaused)
                throttle.note(paused: nil)
                #expect(throttle.report.hold?.text == "4 sessions")
                throttle.note(sourceLoad: nil, replicaLag: nil)
                try await group.waitForAll()
                #expect(throttle.report.hold == nil && throttle.report.held > .zero)
                throttle.note(paused: Date())
                group.addTask { try await throttle.wait() }
                group.cancelAll()
                await #expect(throws: (any Error).self) { try await group.waitForAll() }
            }
        }
        #expect(told.withLock { $0 }.first == "held: 4 sessions")
    }

    @Test func `limits on the servers hold nobody when no work is under them`() async throws {
        var limits = Limits()
        limits.sourceLoad = 3
        let throttle = Throttle(limits)
        throttle.note(paused: nil)
        throttle.note(sourceLoad: "4 sessions", replicaLag: nil)
        try throttle.pass()
        try await throttle.whileUsed {
            throttle.note(sourceLoad: "4 sessions", replicaLag: nil)
            #expect(throttle.report.hold?.reason == .sourceLoad)
        }
        try throttle.pass()
        #expect(throttle.report.hold == nil)
    }
}
