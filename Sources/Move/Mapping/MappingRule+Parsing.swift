import Fields
import Postgres

extension MappingRule {
    /// Reads a rule.
    ///
    /// - Throws: what of it cannot be understood, or cannot be done.
    init(_ node: FieldNode, place: Int) throws(PostgresError) {
        var fields = try FieldReader(node, title: "the rule at place \(place)", of: TableMapping.file)
        let id = try fields.text("rule-id")
        guard let number = Int(id) else { throw fields.refusal("Its \"rule-id\" is \"\(id)\", not a number.") }
        fields = try fields.reader(of: node, title: "rule \(number)")
        _ = fields.node("rule-id")
        self.id = number
        name = try fields.optionalText("rule-name") ?? ""
        let kind = try fields.text("rule-type")
        guard var locator = try fields.fields("object-locator") else {
            throw fields.refusal("It has no \"object-locator\".")
        }
        switch kind {
        case "selection":
            let word = try fields.text("rule-action")
            (schema, table) = try Self.tables(&locator, isExplicit: word == "explicit")
            column = nil
            action = try Self.selection(word, &fields, &locator)
        case "transformation":
            let word = try fields.text("rule-action")
            let target = try fields.text("rule-target")
            (schema, table, column) = try Self.place(of: word, target, &fields, &locator)
            action = try Self.transformation(word, target, &fields)
        case "table-settings":
            (schema, table) = try Self.tables(&locator, isExplicit: false)
            column = nil
            action = .tuning(try Self.tuning(number, &fields))
        default:
            throw fields.refusal("Its \"rule-type\" is \"\(kind)\"; martlet knows selection and transformation.")
        }
        try locator.finish()
        try fields.finish()
    }

    // MARK: Where

    private static func tables(
        _ locator: inout FieldReader,
        isExplicit: Bool
    ) throws(PostgresError) -> (NamePattern, NamePattern) {
        (
            try pattern("schema-name", &locator, isExplicit: isExplicit),
            try pattern("table-name", &locator, isExplicit: isExplicit)
        )
    }

    private static func pattern(
        _ key: String,
        _ locator: inout FieldReader,
        isExplicit: Bool = false
    ) throws(PostgresError) -> NamePattern {
        let text = try locator.text(key)
        guard let pattern = NamePattern(text) else {
            throw locator.refusal("\"\(key)\" is \"\(text)\", with a bracket that is not closed or is empty.")
        }
        guard isExplicit, !pattern.isExact else { return pattern }
        guard !text.contains("%") else {
            throw locator.refusal("\"explicit\" names one table, and \"\(key)\" is \"\(text)\".")
        }
        return NamePattern(exactly: text)
    }

    /// The places that a transformation is about.
    private static func place(
        of action: String,
        _ target: String,
        _ fields: inout FieldReader,
        _ locator: inout FieldReader
    ) throws(PostgresError) -> (NamePattern, NamePattern, NamePattern?) {
        let schema = try pattern("schema-name", &locator)
        let anything = NamePattern("%") ?? NamePattern(exactly: "%")
        switch target {
        case "schema":
            if let table = try locator.optionalText("table-name"), table != "%" {
                throw locator.refusal("A schema is renamed as a whole, not for the tables \"\(table)\" alone.")
            }
            return (schema, anything, nil)
        case "table": return (schema, try pattern("table-name", &locator), nil)
        case "column":
            let table = try pattern("table-name", &locator)
            guard action != "add-column" else {
                if let column = try locator.optionalText("column-name"), column != "%" {
                    throw locator.refusal("A column is added to a table; \"column-name\" has no place there.")
                }
                return (schema, table, nil)
            }
            let column = try pattern("column-name", &locator)
            if let type = try locator.optionalText("data-type") {
                throw locator.refusal(
                    "It chooses columns by the data type \"\(type)\" of DMS, which PostgreSQL's columns do not have.",
                    hint: "Choose the columns by their names."
                )
            }
            return (schema, table, column)
        case "table-tablespace", "index-tablespace":
            throw fields.refusal(
                "Its \"rule-target\" is \"\(target)\"; tablespaces are taken over by their names.",
                hint: "Make a tablespace of the name on the target, or leave the rule out: all goes to the default one."
            )
        default: throw fields.refusal("Its \"rule-target\" is \"\(target)\", which martlet does not know.")
        }
    }

    // MARK: Table settings

    private static func tuning(_ id: Int, _ fields: inout FieldReader) throws(PostgresError) -> [TaskSetting] {
        var answers: [TaskSetting] = []
        if var load = try fields.fields("parallel-load") {
            let type = try load.text("type")
            guard !type.hasSuffix("partitions-list") else {
                throw load.refusal("It loads some partitions only; a partitioned table is moved as a whole.")
            }
            for key in ["columns", "boundaries", "partitions", "subpartitions"] { _ = load.node(key) }
            try load.finish()
            answers.append(
                TaskSetting(
                    name: "rule \(id), parallel-load",
                    value: type,
                    answer: "A table that is large is cut into parts by itself; use --jobs."
                )
            )
        }
        if var lobs = try fields.fields("lob-settings") {
            let mode = try lobs.optionalText("mode") ?? "limited"
            _ = lobs.node("bulk-max-size")
            try lobs.finish()
            answers.append(
                TaskSetting(
                    name: "rule \(id), lob-settings",
                    value: mode,
                    answer: "Not needed: values of every size are moved whole, nothing is truncated."
                )
            )
        }
        return answers
    }

    // MARK: Selection

    private static func selection(
        _ word: String,
        _ fields: inout FieldReader,
        _ locator: inout FieldReader
    ) throws(PostgresError) -> Action {
        if let type = try locator.optionalText("table-type"), type != "table" {
            throw locator.refusal(
                "Its \"table-type\" is \"\(type)\"; views are moved as views, and not as tables of their rows.",
                hint: "Leave \"table-type\" out: a view comes along when the tables that it needs are moved."
            )
        }
        let filters = try self.filters(&fields)
        let order = try fields.optionalNumber("load-order")
        switch word {
        case "include", "explicit": return .include(filters: filters, order: order)
        case "exclude":
            guard filters.isEmpty else { throw fields.refusal("A filter belongs to an \"include\" rule.") }
            return .exclude
        default: throw fields.refusal("Its \"rule-action\" is \"\(word)\", which no selection rule has.")
        }
    }

    private static func filters(_ fields: inout FieldReader) throws(PostgresError) -> [RowFilter] {
        let title = fields.title
        return try fields.list("filters").map { node throws(PostgresError) in
            var filter = try fields.reader(of: node, title: "\(title), a filter")
            let type = try filter.text("filter-type")
            guard type == "source" else { throw filter.refusal("Its \"filter-type\" is \"\(type)\", not \"source\".") }
            let column = try filter.text("column-name")
            let conditions = try filter.list("filter-conditions").map { node throws(PostgresError) in
                try condition(filter.reader(of: node, title: "\(title), the filter on column \"\(column)\""))
            }
            guard !conditions.isEmpty else { throw filter.refusal("It has no \"filter-conditions\".") }
            try filter.finish()
            return RowFilter(column: column, conditions: conditions)
        }
    }

    private static func condition(_ reader: FieldReader) throws(PostgresError) -> RowFilter.Condition {
        var fields = reader
        let word = try fields.text("filter-operator")
        let condition: RowFilter.Condition
        switch word {
        // DMS's documentation has both words for "at most".
        case "lte", "ste": condition = .atMost(try fields.text("value"))
        case "gte": condition = .atLeast(try fields.text("value"))
        case "eq": condition = .equal(try fields.text("value"))
        case "noteq": condition = .notEqual(try fields.text("value"))
        case "between": condition = .between(try fields.text("start-value"), try fields.text("end-value"))
        case "notbetween": condition = .notBetween(try fields.text("start-value"), try fields.text("end-value"))
        case "null": condition = .null
        case "notnull": condition = .notNull
        default:
            throw fields.refusal(
                "Its \"filter-operator\" is \"\(word)\".",
                hint: "Operators are lte (or ste), gte, eq, noteq, between, notbetween, null and notnull."
            )
        }
        try fields.finish()
        return condition
    }
}
