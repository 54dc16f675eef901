package import Postgres

/// Takes the fields of an object one after the other, and notices those that nobody took: nothing is ignored.
package struct FieldReader {
    /// How messages call the object.
    package let title: String
    private let file: FieldFile
    private var rest: [String: FieldNode] = [:]

    /// Reads an object of a file.
    package init(_ node: FieldNode, title: String, of file: FieldFile) throws(PostgresError) {
        (self.title, self.file) = (title, file)
        guard case .fields(let fields) = node else {
            throw Self.refusal(title, of: file, "It should be an object, and is \(node.description).")
        }
        for (key, value) in fields { rest[key] = value }
    }

    /// A field that may be missing; null counts as missing.
    package mutating func node(_ key: String) -> FieldNode? {
        guard let node = rest.removeValue(forKey: key), node != .null else { return nil }
        return node
    }

    /// A text that may be missing.
    package mutating func optionalText(_ key: String) throws(PostgresError) -> String? {
        guard let node = node(key) else { return nil }
        guard case .text(let text) = node else { throw refusal("\"\(key)\" is \(node.description).") }
        return text
    }

    /// A text that must be there.
    package mutating func text(_ key: String) throws(PostgresError) -> String {
        guard let text = try optionalText(key) else { throw refusal("It has no \"\(key)\".") }
        return text
    }

    /// A whole number that may be missing.
    package mutating func optionalNumber(_ key: String) throws(PostgresError) -> Int? {
        guard let text = try optionalText(key) else { return nil }
        guard let number = Int(text) else { throw refusal("\"\(key)\" is \"\(text)\", and should be a whole number.") }
        return number
    }

    /// `true` or `false`, or missing.
    package mutating func optionalFlag(_ key: String) throws(PostgresError) -> Bool? {
        guard let text = try optionalText(key) else { return nil }
        switch text {
        case "true", "yes", "on": return true
        case "false", "no", "off": return false
        default: throw refusal("\"\(key)\" is \"\(text)\", and should be true or false.")
        }
    }

    /// One text, or a list of them; empty when it is missing.
    package mutating func texts(_ key: String) throws(PostgresError) -> [String] {
        guard let node = node(key) else { return [] }
        let nodes = if case .list(let list) = node { list } else { [node] }
        return try nodes.map { node throws(PostgresError) in
            guard case .text(let text) = node else { throw refusal("\"\(key)\" has \(node.description) in it.") }
            return text
        }
    }

    /// The names of the fields that nobody took yet.
    package var names: [String] { rest.keys.sorted() }

    /// A list; empty when it is missing.
    package mutating func list(_ key: String) throws(PostgresError) -> [FieldNode] {
        guard let node = node(key) else { return [] }
        guard case .list(let list) = node else { throw refusal("\"\(key)\" is \(node.description), not a list.") }
        return list
    }

    /// The fields of an object within.
    package mutating func fields(_ key: String) throws(PostgresError) -> FieldReader? {
        guard let node = node(key) else { return nil }
        return try reader(of: node, title: "\(title), \"\(key)\"")
    }

    /// Reads an object that stands within this one.
    package func reader(of node: FieldNode, title: String) throws(PostgresError) -> FieldReader {
        try FieldReader(node, title: title, of: file)
    }

    /// Every field must have been taken.
    package func finish(_ known: String = "") throws(PostgresError) {
        guard let key = rest.filter({ $0.value != .null }).keys.min() else { return }
        throw refusal("It has a field \"\(key)\", which martlet does not know there.\(known)")
    }

    /// The error of this object.
    package func refusal(_ detail: String, hint: String? = nil) -> PostgresError {
        Self.refusal(title, of: file, detail, hint: hint)
    }

    private static func refusal(
        _ title: String,
        of file: FieldFile,
        _ detail: String,
        hint: String? = nil
    ) -> PostgresError {
        PostgresError("could not understand \(title) of \(file.title)", detail: detail, hint: hint ?? file.hint)
    }
}
