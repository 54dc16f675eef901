import Foundation

/// The tables of a run, as Markdown.
struct Report {
    let options: Options
    var server = "none"
    var copy: [Contender] = []
    var drain: [Contender] = []
    var start: StartRace.Result?

    var text: String {
        ([heading] + [copyText, drainText, startText].compactMap(\.self)).joined(separator: "\n\n") + "\n"
    }

    private var heading: String {
        """
        # Benchmarks

        `\(options.isQuick ? "make bench-quick" : "make bench")`, \(options.rounds) rounds, \
        \(Date().formatted(.iso8601.year().month().day())); \
        \(ProcessInfo.processInfo.processorCount) processors, \(ProcessInfo.processInfo.physicalMemory >> 30) GiB, \
        PostgreSQL \(server). Medians, range in brackets; processor seconds (user and system) of the client, the \
        source server and the target server; memory is the largest resident set of any process of the client. \
        Both servers on this machine, over TCP, fsync on, shared_buffers 1 GB.
        """
    }

    private var copyText: String? {
        guard !copy.isEmpty else { return nil }
        let best = bestPeer(copy)
        let rows = copy.map { contender in
            "| \(contender.name) | \(wall(contender, \.wall)) | \(ratio(contender, to: best)) | \(rest(contender)) |"
        }
        return """
            ## Full copy of `pgbench -s \(options.scale)`

            Into an empty database, rows compared afterwards. pgcopydb and martlet end with ANALYZE, as a database needs \
            it before it is used; `pg_dump | psql` stands there without and with it.

            | | seconds | to the best peer | client | source | target | memory MB |
            |---|---|---|---|---|---|---|
            \(rows.joined(separator: "\n"))

            \(commands(copy))
            """
    }

    private var drainText: String? {
        guard !drain.isEmpty else { return nil }
        let best = bestPeer(drain)
        let rows = drain.map { contender in
            let rate = Double(options.backlog) / contender.median(\.wall)
            return """
                | \(contender.name) | \(wall(contender, \.wall)) | \(Int(rate)) | \(ratio(contender, to: best)) \
                | \(wall(contender) { $0.otherWall ?? .nan }) | \(rest(contender)) |
                """
        }
        return """
            ## Draining \(options.backlog) pgbench transactions

            Made while the stream was stopped; rows compared afterwards. *Streaming* is the time from the moment when \
            the source reports a sender for the stream until the last transaction is on the target; *whole* begins at \
            the command, for martlet the start of the program. Processor time is that of the whole. The native \
            subscription's work is done in the target server.

            | | streaming s | transactions/s | to the best peer | whole s | client | source | target | memory MB |
            |---|---|---|---|---|---|---|---|---|
            \(rows.joined(separator: "\n"))

            \(commands(drain))
            """
    }

    private var startText: String? {
        guard let start else { return nil }
        let times = start.milliseconds
        return """
            ## Start

            `martlet --version`: \(times.median.formatted(digits: 1)) ms \
            [\((times.min() ?? 0).formatted(digits: 1))–\((times.max() ?? 0).formatted(digits: 1))] (\(times.count) runs), \
            \(start.memory / 1_000_000) MB.
            """
    }

    // MARK: Cells

    private func bestPeer(_ contenders: [Contender]) -> Double {
        contenders.filter(\.isPeer).map { $0.median(\.wall) }.min() ?? .nan
    }

    private func wall(_ contender: Contender, _ value: (Measurement) -> Double) -> String {
        let values = contender.rounds.map(value)
        let range = "[\((values.min() ?? 0).formatted(digits: 2))–\((values.max() ?? 0).formatted(digits: 2))]"
        return "\(values.median.formatted(digits: 2)) \(values.count > 1 ? range : "")"
    }

    private func ratio(_ contender: Contender, to best: Double) -> String {
        (contender.median(\.wall) / best).formatted(digits: 2)
    }

    private func rest(_ contender: Contender) -> String {
        let memory = contender.rounds.map(\.memory).max() ?? 0
        let seconds = [\Measurement.client, \.source, \.target].map { value in
            contender.median { $0[keyPath: value] }.formatted(digits: 2)
        }
        return (seconds + [memory == 0 ? "–" : String(memory / 1_000_000)]).joined(separator: " | ")
    }

    private func commands(_ contenders: [Contender]) -> String {
        (["```"] + contenders.map(\.command) + ["```"]).joined(separator: "\n")
    }
}
