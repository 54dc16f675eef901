import Catalog
import Postgres

/// What the database holds besides plain tables.
extension SourceChecks {
    /// A finding for each kind of object that there is.
    var objects: [Finding] {
        let found = [
            partitioned, inheritance, largeObjects, generated, identity, textTypes, forcedRowSecurity, sequences,
            publications, subscriptions, eventTriggers, replicaTriggers, userMappings, invalidIndexes,
            configurationTables,
            note("foreign table", "source.foreign_tables", "will be defined anew; the rows stay where they are"),
            note("materialized view", "source.materialized_views", "will be filled on the target"),
            note("rule", "source.rules", "on tables will be kept; none fires for the rows that martlet writes"),
            note("deferrable constraint", "source.deferrable", "will be kept, and checked at the end of transactions"),
        ]
        return found.compactMap(\.self)
    }

    private func note(_ kind: String, _ check: String, _ fate: String) -> Finding? {
        let names = selected(kind)
        guard !names.isEmpty else { return nil }
        return Finding(
            check,
            .pass,
            "\(Finding.count(names.count, kind)) \(fate)",
            detail: "On \(Finding.list(names))."
        )
    }

    /// The objects of a kind that the filter lets through.
    private func selected(_ kind: String) -> [String] {
        let left = Set(source.dependents.filter { $0.kind == kind }.map(\.name))
        return source.objects
            .filter { $0.kind == kind && source.isMoved($0.name) && !left.contains($0.detail) }
            .map(\.name.description)
    }

    private var partitioned: Finding? {
        let roots = source.tables.filter { $0.kind == .partitioned && !$0.isPartition }
        guard !roots.isEmpty else { return nil }
        let leaves = source.tables.filter { $0.kind == .ordinary && $0.isPartition }
        let what = "\(Finding.count(roots.count, "partitioned table")) with \(Finding.count(leaves.count, "partition"))"
        let names = Finding.named(roots.map(\.name.description))
        guard !options.isOnce else { return Finding("source.partitioned", .pass, what, detail: names) }
        return Finding(
            "source.partitioned",
            .warning,
            "\(what): a TRUNCATE of a single partition will not be followed",
            detail: "\(names) Until the cutover use DELETE there, or truncate the whole table. "
                + "If it happens, the cutover finds the difference and refuses."
        )
    }

    private var inheritance: Finding? {
        let names = selected("inheritance")
        guard !names.isEmpty else { return nil }
        return Finding(
            "source.inheritance",
            .pass,
            "\(Finding.count(names.count, "table that inherits", "tables that inherit")) will be copied and followed on its own",
            detail: "\(Finding.named(names))"
        )
    }

    private var largeObjects: Finding? {
        let (count, bytes) = source.largeObjects
        guard count > 0 else { return nil }
        let what = "\(Finding.count(count, "large object")) (\(Finding.bytes(bytes))) will be copied"
        guard !options.isOnce else { return Finding("source.large_objects", .pass, what) }
        let isHidden = source.objects.contains { $0.kind == "unreadable pg_largeobject" }
        return Finding(
            "source.large_objects",
            .warning,
            "\(what) once, and what changed again at the cutover",
            detail: "The log does not tell their changes. While writers stand still, "
                + (isHidden
                    ? "all of them are hashed on both servers, because role \"\(server.role)\" may not read pg_largeobject."
                    : "pg_largeobject is read once, to find them."),
            remedy: isHidden ? ["GRANT SELECT ON pg_largeobject TO \(role.quoted);"] : []
        )
    }

    private var generated: Finding? {
        let count = source.tables.reduce(0) { $0 + $1.columns.count(where: \.isGenerated) }
        guard count > 0 else { return nil }
        return Finding(
            "source.generated",
            .pass,
            "\(Finding.count(count, "generated column")) will be computed by the target"
        )
    }

    private var identity: Finding? {
        let count = source.tables.reduce(0) { $0 + $1.columns.count(where: \.isIdentityAlways) }
        guard count > 0 else { return nil }
        return Finding(
            "source.identity_columns",
            .pass,
            "\(Finding.count(count, "identity column")) (GENERATED ALWAYS) will get the values of the source"
        )
    }

    private var textTypes: Finding? {
        let columns = source.tables.flatMap(\.storedColumns).filter { !$0.type.portability.binary }
        guard !columns.isEmpty else { return nil }
        let types = Set(columns.map(\.type.name)).sorted()
        return Finding(
            "source.text_types",
            .pass,
            "\(Finding.count(columns.count, "column has", "columns have")) no portable binary form and will travel as text",
            detail: "Their types are \(Finding.list(types.map(\.description)))."
        )
    }

    private var forcedRowSecurity: Finding? {
        let names = selected("forced row security")
        guard !names.isEmpty else { return nil }
        return Finding(
            "source.forced_row_security",
            .pass,
            "\(Finding.count(names.count, "table forces", "tables force")) row security on the owner",
            detail: "\(Finding.named(names)) On the target only a role with BYPASSRLS writes to them freely."
        )
    }

    private var publications: Finding? {
        let names = source.names(of: "publication")
        guard !names.isEmpty else { return nil }
        return Finding(
            "source.publications",
            .warning,
            "\(Finding.count(names.count, "publication")) of yours may have subscribers, which martlet does not move",
            detail: "\(Finding.named(names)) Point their subscribers at the target after the cutover."
        )
    }

    private var subscriptions: Finding? {
        guard !source.subscriptions.isEmpty else { return nil }
        return Finding(
            "source.subscriptions",
            .warning,
            "the database is fed by \(Finding.count(source.subscriptions.count, "subscription"))",
            detail: "\(Finding.named(source.subscriptions)) What they bring is followed; they write on until "
                + "you stop them before the cutover:",
            remedy: source.subscriptions.map { "ALTER SUBSCRIPTION \(Identifier($0).quoted) DISABLE;" }
        )
    }

    private var eventTriggers: Finding? {
        let triggers = source.objects.filter { $0.kind == "event trigger" }
        guard !triggers.isEmpty else { return nil }
        let names = triggers.map(\.name.name)
        let always = triggers.filter { ["A", "R"].contains($0.detail) }.map(\.name.name)
        let fires =
            always.isEmpty ? "" : " ENABLE ALWAYS or REPLICA, and so firing all the same: \(Finding.list(always))."
        return Finding(
            "source.event_triggers",
            .warning,
            "\(Finding.count(names.count, "event trigger needs", "event triggers need")) a superuser to be made on the target",
            detail: "\(Finding.named(names)) They do not fire for what martlet makes itself where its role may set "
                + "session_replication_role.\(fires)",
            remedy: always.map { "ALTER EVENT TRIGGER \(Identifier($0).quoted) ENABLE;" }
        )
    }

    private var invalidIndexes: Finding? {
        let indexes = source.objects.filter { object in
            object.kind == "invalid index"
                && source.isMoved(QualifiedName(schema: object.name.schema, name: object.detail))
        }
        guard !indexes.isEmpty else { return nil }
        let isOne = indexes.count == 1
        return Finding(
            "source.invalid_indexes",
            .warning,
            "\(Finding.count(indexes.count, "invalid index", "invalid indexes")) \(isOne ? "is" : "are") left out",
            detail: "\(Finding.named(indexes.map(\.name.description))) CREATE INDEX CONCURRENTLY or REINDEX "
                + "CONCURRENTLY has failed and left \(isOne ? "it" : "them") behind. REINDEX INDEX CONCURRENTLY builds what "
                + "is needed; what is not:",
            remedy: indexes.map { "DROP INDEX CONCURRENTLY \($0.name.quoted);" }
        )
    }

    /// Tables of extensions whose rows belong to the user (`pg_extension_config_dump`): jobs, queues, rules.
    private var configurationTables: Finding? {
        let tables = source.objects.filter { $0.kind == "configuration table" }
        guard !tables.isEmpty else { return nil }
        return Finding(
            "source.configuration_tables",
            .warning,
            "\(Finding.count(tables.count, "table")) of extensions with rows of yours \(tables.count == 1 ? "is" : "are") not moved",
            detail: tables.prefix(20).map { table in
                "Table \"\(table.name)\" of extension \"\(table.detail.prefix { $0 != "|" })\"."
            }.joined(separator: "\n")
                + "\nJobs in them would run on both servers. After the cutover, copy what you want:",
            remedy: tables.flatMap { table in
                let condition = table.detail.drop { $0 != "|" }.dropFirst()
                let rows = "SELECT * FROM \(table.name.quoted)" + (condition.isEmpty ? "" : " \(condition)")
                // No name may stand in a comment, which would end with a line of the name.
                return ["COPY (\(rows)) TO STDOUT;", "COPY \(table.name.quoted) FROM STDIN;  -- on the target"]
            }
        )
    }

    private var userMappings: Finding? {
        let mappings = source.objects.filter { $0.kind == "user mapping" }
        guard !mappings.isEmpty else { return nil }
        return Finding(
            "source.user_mappings",
            .warning,
            "\(Finding.count(mappings.count, "user mapping")) will be made without options, because role \"\(server.role)\" sees none",
            detail: mappings.map { "Of user \"\($0.detail)\" for server \"\($0.name.name)\"." }.joined(separator: "\n")
                + "\nOptions such as a password are shown to superusers, and to the user himself. Set them on the target."
        )
    }

    private var replicaTriggers: Finding? {
        let triggers = source.objects.filter {
            ["always trigger", "replica trigger"].contains($0.kind) && source.isMoved($0.name)
        }
        guard !triggers.isEmpty else { return nil }
        return Finding(
            "source.replica_triggers",
            .pass,
            "\(Finding.count(triggers.count, "trigger fires", "triggers fire")) for replicated rows too, but not for those that martlet writes",
            detail: triggers.prefix(10).map { "Trigger \"\($0.detail)\" on table \"\($0.name)\"." }
                .joined(separator: "\n")
                + "\nmartlet sets them aside on the server that it writes to, and gives them back in the end."
        )
    }

    /// Extensions that keep user data in ways of their own.
    var unsupportedExtensions: Finding {
        Self.unsupported(source.extensions.filter { $0.installed != nil }.map(\.name))
    }

    static func unsupported(_ installed: [String]) -> Finding {
        let check = "source.extensions"
        let unsupported = installed.filter { ["timescaledb", "citus"].contains($0) }
        guard !unsupported.isEmpty else {
            return Finding(check, .pass, "no extension keeps tables that martlet does not know")
        }
        return Finding(
            check,
            .blocker,
            "the database uses \(Finding.list(unsupported)), whose tables martlet cannot move",
            detail: "Their rows are in tables of the extension's own, on servers of its own, or in a form of its own."
        )
    }
}

/// Sequences near their end.
extension SourceChecks {
    private var sequences: Finding? {
        let ending = source.sequences.filter { ($0.shareLeft ?? 1) < 0.1 }
        guard !ending.isEmpty else { return nil }
        return Finding(
            "source.sequences",
            .warning,
            "\(Finding.count(ending.count, "sequence has", "sequences have")) less than a tenth of all values left",
            detail: "\(Finding.named(ending.map(\.name.description))) To change a column's type rewrites its "
                + "table under an exclusive lock.",
            remedy: ending.flatMap(widening)
        )
    }

    /// A wider column first, then a wider sequence; nothing when it is as wide as can be.
    private func widening(_ sequence: Catalog.Sequence) -> [String] {
        var commands: [String] = []
        let table = sequence.ownerTable.flatMap { source.schema.table(oid: $0) }
        let column = table?.columns.first { $0.number == sequence.ownerColumn }
        if let table, let column, ["int2", "int4"].contains(column.type.name.name), !table.isPartition {
            commands.append("ALTER TABLE \(table.name.quoted) ALTER COLUMN \(column.identifier.quoted) TYPE bigint;")
        }
        let isRising = sequence.increment > 0
        if isRising ? sequence.maximum < .max : sequence.minimum > .min {
            let bound = isRising ? "NO MAXVALUE" : "NO MINVALUE"
            commands.append("ALTER SEQUENCE \(sequence.name.quoted) AS bigint \(bound);")
        }
        return commands
    }
}
