import Cluster
import Foundation
import Postgres

/// A full copy of one database into an empty one; the clock runs while the command does.
struct CopyRace {
    let options: Options
    let servers: Servers

    func run() async throws -> [Contender] {
        var contenders = try await self.contenders()
        let expected = try await servers.fingerprint("seed", on: servers.source)
        for round in 0..<options.rounds {
            for turn in contenders.indices {
                let place = (turn + round) % contenders.count
                let measured = try await measure(contenders[place], expecting: expected)
                tell("copy, round \(round + 1): \(contenders[place].name) \(measured.wall.formatted(digits: 2)) s")
                contenders[place].rounds.append(measured)
            }
        }
        return contenders
    }

    private func contenders() async throws -> [Contender] {
        var contenders = [
            Contender("pg_dump \\| psql", #"pg_dump "$SOURCE" | psql -X -q -v ON_ERROR_STOP=1 "$TARGET""#),
            Contender(
                "pg_dump \\| psql, ANALYZE",
                #"pg_dump "$SOURCE" | psql -X -q -v ON_ERROR_STOP=1 "$TARGET" && psql -X -q -c ANALYZE "$TARGET""#
            ),
            Contender(
                "pg_dump -j2, pg_restore -j2",
                #"pg_dump -Fd -Z0 -j2 -f "$SCRATCH/dump" "$SOURCE" && pg_restore -j2 -d "$TARGET" "$SCRATCH/dump""#
            ),
        ]
        if try await hasPgcopydb() {
            contenders.append(
                Contender(
                    "pgcopydb",
                    #"pgcopydb clone --source "$SOURCE" --target "$TARGET" --dir "$SCRATCH/pgcopydb""#
                        + " --table-jobs 2 --index-jobs 2"
                )
            )
        } else {
            tell("WARNING: pgcopydb is not installed and is left out; apt-get install pgcopydb")
        }
        contenders.append(
            Contender(
                "**martlet**",
                #"martlet migrate --once --jobs 2 --source "$SOURCE" --target "$TARGET" --work-dir "$SCRATCH/work""#,
                isPeer: false
            )
        )
        return contenders
    }

    private func hasPgcopydb() async throws -> Bool {
        let environment = servers.environment(source: "seed", target: "postgres")
        return try await Spawned("command -v pgcopydb", environment: environment).wait() == 0
    }

    private func measure(_ contender: Contender, expecting expected: [String]) async throws -> Measurement {
        try await servers.create("copy", on: servers.target)
        try await servers.shell(#"rm -rf "$SCRATCH" && mkdir -p "$SCRATCH""#, source: "seed", target: "copy")
        try await servers.settle()
        var environment = servers.environment(source: "seed", target: "copy")
        environment["PATH"] =
            URL(filePath: options.martlet).deletingLastPathComponent().path + ":"
            + (environment["PATH"] ?? "")
        let before = ServerClock(servers)
        let children = processorSecondsOfChildren()
        let start = ContinuousClock.now
        let command = try Spawned(contender.command, environment: environment)
        let status = try await command.wait()
        let wall = (ContinuousClock.now - start).seconds
        let client = processorSecondsOfChildren() - children
        let after = ServerClock(servers)
        guard status == 0 else { throw Failure("\(contender.name) ended with \(status): \(command.output)") }
        guard try await servers.fingerprint("copy", on: servers.target) == expected else {
            throw Failure("\(contender.name) did not copy everything: \(command.output)")
        }
        try await servers.drop("copy", on: servers.target)
        return Measurement(
            wall: wall,
            client: client,
            source: after.source - before.source,
            target: after.target - before.target,
            memory: command.peakMemory
        )
    }
}

extension Double {
    func formatted(digits: Int) -> String { String(format: "%.\(digits)f", self) }
}
