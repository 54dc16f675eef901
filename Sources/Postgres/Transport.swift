private import CLibPQ
import Foundation

/// The bytes of a session's socket, encrypted as libpq agreed it with the server.
///
/// libpq gives a message out when it holds all of it, and never gives the memory back: a row of
/// 500 MB costs more than a gigabyte for as long as the session lasts. On a session that has nothing
/// under way we may write and read the messages ourselves, in pieces of any size; libpq did the
/// address, the encryption and the authentication, and goes on afterwards as if nothing had been.
///
/// An error leaves the session in the middle of a message, so it must be given up: see ``giveUp()``.
@safe final class Transport {
    private let socket: Int32
    private let place: String
    private let canceller: Canceller
    private let waits: ServerWait
    private let encryption: OpenSSL?

    /// With MARTLET_TRANSPORT=libpq nothing goes past libpq: for tests, and where a system's own library behaves otherwise.
    private static let isWanted = ProcessInfo.processInfo.environment["MARTLET_TRANSPORT"] != "libpq"

    /// nil when the bytes are out of reach: what Kerberos encrypts, and a TLS library that libpq hides.
    init?(of connection: Connection) {
        guard Self.isWanted else { return nil }
        if unsafe PQgssEncInUse(connection.handle) == 1 { return nil }
        if unsafe PQsslInUse(connection.handle) == 1 {
            guard let session = unsafe PQsslStruct(connection.handle, "OpenSSL"),
                let encryption = unsafe OpenSSL(session: session)
            else { return nil }
            self.encryption = encryption
        } else {
            encryption = nil
        }
        socket = unsafe PQsocket(connection.handle)
        place = connection.target.place
        canceller = connection.canceller
        waits = connection.waits
    }

    /// Whether what is read comes in records, so that more may be there when less came than fits.
    var hasRecords: Bool { encryption != nil }

    /// Reads what is there, at most as much as fits; 0 when there is nothing now.
    func read(into buffer: UnsafeMutableRawBufferPointer) throws(PostgresError) -> Int {
        while true {
            let count =
                if let encryption {
                    try unsafe decrypted(encryption.read(buffer))
                } else {
                    unsafe recv(socket, buffer.baseAddress, buffer.count, Int32(MSG_DONTWAIT))
                }
            if count > 0 { return count }
            if count == 0 { throw lost("The server closed the connection.") }
            if errno == EAGAIN { return 0 }
            guard errno == EINTR else { throw unsafe lost(String(cString: strerror(errno))) }
        }
    }

    /// Writes everything, and waits for as long as the server does not read.
    func write(_ bytes: UnsafeRawBufferPointer) throws(PostgresError) {
        var rest = unsafe bytes
        while unsafe !rest.isEmpty {
            let count =
                if let encryption {
                    try unsafe decrypted(encryption.write(rest))
                } else {
                    unsafe send(socket, rest.baseAddress, rest.count, Int32(MSG_DONTWAIT) | Int32(MSG_NOSIGNAL))
                }
            if count > 0 {
                unsafe rest = UnsafeRawBufferPointer(rebasing: rest.dropFirst(count))
            } else if count == 0 {
                throw lost("The server closed the connection.")
            } else if errno == EAGAIN {
                // A TLS session may have to read before it can write.
                wait(forReading: encryption?.wantsToRead == true, timeout: 1000)
            } else if errno != EINTR {
                throw unsafe lost(String(cString: strerror(errno)))
            }
        }
    }

    /// Whether the server is on this machine, and sends to itself over TCP.
    var isLoopback: Bool {
        func address(_ ask: (Int32, UnsafeMutablePointer<sockaddr>, UnsafeMutablePointer<socklen_t>) -> Int32) -> Data?
        {
            var storage = sockaddr_storage()
            var size = socklen_t(MemoryLayout<sockaddr_storage>.size)
            return unsafe withUnsafeMutablePointer(to: &storage) { pointer in
                let raw = UnsafeMutableRawPointer(pointer)
                guard unsafe ask(socket, raw.assumingMemoryBound(to: sockaddr.self), &size) == 0 else { return nil }
                switch unsafe Int32(pointer.pointee.ss_family) {
                case AF_INET:
                    return unsafe Data(bytes: &raw.assumingMemoryBound(to: sockaddr_in.self).pointee.sin_addr, count: 4)
                case AF_INET6:
                    return unsafe Data(
                        bytes: &raw.assumingMemoryBound(to: sockaddr_in6.self).pointee.sin6_addr,
                        count: 16
                    )
                default: return nil
                }
            }
        }
        guard let own = unsafe address({ unsafe getsockname($0, $1, $2) }) else { return false }
        return unsafe own == address { unsafe getpeername($0, $1, $2) }
    }

    /// Lets the kernel take at most about so many bytes that are not read yet; the sender keeps the rest.
    func limitUnread(to bytes: Int32) {
        var bytes = bytes
        unsafe setsockopt(socket, SOL_SOCKET, SO_RCVBUF, &bytes, socklen_t(MemoryLayout<Int32>.size))
    }

    /// Waits until there is something to read; false when nothing came in `timeout` milliseconds.
    @discardableResult
    func waitToRead(timeout: Int32) -> Bool {
        wait(forReading: true, timeout: timeout)
    }

    /// Ends the session, which stands in the middle of a message: nothing that libpq sent over it would be understood.
    func giveUp() {
        shutdown(socket, Int32(SHUT_RDWR))
    }

    func lost(_ reason: String) -> PostgresError {
        giveUp()
        if canceller.isCancelled { return .cancelled }
        return PostgresError("lost the connection to \(place)", detail: reason, sqlState: "08006")
    }

    @discardableResult
    private func wait(forReading: Bool, timeout: Int32) -> Bool {
        let start = ContinuousClock.now
        defer { waits.add(since: start) }
        var interest = pollfd(fd: socket, events: Int16(forReading ? POLLIN : POLLOUT), revents: 0)
        return unsafe poll(&interest, 1, timeout) > 0
    }

    /// A result of the TLS library, in the form of `recv`.
    private func decrypted(_ outcome: OpenSSL.Outcome) throws(PostgresError) -> Int {
        switch outcome {
        case .bytes(let count): return count
        case .wouldBlock:
            errno = EAGAIN
            return -1
        case .closed: return 0
        case .failed: throw lost("The encrypted connection was broken off.")
        }
    }
}

/// The few functions of OpenSSL that move bytes, of the very library that libpq has loaded.
@safe private final class OpenSSL {
    enum Outcome {
        case bytes(Int)
        case wouldBlock
        case closed
        case failed
    }

    private typealias Move = @convention(c) (UnsafeMutableRawPointer, UnsafeMutableRawPointer?, Int32) -> Int32
    private typealias Explain = @convention(c) (UnsafeMutableRawPointer, Int32) -> Int32
    private typealias Clear = @convention(c) () -> Void

    private let session: UnsafeMutableRawPointer
    private let readBytes: Move
    private let writeBytes: Move
    private let explain: Explain
    private let clearErrors: Clear

    /// Whether the last call that would have blocked waits for bytes of the server.
    private(set) var wantsToRead = false

    init?(session: UnsafeMutableRawPointer) {
        guard let read = unsafe dlsym(nil, "SSL_read"), let write = unsafe dlsym(nil, "SSL_write"),
            let explain = unsafe dlsym(nil, "SSL_get_error"), let clear = unsafe dlsym(nil, "ERR_clear_error")
        else { return nil }
        unsafe self.session = session
        unsafe readBytes = unsafeBitCast(read, to: Move.self)
        unsafe writeBytes = unsafeBitCast(write, to: Move.self)
        unsafe self.explain = unsafeBitCast(explain, to: Explain.self)
        unsafe clearErrors = unsafeBitCast(clear, to: Clear.self)
    }

    func read(_ buffer: UnsafeMutableRawBufferPointer) -> Outcome {
        clearErrors()
        return outcome(unsafe readBytes(session, buffer.baseAddress, Int32(clamping: buffer.count)))
    }

    func write(_ bytes: UnsafeRawBufferPointer) -> Outcome {
        clearErrors()
        let start = unsafe UnsafeMutableRawPointer(mutating: bytes.baseAddress)
        return outcome(unsafe writeBytes(session, start, Int32(clamping: bytes.count)))
    }

    /// SSL_ERROR_WANT_READ is 2, SSL_ERROR_WANT_WRITE 3, SSL_ERROR_SYSCALL 5, SSL_ERROR_ZERO_RETURN 6 (OpenSSL's ssl.h).
    private func outcome(_ result: Int32) -> Outcome {
        if result > 0 { return .bytes(Int(result)) }
        let reason = unsafe explain(session, result)
        wantsToRead = reason == 2
        switch reason {
        case 2, 3: return .wouldBlock
        case 5, 6: return .closed
        default: return .failed
        }
    }
}
