import Foundation
import TestSupport
import Testing

/// Replicas, clones, restores and their end, by the commands that people type.
struct MirrorTests {
    @Test(.timeLimit(.minutes(5)))
    func `a primary, a replica and work for both are three commands, and start again after a stop`() async throws {
        try await withTestShell { shell in
            _ = try await shell.run("martlet sandbox start shop --with-replica")
            let work = try await shell.run("martlet workload --profile orders --sandbox shop --rate 100 --duration 5")
            #expect(work.split(separator: "\n").count { $0.hasSuffix("none") } == 2, "\(work)")
            let status = try await shell.run("martlet replica status --json")
            #expect(status.contains("\"shop-replica\""), "\(status)")
            let count = "SELECT count(*) >= 200000 FROM orders"
            #expect(try await shell.ask(count, in: "shop") == "t")
            for name in ["shop-replica", "shop"] { _ = try await shell.run("martlet sandbox stop \(name)") }
            _ = try await shell.run("martlet sandbox start shop --with-replica")
            _ = try await shell.ask("CREATE TABLE after_the_stop AS SELECT 1 AS a", in: "shop")
            try await eventually("the replica follows again") {
                try await shell.ask("SELECT to_regclass('after_the_stop') IS NOT NULL", in: "shop-replica") == "t"
            }
            #expect(try await shell.ask(count, in: "shop-replica") == "t")
        }
    }

    @Test(.timeLimit(.minutes(10)))
    func `a table dropped under load comes back with its views and last rows, twice`() async throws {
        try await withTestShell { shell in
            _ = try await shell.run("martlet sandbox start shop")
            _ = try await shell.ask(
                """
                CREATE TABLE orders (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, note text NOT NULL, at timestamptz DEFAULT now());
                CREATE VIEW recent AS SELECT * FROM orders ORDER BY id DESC LIMIT 10;
                CREATE TABLE lines (id int PRIMARY KEY, order_id bigint REFERENCES orders)
                """,
                in: "shop"
            )
            _ = try await shell.ask(
                "INSERT INTO orders (note) SELECT 'n' || i FROM generate_series(1, 5000) i",
                in: "shop"
            )
            _ = try await shell.ask("INSERT INTO lines SELECT i, i FROM generate_series(1, 100) i", in: "shop")
            _ = try await shell.run("martlet restore recorder on --from shop")
            let backup = try await shell.run("martlet backup take shop")
            #expect(backup.contains("verified"), "\(backup)")
            try shell.write(
                """
                name: writers
                operations:
                  - { name: order, sql: "INSERT INTO orders (note) VALUES ($1::bigint::text)" }
                """,
                to: "writers.yaml"
            )
            for round in 1...2 {
                _ = try await shell.run(
                    "martlet workload --profile writers.yaml --sandbox shop --rate 200 --duration 2"
                )
                let before = try await shell.ask(
                    "BEGIN; LOCK TABLE orders; SELECT count(*) || ' ' || max(id) FROM orders; DROP TABLE orders CASCADE; COMMIT",
                    in: "shop"
                )
                let found = try await shell.run("martlet restore find-drop orders --from shop")
                #expect(found.contains("dropped") && found.contains("by role postgres (psql)"), "\(found)")
                if round == 2 {
                    let make =
                        "CREATE TABLE orders (id bigint GENERATED ALWAYS AS IDENTITY (START 1000000) PRIMARY KEY, note text NOT NULL, at timestamptz DEFAULT now())"
                    _ = try await shell.ask(make, in: "shop")
                    _ = try await shell.ask("INSERT INTO orders (note) VALUES ('new')", in: "shop")
                    let refused = try await shell.run("martlet restore bring-back orders --from shop")
                    #expect(refused.contains("--merge"), "\(refused)")
                }
                let back = try await shell.run(
                    "martlet restore bring-back orders --from shop\(round == 2 ? " --merge" : ""); echo \"status $?\""
                )
                #expect(back.hasSuffix("status 0"), "\(back)")
                let count = try #require(before.split(separator: " ").first.flatMap { Int($0) })
                let now = try await shell.ask("SELECT count(*) FROM orders WHERE id < 1000000", in: "shop")
                #expect(now == "\(count)", "\(back)")
                #expect(try await shell.ask("SELECT count(*) FROM recent", in: "shop") == "10", "\(back)")
                let key = "SELECT convalidated FROM pg_constraint WHERE conrelid = 'lines'::regclass AND contype = 'f'"
                #expect(try await shell.ask(key, in: "shop") == "t", "\(back)")
            }
            #expect(try await shell.run("martlet sandbox list").split(separator: "\n").count == 2)
        }
    }

    @Test(.timeLimit(.minutes(5)))
    func `a clone of a server under load is gone after its time`() async throws {
        try await withTestShell { shell in
            _ = try await shell.run("martlet sandbox start shop")
            _ = try await shell.run("martlet workload --profile pgbench --sandbox shop --duration 1")
            async let load = shell.run("martlet workload --profile pgbench --sandbox shop --duration 12")
            let clone = try await shell.run("martlet clone create --from shop --as trial --ttl 6s")
            #expect(clone.contains("clone \"trial\" of shop is ready"), "\(clone)")
            #expect(try await shell.ask("CREATE TABLE mine AS SELECT 1 AS a", in: "trial") == "")
            #expect(try await shell.ask("SHOW archive_mode", in: "trial") == "off")
            try await eventually("its time is over", within: .seconds(60)) {
                try await !shell.run("martlet sandbox list").contains("trial")
            }
            let report = try await load
            #expect(report.contains("errors") || !report.contains("error:"), "\(report)")
        }
    }

    @Test(.timeLimit(.minutes(5)))
    func `a role that may not replicate gets a clone by rows, and a teardown takes all of it`() async throws {
        try await withTestShell { shell in
            _ = try await shell.run("martlet sandbox start shop --tcp auto")
            _ = try await shell.ask(
                """
                CREATE ROLE "Ö'wner" LOGIN PASSWORD 'secret'; CREATE ROLE reader;
                CREATE SCHEMA app AUTHORIZATION "Ö'wner"; SET ROLE "Ö'wner";
                CREATE TABLE app.t (a int PRIMARY KEY, b text); INSERT INTO app.t SELECT i, 'x' FROM generate_series(1, 1000) i;
                GRANT SELECT ON app.t TO reader
                """,
                in: "shop"
            )
            let port = try await shell.ask("SHOW port", in: "shop")
            let place = "\"host=127.0.0.1 port=\(port) dbname=postgres user=Ö\\\\'wner password=secret\""
            try shell.write("UPDATE app.t SET b = 'masked'", to: "mask.sql")
            let clone = try await shell.run("martlet clone create --from \(place) --as trial --mask mask.sql")
            #expect(clone.contains("by logical") && clone.contains("is ready"), "\(clone)")
            let seen =
                "SELECT count(*) || ' ' || min(b) || ' ' || has_table_privilege('reader', 'app.t', 'SELECT') FROM app.t"
            #expect(try await shell.ask(seen, in: "trial") == "1000 masked true")
            #expect(try await shell.ask("SELECT min(b) FROM app.t", in: "shop") == "x")
            #expect(
                try await shell.ask("SELECT count(*) FROM pg_namespace WHERE nspname = 'martlet'", in: "trial") == "0"
            )
            _ = try await shell.run("martlet clone create --from trial --as again")
            let refused = try await shell.run("martlet teardown trial")
            #expect(refused.contains("1. clone again of trial, running\n2. clone trial of"), "\(refused)")
            #expect(refused.contains("--confirm trial"), "\(refused)")
            _ = try await shell.run("martlet teardown trial --confirm trial")
            #expect(try await shell.run("martlet sandbox list").split(separator: "\n").count == 2)
        }
    }
}
