import Foundation
import TestSupport
import Testing

/// The everyday commands, by what people type and by what goes wrong.
struct DatabaseCommandTests {
    /// 63 bytes of what names should not have.
    private static let hostileName = #"SELECT "x" 'y'; -- $1 😀 ä \ %s {} "# + String(repeating: "z", count: 24)

    @Test(.timeLimit(.minutes(2)))
    func `a database that is in use is dropped only by force, whatever its name`() async throws {
        try await withTestShell { shell in
            _ = try await shell.run("martlet sandbox start dev")
            let name = Self.hostileName.replacingOccurrences(of: "'", with: "''")
            try shell.write("environments:\n  dev:\n    sandbox: dev\n    database: '\(name)'\n", to: "martlet.yaml")
            #expect(try await shell.run("martlet db create").contains("is made"))
            let again = try await shell.run("martlet db create; echo \"= $?\"")
            #expect(again.contains("exists already") && again.hasSuffix("= 1"), "\(again)")
            // It holds a session until it is ended.
            try shell.write("SELECT pg_sleep(60)", to: "sleep.sql")
            async let session = shell.run("martlet db connect -- -X -f sleep.sql")
            try await eventually("somebody is connected") {
                try await shell.run("martlet db sessions --json").contains("pg_sleep")
            }
            let refused = try await shell.run("martlet db drop; echo \"= $?\"")
            #expect(
                refused.contains("is in use") && refused.contains("--force") && refused.hasSuffix("= 1"),
                "\(refused)"
            )
            let dropped = try await shell.run("martlet db drop --force; echo \"= $?\"")
            #expect(dropped.contains("is dropped") && dropped.hasSuffix("= 0"), "\(dropped)")
            #expect(try await session.contains("terminating connection"))
            #expect(try await shell.run("martlet db drop").contains("is not there"))
        }
    }

    @Test(.timeLimit(.minutes(2)))
    func `who waits stands below whom he waits for, and can be helped`() async throws {
        try await withTestShell { shell in
            _ = try await shell.run("martlet sandbox start dev")
            try shell.write("environments: { dev: { sandbox: dev, database: postgres } }", to: "martlet.yaml")
            _ = try await shell.ask("CREATE TABLE t (a int)", in: "dev")
            try shell.write("BEGIN; LOCK TABLE t; SELECT pg_sleep(90)", to: "hold.sql")
            try shell.write("LOCK TABLE t; ", to: "wait.sql")
            async let holder = shell.run("PGAPPNAME=holder martlet db connect -- -X -f hold.sql")
            try await eventually("one holds the lock") {
                try await shell.run("martlet db sessions --json").contains("pg_sleep(90)")
            }
            async let waiter = shell.run("martlet db connect -- -X -c 'BEGIN; LOCK TABLE t; COMMIT'")
            try await eventually("the other waits") {
                try await shell.run("martlet db sessions --blocked").contains("└ ")
            }
            let tree = try await shell.run("martlet db sessions --blocked 2>/dev/null").split(separator: "\n")
            let pid = try #require(tree.dropFirst().first?.split(separator: " ").first)
            #expect(tree.count == 3 && tree[1].contains("pg_sleep") && tree[2].contains("└"), "\(tree)")
            #expect(try await shell.run("martlet db sessions --terminate \(pid)").contains("session \(pid) is ended"))
            #expect(try await shell.run("martlet db sessions --terminate 1; echo \"= $?\"").hasSuffix("= 1"))
            _ = try await holder
            #expect(try await waiter.contains("COMMIT"))
        }
    }

    @Test(.timeLimit(.minutes(2)))
    func `what is wrong is told, and nothing is half-done`() async throws {
        try await withTestShell { shell in
            _ = try await shell.run("martlet sandbox start dev --tcp auto")
            let missing = try await shell.run("martlet db create; echo \"= $?\"")
            #expect(missing.contains("there is no martlet.yaml") && missing.hasSuffix("= 1"), "\(missing)")
            let port = try await shell.ask("SHOW port", in: "dev")
            try shell.write(
                """
                environments:
                  dev: { sandbox: dev, database: app, schema: schema.sql, seed: [one.sql, two.sql] }
                  wrong: { connection: "host=127.0.0.1 port=\(port) dbname=app user=postgres", password: { command: "echo wrong" } }
                  none: { connection: "host=127.0.0.1 port=\(port) dbname=app user=postgres", password: { variable: NOT_SET } }
                  away: { connection: "host=127.0.0.1 port=1 dbname=app" }
                """,
                to: "martlet.yaml"
            )
            try shell.write("CREATE TABLE t (a int PRIMARY KEY);\n\\ir part.sql\n", to: "schema.sql")
            try shell.write("CREATE TABLE u (a int);\n\nSELECT no_such_function();\n", to: "part.sql")
            _ = try await shell.run("martlet db create")
            let broken = try await shell.run("martlet db schema; echo \"= $?\"")
            #expect(broken.contains("part.sql\", line 3") && broken.hasSuffix("= 1"), "\(broken)")
            #expect(
                try await shell.run(
                    "martlet query \"SELECT count(*) FROM pg_class WHERE relname IN ('t', 'u')\" --object 2>/dev/null"
                ) == #"{"count":0}"#
            )
            for (environment, message) in [
                ("wrong", "password authentication failed"), ("none", "could not read the password"),
                ("away", "Connection refused"), ("nobody", "there is no environment \"nobody\""),
            ] {
                let text = try await shell.run("martlet db size \(environment); echo \"= $?\"")
                #expect(text.contains(message) && text.hasSuffix("= 1"), "\(text)")
            }
            try shell.write("environments: { dev: { sandbox: dev, databse: app } }", to: "martlet.yaml")
            #expect(try await shell.run("martlet db size").contains("databse"))
        }
    }

    @Test(.timeLimit(.minutes(2)))
    func `questions are read-only, and their parameters are never SQL`() async throws {
        try await withTestShell { shell in
            _ = try await shell.run("martlet sandbox start dev")
            try shell.write("environments: { dev: { sandbox: dev, database: postgres } }", to: "martlet.yaml")
            _ = try await shell.ask(
                "CREATE TABLE t (a int PRIMARY KEY, b text); INSERT INTO t VALUES (1, 'it''s')",
                in: "dev"
            )
            func query(_ text: String) async throws -> String {
                try await shell.run("martlet query \(text) 2>/dev/null")
            }
            #expect(
                try await query("'SELECT * FROM t WHERE b = $1' --param \"it's\" --object") == #"{"a":1,"b":"it's"}"#
            )
            #expect(try await query("'SELECT * FROM t WHERE b = $1' --param \"' OR true --\" --object") == "{}")
            #expect(try await query("'SELECT * FROM t WHERE a > 5' --array") == "[]")
            #expect(try await query("'SELECT * FROM t' --csv") == "a,b\n1,it's")
            let refused = try await shell.run("martlet query 'DELETE FROM t'; echo \"= $?\"")
            #expect(refused.contains("read-only transaction") && refused.hasSuffix("= 1"), "\(refused)")
            #expect(try await query("'DELETE FROM t RETURNING a' --write --array") == #"[{"a":1}]"#)
        }
    }

    @Test(.timeLimit(.minutes(2)))
    func `a load sets bad rows aside, and an interrupted generation leaves nothing`() async throws {
        try await withTestShell { shell in
            _ = try await shell.run("martlet sandbox start dev")
            try shell.write("environments: { dev: { sandbox: dev, database: postgres } }", to: "martlet.yaml")
            _ = try await shell.ask(
                "CREATE TABLE people (id int PRIMARY KEY, full_name text NOT NULL, age int CHECK (age >= 0))",
                in: "dev"
            )
            try shell.write(
                "Full Name,ID,Age\nAda,1,36\n\"Grace, \"\"Amazing\"\"\",2,x\n,3,5\nAlan,1,41\nEdsger,4,-1\nBarbara,5,\n",
                to: "people.csv"
            )
            let loaded = try await shell.run("martlet load people.csv people; echo \"= $?\"")
            #expect(loaded.hasSuffix("= 2"), "\(loaded)")
            #expect(
                try await shell.ask("SELECT string_agg(id || full_name, ' ' ORDER BY id) FROM people", in: "dev")
                    == "1Ada 5Barbara",
                "\(loaded)"
            )
            let lines = try await shell.run("cut -d, -f1,2 people.csv.rejected.csv | sort").split(separator: "\n")
            #expect(lines == ["3,22P02", "4,23502", "5,23505", "6,23514"], "\(loaded)")
            let stopped = try await shell.run(
                "timeout -s INT 2 martlet generate people --rows 900000000; echo \"= $?\""
            )
            #expect(stopped.contains("= 1"), "\(stopped)")
            #expect(try await shell.ask("SELECT count(*) FROM people", in: "dev") == "2")
        }
    }
}
