import Postgres
import TestSupport
import Testing

@testable import Sync

/// The form in which values travel stays what it was when the first change was received.
struct FormTests {
    @Test func `what was received in binary form is applied in it, although a type has come that has none`()
        async throws
    {
        try await Way.with(tables: "CREATE TABLE t (id int PRIMARY KEY, v text)") { way in
            // As text, the bytes of these numbers are other numbers.
            try await way.write(["INSERT INTO t VALUES (825373492, 'a'), (875770417, 'b')"])
            let plan = try await way.plan()
            try await way.follow { follower, _ in
                try await eventually("the change is received") { follower.progress.spoolBytes > 0 }
                let end = try await withConnection(to: way.places.source) { source in
                    try source.query("SELECT pg_current_wal_insert_lsn() AS lsn")[0]("lsn") as LSN
                }
                try await eventually("all is received") { follower.progress.received >= end }
            }
            var later = way
            later.isBinary = false
            var again = try await later.plan()
            #expect(!again.isBinary)
            again.keepForm()
            #expect(again.isBinary && plan.isBinary)
            later.isBinary = again.isBinary
            try await later.follow { [later] follower, _ in
                follower.release()
                try await later.settle(follower)
            }
            #expect(try await way.differences() == [])
        }
    }
}
