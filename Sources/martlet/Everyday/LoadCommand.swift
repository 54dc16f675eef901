import ArgumentParser
import Cluster
import Foundation
import Postgres
import Sync

/// `martlet load`.
struct LoadCommand: Command {
    static let configuration = CommandConfiguration(
        commandName: "load",
        abstract: "Load a CSV file into a table, and set bad rows aside.",
        discussion: """
            The first line names the columns, in any order; "Full Name" finds full_name. Rows that the table does not \
            take are set aside with their line numbers and the reasons, in FILE.rejected.csv, and the others are \
            loaded; the exit status is 2 then. All of it is one transaction: when more rows than --max-rejected are \
            refused, or ^C is pressed, nothing is loaded.

            EXAMPLES
              martlet load users.csv users
              martlet load export.csv people --map "E-Mail=email" --skip comment
              martlet load prices.csv prices staging --delimiter ";" --encoding LATIN1
              zcat orders.csv.gz | martlet load - orders --max-rejected 0
            """
    )

    @Argument(help: "The file; - is the standard input.")
    var file: String

    @Argument(help: "Table, as SQL writes it.")
    var table: String

    @OptionGroup var environment: EnvironmentOptions

    @Option(
        name: .customLong("map"),
        help: ArgumentHelp("The column for a name of the first line; may be repeated.", valueName: "name=column")
    )
    var renamed: [RenamedColumn] = []

    @Option(help: ArgumentHelp("A name of the first line to leave out; may be repeated.", valueName: "name"))
    var skip: [String] = []

    @Option(help: ArgumentHelp("The columns, when the first line does not name them.", valueName: "a,b,…"))
    var columns: String?

    @Option(help: "What stands between fields.")
    var delimiter = ","

    @Option(help: "What stands around a field.")
    var quote = "\""

    @Option(help: "What stands for NULL.")
    var null = ""

    @Option(help: "The encoding of the file.")
    var encoding = "UTF8"

    @Option(help: ArgumentHelp("So many rows may be set aside.", valueName: "rows"))
    var maxRejected = 1000

    @Option(help: ArgumentHelp("Where rows are set aside (default: FILE.rejected.csv).", valueName: "file"))
    var rejected: String?

    func validate() throws {
        guard delimiter.utf8.count == 1, quote.utf8.count == 1, delimiter != quote else {
            throw ValidationError("--delimiter and --quote are one byte each, and not the same.")
        }
        guard maxRejected >= 0 else { throw ValidationError("--max-rejected is 0 or more.") }
    }

    func run(output: Output) async throws -> ExitStatus {
        let environment = try environment.choose(output)
        let place = try await environment.connection()
        let shape = try await GeneratedRows.table(named: table, at: place)
        let aside = RejectedFile(path: rejected ?? (file == "-" ? "stdin" : file) + ".rejected.csv")
        guard URL(filePath: aside.path).resolvingSymlinksInPath() != URL(filePath: file).resolvingSymlinksInPath()
        else {
            throw PostgresError(
                "cannot set rows of file \"\(file)\" aside in itself",
                hint: "--rejected names another file."
            )
        }
        guard !FileManager.default.fileExists(atPath: aside.path) else {
            throw PostgresError(
                "there is a file \"\(aside.path)\" already",
                detail: "Rows that a load has refused may be in it. Nothing was loaded.",
                hint: "Remove it, or name another one with --rejected."
            )
        }
        let load = CSVLoad(path: file, into: shape, form, limit: maxRejected)
        let view = RowsView()
        view.begin("\(shape.name)", whole: file == "-" ? 0 : Self.size(of: file))
        let done: CSVLoad.Progress
        do {
            done = try await LiveView(output: output).show({ { _ in [view.line] } }) {
                try await load.run(at: place) { progress in
                    let note = progress.rejected > 0 ? "\(Quantity.of(progress.rejected, "row")) set aside" : ""
                    view.note(rows: progress.rows, done: progress.bytes, note)
                } reject: { row in
                    try aside.add(row)
                }
            }
        } catch {
            if Task.isCancelled {
                try aside.remove()
                throw Interrupted(cause: CancellationError(), text: "stopped; nothing was loaded")
            }
            if aside.count > 0 { output.talk(prose: "refused rows are in \(aside.path)") }
            throw error
        }
        output.result("\(shape.name): \(Quantity.of(done.rows, "row")) in \(Painter.elapsed(view.seconds))")
        guard done.rejected > 0 else { return .done }
        output.result("\(Quantity.of(done.rejected, "row")) set aside in \(aside.path)")
        return .foundProblems
    }

    private var form: CSVLoad.Form {
        var form = CSVLoad.Form()
        form.delimiter = delimiter.utf8.first ?? form.delimiter
        form.quote = quote.utf8.first ?? form.quote
        (form.null, form.encoding) = (null, encoding)
        form.columns = columns.map { $0.split(separator: ",").map(String.init) }
        form.renamed = Dictionary(renamed.map { ($0.name, $0.value) }) { $1 }
        form.skipped = Set(skip)
        return form
    }

    private static func size(of path: String) -> Int {
        // One that cannot be asked has no size, and its load tells why.
        ((try? FileManager.default.attributesOfItem(atPath: path)[.size]) as? Int) ?? 0
    }

    /// `name=column`, where the name may hold anything but an equals sign.
    struct RenamedColumn: ExpressibleByArgument, Sendable {
        let name: String
        let value: String

        init?(argument: String) {
            let parts = argument.split(separator: "=", maxSplits: 1).map(String.init)
            guard parts.count == 2 else { return nil }
            (name, value) = (parts[0], parts[1])
        }
    }
}
