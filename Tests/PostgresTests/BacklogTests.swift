import Cluster
import Foundation
import Postgres
import TestSupport
import Testing

/// A stream that has much to bring is read in another way than one that is awaited.
struct BacklogTests {
    private static let count = 100_000

    @Test(.timeLimit(.minutes(3)), arguments: [false, true])
    func `a backlog comes whole and in order, and what is written later does not wait`(isTCP: Bool) async throws {
        try await withServer(ServerConfiguration(tcp: isTCP ? .anyPort : nil)) { server in
            try await withConnection(to: server.connection()) { session in
                try session.execute("CREATE TABLE t (id int PRIMARY KEY, v text); CREATE PUBLICATION p FOR TABLE t")
                try session.execute("SELECT pg_create_logical_replication_slot('s', 'pgoutput')")
                try session.execute(
                    """
                    INSERT INTO t SELECT i, repeat('x', CASE WHEN i % 1000 = 0 THEN 30000 ELSE i % 40 END)
                      FROM generate_series(1, \(Self.count)) AS i
                    """
                )
                try await withConnection(to: server.connection().with("replication", "database")) { replication in
                    let stream = try replication.startReplication(
                        slot: "s",
                        publication: "p",
                        from: .zero,
                        isBinary: true
                    )
                    let backlog = try Self.ids(in: stream, count: Self.count, wait: .seconds(120))
                    #expect(backlog == Array(1...Int32(Self.count)))
                    for id in Int32(200_001)...200_010 {
                        try session.execute("INSERT INTO t VALUES (\(id), 'x')")
                        // Ten seconds are far more than it takes, and less than any timer of the network would mend.
                        #expect(try Self.ids(in: stream, count: 1, wait: .seconds(10)) == [id])
                    }
                }
            }
        }
    }

    /// The keys of the next so many inserts.
    private static func ids(
        in stream: ReplicationStream,
        count: Int,
        wait: Duration
    ) throws(PostgresError) -> [Int32] {
        var ids: [Int32] = []
        let deadline = ContinuousClock.now + wait
        while ids.count < count, ContinuousClock.now < deadline {
            _ = try stream.receive(timeout: 100) { message throws(PostgresError) in
                guard case .change(_, let payload) = message, payload[0] == UInt8(ascii: "I") else { return }
                // 'I', the relation, 'N', the number of columns, then of the first its kind and its length.
                let id = payload.loadUnaligned(fromByteOffset: 13, as: Int32.self)
                ids.append(Int32(bigEndian: id))
            }
        }
        return ids
    }
}
