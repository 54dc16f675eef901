import Foundation
import Postgres
import TestSupport
import Testing

/// Moves with mapping files: what arrives, what is followed, what is compared, and how one comes back.
struct MappingTests {
    /// A file that selects everything, and has these rules besides.
    static func file(_ rules: String...) -> String {
        let all = """
            {"rule-type": "selection", "rule-id": "1", "rule-name": "1", "rule-action": "include",
             "object-locator": {"schema-name": "%", "table-name": "%"}}
            """
        return "{\"rules\": [\(([all] + rules).joined(separator: ", "))]}"
    }

    static func rule(_ id: Int, _ target: String, table: String = "%", column: String? = nil, _ rest: String) -> String
    {
        let place = column.map { #", "column-name": "\#($0)""# } ?? ""
        let tables = target == "schema" ? "" : #", "table-name": "\#(table)"\#(place)"#
        return """
            {"rule-type": "transformation", "rule-id": "\(id)", "rule-name": "r\(id)", "rule-target": "\(target)",
             "object-locator": {"schema-name": "\(target == "schema" ? table : "%")"\(tables)}, "rule-action": \(rest)}
            """
    }

    /// Moves with a mapping file, and calls `body` with the options that name it.
    static func withMapping(
        _ file: String,
        of definitions: SQL,
        from source: Int? = nil,
        _ body: (TestMove, [String]) async throws -> Void
    ) async throws {
        try await withMove(from: source, of: definitions) { move in
            let path = move.directory + ".mapping.json"
            try Data(file.utf8).write(to: URL(filePath: path))
            defer { try? FileManager.default.removeItem(atPath: path) }
            try await body(move, ["--mapping", path])
        }
    }

    private static let shop: SQL = """
        CREATE SCHEMA sales;
        CREATE TABLE sales.customer (id serial PRIMARY KEY, name text NOT NULL, mail text);
        CREATE TABLE sales.orders (id int PRIMARY KEY, customer_id int REFERENCES sales.customer, note text);
        CREATE INDEX ON sales.orders (note);
        CREATE VIEW sales.names AS SELECT name FROM sales.customer;
        INSERT INTO sales.customer (name, mail) SELECT 'c' || n, n || '@x' FROM generate_series(1, 50) AS n;
        INSERT INTO sales.orders SELECT n, n, 'o' || n FROM generate_series(1, 50) AS n
        """

    @Test(.timeLimit(.minutes(5)))
    func `schemas, tables and columns get other names, and changes come back under the old ones`() async throws {
        let file = Self.file(
            Self.rule(2, "schema", table: "sales", #""rename", "value": "shop""#),
            Self.rule(3, "table", table: "orders", #""rename", "value": "Bestellung""#),
            Self.rule(4, "table", #""add-prefix", "value": "t_""#),
            Self.rule(5, "column", table: "customer", column: "name", #""rename", "value": "mail""#),
            Self.rule(6, "column", table: "customer", column: "mail", #""rename", "value": "name""#),
            Self.rule(7, "column", table: "orders", column: "%", #""convert-uppercase""#)
        )
        try await Self.withMapping(file, of: Self.shop) { move, options in
            try await move.follow(options, then: .none) {
                try await execute(
                    move.source,
                    """
                    INSERT INTO sales.customer (name, mail) VALUES ('new', 'new@x');
                    UPDATE sales.orders SET note = 'changed' WHERE id = 7; DELETE FROM sales.orders WHERE id = 8
                    """
                )
                try await move.mustBeEqual()
                let there: SQL = #"SELECT count(*) || max("NOTE") FILTER (WHERE "ID" = 7) FROM shop."Bestellung""#
                #expect(try await ask(move.target, there) == "49changed")
                #expect(try await ask(move.target, "SELECT mail FROM shop.t_customer WHERE name = 'new@x'") == "new")
                #expect(try await ask(move.target, "SELECT name FROM shop.names WHERE name = 'new'") == "new")
                try await move.must("cutover")
                try await execute(
                    move.target,
                    #"""
                    UPDATE shop."Bestellung" SET "NOTE" = 'back' WHERE "ID" = 9;
                    INSERT INTO shop.t_customer (mail, name) VALUES ('later', 'later@x')
                    """#
                )
                try await move.must("rollback")
                #expect(try await ask(move.source, "SELECT note FROM sales.orders WHERE id = 9") == "back")
                #expect(try await ask(move.source, "SELECT mail FROM sales.customer WHERE name = 'later'") == "later@x")
                #expect(try await ask(move.source, "SELECT nextval('sales.customer_id_seq')") == "53")
            }
            try await move.must("abort")
        }
    }

    private static let shapes = file(
        rule(2, "column", table: "customer", column: "mail", #""data-masking-hash-mask""#),
        rule(3, "column", table: "customer", column: "name", #""data-masking-digits-mask", "value": "*""#),
        rule(4, "column", table: "orders", column: "note", #""remove-column""#),
        rule(
            5,
            "column",
            table: "customer",
            #""add-column", "value": "label", "expression": "$AR_M_SOURCE_TABLE_NAME || ' ' || $id || upper('x')", "data-type": {"type": "string", "length": 80}"#
        ),
        rule(
            6,
            "column",
            table: "orders",
            column: "%d",
            #""change-data-type", "data-type": {"type": "int8"}"#
        ),
        rule(7, "column", table: "customer", column: "id", #""rename", "value": "number""#),
        rule(
            8,
            "table",
            table: "log",
            #""define-primary-key", "primary-key-def": {"name": "k", "columns": ["k"]}"#
        )
    )

    @Test(.timeLimit(.minutes(5)))
    func `columns are left out, added, masked and of other types, also in what is followed`() async throws {
        let log: SQL = """
            ; CREATE TABLE sales.log (k int NOT NULL, v text); INSERT INTO sales.log SELECT n, 'v' FROM generate_series(1, 9) AS n
            """
        try await Self.withMapping(Self.shapes, of: Self.shop + log) { move, options in
            try await move.follow(options, then: .none) {
                try await execute(
                    move.source,
                    """
                    INSERT INTO sales.customer (name, mail) VALUES ('new 12', 'new@x'), ('none', NULL);
                    UPDATE sales.customer SET name = '34' WHERE id = 7; UPDATE sales.orders SET note = 'secret' WHERE id = 7;
                    UPDATE sales.orders SET id = 1007 WHERE id = 7; DELETE FROM sales.orders WHERE id = 8;
                    UPDATE sales.log SET v = 'x' WHERE k = 1; UPDATE sales.log SET k = 100 WHERE k = 2; DELETE FROM sales.log WHERE k = 3
                    """
                )
                try await move.mustBeEqual()
                let hash: SQL = """
                    SELECT name || '|' || (mail = encode(sha256('new@x'), 'hex')) || '|' || label
                      FROM sales.customer WHERE number = 51
                    """
                #expect(try await ask(move.target, hash) == "new **|true|customer 51X")
                #expect(try await ask(move.target, "SELECT name FROM sales.customer WHERE number = 7") == "**")
                let key: SQL =
                    "SELECT conname FROM pg_constraint WHERE conrelid = 'sales.log'::regclass AND contype = 'p'"
                #expect(try await ask(move.target, key) == "k")
                let columns: SQL = """
                    SELECT string_agg(attname || ' ' || format_type(atttypid, atttypmod), ', ' ORDER BY attnum)
                      FROM pg_attribute WHERE attrelid = 'sales.orders'::regclass AND attnum > 0 AND NOT attisdropped
                    """
                #expect(try await ask(move.target, columns) == "id bigint, customer_id bigint")
                let refused = try await move.run("cutover")
                #expect(refused.status == 1)
                #expect(refused.error.contains("cannot come back as the mapping changes them"), "\(refused.error)")
                try await execute(move.source, "UPDATE sales.orders SET customer_id = 2 WHERE id = 9")
                try await move.must("cutover", "--no-rollback")
                #expect(try await ask(move.target, "SELECT customer_id FROM sales.orders WHERE id = 9") == "2")
            }
            try await move.must("finish")
        }
    }

    @Test(.timeLimit(.minutes(5)))
    func `only rows of a filter are moved, and rows that come and go are followed`() async throws {
        let file = """
            {"rules": [{"rule-type": "selection", "rule-id": "1", "rule-name": "1", "rule-action": "include",
                        "object-locator": {"schema-name": "public", "table-name": "item"},
                        "filters": [{"filter-type": "source", "column-name": "kind", "filter-conditions": [
                            {"filter-operator": "eq", "value": "a"}, {"filter-operator": "null"}]},
                           {"filter-type": "source", "column-name": "id", "filter-conditions": [
                            {"filter-operator": "notbetween", "start-value": "10", "end-value": "19"}]}]},
                       {"rule-type": "selection", "rule-id": "2", "rule-name": "2", "rule-action": "explicit",
                        "object-locator": {"schema-name": "public", "table-name": "line"}, "load-order": "5"}]}
            """
        let definitions: SQL = """
            CREATE TABLE item (id int PRIMARY KEY, kind text, note text);
            CREATE TABLE other (id int PRIMARY KEY);
            CREATE TABLE line (id int PRIMARY KEY, item int REFERENCES item ON DELETE CASCADE);
            INSERT INTO item SELECT n, (ARRAY['a', 'b', NULL])[n % 3 + 1], 'x' FROM generate_series(1, 60) AS n;
            INSERT INTO line SELECT n, n FROM generate_series(1, 60) AS n
            """
        try await Self.withMapping(file, of: definitions) { move, options in
            try await move.follow(options, then: .none) {
                try await execute(
                    move.source,
                    """
                    UPDATE item SET kind = 'b' WHERE id = 3; UPDATE item SET kind = 'a' WHERE id = 4;
                    UPDATE item SET note = 'y' WHERE id IN (3, 4, 6); INSERT INTO item VALUES (100, 'a', ''), (101, 'b', '');
                    DELETE FROM item WHERE id IN (1, 9)
                    """
                )
                try await move.mustBeEqual()
                let rows: SQL =
                    "SELECT count(*) FROM item WHERE (kind = 'a' OR kind IS NULL) AND id NOT BETWEEN 10 AND 19"
                #expect(try await ask(move.target, "SELECT count(*) FROM item") == (try await ask(move.source, rows)))
                #expect(try await ask(move.target, "SELECT note FROM item WHERE id = 4") == "y")
                #expect(try await ask(move.target, "SELECT to_regclass('other')::text") == nil)
                let valid: SQL = "SELECT convalidated FROM pg_constraint WHERE conname = 'line_item_fkey'"
                #expect(try await ask(move.target, valid) == "f")
                try await move.must("abort")
            }
            let identity: SQL = "SELECT relreplident FROM pg_class WHERE oid = 'item'::regclass"
            #expect(try await ask(move.source, identity) == "d")
        }
    }

    @Test(.timeLimit(.minutes(5)))
    func `a copy that is made once has the mapping's rows, and verify knows`() async throws {
        let file = Self.file(
            Self.rule(2, "schema", table: "sales", #""rename", "value": "public""#),
            Self.rule(3, "column", table: "orders", column: "note", #""remove-column""#)
        )
        try await Self.withMapping(file, of: Self.shop) { move, options in
            let outcome = try await move.run("migrate", ["--once"] + options)
            #expect(outcome.status == 0, "\(outcome.error)")
            try await move.mustBeEqual()
            #expect(try await ask(move.target, "SELECT count(*) FROM public.customer") == "50")
            #expect(try await ask(move.target, "SELECT last_value FROM public.customer_id_seq") == "50")
            try await execute(move.target, "DELETE FROM public.orders WHERE id = 5")
            let verdict = try await move.run("verify")
            #expect(verdict.status == 2 && verdict.output.contains("id=5"), "\(verdict.output)")
            try await move.must("finish")
            let bare = try await move.run("verify", options)
            #expect(bare.status == 2 && bare.output.contains("id=5"), "\(bare.output)\(bare.error)")
        }
    }

    /// A rule that names a column does not find it under another name.
    @Test(.timeLimit(.minutes(5)))
    func `a masked column that is renamed meanwhile does not arrive in the clear`() async throws {
        let file = Self.file(Self.rule(2, "column", table: "customer", column: "mail", #""data-masking-hash-mask""#))
        try await Self.withMapping(file, of: Self.shop) { move, options in
            let first = try await move.run("migrate", options) { process in
                try await move.untilFollowing(process)
                kill(process, SIGTERM)
            }
            #expect(first.status == 130, "\(first.error)")
            try await execute(move.source, "ALTER TABLE sales.customer RENAME mail TO letters")
            let refused = try await move.run("migrate", options)
            #expect(refused.status == 1)
            #expect(
                refused.error.contains(#"rule 2 ("r2") of the mapping is about nothing any more"#),
                "\(refused.error)"
            )
            try await execute(move.source, "ALTER TABLE sales.customer RENAME letters TO mail")
            try await move.follow(options) { try await move.mustBeEqual() }
        }
    }

    @Test(.timeLimit(.minutes(5)))
    func `assess tells what becomes of every table, and what cannot be done`() async throws {
        let file = Self.file(
            Self.rule(2, "table", table: "orders", #""rename", "value": "o""#),
            Self.rule(3, "table", table: "orders", #""rename", "value": "p""#),
            Self.rule(4, "column", table: "customer", column: "id", #""remove-column""#),
            Self.rule(9, "table", table: "nothing", #""rename", "value": "x""#)
        )
        try await Self.withMapping(file, of: Self.shop) { move, options in
            let outcome = try await move.run("assess", options)
            #expect(outcome.status == 2)
            let text = outcome.output.split(whereSeparator: \.isWhitespace).joined(separator: " ")
            #expect(text.contains("rule 4 (\"r4\") removes column \"id\" of table \"sales.customer\""), "\(text)")
            #expect(text.contains("sales.orders is called sales.o"), "\(text)")
            #expect(text.contains("rule 3 (\"r3\") does not count for its name"), "\(text)")
            #expect(text.contains("1 rule of the mapping is about nothing that is there"), "\(text)")
        }
    }
}
