import Cluster
import Foundation
import Postgres

/// A full copy of one database into an empty one; the clock runs while the command does.
struct CopyRace {
    let name: String
    let title: String
    let about: String
    let options: Options
    let servers: Servers
    let contenders: [Contender]
    /// The database that is copied.
    let seed: String

    func run() async throws -> String {
        let expected = try await servers.fingerprint(seed, on: servers.source)
        let measured = try await race(name, contenders, rounds: 0..<options.rounds) { try await measure($0, expected) }
        try await servers.drop(seed, on: servers.source)
        return Table(title: title, about: about, contenders: measured).text
    }

    private func measure(_ contender: Contender, _ expected: [String]) async throws -> Measurement {
        try await servers.create("copy", on: servers.target)
        try await servers.clearScratch()
        try await servers.settle()
        let measurement = try await servers.measure(contender, source: seed, target: "copy") {
            let found = try await servers.fingerprint("copy", on: servers.target)
            guard found == expected else {
                let missing = Set(expected).subtracting(found).sorted().joined(separator: "; ")
                throw Failure("\(contender.name) did not copy everything: \(missing)")
            }
        }
        try await servers.drop("copy", on: servers.target)
        return measurement
    }
}

// MARK: What is copied

extension CopyRace {
    static func ofPgbench(_ options: Options, _ servers: Servers) async throws -> CopyRace {
        try await servers.makePgbench("seed", scale: options.scale)
        return CopyRace(
            name: "copy",
            title: "Full copy of `pgbench -s \(options.scale)`",
            about: peersAbout,
            options: options,
            servers: servers,
            contenders: try await everybody(servers),
            seed: "seed"
        )
    }

    static func ofMixed(_ options: Options, _ servers: Servers) async throws -> CopyRace {
        try await servers.makeMixed("mixed", size: options.mixedSize)
        let bytes = try await servers.bytes(of: "mixed", on: servers.source)
        return CopyRace(
            name: "copy-mixed",
            title: "Full copy of a mixed database of \((Double(bytes) / 1e9).formatted(digits: 1)) GB",
            about:
                "Six tables with jsonb, uuid, numeric, arrays, ranges, an enum, a domain, an identity and large values; "
                + "17 indexes (btree, GIN on jsonb, arrays and trigrams, BRIN, partial, on expressions), a foreign key. "
                + peersAbout,
            options: options,
            servers: servers,
            contenders: try await everybody(servers),
            seed: "mixed"
        )
    }

    static func ofSmallObjects(_ options: Options, _ servers: Servers) async throws -> CopyRace {
        try await ofObjects(count: 10_000, bytes: 128, name: "objects", about: "", options, servers)
    }

    static func ofLargeObjects(_ options: Options, _ servers: Servers) async throws -> CopyRace {
        let (count, bytes) = (options.isQuick ? 5 : 100, 50_000_000)
        let (command, seconds) = try await writeToDisk(2 * count * bytes, servers)
        return try await ofObjects(
            count: count,
            bytes: bytes,
            name: "objects-large",
            about: " The target writes them twice, into the table and its log; the disk alone takes "
                + "\(seconds.formatted(digits: 2)) s for as many bytes (`\(command)`).",
            options,
            servers
        )
    }

    /// How long the disk takes for so many bytes, and what was asked of it.
    private static func writeToDisk(_ bytes: Int, _ servers: Servers) async throws -> (command: String, seconds: Double)
    {
        let command = #"dd if=/dev/zero of="$SCRATCH/zeros" bs=1M count=\#(bytes >> 20) conv=fdatasync"#
        try await servers.settle()
        let start = ContinuousClock.now
        try await servers.shell(command, source: "postgres", target: "postgres")
        let seconds = (ContinuousClock.now - start).seconds
        try await servers.clearScratch()
        return (command, seconds)
    }

    private static func ofObjects(
        count: Int,
        bytes: Int,
        name: String,
        about: String,
        _ options: Options,
        _ servers: Servers
    ) async throws -> CopyRace {
        try await servers.makeObjects("objects", count: count, bytes: bytes)
        return CopyRace(
            name: name,
            title: "\(count) large objects of \(bytes) bytes",
            about: "A database with nothing else. pgcopydb copies each by itself.\(about)",
            options: options,
            servers: servers,
            contenders: [dumpAndRestore, try await pgcopydb(servers), ours, other(options)].compactMap(\.self),
            seed: "objects"
        )
    }

    // MARK: Who copies

    private static let peersAbout =
        "Into an empty database, rows compared afterwards. pgcopydb, pgloader and martlet end with ANALYZE, as a "
        + "database needs it before it is used; so does `pg_dump | psql` here. *Binary COPY* makes the tables, pipes "
        + "each through one pair of sessions without a word more than needed, two tables at a time, then makes indexes "
        + "and constraints, two at a time."

    private static func everybody(_ servers: Servers) async throws -> [Contender] {
        [
            Contender(
                "pg_dump \\| psql",
                #"pg_dump "$SOURCE" | psql -X -q -v ON_ERROR_STOP=1 "$TARGET" && psql -X -q -c ANALYZE "$TARGET""#
            ),
            dumpAndRestore, try await pgcopydb(servers), try await pgloader(servers), binaryCopy, ours,
            other(servers.options),
        ].compactMap(\.self)
    }

    private static let dumpAndRestore = Contender(
        "pg_dump -j2, pg_restore -j2",
        #"pg_dump -Fd -Z0 -j2 -f "$SCRATCH/dump" "$SOURCE" && pg_restore -j2 -d "$TARGET" "$SCRATCH/dump""#
    )

    private static func pgcopydb(_ servers: Servers) async throws -> Contender? {
        guard try await servers.has("pgcopydb") else { return nil }
        return Contender(
            "pgcopydb",
            #"pgcopydb clone --source "$SOURCE" --target "$TARGET" --dir "$SCRATCH/pgcopydb""#
                + " --table-jobs 2 --index-jobs 2"
        )
    }

    private static func pgloader(_ servers: Servers) async throws -> Contender? {
        guard try await servers.has("pgloader") else { return nil }
        return Contender("pgloader", #"pgloader "$SOURCE" "$TARGET""#)
    }

    /// The bound: rows in binary form from one server into the other, and the index builds.
    private static let binaryCopy = Contender(
        "*binary COPY \\| COPY, indexes*",
        #"pg_dump -Fc -s -f "$SCRATCH/schema" "$SOURCE" && pg_restore --section=pre-data -d "$TARGET" "$SCRATCH/schema" && "#
            + #"psql -X -A -t -c "SELECT oid::regclass FROM pg_class WHERE relkind = 'r' AND oid >= 16384 "#
            + #"AND relnamespace <> 'information_schema'::regnamespace ORDER BY pg_table_size(oid) DESC" "$SOURCE" | "#
            + #"xargs -P 2 -I{} sh -c 'psql -X -q -c "COPY {} TO STDOUT (FORMAT binary)" "$SOURCE" | "#
            + #"psql -X -q -c "COPY {} FROM STDIN (FORMAT binary)" "$TARGET"' && "#
            + #"PGOPTIONS="-c maintenance_work_mem=512MB" pg_restore -j2 --section=post-data -d "$TARGET" "$SCRATCH/schema""#,
        .limit
    )

    private static let arguments =
        #"migrate --once --jobs 2 --source "$SOURCE" --target "$TARGET" --work-dir "$SCRATCH/work""#
    private static let ours = Contender.martlet(arguments)
    private static func other(_ options: Options) -> Contender? { .otherMartlet(arguments, options) }
}
