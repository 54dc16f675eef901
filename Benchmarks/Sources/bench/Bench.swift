import Cluster
import Foundation
import Postgres

/// Measures martlet beside its peers, in one run on two servers of our own.
///
///     bench [--quick] [--rounds N] [--only copy,drain,start] [--martlet PATH] [--scratch DIR] [--output FILE]
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
        var report = Report(options: options)
        if options.disciplines.contains("start") { report.start = try await StartRace(options: options).run() }
        if !options.disciplines.isDisjoint(with: ["copy", "drain"]) {
            try await withServers(options.scratch + "/files") { servers in
                report.server = servers.version
                try await servers.makeSeed(scale: options.scale)
                if options.disciplines.contains("copy") {
                    report.copy = try await CopyRace(options: options, servers: servers).run()
                }
                if options.disciplines.contains("drain") {
                    report.drain = try await DrainRace(options: options, servers: servers).run()
                }
            }
        }
        let text = report.text
        print(text)
        if let file = options.output { try Data(text.utf8).write(to: URL(filePath: file)) }
    }

    /// Runs `body` with a source and a target on loopback TCP, both as careful as a server in use.
    private static func withServers(_ scratch: String, _ body: (Servers) async throws -> Void) async throws {
        var configuration = ServerConfiguration(tcp: .anyPort, settings: Servers.settings)
        configuration.isDurable = true
        try await withServer(configuration) { source in
            try await withServer(configuration) { target in
                try await body(Servers(source: source, target: target, scratch: scratch))
            }
        }
    }
}

/// What the command line asks for.
struct Options {
    var isQuick = false
    var rounds = 3
    var disciplines: Set<String> = ["copy", "drain", "start"]
    var martlet = "../.build/release/martlet"
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
            case "--scratch": scratch = try value(of: option)
            case "--output": output = try value(of: option)
            default: throw Failure("unknown option \(option)")
            }
        }
        martlet = URL(filePath: martlet).absoluteURL.standardized.path
    }

    /// The scale of pgbench: 100,000 accounts each.
    var scale: Int { isQuick ? 5 : 20 }

    /// How many transactions lie in the backlog.
    var backlog: Int { isQuick ? 20_000 : 100_000 }
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
