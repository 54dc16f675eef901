import Foundation
import Synchronization
import TestSupport
import Testing

@testable import Postgres

struct BellTests {
    @Test func `a wait ends with its deadline, and says that nothing was reached`() {
        let bell = Bell()
        let began = ContinuousClock.now
        #expect(!bell.wait(until: began + .milliseconds(30)) { false })
        #expect(began.duration(to: .now) >= .milliseconds(30))
        #expect(!bell.wait(until: began) { false })
    }

    @Test func `a wait ends at once when what it waits for is there already`() {
        #expect(Bell().wait(until: .now) { true })
    }

    private final class Door: Sendable {
        let bell = Bell()
        let waiting = Atomic(0)
        let isOpen = Atomic(false)
        let entered = Atomic(0)

        func enter() {
            waiting.add(1, ordering: .sequentiallyConsistent)
            let isReached = bell.wait(until: .now + .seconds(3600)) { isOpen.load(ordering: .sequentiallyConsistent) }
            if isReached { entered.add(1, ordering: .sequentiallyConsistent) }
        }
    }

    @Test func `a ring has everybody look who waits`() async throws {
        let door = Door()
        for _ in 0..<3 { Thread { door.enter() }.start() }
        try await eventually("three wait") { door.waiting.load(ordering: .sequentiallyConsistent) == 3 }
        door.isOpen.store(true, ordering: .sequentiallyConsistent)
        door.bell.ring()
        try await eventually("three have come in") { door.entered.load(ordering: .sequentiallyConsistent) == 3 }
    }
}
