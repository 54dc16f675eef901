import Postgres
import Yams

/// A part of a mapping file, JSON or YAML.
enum MappingNode: Sendable, Hashable {
    case text(String)
    case null
    case list([MappingNode])
    case fields([(key: String, value: MappingNode)])

    /// Reads a file; JSON is YAML written in one of its ways.
    ///
    /// - Throws: where the file cannot be read; the same key twice is an error.
    init(parsing file: String) throws(PostgresError) {
        // Foundation drops it at the beginning of a text, so a value would be another one.
        guard !file.unicodeScalars.dropFirst().contains("\u{feff}"), !file.lowercased().contains("\\ufeff") else {
            throw PostgresError(
                "the mapping file has a byte order mark (U+FEFF) in a text",
                detail: "It can stand at the beginning of the file alone.",
                hint: "In the pattern of a name, _ stands for it."
            )
        }
        do {
            guard let node = try Yams.compose(yaml: file) else {
                throw PostgresError("the mapping file is empty")
            }
            self = try Self(node)
        } catch let error as PostgresError {
            throw error
        } catch {
            throw PostgresError(
                "could not read the mapping file",
                detail: "\(error)",
                hint: "It is JSON as AWS DMS takes it, or the same structure in YAML."
            )
        }
    }

    private init(_ node: Node) throws(PostgresError) {
        switch node {
        case .scalar(let scalar):
            let isNull = scalar.style == .plain && ["", "~", "null", "Null", "NULL"].contains(scalar.string)
            self = isNull ? .null : .text(scalar.string)
        case .sequence(let sequence):
            self = .list(try sequence.map { node throws(PostgresError) in try Self(node) })
        case .mapping(let mapping):
            var fields: [(key: String, value: MappingNode)] = []
            for (key, value) in mapping {
                guard let name = key.scalar?.string else {
                    throw PostgresError("could not read the mapping file", detail: "A key is not a word.")
                }
                fields.append((name, try Self(value)))
            }
            self = .fields(fields)
        case .alias:
            throw PostgresError("could not read the mapping file", detail: "It uses an alias (*name) of YAML.")
        }
    }

    static func == (left: Self, right: Self) -> Bool {
        switch (left, right) {
        case (.text(let a), .text(let b)): a == b
        case (.null, .null): true
        case (.list(let a), .list(let b)): a == b
        case (.fields(let a), .fields(let b)): a.map(\.key) == b.map(\.key) && a.map(\.value) == b.map(\.value)
        default: false
        }
    }

    func hash(into hasher: inout Hasher) {
        switch self {
        case .text(let text): hasher.combine(text)
        case .null: hasher.combine(0)
        case .list(let list): hasher.combine(list)
        case .fields(let fields): hasher.combine(fields.map(\.value))
        }
    }

    /// What a message shows of it.
    var description: String {
        switch self {
        case .text(let text): "\"\(text)\""
        case .null: "null"
        case .list: "a list"
        case .fields: "an object"
        }
    }
}

/// Takes the fields of an object one after the other, and notices those that nobody took: nothing is ignored.
struct FieldReader {
    /// How messages call the object.
    let title: String
    private var rest: [String: MappingNode] = [:]

    init(_ node: MappingNode, title: String) throws(PostgresError) {
        self.title = title
        guard case .fields(let fields) = node else {
            throw Self.refusal(title, "It should be an object, and is \(node.description).")
        }
        for (key, value) in fields { rest[key] = value }
    }

    /// A field that may be missing; null counts as missing.
    mutating func node(_ key: String) -> MappingNode? {
        guard let node = rest.removeValue(forKey: key), node != .null else { return nil }
        return node
    }

    mutating func optionalText(_ key: String) throws(PostgresError) -> String? {
        guard let node = node(key) else { return nil }
        guard case .text(let text) = node else { throw refusal("\"\(key)\" is \(node.description).") }
        return text
    }

    mutating func text(_ key: String) throws(PostgresError) -> String {
        guard let text = try optionalText(key) else { throw refusal("It has no \"\(key)\".") }
        return text
    }

    mutating func optionalNumber(_ key: String) throws(PostgresError) -> Int? {
        guard let text = try optionalText(key) else { return nil }
        guard let number = Int(text) else { throw refusal("\"\(key)\" is \"\(text)\", and should be a whole number.") }
        return number
    }

    mutating func list(_ key: String) throws(PostgresError) -> [MappingNode] {
        guard let node = node(key) else { return [] }
        guard case .list(let list) = node else { throw refusal("\"\(key)\" is \(node.description), not a list.") }
        return list
    }

    /// The fields of an object within.
    mutating func fields(_ key: String) throws(PostgresError) -> FieldReader? {
        guard let node = node(key) else { return nil }
        return try FieldReader(node, title: "\(title), \"\(key)\"")
    }

    /// Every field must have been taken.
    func finish(_ known: String = "") throws(PostgresError) {
        guard let key = rest.filter({ $0.value != .null }).keys.min() else { return }
        throw refusal("It has a field \"\(key)\", which martlet does not know there.\(known)")
    }

    func refusal(_ detail: String, hint: String? = nil) -> PostgresError { Self.refusal(title, detail, hint: hint) }

    private static func refusal(_ title: String, _ detail: String, hint: String? = nil) -> PostgresError {
        PostgresError(
            "could not understand \(title) of the mapping file",
            detail: detail,
            hint: hint ?? "Nothing of a mapping file is ignored; docs/guide/mapping.md lists what is understood."
        )
    }
}
