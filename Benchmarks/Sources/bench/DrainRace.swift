import Catalog
import Cluster
import Foundation
import Postgres

/// Draining a backlog that was made while the stream was stopped.
///
/// Both sides have all rows from before the backlog. The last transaction changes one row of every table; when all of
/// these are on the target, everything before them is. The same query looks for them on both sides, every 10 ms.
///
/// Two clocks: from the moment when somebody reads the slot (*streaming*), and
/// from the command that lets it go on (*whole*): `ALTER SUBSCRIPTION … ENABLE`, or the start of martlet.
struct DrainRace {
    let options: Options
    let servers: Servers
    let workload: Workload

    private static let decoding = Contender(
        "*decoding inside the server*",
        #"psql -X -q -c "SELECT count(*) FROM pg_logical_slot_peek_binary_changes('bench_decoded', NULL, NULL, "#
            + #"'proto_version', '1', 'publication_names', 'bench')" "$SOURCE""#,
        .limit
    )
    private static let receiving = Contender(
        "*pg_recvlogical to nowhere*",
        #"pg_recvlogical -d "$SOURCE" --slot bench_received --start --no-loop --endpos "$END" -f /dev/null "#
            + "-o proto_version=1 -o publication_names=bench -o messages=true",
        .limit
    )

    /// All workloads, one section each.
    static func all(_ options: Options, _ servers: Servers) async throws -> String {
        try await servers.makePgbench("seed", scale: options.isQuick ? 5 : 20)
        if !servers.hasPglogical {
            tell(
                "WARNING: pglogical is not installed and is left out; apt-get install postgresql-\(servers.source.binaries.major)-pglogical"
            )
        }
        var sections: [String] = []
        for workload in try workloads(options) {
            sections.append(try await DrainRace(options: options, servers: servers, workload: workload).run())
        }
        try await servers.drop("seed", on: servers.source)
        return sections.joined(separator: "\n\n")
    }

    private static func workloads(_ options: Options) throws -> [Workload] {
        let all = Workload.all(options)
        guard let wanted = options.backlog else { return all }
        guard let workload = all.first(where: { $0.name == wanted }) else {
            throw Failure("there is no backlog \(wanted); there are \(all.map(\.name).joined(separator: ", "))")
        }
        return [workload]
    }

    private func run() async throws -> String {
        var kinds: [Followers.Kind] = servers.hasPglogical ? [.native, .pglogical, .ours] : [.native, .ours]
        if options.otherMartlet != nil { kinds.append(.other) }
        let followers = Followers(servers: servers, kinds: kinds)
        var contenders = [Self.decoding, Self.receiving] + kinds.map(followers.contender)
        for round in 0..<options.rounds {
            tell("making a backlog: \(workload.title)")
            try await followers.prepare(from: "seed", workload.definitions, tables: workload.tables)
            for command in [workload.command, #"psql -X -q -v ON_ERROR_STOP=1 -c "\#(workload.marker)" "$SOURCE""#] {
                try await servers.shell(command, source: "live", target: "postgres")
            }
            let expected = try await servers.fingerprint("live", on: servers.source)
            contenders = try await race("drain \(workload.name)", contenders, rounds: round...round) { contender in
                try await servers.settle()
                guard let kind = kinds.first(where: { followers.contender($0).name == contender.name }) else {
                    return try await read(contender)
                }
                return try await drain(kind, followers, expected)
            }
            try await followers.clean()
        }
        return Table(
            title: "Draining: \(workload.title)",
            about:
                "Made while the stream was stopped; rows compared afterwards. The seconds are those from the moment when "
                + "somebody reads the slot until the last transaction is on the target; *whole* begins at the "
                + "command, for martlet the start of the program. The native subscription's work is done in the target server.",
            amount: workload.amount,
            otherClock: "whole",
            contenders: contenders
        ).text
    }

    /// Reads the backlog and applies nothing.
    private func read(_ contender: Contender) async throws -> Measurement {
        let end = try await withConnection(to: servers.source.connection(to: "live")) { source in
            // pg_recvlogical ends at the first message at or behind the position, so there must be one.
            let row = try source.query("SELECT pg_logical_emit_message(false, 'bench', 'end')::text AS lsn").first
            return try row?("lsn", as: String.self) ?? ""
        }
        return try await servers.measure(contender, source: "live", target: "postgres", ["END": end]) {}
    }

    private func drain(_ kind: Followers.Kind, _ followers: Followers, _ expected: [String]) async throws -> Measurement
    {
        let measured = try await drain(kind, followers)
        guard try await servers.fingerprint(kind.database, on: servers.target) == expected else {
            throw Failure("database \(kind.database) is not equal to the source in the end")
        }
        return measured
    }

    private func drain(_ kind: Followers.Kind, _ followers: Followers) async throws -> Measurement {
        try await withConnection(to: servers.source.connection(to: "live")) { source in
            try await withConnection(to: servers.target.connection(to: kind.database)) { target in
                let before = try await ServerClock(servers)
                let began = ContinuousClock.now
                let command = try await followers.start(kind)
                try await followers.untilStreaming(kind, command, on: source)
                let streaming = ContinuousClock.now
                let deadline = began + .seconds(1200)
                var looks = 0
                while try target.query(workload.isDrained).isEmpty {
                    try Followers.check(command, deadline)
                    if looks % 10 == 0 { command?.notePeak() }
                    looks += 1
                    try await Task.sleep(for: .milliseconds(10))
                }
                let ended = ContinuousClock.now
                let (client, after) = (command?.processorSeconds ?? 0, try await ServerClock(servers))
                command?.notePeak()
                try await followers.stop(kind, command)
                return Measurement(
                    wall: (ended - streaming).seconds,
                    otherWall: (ended - began).seconds,
                    client: client,
                    source: after.source - before.source,
                    target: after.target - before.target,
                    memory: command?.peakMemory ?? PeakMemory(),
                    log: after.written(since: before)
                )
            }
        }
    }
}
