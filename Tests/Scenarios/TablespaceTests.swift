import Cluster
import Postgres
import TestSupport
import Testing

/// Moves tables that are in tablespaces.
struct TablespaceTests {
    @Test(.timeLimit(.minutes(5)), arguments: [true, false])
    func `tables and indexes go to tablespaces of the same names, or to the default one when one is missing`(
        isThere: Bool
    ) async throws {
        let configuration = ServerConfiguration(settings: ["allow_in_place_tablespaces": "on"])
        try await withServer(configuration) { source in
            try await withServer(configuration) { target in
                try await withTemporaryDirectory { directory in
                    for place in [source.connection()] + (isThere ? [target.connection()] : []) {
                        try await execute(place, "CREATE TABLESPACE \"Fast one\" LOCATION ''")
                    }
                    try await execute(source.connection(), Self.definitions)
                    try await execute(target.connection(), "CREATE DATABASE copy")
                    let copy = target.connection(to: "copy")
                    let move = TestMove(source: source.connection(), target: copy, directory: directory)
                    try await move.follow(then: .finish) { try await execute(move.source, "UPDATE t SET v = 2") }
                    #expect(try await ask(move.source, Self.names) == "t t_pkey u_v")
                    #expect(try await ask(copy, Self.names) == (isThere ? "t t_pkey u_v" : nil))
                }
            }
        }
    }

    private static let definitions: SQL = """
        CREATE TABLE t (id int PRIMARY KEY USING INDEX TABLESPACE "Fast one", v int) TABLESPACE "Fast one";
        CREATE TABLE u (id int PRIMARY KEY, v int); CREATE INDEX u_v ON u (v) TABLESPACE "Fast one" WHERE v > 0;
        CREATE INDEX t_v ON t (v); INSERT INTO t VALUES (1, 1)
        """

    private static let names: SQL = """
        SELECT string_agg(relname, ' ' ORDER BY relname) FROM pg_class c JOIN pg_tablespace s ON s.oid = c.reltablespace
         WHERE spcname = 'Fast one' AND relkind IN ('r', 'i') AND relnamespace = 'public'::regnamespace
        """
}
