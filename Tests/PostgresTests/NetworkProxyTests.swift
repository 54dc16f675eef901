import Cluster
import Foundation
import Postgres
import TestSupport
import Testing

/// The bad wire that other tests rely on.
struct NetworkProxyTests {
    @Test func `a wire that refused can be used again, although programs are started all the time`() async throws {
        try await withServer(ServerConfiguration(tcp: .anyPort)) { server in
            try await withNetworkProxy(to: server.port ?? 0) { wire in
                let place = wire.connection(server.connection())
                try await withThrowingTaskGroup(of: Void.self) { group in
                    // A child holds every socket of its parent until it becomes another program.
                    group.addTask { while !Task.isCancelled { try Self.startProgram() } }
                    for _ in 0..<100 {
                        wire.change { $0.refuses = true }
                        try await eventually("connections are refused") { try await !Self.canConnect(to: place) }
                        wire.change { $0.refuses = false }
                        try await eventually("connections are possible") { try await Self.canConnect(to: place) }
                    }
                    group.cancelAll()
                }
            }
        }
    }

    private static func startProgram() throws {
        let program = Process()
        program.executableURL = URL(filePath: "/bin/true")
        try program.run()
        program.waitUntilExit()
    }

    private static func canConnect(to place: ConnectionString) async throws -> Bool {
        do {
            try await withConnection(to: place) { _ in }
            return true
        } catch let error as PostgresError where error.message.contains("could not connect") {
            return false
        }
    }
}
