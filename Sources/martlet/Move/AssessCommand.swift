import ArgumentParser
import Foundation
import Move
import Postgres

/// What decides which tables are moved, and how.
struct SelectionOptions: ParsableArguments {
    @Option(help: "Move only tables that match: schema.table, with * and ?. May be repeated.")
    var include: [String] = []

    @Option(help: "Leave out tables that match; wins over --include. May be repeated.")
    var exclude: [String] = []

    @OptionGroup var mapping: MappingOption

    @Option(
        help: ArgumentHelp(
            "Task settings of AWS DMS: each is answered by what martlet does instead, or refused.",
            valueName: "file"
        )
    )
    var taskSettings: String?

    @Flag(help: "Objects belong to the role of the target connection, not to their owners on the source.")
    var noOwner = false

    @Flag(help: "Do not take over GRANTs.")
    var noPrivileges = false

    @Flag(help: "Copy, and do not follow changes: for a source that nobody writes to, or a first look.")
    var once = false

    @Option(help: "How many tables are copied and indexes built at once: a number, or auto.")
    var jobs: JobCount = .auto

    func preflight() throws -> Preflight.Options {
        var options = Preflight.Options()
        options.tables = try TableFilter(including: include, excluding: exclude)
        options.mapping = try mapping.read()
        options.taskSettings = try MappingOption.read(taskSettings)
        options.isOnce = once
        options.jobs = jobs.number
        options.keepsOwners = !noOwner
        options.keepsPrivileges = !noPrivileges
        return options
    }
}

/// How many jobs: a number, or what martlet chooses.
enum JobCount: ExpressibleByArgument {
    case auto
    case fixed(Int)

    init?(argument: String) {
        if argument == "auto" {
            self = .auto
        } else if let number = Int(argument), (1...64).contains(number) {
            self = .fixed(number)
        } else {
            return nil
        }
    }

    var defaultValueDescription: String {
        switch self {
        case .auto: "auto"
        case .fixed(let number): "\(number)"
        }
    }

    var number: Int? {
        guard case .fixed(let number) = self else { return nil }
        return number
    }
}

/// `martlet assess`.
struct AssessCommand: Command {
    static let configuration = CommandConfiguration(
        commandName: "assess",
        abstract: "Say whether a database can be moved, and what is in the way.",
        discussion: """
            Looks at the source and, when given, at the target. Rights are tried out in transactions that are rolled back; \
            nothing is changed. Every warning and blocker comes with the command that removes it. Exits with 2 when \
            there are blockers.

            EXAMPLES
              martlet assess --source postgresql://app@old/shop
              martlet assess --source service=old --target service=new --json
            """
    )

    @OptionGroup var source: SourceOption
    @Option(
        help: ArgumentHelp(
            "Connection string of the database to move to, when it is there already.",
            valueName: "connection"
        )
    )
    var target: String?
    @OptionGroup var selection: SelectionOptions

    @Flag(help: "Print as JSON.")
    var json = false

    func run(output: Output) async throws -> ExitStatus {
        let given = target ?? ProcessInfo.processInfo.environment["MARTLET_TARGET"]
        let findings = try await Preflight.run(
            source: source.connection(),
            target: given.map { try Environment.connection($0, or: "MARTLET_TARGET", option: "--target") },
            options: selection.preflight()
        )
        if json { try output.json(findings) } else { output.result(Self.text(findings, output)) }
        return findings.blockers.isEmpty ? .done : .foundProblems
    }

    /// All findings for people on stdout, in colour where there is any.
    static func text(_ findings: Findings, _ output: Output) -> String {
        findings.text(wrap: wrap(to: output.resultWidth), style: style(output))
    }

    /// What is in the way or should be known, for people on stderr.
    static func problems(_ findings: Findings, _ output: Output) -> String {
        findings.problems(wrap: wrap(to: output.talkWidth), style: style(output))
    }

    private static func wrap(to width: Int?) -> Findings.Wrap {
        { text, indent in Layout.wrap(text, to: width.map { max(20, $0 - indent) }) }
    }

    private static func style(_ output: Output) -> Findings.Styling {
        { text, style in
            switch style {
            case .heading: output.styled(text, .bold)
            case .level(.pass), .level(.advice): output.styled(text, .green)
            case .level(.warning): output.styled(text, .yellow)
            case .level(.blocker): output.styled(text, .red)
            case .detail: output.styled(text, .dim)
            case .message, .remedy: text
            }
        }
    }
}
