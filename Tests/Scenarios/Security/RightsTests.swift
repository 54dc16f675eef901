import Foundation
import Postgres
import TestSupport
import Testing

/// What martlet makes is nobody else's, whatever a database gives to everybody by default.
struct RightsTests {
    /// Where everybody gets every right on what anybody makes.
    private static let generous: SQL = """
        ALTER DEFAULT PRIVILEGES GRANT ALL ON SCHEMAS TO PUBLIC;
        ALTER DEFAULT PRIVILEGES GRANT ALL ON TABLES TO PUBLIC;
        ALTER DEFAULT PRIVILEGES GRANT ALL ON SEQUENCES TO PUBLIC;
        ALTER DEFAULT PRIVILEGES GRANT ALL ON FUNCTIONS TO PUBLIC
        """

    /// What others than their owners may do with things of ours.
    private static let rightsOfOthers: SQL = """
        SELECT string_agg(format('%s: %s for %s', what, a.privilege_type, a.grantee::regrole), ', ')
          FROM (SELECT 'schema' AS what, nspacl AS acl, nspowner AS owner FROM pg_namespace WHERE nspname = 'martlet'
                UNION ALL SELECT c.relname, c.relacl, c.relowner FROM pg_class c
                           WHERE c.relnamespace = to_regnamespace('martlet') AND c.relkind IN ('r', 'S', 'v')
                UNION ALL SELECT p.proname, coalesce(p.proacl, acldefault('f', p.proowner)), p.proowner FROM pg_proc p
                           WHERE p.pronamespace = to_regnamespace('martlet')) AS o,
               aclexplode(o.acl) AS a
         WHERE a.grantee <> o.owner
        """

    private static let definers: SQL = """
        SELECT count(*) FROM pg_proc p WHERE p.pronamespace = to_regnamespace('martlet') AND p.prosecdef
        """

    @Test(.timeLimit(.minutes(5)))
    func `nobody else gets at the journal, the fence or the files`() async throws {
        let shop: SQL = """
            \(Self.generous); CREATE TABLE t (id serial PRIMARY KEY, v text); INSERT INTO t (v) VALUES ('x')
            """
        try await withMoveFromOwnServer(of: shop) { given in
            try await execute(given.target, Self.generous)
            let move = TestMove(
                source: given.source,
                target: given.target,
                directory: given.directory + "/new/work"
            )
            let role = Identifier("stranger \(UInt32.random(in: 0 ... .max))")
            for place in [move.source, move.target] { try await execute(place, "CREATE ROLE \(role)") }
            try await move.follow(then: .none) {
                try await expectPrivate(move)
                try await move.must("cutover")
                try await expectPrivate(move)
                #expect(try await ask(move.source, "SELECT to_regprocedure('martlet.fence()') IS NOT NULL") == "t")
                try await expectFence(on: move.source, for: role)
                try await execute(move.target, "INSERT INTO t (v) VALUES ('new')")
                try await move.must("rollback")
            }
            try expectPrivateFiles(in: move.directory)
            try await move.must("abort")
            #expect(try await move.leftovers() == "")
            for place in [move.source, move.target] {
                try await execute(place, "DROP OWNED BY \(role); DROP ROLE \(role)")
            }
        }
    }

    private func expectPrivate(_ move: TestMove) async throws {
        for place in [move.source, move.target] {
            #expect(try await ask(place, Self.rightsOfOthers) == nil)
            #expect(try await ask(place, Self.definers) == "0")
        }
        #expect(try await ask(move.target, "SELECT to_regclass('martlet.object') IS NOT NULL") == "t")
        try expectPrivateFiles(in: move.directory)
    }

    /// The fence holds for somebody who has no right to anything of it, and says so as to everybody.
    private func expectFence(on source: ConnectionString, for role: Identifier) async throws {
        try await withConnection(to: source) { connection in
            try connection.execute("GRANT ALL ON ALL TABLES IN SCHEMA public TO \(role); SET ROLE \(role)")
            // An operator of its own would change the meaning of the fence's question.
            let error = #expect(throws: PostgresError.self) { try connection.execute("UPDATE t SET v = 'late'") }
            #expect(error?.sqlState == "25006", "\(String(describing: error))")
            let denied = #expect(throws: PostgresError.self) {
                try connection.execute("SELECT * FROM martlet.position")
            }
            #expect(denied?.sqlState == "42501")
        }
    }

    /// The folder of the move is its owner's alone, and so is every file in it, should it be in a folder that others may enter.
    private func expectPrivateFiles(in directory: String) throws {
        #expect(try mode(of: directory) == 0o700)
        // A folder that others made on the way is as the umask has it.
        let files = try #require(FileManager.default.enumerator(atPath: directory))
        var seen: Set<String> = []
        for case let name as String in files {
            // A spool's file may have been removed since it was listed.
            guard let mode = try? mode(of: directory + "/" + name) else { continue }
            #expect(mode & 0o077 == 0, "\(name): \(String(mode, radix: 8))")
            seen.insert(URL(filePath: name).pathExtension)
        }
        #expect(seen.isSuperset(of: ["log", "tables", "spool", "dump"]), "\(seen)")
    }

    private func mode(of path: String) throws -> Int {
        let mode = try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? NSNumber
        return mode?.intValue ?? 0o777
    }

    /// Somebody who may make schemas must not be able to write a journal whose statements a superuser then runs.
    @Test(.databasePair)
    func `a schema martlet of a stranger is not believed`() async throws {
        let pair = DatabasePair.current
        let role = Identifier("stranger \(UInt32.random(in: 0 ... .max))")
        for place in [pair.source, pair.target] {
            try await execute(
                place,
                """
                CREATE ROLE \(role); CREATE SCHEMA martlet AUTHORIZATION \(role); SET ROLE \(role);
                CREATE TABLE martlet.migration (id text, phase text)
                """
            )
        }
        try await withTemporaryDirectory { directory in
            let move = TestMove(source: pair.source, target: pair.target, directory: directory)
            for command in ["migrate", "status", "abort", "cutover", "finish"] {
                let outcome = try await move.run(command)
                #expect(outcome.status == 1, "\(command): \(outcome.output)\(outcome.error)")
                #expect(outcome.error.contains(#"belongs to role "\#(role.name)""#), "\(command): \(outcome.error)")
            }
        }
        for place in [pair.source, pair.target] { try await execute(place, "DROP OWNED BY \(role); DROP ROLE \(role)") }
    }
}
