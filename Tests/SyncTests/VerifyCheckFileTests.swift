import Postgres
import Testing

@testable import Sync

struct VerifyCheckFileTests {
    @Test func `statements are cut outside of quotes and comments`() throws {
        let file = try CheckFile(
            parsing: """
                -- what this is
                -- name: first one
                SELECT ';', 'it''s;', E'\\';', ";", $$;'$$, $a$ $$;$a$, x$1 -- ; not here
                  /* nor ; /* here; */ ; */ ;
                ;;

                WITH a AS (SELECT 1) SELECT * FROM a;
                -- name: last
                VALUES ($1)
                """
        )
        #expect(file.checks.map(\.name) == ["first one", "statement at line 7", "last"])
        #expect(file.checks.map(\.line) == [3, 7, 9])
        #expect(file.checks[1].sql.text == "WITH a AS (SELECT 1) SELECT * FROM a")
        #expect(file.checks[0].sql.text.hasPrefix("SELECT ';', 'it''s;'"))
    }

    @Test func `answers are equal only byte by byte`() throws {
        let check = try #require(try CheckFile(parsing: "SELECT 1").checks.first)
        let found = check.finding(
            source: .rows(columns: ["a"], values: [["x", nil], ["\u{e9}", nil]]),
            target: .rows(columns: ["a"], values: [["x", nil], ["e\u{301}", nil]])
        )
        #expect(!found.equal && found.differences.count == 1)
    }

    @Test func `nothing is no check`() throws {
        #expect(try CheckFile(parsing: " \n-- nothing; at all\n/* ; */ ;;").checks.isEmpty)
    }

    @Test(arguments: ["SELECT 'a", "SELECT $x$ $$", "SELECT 1 /* /* */", "SELECT \"a"])
    func `what is not closed is refused`(text: String) {
        #expect(throws: PostgresError.self) { try CheckFile(parsing: text) }
    }

    @Test(arguments: ["DELETE FROM a", "COMMIT", "SELECT 1; DROP TABLE a"])
    func `what is no query is refused`(text: String) {
        #expect(throws: PostgresError.self) { try CheckFile(parsing: text) }
    }
}
