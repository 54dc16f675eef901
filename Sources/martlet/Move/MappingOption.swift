import ArgumentParser
import Foundation
import Move
import Postgres

/// A file of AWS DMS that says what is moved, and how.
struct MappingOption: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Table mapping of AWS DMS, as JSON or YAML: which tables and rows are moved, and what they become.",
            valueName: "file"
        )
    )
    var mapping: String?

    /// Reads the mapping file; nil when none is given.
    func read() throws -> TableMapping? { try Self.read(mapping) }

    /// Reads a file.
    static func read(_ path: String?) throws -> TableMapping? {
        guard let path else { return nil }
        let text: String
        do {
            text = try String(contentsOf: URL(filePath: path), encoding: .utf8)
        } catch {
            throw PostgresError(
                "could not read the file \"\(path)\"",
                detail: error.localizedDescription,
                hint: "It is text in UTF-8."
            )
        }
        return try TableMapping(parsing: text)
    }
}
