private import CLibPQ
import Foundation
import Synchronization

/// One session on one server.
///
/// A connection is not `Sendable`: the compiler proves that only one task uses it at a time, which
/// is exactly the rule libpq asks for. Get one with ``withConnection(to:application:_:)``; it is
/// closed when the closure returns, throws, or is cancelled. Its calls block the connection's own
/// thread, and obey cancellation: the statement that runs is cancelled on the server, later ones throw.
@safe public final class Connection {
    let handle: OpaquePointer
    let canceller: Canceller
    let waits = ServerWait()
    private let noticeBox: NoticeBox
    private var preparedCount = 0

    /// Where this session is connected to.
    public let target: ConnectionString

    fileprivate init(to target: ConnectionString, application: String?) throws(PostgresError) {
        // Swift's strings are UTF-8, whatever PGCLIENTENCODING or the database says.
        // By their names martlet tells its own sessions from others', whatever the operator's connection string says.
        let named = application.map { target.with("application_name", $0) }
        let conninfo = (named ?? target.withDefault("application_name", "martlet")).withDefault("connect_timeout", "10")
            // A peer that is gone without a word is noticed within a minute, not after two hours.
            .withDefault("keepalives_idle", "20").withDefault("keepalives_interval", "10")
            .withDefault("keepalives_count", "3").withDefault("tcp_user_timeout", "60000")
            .with("client_encoding", "UTF8").secretText
        try Self.refuseZeroBytes(in: [conninfo])
        guard let handle = unsafe PQconnectdb(conninfo) else { throw PostgresError("could not allocate a connection") }
        guard unsafe PQstatus(handle) == CONNECTION_OK else {
            let reason = unsafe String(cString: PQerrorMessage(handle))
            unsafe PQfinish(handle)
            throw ConnectionFailure.explain(reason, target: target)
        }
        unsafe self.handle = handle
        unsafe canceller = Canceller(of: handle)
        self.target = target
        noticeBox = NoticeBox()
        unsafe noticeBox.install(on: handle)
    }

    deinit {
        unsafe PQfinish(handle)
    }

    /// The server's version as a number, 150004 for 15.4.
    public var serverVersion: Int { unsafe Int(PQserverVersion(handle)) }

    /// The server's major version, 15 for 15.4.
    public var majorVersion: Int { serverVersion / 10_000 }

    /// The process that serves this session.
    public var processID: Int { unsafe Int(PQbackendPID(handle)) }

    /// Whether the connection is encrypted, by TLS or by Kerberos.
    public var isEncrypted: Bool { unsafe PQsslInUse(handle) == 1 || PQgssEncInUse(handle) == 1 }

    /// Whether a transaction is open, failed or not.
    public var isInTransaction: Bool {
        unsafe PQtransactionStatus(handle) == PQTRANS_INTRANS || PQtransactionStatus(handle) == PQTRANS_INERROR
    }

    /// Where this session has arrived, with all that libpq has found elsewhere.
    ///
    /// That is in variables, the service file and `.pgpass`, and of several hosts the one that answered. It leads to the same
    /// server from a process that has none of these.
    public var reached: ConnectionString {
        var found: [String: String] = [:]
        if let options = unsafe PQconninfo(handle) {
            defer { unsafe PQconninfoFree(options) }
            var option = unsafe options
            while let keyword = unsafe option.pointee.keyword {
                if let value = unsafe option.pointee.val {
                    unsafe found[String(cString: keyword)] = String(cString: value)
                }
                unsafe option += 1
            }
        }
        if let host = unsafe PQhost(handle) { unsafe found["host"] = String(cString: host) }
        if let port = unsafe PQport(handle) { unsafe found["port"] = String(cString: port) }
        if let password = unsafe PQpass(handle) { unsafe found["password"] = String(cString: password) }
        // Of several addresses the one that belongs to the host is looked up again.
        for keyword in [
            "hostaddr", "service", "servicefile", "passfile", "application_name", "client_encoding", "replication",
        ] {
            found[keyword] = nil
        }
        let place = ConnectionString(settings: found.filter { !$0.value.isEmpty })
        // An empty address keeps libpq from PGHOSTADDR.
        return target["hostaddr"]?.isEmpty == true ? place.with("hostaddr", "") : place
    }

    /// Whether another task may go on with it: it is open, in no transaction, and was not cancelled.
    public var isUsable: Bool {
        unsafe PQstatus(handle) == CONNECTION_OK && PQtransactionStatus(handle) == PQTRANS_IDLE
            && !canceller.isCancelled
    }

    /// Whether the server has not ended an idle session meanwhile, as far as it has said so.
    public var isStillOpen: Bool {
        unsafe PQconsumeInput(handle) == 1 && PQstatus(handle) == CONNECTION_OK
    }

    /// Cancels the statement that runs, from any task, and refuses those that follow, as the cancellation of its task does.
    public var stop: @Sendable () -> Void { { [canceller] in canceller.cancel() } }

    /// A setting that the server reports by itself, such as `client_encoding`.
    public func reported(_ setting: String) -> String? {
        unsafe PQparameterStatus(handle, setting).map { unsafe String(cString: $0) }
    }

    /// Takes the notices and warnings that came since the last call, at most the first hundred.
    public func takeNotices() -> [String] {
        noticeBox.take()
    }

    /// A statement name that this session has not used yet.
    func nextStatementName() -> String {
        preparedCount += 1
        return "martlet_\(preparedCount)"
    }
}

/// Opens a session for as long as `body` runs, which runs on the connection's own thread.
///
/// When the task is cancelled, the statement that runs is cancelled on the server, and every later
/// one throws SQLSTATE 57014. Clean-up after a cancellation needs a session of its own, inside
/// ``withoutCancellation(_:)``. A task that is cancelled while it connects waits for the end of
/// that, at most `connect_timeout`, which is 10 seconds for each address unless the target says otherwise.
///
/// `application` is what the server shows as `application_name`; nil is what `target` says, or else "martlet".
///
/// Throws a ``PostgresError`` when the server cannot be reached or refuses us, or what `body` throws.
public func withConnection<Result>(
    to target: ConnectionString,
    application: String? = nil,
    _ body: (Connection) async throws -> Result
) async throws -> Result {
    try await withOwnThread("martlet.connection") {
        try Task.checkCancellation()
        let connection = try Connection(to: target, application: application)
        let canceller = connection.canceller
        return try await withTaskCancellationHandler {
            try SessionPrologue.current?(connection)
            return try await body(connection)
        } onCancel: {
            canceller.cancel()
        }
    }
}

/// Runs clean-up to its end even when the task that needs it has been cancelled.
///
/// This is the one place where a task outside of the tree of tasks is made: a child of a cancelled
/// task is cancelled from the start, and could not even connect.
public func withoutCancellation<Result: Sendable>(
    _ body: @escaping @Sendable @concurrent () async throws -> Result
) async throws -> Result {
    let shielded = Task { try await body() }
    return try await shielded.value
}

/// Collects what the server says besides results; libpq would print it on stderr.
private final class NoticeBox: Sendable {
    private let notices = Mutex<[String]>([])

    func install(on handle: OpaquePointer) {
        _ = unsafe PQsetNoticeProcessor(
            handle,
            { context, message in
                guard let context = unsafe context, let message = unsafe message else { return }
                let text = unsafe String(cString: message)
                unsafe Unmanaged<NoticeBox>.fromOpaque(context).takeUnretainedValue().add(text)
            },
            Unmanaged.passUnretained(self).toOpaque()
        )
    }

    private func add(_ text: String) {
        notices.withLock { notices in
            if notices.count < 100 { notices.append(text.trimmingCharacters(in: .newlines)) }
        }
    }

    func take() -> [String] {
        notices.withLock { notices in
            defer { notices = [] }
            return notices
        }
    }
}
