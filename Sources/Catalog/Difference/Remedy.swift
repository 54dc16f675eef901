import Postgres

/// Finds the statements that make an object of the target as it is on the source, where they are simple.
///
/// Names come from the server and are quoted already. Nothing is ever dropped.
struct Remedy {
    /// The name of the target database.
    let database: String

    /// The statements; none where a person has to think.
    func statements(_ difference: SchemaDifference) -> [String] {
        switch difference.presence {
        case .onlyInTarget: []
        case .onlyInSource: creation(of: difference).map { [Self.ended($0)] } ?? []
        case .different: changes(difference).map(Self.ended)
        }
    }

    private static func ended(_ statement: String) -> String {
        statement.hasSuffix(";") ? statement : statement + ";"
    }

    // MARK: What is missing

    private func creation(of object: SchemaDifference) -> String? {
        let definition = object.source ?? ""
        switch object.kind {
        case "schema": return "CREATE SCHEMA \(object.name)"
        case "extension": return "CREATE EXTENSION \(object.name)"
        case "subscription": return "CREATE SUBSCRIPTION \(object.name) CONNECTION '…' PUBLICATION …"
        case "index", "trigger", "rule", "statistics object", "function", "procedure":
            return definition.isEmpty ? nil : definition
        case "view": return "CREATE VIEW \(object.name) AS\(definition)"
        case "materialized view": return "CREATE MATERIALIZED VIEW \(object.name) AS\(definition)"
        case "constraint":
            guard let (name, table) = Self.split(object.name) else { return nil }
            return "ALTER TABLE \(table) ADD CONSTRAINT \(name) \(definition)"
        default: return nil
        }
    }

    // MARK: What is different

    private func changes(_ difference: SchemaDifference) -> [String] {
        switch difference.property {
        case "owner":
            guard let owner = difference.source, let object = alterable(difference) else { return [] }
            return ["ALTER \(object) OWNER TO \(owner)"]
        case "comment":
            let comment: SQL = difference.source.map { "\(literal: $0)" } ?? "NULL"
            let text = comment.text.hasPrefix(" ") ? String(comment.text.dropFirst()) : comment.text
            return ["COMMENT ON \(commented(difference)) IS \(text)"]
        case let property? where property.begins(with: "privileges of "):
            return privileges(difference, of: property.rest(after: "privileges of ") ?? "")
        case "version" where difference.kind == "extension":
            guard let version = difference.source else { return [] }
            let literal: SQL = "\(literal: version)"
            return ["ALTER EXTENSION \(difference.name) UPDATE TO \(literal.text)"]
        case let property?: return Self.change(difference, property).map { [$0] } ?? []
        case nil: return []
        }
    }

    private static func change(_ difference: SchemaDifference, _ property: String) -> String? {
        let name = difference.name
        switch (difference.kind, property) {
        case ("column", _): return columnChange(difference, property)
        case ("table", "row security"):
            return "ALTER TABLE \(name) \(difference.source == nil ? "DISABLE" : "ENABLE") ROW LEVEL SECURITY"
        case ("table", "forced row security"):
            return "ALTER TABLE \(name) \(difference.source == nil ? "NO FORCE" : "FORCE") ROW LEVEL SECURITY"
        case ("table", "replica identity"):
            return "ALTER TABLE \(name) REPLICA IDENTITY \(difference.source ?? "DEFAULT")"
        case ("trigger", "enabled"), ("rule", "enabled"):
            guard let (part, table) = split(name) else { return nil }
            let state = ["no": "DISABLE", "on replicas": "ENABLE REPLICA", "always": "ENABLE ALWAYS"]
            let verb = difference.source.map { state[$0] ?? "ENABLE" } ?? "ENABLE"
            return "ALTER TABLE \(table) \(verb) \(difference.kind.uppercased()) \(part)"
        case ("materialized view", "populated") where difference.source == nil:
            return "REFRESH MATERIALIZED VIEW \(name)"
        default: return nil
        }
    }

    private static func columnChange(_ column: SchemaDifference, _ property: String) -> String? {
        guard let (table, name) = splitLast(column.name) else { return nil }
        let action: String? =
            switch (property, column.source) {
            case ("not null", let value): value == nil ? "DROP NOT NULL" : "SET NOT NULL"
            case ("default", let value): value.map { "SET DEFAULT \($0)" } ?? "DROP DEFAULT"
            case ("statistics", let value): "SET STATISTICS \(value ?? "-1")"
            case ("storage", let value?): "SET STORAGE \(value)"
            case ("compression", let value): "SET COMPRESSION \(value ?? "default")"
            default: nil
            }
        return action.map { "ALTER TABLE \(table) ALTER COLUMN \(name) \($0)" }
    }

    private func privileges(_ difference: SchemaDifference, of role: String) -> [String] {
        let wanted = Self.privileges(in: difference.source)
        let present = Self.privileges(in: difference.target)
        let isForOwner = role == "the owner"
        guard let object = grantable(difference), !isForOwner,
            !(wanted + present).contains(where: { $0.contains(" by ") })
        else { return [] }
        let option = " WITH GRANT OPTION"
        func list(_ privileges: [String]) -> String {
            privileges.map { $0.replacing(option, with: "") + object.columns }.joined(separator: ", ")
        }
        let missing = wanted.filter { !present.contains($0) }
        let surplus = present.filter { !wanted.contains($0) }
        let plain = missing.filter { !$0.hasSuffix(option) }
        let passed = missing.filter { $0.hasSuffix(option) }
        let grants = [(plain, ""), (passed, option)].filter { !$0.0.isEmpty }.map {
            "GRANT \(list($0.0)) ON \(object.name) TO \(role)\($0.1)"
        }
        return (surplus.isEmpty ? [] : ["REVOKE \(list(surplus)) ON \(object.name) FROM \(role)"]) + grants
    }

    private static func privileges(in list: String?) -> [String] {
        (list ?? "").split(separator: ", ").map(String.init)
    }

    // MARK: Names

    /// `x on a.b` as its two parts.
    private static func split(_ name: String) -> (part: String, table: String)? {
        let parts = parts(of: name, separatedBy: " on ")
        return parts.count == 2 ? (parts[0], parts[1]) : nil
    }

    /// `a.b.c` as `a.b` and `c`.
    private static func splitLast(_ name: String) -> (table: String, column: String)? {
        let parts = parts(of: name, separatedBy: ".")
        return parts.count == 3 ? ("\(parts[0]).\(parts[1])", parts[2]) : nil
    }

    /// The parts of a text between separators that are in no double quotes, by its scalars: a quote may carry an accent.
    private static func parts(of text: String, separatedBy separator: String) -> [String] {
        var parts = [String.UnicodeScalarView()]
        var rest = text.unicodeScalars[...]
        var isQuoted = false
        while let scalar = rest.first {
            if !isQuoted, rest.starts(with: separator.unicodeScalars) {
                parts.append(String.UnicodeScalarView())
                rest = rest.dropFirst(separator.unicodeScalars.count)
                continue
            }
            if scalar == "\"" { isQuoted.toggle() }
            parts[parts.count - 1].append(scalar)
            rest = rest.dropFirst()
        }
        return parts.map(String.init)
    }

    private var quotedDatabase: String { Identifier(database).quoted }

    private func alterable(_ object: SchemaDifference) -> String? {
        switch object.kind {
        case "database": "DATABASE \(quotedDatabase)"
        case "statistics object": "STATISTICS \(object.name)"
        case "foreign-data wrapper": "FOREIGN DATA WRAPPER \(object.name)"
        case "operator class", "operator family", "operator": nil
        default: "\(object.kind.uppercased()) \(object.name)"
        }
    }

    private func commented(_ object: SchemaDifference) -> String {
        if object.kind == "domain constraint", let (name, domain) = Self.split(object.name) {
            return "CONSTRAINT \(name) ON DOMAIN \(domain)"
        }
        return alterable(object) ?? "\(object.kind.uppercased()) \(object.name)"
    }

    /// How GRANT names an object, and the columns that it restricts each privilege to.
    private func grantable(_ object: SchemaDifference) -> (name: String, columns: String)? {
        switch object.kind {
        case "table", "view", "materialized view", "foreign table": return ("TABLE \(object.name)", "")
        case "function", "procedure", "aggregate": return ("ROUTINE \(object.name)", "")
        case "database": return ("DATABASE \(quotedDatabase)", "")
        case "server": return ("FOREIGN SERVER \(object.name)", "")
        case "foreign-data wrapper": return ("FOREIGN DATA WRAPPER \(object.name)", "")
        case "sequence", "schema", "type", "language", "large object":
            return ("\(object.kind.uppercased()) \(object.name)", "")
        case "column":
            guard let (table, column) = Self.splitLast(object.name) else { return nil }
            return ("TABLE \(table)", " (\(column))")
        default: return nil
        }
    }
}
