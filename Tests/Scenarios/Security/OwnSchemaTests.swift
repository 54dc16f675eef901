import Postgres
import TestSupport
import Testing

/// Schema `martlet` is dropped in the end: it must not be anything that somebody else needs.
struct OwnSchemaTests {
    private static let theirs: SQL = "CREATE SCHEMA martlet; CREATE TABLE martlet.birds (id int PRIMARY KEY)"
    private static let count: SQL = "SELECT count(*) FROM pg_class WHERE oid = to_regclass('martlet.birds')"

    @Test(.timeLimit(.minutes(3)), arguments: [true, false])
    func `an application's schema of our name is refused and kept`(isOnSource: Bool) async throws {
        try await withMove(of: "CREATE TABLE t (id int PRIMARY KEY)") { move in
            let place = isOnSource ? move.source : move.target
            try await execute(place, Self.theirs)
            for command in ["assess", "migrate"] {
                let outcome = try await move.run(command)
                let text = outcome.output + outcome.error
                #expect(outcome.status != 0, "\(command): \(text)")
                let words = text.split(whereSeparator: \.isWhitespace).joined(separator: " ")
                #expect(words.contains("is not martlet's"), "\(command): \(text)")
                #expect(words.contains("ALTER SCHEMA martlet RENAME TO"), "\(command): \(text)")
            }
            #expect(try await move.run("abort").status != 0)
            #expect(try await ask(place, Self.count) == "1")
        }
    }

    /// Where one may not even look into it.
    @Test(.timeLimit(.minutes(3)))
    func `a stranger's schema is named to a role that has no right to it`() async throws {
        let strange: SQL = "CREATE ROLE stranger; CREATE SCHEMA martlet AUTHORIZATION stranger"
        try await withManagedMove(of: "", rights: { _ in (source: strange, target: strange) }) { managed in
            for command in ["assess", "migrate"] {
                let outcome = try await managed.move.run(command)
                #expect(outcome.status != 0)
                let text = outcome.output + outcome.error
                #expect(text.contains(#"belongs to role "stranger""#), "\(command): \(text)")
            }
        }
    }

    /// It is found before anything stands still.
    @Test(.timeLimit(.minutes(3)), arguments: [true, false])
    func `a schema of our name that appears during the move keeps the cutover away`(isOfStranger: Bool) async throws {
        try await withMove(of: "CREATE TABLE t (id int PRIMARY KEY)") { move in
            let role = Identifier("stranger \(UInt32.random(in: 0 ... .max))")
            try await execute(move.source, "CREATE ROLE \(role)")
            try await move.follow {
                try await execute(move.source, Self.theirs)
                if isOfStranger { try await execute(move.source, "ALTER SCHEMA martlet OWNER TO \(role)") }
                let outcome = try await move.run("cutover")
                #expect(outcome.status == 1)
                let reason = isOfStranger ? #"belongs to role "\#(role.name)""# : "is not martlet's"
                #expect(outcome.error.contains(reason), "\(outcome.error)")
                try await execute(move.source, "INSERT INTO t VALUES (1)")
            }
            #expect(try await ask(move.source, Self.count) == "1")
            try await execute(move.source, "DROP SCHEMA martlet CASCADE; DROP ROLE \(role)")
        }
    }

    /// The way back of the first move is on the source that both share, and its journal in what it has moved.
    @Test(.timeLimit(.minutes(5)))
    func `of two moves from one database only one cuts over, and what was moved is not moved on before its end`()
        async throws
    {
        try await withMove(of: "CREATE TABLE t (id int PRIMARY KEY)") { first in
            try await withMove { other in
                let second = TestMove(source: first.source, target: other.target, directory: other.directory)
                try await first.follow(then: .none) {
                    try await second.follow {
                        try await first.must("cutover")
                        try await first.untilWaiting(in: "reversing")
                        let refused = try await second.run("cutover")
                        #expect(refused.status == 1, "\(refused.output)")
                        #expect(refused.error.contains("another move has cut over from"), "\(refused.error)")
                        await #expect(throws: PostgresError.self, "the fence of the first one stands") {
                            try await execute(first.source, "INSERT INTO t VALUES (0)")
                        }
                    }
                    let onward = try await second.program.run(["assess", "--source", first.target.secretURI])
                    #expect(onward.output.contains("is itself the target of a move"), "\(onward.output)")
                    let again = try await second.program.run(["assess", "--source", first.source.secretURI])
                    #expect(again.output.contains("a move has cut over from the source"), "\(again.output)")
                    try await execute(first.target, "INSERT INTO t VALUES (1)")
                    try await eventually("the way back is open") {
                        try await ask(first.source, "SELECT count(*) FROM t") == "1"
                    }
                    try await first.must("rollback")
                    try await first.must("abort")
                }
                #expect(
                    try await ask(first.source, "SELECT count(*) FROM pg_namespace WHERE nspname = 'martlet'") == "0"
                )
            }
        }
    }
}
