import Foundation
import Postgres

/// A backlog of changes.
struct Workload {
    let name: String
    let title: String
    /// What there is to do, for a rate.
    let amount: (count: Int, of: String)
    /// What must be there besides pgbench's tables.
    let definitions: SQL
    /// A shell command that makes the backlog.
    let command: String
    /// The tables that are changed.
    let tables: [String]
    /// The last transaction: a change of every table.
    let marker: String
    /// Gives a row when the target has the last transaction.
    ///
    /// Rows by their keys; a table without one is looked through only when they are there.
    let isDrained: SQL

    static func all(_ options: Options) -> [Workload] {
        [
            pgbench(options.isQuick ? 20_000 : 300_000), booking(options.isQuick ? 6_000 : 60_000),
            bigUpdate(options.isQuick ? 200_000 : 2_000_000),
        ] + [1, 10, 100].map { inserts(options.isQuick ? 50_000 : 2_000_000, by: $0) }
    }

    private static func pgbench(_ count: Int) -> Workload {
        Workload(
            name: "pgbench",
            title: "\(count) pgbench transactions",
            amount: (count, "transactions"),
            definitions: "",
            command: #"PGOPTIONS="-c synchronous_commit=off" pgbench -n -c 4 -j 2 -t \#(count / 4) "$SOURCE""#,
            tables: ["accounts", "branches", "tellers", "history"].map { "pgbench_" + $0 },
            marker: """
                BEGIN;
                UPDATE pgbench_accounts SET filler = 'the end' WHERE aid = 1;
                UPDATE pgbench_branches SET filler = 'the end' WHERE bid = 1;
                UPDATE pgbench_tellers SET filler = 'the end' WHERE tid = 1;
                INSERT INTO pgbench_history VALUES (-1, -1, -1, 0, now(), 'the end');
                COMMIT
                """,
            isDrained: """
                SELECT WHERE CASE WHEN
                     EXISTS (SELECT FROM pgbench_accounts WHERE aid = 1 AND filler = 'the end')
                 AND EXISTS (SELECT FROM pgbench_branches WHERE bid = 1 AND filler = 'the end')
                 AND EXISTS (SELECT FROM pgbench_tellers WHERE tid = 1 AND filler = 'the end')
                THEN EXISTS (SELECT FROM pgbench_history WHERE tid = -1) END
                """
        )
    }

    /// Five changes in each transaction of a table with two secondary indexes, an array, numbers and times.
    private static func booking(_ count: Int) -> Workload {
        let script = """
            \\set a random(1, 500000)
            \\set b random(1, 500000)
            \\set c random(1, 500000)
            \\set d random(1, 500000)
            BEGIN;
            INSERT INTO booking (guest, tags, price, at) VALUES ('g' || :a, ARRAY['new', 't' || :b % 100], :a / 7.0, now());
            UPDATE booking SET price = price + 1 WHERE id = :a;
            UPDATE booking SET guest = 'g' || :c, at = now() WHERE id = :b;
            UPDATE booking SET tags = tags || ARRAY['x' || :d % 10] WHERE id = :c;
            DELETE FROM booking WHERE id = :d;
            COMMIT;
            """
        return Workload(
            name: "booking",
            title: "\(count) mixed transactions of a table with two secondary indexes and an array",
            amount: (count, "transactions"),
            definitions: """
                CREATE TABLE booking (id bigserial PRIMARY KEY, guest text NOT NULL, tags text[], price numeric(12, 2), at timestamptz);
                INSERT INTO booking (guest, tags, price, at) SELECT 'g' || g, ARRAY['t' || g % 100, 'u' || g % 7], g / 3.0,
                    timestamptz '2024-01-01' + g * interval '1 min' FROM generate_series(1, 500000) AS g;
                CREATE INDEX ON booking (guest); CREATE INDEX ON booking (at)
                """,
            command: pgbench(script, transactions: count),
            tables: ["booking"],
            marker: "INSERT INTO booking VALUES (-1, 'the end')",
            isDrained: "SELECT FROM booking WHERE id = -1"
        )
    }

    private static func bigUpdate(_ count: Int) -> Workload {
        Workload(
            name: "update",
            title: "One UPDATE of \(count) rows",
            amount: (count, "rows"),
            definitions: "",
            command:
                #"psql -X -q -c "UPDATE pgbench_accounts SET abalance = abalance + 1 WHERE aid <= \#(count)" "$SOURCE""#,
            tables: ["pgbench_accounts"],
            marker: "UPDATE pgbench_accounts SET filler = 'the end' WHERE aid = 1",
            isDrained: "SELECT FROM pgbench_accounts WHERE aid = 1 AND filler = 'the end'"
        )
    }

    private static func inserts(_ rows: Int, by size: Int) -> Workload {
        let insert = """
            INSERT INTO item (uid, payload, note) VALUES (md5(random()::text)::uuid, '{"k": 7, "v": "\(String(repeating: "x", count: 40))"}', 'note');
            """
        let inserts = Array(repeating: insert, count: size).joined(separator: "\n")
        return Workload(
            name: "insert-\(size)",
            title: "\(rows) inserts, \(size) in each transaction",
            amount: (rows, "rows"),
            definitions: "CREATE TABLE item (id bigserial PRIMARY KEY, uid uuid, payload jsonb, note text)",
            command: pgbench(size == 1 ? inserts : "BEGIN;\n\(inserts)\nCOMMIT;", transactions: rows / size),
            tables: ["item"],
            marker: "INSERT INTO item (id, note) VALUES (-1, 'the end')",
            isDrained: "SELECT FROM item WHERE id = -1"
        )
    }

    /// Runs a script of pgbench by four sessions.
    private static func pgbench(_ script: String, transactions: Int) -> String {
        """
        cat > "$SCRATCH/script" <<'END'
        \(script)
        END
        PGOPTIONS="-c synchronous_commit=off" pgbench -n -M prepared -c 4 -j 2 -t \(transactions / 4) -f "$SCRATCH/script" "$SOURCE"
        """
    }
}
