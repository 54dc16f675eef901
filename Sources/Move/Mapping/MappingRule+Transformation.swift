import Fields
import Postgres

extension MappingRule {
    /// Reads what a transformation rule does.
    static func transformation(
        _ word: String,
        _ target: String,
        _ fields: inout FieldReader
    ) throws(PostgresError) -> Action {
        if let renaming = try renaming(word, &fields) {
            guard let target = Target(rawValue: target) else { throw wrongTarget(word, target, fields) }
            return .rename(target, renaming)
        }
        let isOfTable = word == "define-primary-key"
        guard target == (isOfTable ? "table" : "column") else { throw wrongTarget(word, target, fields) }
        switch word {
        case "remove-column": return .removeColumn
        case "include-column": return .includeColumn
        case "add-column": return try addition(&fields)
        case "change-data-type":
            guard let type = try type(&fields) else { throw fields.refusal("It has no \"data-type\".") }
            return .changeType(type)
        case "data-masking-hash-mask": return .mask(.hash)
        case "data-masking-digits-mask": return .mask(.digits(try maskingCharacter(&fields)))
        case "data-masking-digits-randomize":
            throw fields.refusal(
                "It replaces digits by random ones, which no comparison could tell from lost ones.",
                hint: "Use data-masking-digits-mask or data-masking-hash-mask."
            )
        case "define-primary-key": return try primaryKey(&fields)
        case "add-before-image-columns":
            throw fields.refusal(
                "It keeps what rows were before a change, in columns that a copy cannot fill.",
                hint: "Leave the rule out; a trigger of your own on the target can keep old values after the cutover."
            )
        default: throw fields.refusal("Its \"rule-action\" is \"\(word)\", which martlet does not know.")
        }
    }

    private static func wrongTarget(_ word: String, _ target: String, _ fields: FieldReader) -> PostgresError {
        fields.refusal("Its \"rule-action\" \"\(word)\" cannot have the \"rule-target\" \"\(target)\".")
    }

    private static func renaming(_ word: String, _ fields: inout FieldReader) throws(PostgresError) -> Renaming? {
        switch word {
        case "rename": return .to(try value(&fields))
        case "convert-lowercase": return .lowercase
        case "convert-uppercase": return .uppercase
        case "add-prefix": return .addPrefix(try value(&fields))
        case "remove-prefix": return .removePrefix(try value(&fields))
        case "replace-prefix": return .replacePrefix(try value(&fields, "old-value"), with: try value(&fields))
        case "add-suffix": return .addSuffix(try value(&fields))
        case "remove-suffix": return .removeSuffix(try value(&fields))
        case "replace-suffix": return .replaceSuffix(try value(&fields, "old-value"), with: try value(&fields))
        default: return nil
        }
    }

    private static func value(_ fields: inout FieldReader, _ key: String = "value") throws(PostgresError) -> String {
        let value = try fields.text(key)
        guard !value.isEmpty else { throw fields.refusal("Its \"\(key)\" is empty.") }
        return value
    }

    private static func maskingCharacter(_ fields: inout FieldReader) throws(PostgresError) -> Character {
        let value = try fields.text("value")
        guard let character = value.first, value.count == 1, let code = character.asciiValue, code > 32, code < 127
        else { throw fields.refusal("Its \"value\" is \"\(value)\", and should be one printable ASCII character.") }
        return character
    }

    private static func type(_ fields: inout FieldReader) throws(PostgresError) -> MappedType? {
        guard var reader = try fields.fields("data-type") else { return nil }
        let type = MappedType(
            name: try reader.text("type"),
            length: try reader.optionalNumber("length"),
            precision: try reader.optionalNumber("precision"),
            scale: try reader.optionalNumber("scale")
        )
        try reader.finish()
        guard type.sql != nil else {
            throw reader.refusal(
                "Its type is \"\(type.name)\".",
                hint: "Types are DMS's own: \(MappedType.names.joined(separator: ", "))."
            )
        }
        return type
    }

    private static func addition(_ fields: inout FieldReader) throws(PostgresError) -> Action {
        let name = try value(&fields)
        guard let type = try type(&fields) else { throw fields.refusal("It has no \"data-type\".") }
        return .addColumn(name: name, type: type, expression: try fields.optionalText("expression"))
    }

    private static func primaryKey(_ fields: inout FieldReader) throws(PostgresError) -> Action {
        guard var definition = try fields.fields("primary-key-def") else {
            throw fields.refusal("It has no \"primary-key-def\".")
        }
        let name = try definition.optionalText("name")
        let origin = try definition.optionalText("origin") ?? "primary-key"
        guard ["primary-key", "unique-index"].contains(origin) else {
            throw definition.refusal("Its \"origin\" is \"\(origin)\", not \"primary-key\" or \"unique-index\".")
        }
        let columns = try definition.list("columns").map { node throws(PostgresError) -> String in
            guard case .text(let column) = node else { throw definition.refusal("A column is \(node.description).") }
            return column
        }
        guard !columns.isEmpty else { throw definition.refusal("It has no \"columns\".") }
        try definition.finish()
        return .definePrimaryKey(name: name, columns: columns, isUniqueIndex: origin == "unique-index")
    }
}
