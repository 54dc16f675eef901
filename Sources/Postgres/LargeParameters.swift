private import CLibPQ
import Foundation

/// The bytes of a parameter that are read while they are sent.
@safe public struct StreamedValue {
    /// How many bytes there are.
    public let length: Int
    fileprivate let read: (_ send: (UnsafeRawBufferPointer) throws(PostgresError) -> Void) throws(PostgresError) -> Void

    /// `read` hands all `length` bytes over, piece by piece.
    public init(
        length: Int,
        read: @escaping (_ send: (UnsafeRawBufferPointer) throws(PostgresError) -> Void) throws(PostgresError) -> Void
    ) {
        self.length = length
        unsafe self.read = read
    }
}

extension Pipeline {
    /// Sends a prepared statement with parameters of any size, and waits for its end; memory is bounded.
    ///
    /// Everything that was sent before comes to its end first; after a failure nothing is sent. As with
    /// ``send(_:_:expecting:)``, which does the same with bytes in memory, a failure is thrown by the
    /// next ``synchronize()``. libpq copies parameters into a buffer of its own, so the messages are
    /// written past it (manual, "Extended Query": Bind, Execute, Sync). Where that cannot be done (see
    /// ``Transport``) the parameters are gathered, and sent by libpq.
    public func send(
        _ statement: PreparedStatement,
        streaming values: [StreamedValue?],
        expecting rows: Int
    ) throws(PostgresError) {
        guard let transport = Transport(of: connection) else {
            return try sendGathered(statement, values, expecting: rows)
        }
        let bind = try BindMessage(of: statement, values)
        try settle()
        guard failure == nil else { return }
        guard unsafe PQexitPipelineMode(connection.handle) == 1 else { throw connection.libpqFailure() }
        let answer: Result<Int, PostgresError>
        do throws(PostgresError) {
            try bind.write(to: transport)
            answer = try Self.read(ServerMessages(transport, capacity: 16 << 10))
        } catch {
            // Half of a message is on its way: nobody can use the session any more.
            transport.giveUp()
            throw error
        }
        guard unsafe PQenterPipelineMode(connection.handle) == 1 else { throw connection.libpqFailure() }
        switch answer {
        case .success(rows): break
        case .success(let affected): note(.rowCount(affected, expected: rows))
        case .failure(let error): note(error)
        }
    }

    /// Reads the answer to a statement, up to the point where the server waits for the next one.
    private static func read(_ messages: ServerMessages) throws(PostgresError) -> Result<Int, PostgresError> {
        var answer: Result<Int, PostgresError> = .success(0)
        while true {
            guard case .message(let kind, let body) = try unsafe messages.wait() else { continue }
            switch kind {
            case UInt8(ascii: "C"): answer = .success(unsafe Connection.affected(body))
            case UInt8(ascii: "E"):
                let error = unsafe PostgresError(response: body)
                // After such an error the server says nothing more.
                if error.isConnectionLoss { throw error }
                answer = .failure(error)
            case UInt8(ascii: "Z"): return answer
            default: break
            }
        }
    }

    private func sendGathered(
        _ statement: PreparedStatement,
        _ values: [StreamedValue?],
        expecting rows: Int
    ) throws(PostgresError) {
        var bytes: [UInt8] = []
        var ends: [Int] = []
        for value in values {
            try unsafe value?.read { piece throws(PostgresError) in unsafe bytes.append(contentsOf: piece) }
            ends.append(bytes.count)
        }
        try unsafe bytes.withUnsafeBufferPointer { buffer throws(PostgresError) in
            let all = UnsafeRawBufferPointer(buffer)
            var start = 0
            var parameters: [UnsafeRawBufferPointer?] = unsafe []
            for (value, end) in zip(values, ends) {
                unsafe parameters.append(value == nil ? nil : UnsafeRawBufferPointer(rebasing: all[start..<end]))
                start = end
            }
            try unsafe send(statement, parameters, expecting: rows)
        }
    }
}

/// Bind, Execute and Sync for one statement, with all parameters in binary form.
private struct BindMessage {
    private let head: [UInt8]
    private let values: [StreamedValue?]

    init(of statement: PreparedStatement, _ values: [StreamedValue?]) throws(PostgresError) {
        let name = Array(statement.name.utf8)
        // Lengths: itself 4, portal 1, name and its end, one format 4, number of parameters 2, each 4, no result formats 2.
        let size = values.reduce(4 + 1 + name.count + 1 + 4 + 2 + 2) { $0 + 4 + ($1?.length ?? 0) }
        guard size < 1 << 30, values.count == statement.parameterCount else {
            throw PostgresError(
                "cannot send \(values.count) values of \(size) bytes",
                detail: "The statement takes \(statement.parameterCount) values, and a message is at most 1 GiB."
            )
        }
        var head: [UInt8] = [UInt8(ascii: "B")]
        head.append(bigEndian: UInt32(size))
        head += [0] + name + [0]
        head.append(bigEndian: Int16(1))
        head.append(bigEndian: Int16(1))
        head.append(bigEndian: UInt16(values.count))
        self.head = head
        self.values = values
    }

    func write(to transport: Transport) throws(PostgresError) {
        var pending = head
        for value in values {
            pending.append(bigEndian: Int32(value?.length ?? -1))
            guard let value else { continue }
            var left = value.length
            try unsafe value.read { piece throws(PostgresError) in
                left -= piece.count
                guard pending.count + piece.count > 64 << 10 else {
                    return unsafe pending.append(contentsOf: piece)
                }
                try transport.write(pending)
                pending.removeAll(keepingCapacity: true)
                try unsafe transport.write(piece)
            }
            guard left == 0 else { throw PostgresError("a value came \(left) bytes too short") }
        }
        pending.append(bigEndian: Int16(0))
        // Execute: the portal without a name, without a limit of rows. Sync has no body.
        pending += [UInt8(ascii: "E"), 0, 0, 0, 9, 0, 0, 0, 0, 0, UInt8(ascii: "S"), 0, 0, 0, 4]
        try transport.write(pending)
    }
}
