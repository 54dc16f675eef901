import Catalog
import Foundation
import Postgres
import TestSupport
import Testing

struct SchemaArchiveTests {
    /// pg_dump reads patterns where we mean names.
    @Test(.databasePair)
    func `exactly the tables that are named are left out`() async throws {
        let pair = DatabasePair.current
        try await withConnection(to: pair.source) { connection in
            for name in HostileTexts.names {
                for schema in ["a.b\"c", "public"] {
                    try HostileTexts.execute("CREATE SCHEMA IF NOT EXISTS %1$I", [schema], on: connection)
                    try HostileTexts.execute("CREATE TABLE %1$I.%2$I ()", [schema, name], on: connection)
                }
            }
        }
        try await withTemporaryDirectory { directory in
            let archive = try await SchemaArchive.dump(
                pair.source,
                snapshot: nil,
                excluding: HostileTexts.names.map { QualifiedName(schema: "a.b\"c", name: $0) },
                options: .init(),
                with: TestServer.binaries(),
                to: URL(filePath: directory + "/schema.dump")
            )
            try await execute(pair.target, archive.pieces(.preData)[0].script())
        }
        let tables: SQL = """
            SELECT string_agg(format('%I.%I', schemaname, tablename), ' ' ORDER BY schemaname, tablename COLLATE "C") FROM pg_tables
             WHERE schemaname = 'public'
            """
        #expect(try await ask(pair.target, tables) == ask(pair.source, tables))
        #expect(try await ask(pair.target, "SELECT count(*) FROM pg_tables WHERE schemaname = 'a.b\"c'") == "0")
    }

    /// pg_dump's own lines for psql and for newer servers are left out; a text of the application may look the same.
    @Test(.databasePair)
    func `lines of a function or a comment are not taken for pg_dump's own`() async throws {
        let pair = DatabasePair.current
        let lines = """

            SET transaction_timeout = 1;
            \\restrict abc
            \\unrestrict abc
            -- Name: x; Type: TABLE
            \\connect postgres
            SET SESSION AUTHORIZATION nobody;
            """
        let body = "BEGIN\n/*\(lines)\n*/\nEND"
        try await execute(
            pair.source,
            """
            CREATE FUNCTION f() RETURNS void LANGUAGE plpgsql AS \(literal: body);
            CREATE TABLE t (v text DEFAULT \(literal: lines)); COMMENT ON TABLE t IS \(literal: lines)
            """
        )
        try await withTemporaryDirectory { directory in
            let archive = try await SchemaArchive.dump(
                pair.source,
                snapshot: nil,
                excluding: [],
                options: .init(),
                with: TestServer.binaries(),
                to: URL(filePath: directory + "/schema.dump")
            )
            for section in SchemaArchive.Section.allCases {
                try await execute(pair.target, archive.pieces(section)[0].script())
            }
        }
        let texts: SQL = """
            SELECT p.prosrc || pg_get_expr(d.adbin, d.adrelid) || obj_description(d.adrelid)
              FROM pg_proc p, pg_attrdef d WHERE p.proname = 'f' AND d.adrelid = to_regclass('public.t')
            """
        let there = try await ask(pair.source, texts)
        #expect(there?.contains("\\unrestrict abc") == true)
        #expect(try await ask(pair.target, texts) == there)
    }
}
