import Catalog
import Postgres
import Sync
import TestSupport
import Testing

@testable import Move

/// Applies rules to the tables of a database.
struct MappedDatabaseTests {
    private static let definitions: SQL = #"""
        CREATE SCHEMA "Test";
        CREATE TABLE "Test"."Actor" (id int PRIMARY KEY, first_name varchar(20), col1 text, col2 text,
                                     code text UNIQUE, n int GENERATED ALWAYS AS (id + 1) STORED);
        CREATE TABLE "Test"."DMS_log" (a int, b int);
        CREATE TABLE "Test".film (id int PRIMARY KEY, actor int REFERENCES "Test"."Actor", made date);
        CREATE TABLE part (id int, day date, PRIMARY KEY (id, day)) PARTITION BY RANGE (day);
        CREATE TABLE part_1 PARTITION OF part DEFAULT
        """#

    /// Applies the rules of a file to the tables.
    private func database(_ rules: [String]) async throws -> (MappedDatabase, Schema) {
        let schema = try await schema()
        return (try database(rules, schema), schema)
    }

    private func database(_ rules: [String], _ schema: Schema) throws -> MappedDatabase {
        MappedDatabase(try TableMapping(parsing: "{\"rules\": [\(rules.joined(separator: ", "))]}"), schema)
    }

    private func schema() async throws -> Schema {
        let source = DatabasePair.current.source
        try await execute(source, Self.definitions)
        return try await withConnection(to: source) { try Schema($0) }
    }

    private static func selection(
        _ id: Int,
        _ action: String,
        _ schema: String,
        _ table: String,
        _ more: String = ""
    ) -> String {
        """
        {"rule-type": "selection", "rule-id": "\(id)", "rule-action": "\(action)",
         "object-locator": {"schema-name": "\(schema)", "table-name": "\(table)"}\(more)}
        """
    }

    private static func rule(_ id: Int, _ target: String, _ table: String, _ column: String?, _ rest: String) -> String
    {
        let place = column.map { ", \"column-name\": \"\($0)\"" } ?? ""
        return """
            {"rule-type": "transformation", "rule-id": "\(id)", "rule-target": "\(target)", "rule-action": \(rest),
             "object-locator": {"schema-name": "%", "table-name": "\(table)"\(place)}}
            """
    }

    private static let everything = selection(1, "include", "%", "%")

    private func names(_ database: MappedDatabase) -> [String] {
        database.tables.values.map(\.map.target.description).sorted()
    }

    @Test(.databasePair) func `an exclude wins, and a partition goes with its table`() async throws {
        let (database, _) = try await database([
            Self.selection(1, "include", "Test", "%"), Self.selection(2, "exclude", "Test", "DMS[_]%"),
            Self.selection(3, "explicit", "public", "part"),
        ])
        #expect(names(database) == ["\"Test\".\"Actor\"", "\"Test\".film", "public.part", "public.part_1"])
        #expect(database.problems.isEmpty && database.unused.isEmpty)
    }

    @Test(.databasePair) func `the lower number wins, and the other rule is told of`() async throws {
        let (database, schema) = try await database([
            Self.everything,
            Self.rule(9, "table", "film", nil, #""rename", "value": "late""#),
            Self.rule(3, "table", "%", nil, #""add-suffix", "value": "_x""#),
            Self.rule(4, "column", "film", "%", #""convert-uppercase""#),
            Self.rule(5, "column", "film", "made", #""rename", "value": "other""#),
        ])
        let film = try #require(schema.table(named: QualifiedName(schema: "Test", name: "film")))
        let mapped = try #require(database.tables[film.oid])
        #expect(mapped.map.target == QualifiedName(schema: "Test", name: "film_x"))
        #expect(mapped.map.target("made") == "MADE")
        #expect(mapped.story.contains("rule 9 does not count for its name: rule 3 comes first"))
        #expect(mapped.story.contains("rule 5 does not count for the name of column \"made\": rule 4 comes first"))
        #expect(names(database).contains("public.part_1_x"))
    }

    /// Rules beside one that includes everything, and what is said about them.
    private static let harmful: [([String], String)] = [
        ([rule(2, "table", "%", nil, #""rename", "value": "one""#)], "makes one table"),
        ([rule(2, "column", "Actor", "id", #""remove-column""#)], "which names its rows"),
        ([rule(2, "column", "Actor", "col1", #""rename", "value": "col2""#)], "two columns \"col2\""),
        ([rule(2, "column", "Actor", "col1", #""include-column""#)], "no rule says what becomes of the others"),
        (
            [rule(2, "table", "film", nil, "\"add-prefix\", \"value\": \"\(String(repeating: "x", count: 60))\"")],
            "which has 64 bytes"
        ),
        ([rule(2, "table", "film", nil, #""remove-prefix", "value": "film""#)], "which has 0 bytes"),
        (
            [rule(2, "schema", "%", nil, #""rename", "value": "martlet""#)],
            "schema \"Test\" the name \"martlet\""
        ),
        ([rule(2, "schema", "%", nil, #""add-prefix", "value": "pg_""#)], "the name \"pg_Test\""),
        ([rule(2, "column", "Actor", "first_name", #""data-masking-hash-mask""#)], "which has 64 characters"),
        (
            [rule(2, "column", "Actor", "code", #""data-masking-digits-mask", "value": "x""#)],
            "which is in a unique index"
        ),
        ([rule(2, "column", "film", "made", #""data-masking-hash-mask""#)], "which is of type date"),
        (
            [rule(2, "column", "Actor", "n", #""change-data-type", "data-type": {"type": "int8"}"#)],
            "which the server computes"
        ),
        (
            [rule(2, "table", "DMS_log", nil, #""define-primary-key", "primary-key-def": {"columns": ["c"]}"#)],
            "that it does not have"
        ),
        (
            [selection(2, "include", "Test", "film", filter("id", "1"))],
            "with different filters"
        ),
        (
            [
                selection(2, "include", "Test", "Actor", filter("code", "\u{e9}")),
                selection(3, "include", "Test", "Actor", filter("code", "e\u{301}")),
            ],
            "with different filters"
        ),
        (
            [
                rule(
                    2,
                    "column",
                    "film",
                    nil,
                    #""add-column", "value": "x", "expression": "$made", "data-type": {"type": "string"}"#
                )
            ],
            "cannot be computed"
        ),
    ]

    @Test(.databasePair) func `what would do harm is refused`() async throws {
        let schema = try await schema()
        for (rules, words) in Self.harmful {
            let problems = try database([Self.everything] + rules, schema).problems
            #expect(problems.contains { $0.message.contains(words) }, "\(words)")
        }
    }

    private static func filter(_ column: String, _ value: String) -> String {
        """
        , "filters": [{"filter-type": "source", "column-name": "\(column)",
                       "filter-conditions": [{"filter-operator": "gte", "value": "\(value)"}]}]
        """
    }

    @Test(.databasePair) func `filters become conditions`() async throws {
        let filters = #"""
            , "filters": [
                {"filter-type": "source", "column-name": "id", "filter-conditions": [
                    {"filter-operator": "lte", "value": "10"}, {"filter-operator": "ste", "value": "11"},
                    {"filter-operator": "between", "start-value": "50", "end-value": "75"},
                    {"filter-operator": "gte", "value": "100"}, {"filter-operator": "noteq", "value": "7"}]},
                {"filter-type": "source", "column-name": "made", "filter-conditions": [
                    {"filter-operator": "notnull"}, {"filter-operator": "eq", "value": "it's"},
                    {"filter-operator": "notbetween", "start-value": "a", "end-value": "b"}, {"filter-operator": "null"}]}]
            """#
        let (database, _) = try await database([Self.selection(1, "include", "Test", "film", filters)])
        let map = try #require(database.tables.values.first?.map)
        #expect(
            map.filter?.text == """
                ("id" <= '10' OR "id" <= '11' OR "id" BETWEEN '50' AND '75' OR "id" >= '100' OR "id" <> '7') AND \
                ("made" IS NOT NULL OR "made" = 'it''s' OR "made" NOT BETWEEN 'a' AND 'b' OR "made" IS NULL)
                """
        )
        #expect(!map.isReversible)
    }

    /// Expressions and what they come to; nothing for those that are refused.
    private static let expressions: [(text: String, value: String?)] = [
        ("$first_name||'_'||$col1", "Penelope_x"), ("upper($col1) || lower('ÄB')", "XÄb"),
        ("$id + 2 * 3 || ''", nil), ("($id + 2) * 3", "9"), ("substr($first_name, 2, 3)", "ene"),
        ("ifnull($col2, 'none') || length($col1)", "none1"), ("$AR_M_SOURCE_TABLE_NAME", "Actor"),
        ("replace(trim('  ' || $col1 || ' b '), ' ', '''')", "x'b"), ("replace('a', 'a', 'b')", nil),
        ("operation_indicator('D', 'U', 'I')", nil),
        ("$AR_H_STREAM_POSITION", nil), ("$n", nil), ("$id / 2", nil), ("substr($col1, $id)", nil),
        ("$col1; DROP TABLE x", nil), ("'open", nil), ("$id + $col1", nil), ("random()", nil),
    ]

    @Test(.databasePair) func `an expression means what it means in SQLite, or is refused`() async throws {
        let schema = try await schema()
        let table = try #require(schema.table(named: QualifiedName(schema: "Test", name: "Actor")))
        let source = DatabasePair.current.source
        try await execute(source, #"INSERT INTO "Test"."Actor" (id, first_name, col1) VALUES (1, 'Penelope', 'x')"#)
        for (text, value) in Self.expressions {
            guard let value else {
                #expect(throws: PostgresError.self, "\(text)") {
                    try ColumnExpression(text, of: table, removed: [])
                }
                continue
            }
            let sql = try ColumnExpression(text, of: table, removed: []).sql
            try await execute(
                source,
                #"""
                ALTER TABLE "Test"."Actor" DROP COLUMN IF EXISTS made;
                ALTER TABLE "Test"."Actor" ADD COLUMN made text GENERATED ALWAYS AS ((\#(sql))::text) STORED
                """#
            )
            #expect(try await ask(source, #"SELECT made FROM "Test"."Actor""#) == value, "\(text)")
        }
    }

    @Test(.databasePair) func `a text in an expression is that text`() async throws {
        let table = try #require(try await schema().table(named: QualifiedName(schema: "Test", name: "Actor")))
        try await withConnection(to: DatabasePair.current.source) { source in
            for value in HostileTexts.values {
                let text = "'\(HostileTexts.doublingQuotes(of: value))'"
                let sql = try ColumnExpression(text, of: table, removed: []).sql
                let found = try source.query("SELECT \(sql)").first?.text(0)
                #expect(found?.utf8.elementsEqual(value.utf8) == true, "\(value.debugDescription)")
            }
        }
    }
}
