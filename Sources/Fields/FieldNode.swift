package import Postgres
import Yams

/// How messages call a file, and what they advise.
package struct FieldFile: Sendable {
    /// `the mapping file`.
    package let title: String
    /// What to do about a file that cannot be read.
    package let form: String
    /// What to do about a field that is not understood.
    package let hint: String

    package init(title: String, form: String, hint: String) {
        (self.title, self.form, self.hint) = (title, form, hint)
    }
}

/// A part of a file that people write, in JSON or YAML.
package enum FieldNode: Sendable, Hashable {
    case text(String)
    case null
    case list([FieldNode])
    case fields([(key: String, value: FieldNode)])

    /// Reads a file; JSON is YAML written in one of its ways.
    ///
    /// - Throws: where the file cannot be read; the same key twice is an error.
    package init(parsing text: String, as file: FieldFile) throws(PostgresError) {
        // Foundation drops it at the beginning of a text, so a value would be another one.
        guard !text.unicodeScalars.dropFirst().contains("\u{feff}"), !text.lowercased().contains("\\ufeff") else {
            throw PostgresError(
                "\(file.title) has a byte order mark (U+FEFF) in a text",
                detail: "It can stand at the beginning of the file alone.",
                hint: "In the pattern of a name, _ stands for it."
            )
        }
        do {
            guard let node = try Yams.compose(yaml: text) else {
                throw PostgresError("\(file.title) is empty")
            }
            self = try Self(node, file)
        } catch let error as PostgresError {
            throw error
        } catch {
            throw PostgresError(
                "could not read \(file.title)",
                detail: Self.text(of: error),
                hint: file.form
            )
        }
    }

    /// Where and what, without the line itself, which may hold a password.
    private static func text(of error: any Error) -> String {
        switch error as? YamlError {
        case .scanner(_, let problem, let mark, _), .parser(_, let problem, let mark, _),
            .composer(_, let problem, let mark, _):
            "\(problem), in line \(mark.line), column \(mark.column)"
        case .reader(let problem, let offset, _, _): "\(problem)\(offset.map { ", at byte \($0)" } ?? "")"
        case .some(let other) where false: "\(other)"
        default: "It is no YAML."
        }
    }

    private init(_ node: Node, _ file: FieldFile) throws(PostgresError) {
        switch node {
        case .scalar(let scalar):
            let isNull = scalar.style == .plain && ["", "~", "null", "Null", "NULL"].contains(scalar.string)
            self = isNull ? .null : .text(scalar.string)
        case .sequence(let sequence):
            self = .list(try sequence.map { node throws(PostgresError) in try Self(node, file) })
        case .mapping(let mapping):
            var fields: [(key: String, value: FieldNode)] = []
            for (key, value) in mapping {
                guard let name = key.scalar?.string else {
                    throw PostgresError("could not read \(file.title)", detail: "A key is not a word.")
                }
                fields.append((name, try Self(value, file)))
            }
            self = .fields(fields)
        case .alias:
            throw PostgresError("could not read \(file.title)", detail: "It uses an alias (*name) of YAML.")
        }
    }

    package static func == (left: Self, right: Self) -> Bool {
        switch (left, right) {
        case (.text(let a), .text(let b)): a == b
        case (.null, .null): true
        case (.list(let a), .list(let b)): a == b
        case (.fields(let a), .fields(let b)): a.map(\.key) == b.map(\.key) && a.map(\.value) == b.map(\.value)
        default: false
        }
    }

    package func hash(into hasher: inout Hasher) {
        switch self {
        case .text(let text): hasher.combine(text)
        case .null: hasher.combine(0)
        case .list(let list): hasher.combine(list)
        case .fields(let fields): hasher.combine(fields.map(\.value))
        }
    }

    /// What a message shows of it.
    package var description: String {
        switch self {
        case .text(let text): "\"\(text)\""
        case .null: "null"
        case .list: "a list"
        case .fields: "an object"
        }
    }
}
