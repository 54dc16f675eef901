import Cluster
import Foundation
import Postgres

/// Measures martlet beside its peers, in one run on two servers of our own.
///
///     bench [--quick] [--rounds N] [--only copy,drain,…] [--martlet PATH] [--beside PATH] [--backlog NAME]
///         [--scratch DIR] [--output FILE]
///
/// `--beside` is another build of martlet, say one from before a change, which `copy`, `objects` and `drain` measure too;
/// `--backlog` leaves out all backlogs of `drain` but one.
///
/// Every round runs every contender once, in an order that turns from round to round. Servers
/// are in temporary folders that are removed at the end, however it comes; dumps and spools are in
/// the folder `--scratch`, which the script `run` makes and removes.
@main
struct Bench {
    static func main() async {
        do { try await run() } catch {
            tell("bench: error: \(error)")
            exit(1)
        }
    }

    private static func run() async throws {
        let options = try Options(Array(CommandLine.arguments.dropFirst()))
        try await withServers(options) { servers in
            var report = try await Report(options, servers)
            for discipline in Discipline.all where options.wants(discipline.name) {
                tell("== \(discipline.name)")
                report.add(try await discipline.run(options, servers), of: discipline.name, options)
                // What was measured is not lost with what comes after it.
                try options.output.map { try Data(report.text.utf8).write(to: URL(filePath: $0)) }
            }
            print(report.text)
        }
    }

    /// Runs `body` with a source and a target on loopback TCP, both as careful as a server in use.
    private static func withServers(_ options: Options, _ body: (Servers) async throws -> Void) async throws {
        var configuration = ServerConfiguration(tcp: .anyPort, settings: Servers.settings)
        configuration.isDurable = true
        try await withServer(configuration) { source in
            try await withServer(configuration) { target in
                try await body(Servers(source: source, target: target, options: options))
            }
        }
    }
}

/// Something that is measured, and gives one section of the report.
struct Discipline: Sendable {
    let name: String
    let run: @Sendable (Options, Servers) async throws -> String

    static let all: [Discipline] = [
        Discipline(name: "copy") { try await CopyRace.ofPgbench($0, $1).run() },
        Discipline(name: "copy-mixed") { try await CopyRace.ofMixed($0, $1).run() },
        Discipline(name: "drain") { try await DrainRace.all($0, $1) },
        Discipline(name: "latency") { try await LatencyRace(options: $0, servers: $1).run() },
        Discipline(name: "objects") { try await CopyRace.ofSmallObjects($0, $1).run() },
        Discipline(name: "objects-large") { try await CopyRace.ofLargeObjects($0, $1).run() },
        Discipline(name: "verify") { try await VerifyRace(options: $0, servers: $1).run() },
        Discipline(name: "writers") { try await WritersRace(options: $0, servers: $1).run() },
        Discipline(name: "cutover") { options, _ in try await CutoverRace(options: options).run() },
        Discipline(name: "growth") { try await GrowthRace(options: $0, servers: $1).run() },
        Discipline(name: "generate") { try await GenerateRace(options: $0, servers: $1).run() },
        Discipline(name: "clone") { try await MirrorRace.clone($0, $1) },
        Discipline(name: "bring-back") { try await MirrorRace.bringBack($0, $1) },
        Discipline(name: "commands") { try await CommandRace(options: $0, servers: $1).run() },
        Discipline(name: "start") { options, _ in try await StartRace(options: options).run() },
    ]
}

/// What the command line asks for.
struct Options {
    var isQuick = false
    var rounds = 3
    var disciplines: Set<String> = []
    var martlet = "../.build/release/martlet"
    /// Another build, to compare with.
    var otherMartlet: String?
    /// The only backlog that is drained; nil: all.
    var backlog: String?
    var scratch = FileManager.default.temporaryDirectory.appending(path: "martlet-bench").path
    var output: String?

    init(_ arguments: [String]) throws {
        var rest = arguments[...]
        func value(of option: String) throws -> String {
            guard let value = rest.popFirst() else { throw Failure("\(option) needs a value") }
            return value
        }
        while let option = rest.popFirst() {
            switch option {
            case "--quick": (isQuick, rounds) = (true, 1)
            case "--rounds": rounds = max(1, Int(try value(of: option)) ?? 1)
            case "--only": disciplines = Set(try value(of: option).split(separator: ",").map(String.init))
            case "--martlet": martlet = try value(of: option)
            case "--beside": otherMartlet = Self.absolute(try value(of: option))
            case "--backlog": backlog = try value(of: option)
            case "--scratch": scratch = try value(of: option)
            case "--output": output = try value(of: option)
            default: throw Failure("unknown option \(option)")
            }
        }
        martlet = Self.absolute(martlet)
        let unknown = disciplines.subtracting(Discipline.all.map(\.name)).sorted()
        guard unknown.isEmpty else {
            let known = Discipline.all.map(\.name).joined(separator: ", ")
            throw Failure("there is no discipline \(unknown.joined(separator: ", ")); there are \(known)")
        }
    }

    private static func absolute(_ path: String) -> String { URL(filePath: path).absoluteURL.standardized.path }

    func wants(_ discipline: String) -> Bool { disciplines.isEmpty || disciplines.contains(discipline) }

    /// The scale of pgbench: 100,000 accounts each.
    var scale: Int { isQuick ? 10 : 100 }

    /// The size of the mixed database, of which 1 has 4.4 GB.
    var mixedSize: Double { isQuick ? 0.05 : 0.7 }
}

/// Something that keeps a measurement from counting.
struct Failure: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) {
        self.description = description
    }
}

/// Tells on stderr what is being done; stdout is for the table.
func tell(_ text: String) {
    // A reader that is gone is no reason to stop measuring.
    try? FileHandle.standardError.write(contentsOf: Data((text + "\n").utf8))
}
