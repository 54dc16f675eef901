import Foundation
public import Postgres
import Synchronization

/// A wire between martlet and a server that can be bad: slow, broken, mute.
///
/// It listens on a port of 127.0.0.1 and passes bytes to the server's port. What it does to them can be changed at
/// any moment. It works on a thread of its own, with poll(2).
public final class NetworkProxy: Sendable {
    /// How the wire is now.
    public struct Conditions: Sendable, Hashable {
        /// How long every piece of data is held back.
        public var delay: Duration = .zero
        /// How much passes in a second, both ways together; nil is without a limit.
        public var bytesPerSecond: Int?
        /// Nothing passes, and nobody is told: what was sent arrives when this ends.
        public var isBlackHole = false
        /// New connections are refused, as by a machine on which nobody listens.
        public var refuses = false

        /// A good wire.
        public init() {}
    }

    private struct State {
        var conditions = Conditions()
        var orders: [Order] = []
        var isStopping = false
    }

    /// What is done once.
    enum Order: Sendable {
        /// Both ends are told that the connection is lost.
        case cut
        /// martlet is told that the connection is lost, the server is not.
        case sever
        /// What was severed is told to the server, too.
        case bury
    }

    /// The port to connect to.
    public let port: Int
    private let state = Mutex(State())
    private let wakeReader: Int32
    private let wakeWriter: Int32

    fileprivate init(listener: Int32) throws {
        port = Self.port(of: listener)
        var ends: [Int32] = [0, 0]
        guard pipe(&ends) == 0 else { throw PostgresError("could not make a pipe") }
        (wakeReader, wakeWriter) = (ends[0], ends[1])
        _ = fcntl(wakeReader, F_SETFL, O_NONBLOCK)
    }

    deinit {
        close(wakeReader)
        close(wakeWriter)
    }

    /// Changes how the wire is from now on.
    public func change(_ change: (inout Conditions) -> Void) {
        state.withLock { change(&$0.conditions) }
        wake()
    }

    /// Breaks every connection that is open now; new ones are possible.
    public func cut() { order(.cut) }

    /// Breaks every connection for martlet alone: its sessions live on at the server until ``bury()``.
    public func sever() { order(.sever) }

    /// Tells the server about what was severed.
    public func bury() { order(.bury) }

    /// The same place, reached through this wire.
    public func connection(_ direct: ConnectionString) -> ConnectionString {
        direct.with("host", "127.0.0.1").with("port", String(port))
    }

    private func order(_ order: Order) {
        state.withLock { $0.orders.append(order) }
        wake()
    }

    private func wake() { _ = write(wakeWriter, [0], 1) }

    fileprivate func stop() {
        state.withLock { $0.isStopping = true }
        wake()
    }

    fileprivate func serve(listener: Int32, to server: Int) {
        var wire = Wire(listener: listener, server: server)
        while true {
            let (conditions, orders, isStopping) = state.withLock { state in
                defer { state.orders = [] }
                return (state.conditions, state.orders, state.isStopping)
            }
            if isStopping { break }
            for order in orders { wire.carryOut(order) }
            wire.turn(conditions, wakeReader)
        }
        wire.closeAll()
    }

    static func port(of listener: Int32) -> Int {
        var address = sockaddr_in()
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        _ = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(listener, $0, &length) }
        }
        return Int(UInt16(bigEndian: address.sin_port))
    }
}

/// Runs `body` with a wire to a port of this machine.
public func withNetworkProxy<Result>(
    to server: Int,
    _ body: (NetworkProxy) async throws -> Result
) async throws -> Result {
    let listener = Wire.bound()
    guard listener >= 0, listen(listener, 64) == 0 else { throw PostgresError("could not listen on 127.0.0.1") }
    let proxy = try NetworkProxy(listener: listener)
    let thread = Thread { proxy.serve(listener: listener, to: server) }
    thread.start()
    defer { proxy.stop() }
    return try await body(proxy)
}
