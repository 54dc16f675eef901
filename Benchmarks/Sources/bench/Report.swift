import Foundation

/// The report, as Markdown: a heading, and a section for each discipline, behind a mark with its name.
///
/// A discipline that is measured again replaces its section; what an earlier run measured of others stays. Ratios are
/// always of one discipline, and so of one run.
struct Report {
    private let heading: String
    /// What is measured: versions of both sides.
    private let versions: String
    private var sections: [String: String]

    init(_ options: Options, _ servers: Servers) async throws {
        heading = """
            # Benchmarks

            Written by `make bench`. \(ProcessInfo.processInfo.processorCount) processors, \
            \(ProcessInfo.processInfo.physicalMemory >> 30) GiB. Medians, range in brackets; processor seconds (user and system) of the client, the \
            source server and the target server; memory is the largest resident set of any process of the client, of \
            martlet its own and that of a program it starts where that is larger; log is \
            what the target has written to its WAL. Both servers on this machine, over TCP, fsync on, \
            \(Servers.settings.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }.joined(separator: ", ")). \
            A peer that took more than \(slowPeer) times as long as the best contender was measured once.
            """
        let commit = ProcessInfo.processInfo.environment["MARTLET_COMMIT"].map { ", martlet of \($0)" } ?? ""
        versions = "PostgreSQL \(servers.version)\(commit)"
        let old = try options.output.map {
            FileManager.default.fileExists(atPath: $0) ? try String(contentsOfFile: $0, encoding: .utf8) : ""
        }
        sections = Self.sections(of: old ?? "")
    }

    /// Takes in what a discipline has measured.
    mutating func add(_ section: String, of discipline: String, _ options: Options) {
        let size = options.isQuick ? "quick sizes, " : ""
        let day = Date().formatted(.iso8601.year().month().day())
        sections[discipline] = "*\(day), \(versions), \(size)rounds: \(options.rounds)*\n\n" + section
    }

    var text: String {
        let known = Discipline.all.map(\.name).filter { sections[$0] != nil }
        return ([heading] + known.map { "\(Self.mark($0))\n\n\(sections[$0] ?? "")" }).joined(separator: "\n\n") + "\n"
    }

    private static func mark(_ discipline: String) -> String { "<!-- \(discipline) -->" }

    private static func sections(of text: String) -> [String: String] {
        var sections: [String: String] = [:]
        for discipline in Discipline.all.map(\.name) {
            guard let start = text.range(of: mark(discipline))?.upperBound else { continue }
            let end = text.range(of: "<!-- ", range: start..<text.endIndex)?.lowerBound ?? text.endIndex
            sections[discipline] = text[start..<end].trimmingCharacters(in: .whitespacesAndNewlines)
        }
        return sections
    }
}

/// Contenders that do the same thing, measured in turn.
struct Table {
    let title: String
    let about: String
    /// What there is to do, for a rate.
    var amount: (count: Int, of: String)?
    /// What the second clock tells, where there is one.
    var otherClock: String?
    let contenders: [Contender]

    var text: String {
        var columns = ["", "seconds"]
        if let amount { columns.append("\(amount.of)/s") }
        columns.append("to the best peer")
        if hasLimit { columns.append("to the limit") }
        if let otherClock { columns.append("\(otherClock) s") }
        columns += ["client", "source", "target", "memory MB", "log MB"]
        let lines = [columns, columns.map { _ in "---" }] + contenders.map(cells)
        return """
            ## \(title)

            \(about)

            \(lines.map { "| \($0.joined(separator: " | ")) |" }.joined(separator: "\n"))

            ```
            \(contenders.map(\.command).joined(separator: "\n"))
            ```
            """
    }

    private func cells(of contender: Contender) -> [String] {
        guard !contender.hasFailed else { return [contender.name, "failed"] }
        let median = contender.median(\.wall)
        var cells = [contender.name, wall(contender, \.wall)]
        if let amount { cells.append(String(Int(Double(amount.count) / median))) }
        cells.append(ratio(median, to: .peer))
        if hasLimit { cells.append(ratio(median, to: .limit)) }
        if otherClock != nil { cells.append(wall(contender) { $0.otherWall ?? .nan }) }
        cells += [\Measurement.client, \.source, \.target].map { value in
            contender.median { $0[keyPath: value] }.formatted(digits: 2)
        }
        let memory = contender.rounds.reduce(into: PeakMemory()) { $0.merge($1.memory) }
        let log = contender.median { Double($0.log) } / 1e6
        return cells + [memory.text, log.formatted(digits: 0)]
    }

    private var hasLimit: Bool { contenders.contains { $0.role == .limit } }

    private func ratio(_ seconds: Double, to role: Contender.Role) -> String {
        let best = contenders.filter { $0.role == role && !$0.hasFailed }.map { $0.median(\.wall) }.min()
        return best.map { (seconds / $0).formatted(digits: 2) } ?? "–"
    }

    private func wall(_ contender: Contender, _ value: (Measurement) -> Double) -> String {
        let values = contender.rounds.map(value)
        guard values.allSatisfy({ !$0.isNaN }) else { return "–" }
        let range = "[\((values.min() ?? 0).formatted(digits: 2))–\((values.max() ?? 0).formatted(digits: 2))]"
        return values.median.formatted(digits: 2) + (values.count > 1 ? " \(range)" : "")
    }
}

/// A peer that took so many times as long as the best contender is not measured again.
let slowPeer = 2.5

/// Runs every contender once in each of the rounds, in an order that turns from round to round.
///
/// A peer that fails is told of, and takes no part any more; nor does one that is far behind.
func race(
    _ discipline: String,
    _ contenders: [Contender],
    rounds: some Sequence<Int>,
    _ measure: (Contender) async throws -> Measurement
) async throws -> [Contender] {
    var contenders = contenders
    for round in rounds {
        for turn in contenders.indices {
            let place = (turn + round) % contenders.count
            guard !contenders[place].hasFailed, !contenders[place].isFarBehind(contenders) else { continue }
            let measured: Measurement
            do {
                measured = try await measure(contenders[place])
            } catch let failure as Failure where contenders[place].role == .peer {
                tell("WARNING: \(contenders[place].name) is left out, because it failed: \(failure)")
                contenders[place].hasFailed = true
                continue
            }
            tell("\(discipline), round \(round + 1): \(contenders[place].name) \(measured.wall.formatted(digits: 2)) s")
            contenders[place].rounds.append(measured)
        }
    }
    return contenders
}
