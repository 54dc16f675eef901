import Cluster
import Foundation
import Postgres

/// Plausible rows into a table with everything, beside a plain COPY of rows that are ready in a file.
struct GenerateRace {
    let options: Options
    let servers: Servers

    private var rows: Int { options.isQuick ? 50_000 : 1_000_000 }

    private static let definitions: SQL = """
        CREATE TYPE state AS ENUM ('new', 'paid', 'sent', 'returned');
        CREATE TABLE customers (id int PRIMARY KEY, name text NOT NULL);
        INSERT INTO customers SELECT i, 'customer ' || i FROM generate_series(1, 50000) AS i;
        CREATE TABLE orders (
            id bigint PRIMARY KEY, customer int NOT NULL REFERENCES customers, code uuid NOT NULL UNIQUE,
            state state NOT NULL, amount numeric(10, 2) NOT NULL CHECK (amount > 0 AND amount < 10000),
            quantity smallint NOT NULL CHECK (quantity BETWEEN 1 AND 99), email varchar(80), placed timestamptz NOT NULL,
            note text, CHECK (state <> 'sent' OR placed >= '2000-01-01'))
        """

    func run() async throws -> String {
        try await servers.create("made", on: servers.target)
        try await withConnection(to: servers.target.connection(to: "made")) { try $0.execute(Self.definitions) }
        try await servers.clearScratch()
        try await servers.shell(
            #"martlet generate orders --connection "$TARGET" --confirm made --rows \#(rows) && "#
                + #"psql -X -q -c "\\copy orders TO '$SCRATCH/orders'" "$TARGET""#,
            source: "postgres",
            target: "made"
        )
        let contenders = [
            Contender("psql, a file that is ready", #"psql -X -q -c "\\copy orders FROM '$SCRATCH/orders'" "$TARGET""#),
            Contender.martlet(#"generate orders --connection "$TARGET" --confirm made --rows \#(rows)"#),
        ]
        let measured = try await race("generate", contenders, rounds: 0..<options.rounds) { contender in
            try await withConnection(to: servers.target.connection(to: "made")) { try $0.execute("TRUNCATE orders") }
            try await servers.settle()
            return try await servers.measure(contender, source: "postgres", target: "made") {
                let count = try await withConnection(to: servers.target.connection(to: "made")) {
                    try $0.query("SELECT count(*) AS count FROM orders").first?("count", as: Int.self)
                }
                guard count == rows else { throw Failure("\(contender.name) made \(count ?? 0) rows") }
            }
        }
        try await servers.drop("made", on: servers.target)
        return Table(
            title: "\(rows) plausible rows",
            about:
                "Into a table with a key, a unique column, a foreign key to 50,000 rows, an enum, three checks. Every row was taken.",
            amount: (rows, "rows"),
            contenders: measured
        ).text
    }
}
