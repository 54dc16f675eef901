private import CLibPQ

extension Connection {
    /// Runs a prepared statement whose parameters are in binary form, and returns its rows as text.
    ///
    /// `binary` are the parameters' bytes as the types' receive functions read them; nil is NULL.
    /// They are read before the call returns.
    public func query(
        _ statement: PreparedStatement,
        binary: [UnsafeRawBufferPointer?]
    ) throws(PostgresError) -> Rows {
        let lengths = unsafe binary.map { unsafe Int32($0?.count ?? 0) }
        let formats = [Int32](repeating: 1, count: lengths.count)
        // libpq takes a null pointer for NULL, so a value of no bytes needs an address that is not null; it is never read.
        let empty: [CChar] = [0]
        return try waiting { () throws(PostgresError) in
            let result = unsafe empty.withUnsafeBufferPointer { empty in
                let pointers = unsafe binary.map { bytes -> UnsafePointer<CChar>? in
                    guard let bytes = unsafe bytes else { return nil }
                    return unsafe bytes.baseAddress?.assumingMemoryBound(to: CChar.self) ?? empty.baseAddress
                }
                return unsafe PQexecPrepared(
                    handle,
                    statement.name,
                    Int32(pointers.count),
                    pointers,
                    lengths,
                    formats,
                    0
                )
            }
            return try unsafe rows(of: result)
        }
    }
}
