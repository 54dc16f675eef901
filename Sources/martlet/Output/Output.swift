import Foundation
import Postgres

/// Where a command prints: results on stdout, everything else on stderr.
struct Output: Sendable {
    /// Whether talk may be coloured: stderr is a terminal, and nobody set `NO_COLOR` (no-color.org) or `TERM=dumb`.
    let isColoured: Bool

    /// Whether stderr is a terminal, so that progress may be redrawn in place.
    let isTerminal: Bool

    /// What is drawn in place on stderr.
    let screen = Screen()

    init() {
        let variables = ProcessInfo.processInfo.environment
        isTerminal = isatty(STDERR_FILENO) == 1
        isColoured = isTerminal && (variables["NO_COLOR"] ?? "").isEmpty && variables["TERM"] != "dumb"
    }

    /// How long a line on stdout should be; nil when it is not a terminal.
    var resultWidth: Int? { Self.width(of: STDOUT_FILENO) }

    /// How long a line on stderr should be; nil when it is not a terminal.
    var talkWidth: Int? { Self.width(of: STDERR_FILENO) }

    /// Prints a result on stdout: as it is for programs, and so that a terminal shows everything and obeys nothing.
    func result(_ text: String) {
        write(resultWidth == nil ? text : Layout.visible(text), to: .standardOutput)
    }

    /// Prints a result for people on stdout, broken at spaces to fit the terminal.
    ///
    /// What follows a break is indented by `indent`, or as its line is.
    func result(prose text: String, indent: String? = nil) {
        result(Layout.wrap(text, to: resultWidth, indent: indent).joined(separator: "\n"))
    }

    /// Prints a result for machines on stdout: keys sorted, slashes and dates plain.
    func json(_ value: some Encodable) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        encoder.dateEncodingStrategy = .iso8601
        try bytes(Array(try encoder.encode(value)) + [UInt8(ascii: "\n")])
    }

    /// Writes bytes on stdout as they are.
    ///
    /// - Throws: when they cannot be written, as on a full disk.
    func bytes(_ bytes: [UInt8]) throws(PostgresError) {
        do {
            try FileHandle.standardOutput.write(contentsOf: Data(bytes))
        } catch {
            throw PostgresError("could not write to the standard output", detail: error.localizedDescription)
        }
    }

    /// Tells a person something on stderr, in lines as they are.
    func talk(_ text: String) {
        let text = Layout.visible(text)
        screen.interject(text.hasSuffix("\n") ? text : text + "\n")
    }

    /// Tells a person something on stderr, broken at spaces to fit the terminal.
    ///
    /// What follows a break is indented by `indent`, or as its line is.
    func talk(prose text: String, indent: String? = nil) {
        talk(Layout.wrap(text, to: talkWidth, indent: indent).joined(separator: "\n"))
    }

    /// Prints an error the way `psql` does: the message, then DETAIL and HINT on lines of their own.
    func failure(_ error: any Error) {
        let error = (error as? PostgresError) ?? PostgresError(Self.message(of: error))
        talk(prose: "martlet: \(styled("error:", .red)) \(error.message)", indent: "  ")
        for (label, text) in [("DETAIL:", error.detail), ("HINT:", error.hint)] {
            guard let text, !text.isEmpty else { continue }
            let lines = "\(label) \(text)".split(separator: "\n", omittingEmptySubsequences: false)
            for (number, line) in lines.enumerated() {
                // Lines of their own keep their indent; a sentence goes on under its first word.
                let wrapped = Layout.wrap(String(line), to: talkWidth, indent: number == 0 ? "  " : nil)
                let text = wrapped.joined(separator: "\n")
                talk(number == 0 ? styled(label, .bold) + text.dropFirst(label.count) : text)
            }
        }
    }

    /// A style of text on a terminal.
    enum Style: String {
        case bold = "1"
        case red = "1;31"
        case green = "32"
        case yellow = "33"
        case dim = "2"
    }

    /// The text in a style, or as it is when there is no colour.
    func styled(_ text: String, _ style: Style) -> String {
        isColoured ? "\u{1b}[\(style.rawValue)m\(text)\u{1b}[0m" : text
    }

    /// Longer lines are hard to read on a wide terminal.
    private static func width(of file: Int32) -> Int? {
        Screen.Size.of(file).map { min($0.columns, 120) }
    }

    private static func message(of error: any Error) -> String {
        if let error = error as? any LocalizedError, let text = error.errorDescription { return text }
        if error is CancellationError { return "canceled" }
        return type(of: error) is NSError.Type ? (error as NSError).localizedDescription : String(describing: error)
    }

    private func write(_ text: String, to file: FileHandle) {
        // A reader that has gone away ends us by SIGPIPE; a full disk leaves nobody to tell.
        try? file.write(contentsOf: Data((text.hasSuffix("\n") ? text : text + "\n").utf8))
    }
}
