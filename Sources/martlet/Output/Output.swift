import Foundation
import Postgres

/// Where a command prints: results on stdout, everything else on stderr.
struct Output: Sendable {
    /// Whether talk may be coloured: stderr is a terminal, and nobody set `NO_COLOR` (no-color.org) or `TERM=dumb`.
    let isColoured: Bool

    /// Whether stderr is a terminal, so that progress may be redrawn in place.
    let isTerminal: Bool

    init() {
        let variables = ProcessInfo.processInfo.environment
        isTerminal = isatty(STDERR_FILENO) == 1
        isColoured = isTerminal && (variables["NO_COLOR"] ?? "").isEmpty && variables["TERM"] != "dumb"
    }

    /// Prints a result on stdout.
    func result(_ text: String) {
        write(text, to: .standardOutput)
    }

    /// Prints a result for machines on stdout: keys sorted, slashes and dates plain.
    func json(_ value: some Encodable) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        encoder.dateEncodingStrategy = .iso8601
        result(String(decoding: try encoder.encode(value), as: UTF8.self))
    }

    /// Tells a person something on stderr.
    func talk(_ text: String) {
        write(text, to: .standardError)
    }

    /// Prints an error the way `psql` does: the message, then DETAIL and HINT on lines of their own.
    func failure(_ error: any Error) {
        let error = (error as? PostgresError) ?? PostgresError(Self.message(of: error))
        talk("martlet: \(styled("error:", .red)) \(error.message)")
        if let detail = error.detail, !detail.isEmpty { talk("\(styled("DETAIL:", .bold)) \(detail)") }
        if let hint = error.hint, !hint.isEmpty { talk("\(styled("HINT:", .bold)) \(hint)") }
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
