import Cluster
import Foundation
import Postgres

/// The comparison of two databases that nobody changes; both sides are read at once.
struct VerifyRace {
    let options: Options
    let servers: Servers

    func run() async throws -> String {
        try await servers.makePgbench("seed", scale: options.scale)
        try await servers.create("copy", on: servers.target)
        try await servers.shell(#"pg_dump "$SOURCE" | psql -X -q "$TARGET""#, source: "seed", target: "copy")
        for (server, database) in [(servers.source, "seed"), (servers.target, "copy")] {
            try await withConnection(to: server.connection(to: database)) { try $0.execute("VACUUM ANALYZE") }
        }
        let pgcopydb = try await pgcopydb()
        let contenders = try await race(
            "verify",
            contenders + [pgcopydb].compactMap(\.self),
            rounds: 0..<options.rounds
        ) { contender in
            try await servers.clearScratch()
            try await servers.settle()
            return try await servers.measure(contender, source: "seed", target: "copy") {}
        }
        try await servers.drop("seed", on: servers.source)
        try await servers.drop("copy", on: servers.target)
        return Table(
            title: "Comparing two copies of `pgbench -s \(options.scale)`",
            about:
                "The summing peers look at `pgbench_accounts` alone, which is all but a few thousand rows; martlet and "
                + "pgcopydb at all four tables. *count(\\*)* reads both and compares nothing."
                + (pgcopydb == nil
                    ? " Not measured: pgcopydb, which is not here or in a version that cannot compare." : ""),
            amount: (options.scale * 100_000, "rows"),
            contenders: contenders
        ).text
    }

    private var contenders: [Contender] {
        [
            Contender("*count(\\*)*", both("SELECT count(*) FROM pgbench_accounts"), .limit),
            Contender(
                "hashtext of each row, summed",
                both("SELECT sum(hashtext(t::text)::bigint), count(*) FROM pgbench_accounts t")
            ),
            Contender(
                "md5 of each row, summed",
                both(
                    "SELECT sum(('x' || substr(md5(t::text), 1, 8))::bit(32)::bigint), count(*) FROM pgbench_accounts t"
                )
            ),
            Contender.martlet(#"verify --source "$SOURCE" --target "$TARGET""#),
        ]
    }

    private func pgcopydb() async throws -> Contender? {
        let probe = #"pgcopydb compare data --help"#
        let environment = servers.environment(source: "seed", target: "copy")
        guard try await servers.has("pgcopydb"), try await Spawned(probe, environment: environment).wait() == 0 else {
            tell("WARNING: this pgcopydb cannot compare and is left out")
            return nil
        }
        return Contender(
            "pgcopydb compare data",
            #"pgcopydb compare data --source "$SOURCE" --target "$TARGET" --dir "$SCRATCH/pgcopydb""#
        )
    }

    /// Asks both sides at once and compares the answers.
    private func both(_ query: String) -> String {
        """
        (psql -X -A -t -c "\(query)" "$SOURCE" > "$SCRATCH/source") & psql -X -A -t -c "\(query)" "$TARGET" > "$SCRATCH/target"; \
        wait; cmp "$SCRATCH/source" "$SCRATCH/target"
        """
    }
}
