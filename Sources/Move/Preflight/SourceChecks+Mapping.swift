import Catalog
import Postgres
import Sync

/// What the rules of a mapping file make of the tables, and what of it cannot be done.
extension SourceChecks {
    var mapping: [Finding] {
        guard let survey = source.mapping else { return [settings].compactMap(\.self) }
        return problems(survey)
            + [nothing(survey), filters(survey), filterTypes(survey), unused(survey)].compactMap(\.self)
            + [leftOutWithColumns(survey), filteredKeys(survey), oneWay(survey), namesInText(survey)].compactMap(\.self)
            + [story(survey), settings].compactMap(\.self)
    }

    private func moved(_ survey: MappingSurvey) -> [MappedTable] {
        source.tables.compactMap { survey.database.tables[$0.oid] }
    }

    private func problems(_ survey: MappingSurvey) -> [Finding] {
        let computed = MappedDatabase.problem(with: survey.dependents).map { [$0] } ?? []
        let denied = survey.denials.map { table, error in
            MappingProblem("the server does not take the filter of table \"\(table)\"", detail: error.description)
        }
        return (survey.database.problems + computed + denied).map {
            Finding("source.mapping", .blocker, $0.message, detail: $0.detail)
        }
    }

    private func nothing(_ survey: MappingSurvey) -> Finding? {
        guard source.tables.isEmpty, !source.schema.tables.isEmpty else { return nil }
        return Finding(
            "source.mapping_tables",
            .blocker,
            "the mapping chooses no table",
            detail: "Letters count as they are, and % stands for any characters."
        )
    }

    private func filters(_ survey: MappingSurvey) -> Finding? {
        let filtered = moved(survey).filter { $0.map.filter != nil }
        guard !filtered.isEmpty, !options.isOnce, server.majorVersion < 15 else { return nil }
        return Finding(
            "source.mapping_filters",
            .blocker,
            "PostgreSQL \(server.majorVersion) cannot follow some rows of a table, as a filter of the mapping asks for",
            detail: "\(Finding.named(filtered.map(\.map.source.description))) Publications have filters since version "
                + "15. Leave the filter out, or copy with --once."
        )
    }

    private func filterTypes(_ survey: MappingSurvey) -> Finding? {
        guard !options.isOnce else { return nil }
        let columns = source.tables.flatMap { table -> [String] in
            let filtered = survey.database.tables[table.oid]?.filtered ?? []
            let others = table.columns.filter {
                filtered.contains($0.identifier) && $0.type.name.schema != "pg_catalog"
            }
            return others.map { "\(table.name).\($0.name)" }
        }
        guard !columns.isEmpty else { return nil }
        return Finding(
            "source.mapping_filter_types",
            .blocker,
            "a publication cannot choose rows by a column of a type that is not PostgreSQL's own",
            detail: "\(Finding.named(columns)) Filter by another column, or copy with --once."
        )
    }

    private func unused(_ survey: MappingSurvey) -> Finding? {
        let rules = survey.database.unused
        guard !rules.isEmpty else { return nil }
        return Finding(
            "source.mapping_unused",
            .warning,
            "\(Finding.count(rules.count, "rule")) of the mapping \(rules.count == 1 ? "is" : "are") about nothing that is there",
            detail:
                "\(rules.map(\.title).joined(separator: ", ")). Letters count as they are; a partition goes with its table."
        )
    }

    private func leftOutWithColumns(_ survey: MappingSurvey) -> Finding? {
        let names = survey.dependents.filter { $0.isNamed && $0.kind != "generated column" }
        guard !names.isEmpty else { return nil }
        return Finding(
            "source.mapping_left_out",
            .warning,
            "\(Finding.count(names.count, "object")) need columns that the mapping removes, and are left out too",
            detail: names.prefix(50).map { "\($0.kind.prefix(1).uppercased() + $0.kind.dropFirst()) \"\($0.name)\"." }
                .joined(separator: "\n")
        )
    }

    private func filteredKeys(_ survey: MappingSurvey) -> Finding? {
        let keys = source.schema.foreignKeys.filter { survey.database.tables[$0.referenced]?.map.filter != nil }
        guard !keys.isEmpty else { return nil }
        return Finding(
            "source.mapping_keys",
            .warning,
            "\(Finding.count(keys.count, "foreign key")) \(keys.count == 1 ? "refers" : "refer") to tables of which a filter leaves rows behind",
            detail:
                "\(Finding.named(keys.map(\.name))) Where rows are missing, the key is made NOT VALID: it holds for "
                + "what is written after the cutover. On a partitioned table it is left out."
        )
    }

    private func oneWay(_ survey: MappingSurvey) -> Finding? {
        let tables = moved(survey).filter { !$0.map.isReversible }
        guard !tables.isEmpty, !options.isOnce else { return nil }
        return Finding(
            "source.mapping_way_back",
            .warning,
            "there will be no way back after the cutover: rows of \(Finding.count(tables.count, "table")) are not moved as they are",
            detail: "\(Finding.named(tables.map(\.map.source.description))) Names alone can be turned back. "
                + "martlet cutover asks for --no-rollback."
        )
    }

    private func namesInText(_ survey: MappingSurvey) -> Finding? {
        guard survey.database.maps.renames else { return nil }
        return Finding(
            "source.mapping_names",
            .warning,
            "names in the text of functions, and in search_path settings, stay as they are written",
            detail:
                "The mapping gives other names to schemas, tables or columns. Views, keys, indexes and triggers follow "
                + "by themselves; the text of a function in PL/pgSQL or in quotes does not."
        )
    }

    private func story(_ survey: MappingSurvey) -> Finding? {
        let tables = moved(survey).sorted { $0.map.source < $1.map.source }
        let lines = tables.flatMap { table in
            table.story.isEmpty
                ? ["\(table.map.source) is moved as it is."]
                : table.story.map { "\(table.map.source)\(words(for: $0))." }
        }
        let left = source.schema.tables.count - tables.count
        return Finding(
            "source.mapping_result",
            .pass,
            "the mapping moves \(Finding.count(tables.count, "table")), and leaves \(left) behind",
            detail: lines.joined(separator: "\n")
        )
    }

    private func words(for sentence: String) -> String {
        sentence.hasPrefix("column ") || sentence.hasPrefix("rule ") ? ": " + sentence : " " + sentence
    }

    private var settings: Finding? {
        let settings = (options.mapping?.settings ?? []) + (options.taskSettings?.settings ?? [])
        guard !settings.isEmpty else { return nil }
        return Finding(
            "source.task_settings",
            .pass,
            "\(Finding.count(settings.count, "task setting")) of DMS \(settings.count == 1 ? "is" : "are") answered",
            detail: settings.map(\.line).joined(separator: "\n")
        )
    }
}
