import Catalog
import Postgres

/// What the source refers to by name, and the target must have.
extension TargetChecks {
    /// The roles that own, or have privileges on, what is moved.
    var roleUses: [SourceSurvey.RoleUse] {
        source.roles.filter { use in use.relation.map { source.isMoved($0) } ?? true }
    }

    var roles: Finding {
        let check = "target.roles"
        let needed = roleUses.filter { $0.isOwner ? options.keepsOwners : options.keepsPrivileges }
        let missing = needed.filter { target.roles[$0.role] == nil }
        guard !missing.isEmpty else { return Finding(check, .pass, "every role that is needed exists") }
        let names = Set(missing.map(\.role)).sorted()
        let owners = Set(missing.filter(\.isOwner).map(\.role)).sorted()
        let others = names.filter { !owners.contains($0) }
        let parts = [
            owners.isEmpty ? nil : "Owners: \(Finding.list(owners.map(\.name))); --no-owner does without.",
            others.isEmpty
                ? nil : "Holders of privileges: \(Finding.list(others.map(\.name))); --no-privileges does without.",
        ]
        return Finding(
            check,
            .blocker,
            "\(Finding.count(names.count, "role")) that the source refers to \(names.count == 1 ? "is" : "are") missing",
            detail: parts.compactMap(\.self).joined(separator: "\n"),
            remedy: names.map { "CREATE ROLE \($0.quoted);" }
        )
    }

    var tablespaces: Finding? {
        let missing = source.names(of: "tablespace").filter { !target.tablespaces.contains(Identifier($0)) }
        guard !missing.isEmpty else { return nil }
        return Finding(
            "target.tablespaces",
            .warning,
            "\(Finding.count(missing.count, "tablespace")) of the source \(missing.count == 1 ? "is" : "are") missing",
            detail: "\(Finding.named(missing)) All tables will go to the target's default one, "
                + "unless you make what is missing, each in an empty directory that the server owns."
        )
    }

    var compression: Finding? {
        Self.compression(columns: source.objects.filter { $0.kind == "lz4" }, hasLZ4: server.hasLZ4)
    }

    /// Whether the target can compress values as columns ask for.
    static func compression(columns: [SourceSurvey.Object], hasLZ4: Bool) -> Finding? {
        guard !columns.isEmpty, !hasLZ4 else { return nil }
        return Finding(
            "target.compression",
            .blocker,
            "\(Finding.count(columns.count, "column asks", "columns ask")) for compression lz4, which the target was built without",
            detail:
                "\(Finding.named(columns.map { "\($0.name).\($0.detail)" })) Take a build with LZ4; or, on the source, which "
                + "leaves stored values as they are:",
            remedy: columns.map {
                "ALTER TABLE \($0.name.quoted) ALTER COLUMN \(Identifier($0.detail).quoted) SET COMPRESSION default;"
            }
        )
    }

    var collations: Finding {
        let check = "target.collations"
        let missing = source.names(of: "collation").filter { !target.collations.contains(Identifier($0)) }
        guard !missing.isEmpty else { return Finding(check, .pass, "every collation that is needed exists") }
        return Finding(
            check,
            .blocker,
            "\(Finding.count(missing.count, "collation")) that columns use \(missing.count == 1 ? "is" : "are") missing",
            detail: "\(Finding.named(missing)) Make the operating system of the target know them, then:",
            remedy: ["SELECT pg_import_system_collations('pg_catalog');"]
        )
    }

    /// Whether the target can order text as the collations do that the database has made itself.
    var icu: Finding? {
        let made = source.names(of: "ICU collation")
        guard !made.isEmpty, !target.collations.contains(where: { $0.name.hasSuffix("-x-icu") }) else { return nil }
        return Finding(
            "target.icu",
            .blocker,
            "the target does not know ICU, which \(Finding.count(made.count, "collation")) of the source "
                + "\(made.count == 1 ? "needs" : "need")",
            detail: "\(Finding.named(made)) Take a server that was built with ICU; if this one was, then:",
            remedy: ["SELECT pg_import_system_collations('pg_catalog');"]
        )
    }

    /// Whether every text can be stored.
    var encoding: Finding {
        Self.encoding(from: source.server.encoding, to: server.encoding, database: server.database)
    }

    static func encoding(from: String, to: String, database: String) -> Finding {
        let check = "both.encoding"
        if from == to { return Finding(check, .pass, "both databases are in \(to)") }
        let remedy: SQL = """
            CREATE DATABASE \(Identifier("\(database)_\(from.lowercased())")) TEMPLATE template0 \
            ENCODING \(literal: from) LC_COLLATE 'C' LC_CTYPE 'C';
            """
        switch (from, to) {
        case ("SQL_ASCII", _):
            return Finding(
                check,
                .warning,
                "the source has no encoding (SQL_ASCII), the target is in \(to)",
                detail: "Text that is not valid in \(to) will be refused. A target without encoding takes all:",
                remedy: [remedy.text]
            )
        case (_, "UTF8"):
            return Finding(check, .warning, "text will be converted from \(from) to UTF8, and may grow")
        default:
            return Finding(
                check,
                .blocker,
                "the target's encoding \(to) cannot hold all text of \(from)",
                detail: "Move into a database in \(from) or in UTF8:",
                remedy: [remedy.text]
            )
        }
    }

    /// Whether text is sorted alike.
    var locale: Finding {
        let check = "both.locale"
        let from = source.server.locale
        let to = server.locale
        let isSame =
            (from.provider, from.collate, from.ctype, from.name) == (to.provider, to.collate, to.ctype, to.name)
        guard isSame else {
            return Finding(
                check,
                .warning,
                "text will be sorted by \"\(to.name ?? to.collate)\" instead of \"\(from.name ?? from.collate)\"",
                detail: "Character classes: \"\(from.ctype)\" on the source, \"\(to.ctype)\" on the target. Providers: "
                    + "\"\(from.provider)\" and \"\(to.provider)\". Indexes are built anew, so only the order of results "
                    + "and what ranges of text hold can differ."
            )
        }
        if let old = from.version, let new = to.version, old != new {
            return Finding(
                check,
                .warning,
                "the collation \"\(from.name ?? from.collate)\" has version \(old) on the source, \(new) on the target",
                detail: "Indexes are built anew, so only the order of results and what ranges of text hold can differ."
            )
        }
        return Finding(check, .pass, "text is sorted alike on both")
    }
}

/// Extensions.
extension TargetChecks {
    var extensions: [Finding] {
        Self.extensions(
            source: source.extensions,
            target: target.extensions,
            major: server.majorVersion,
            denied: Set(target.extensionDenials.keys)
        )
    }

    /// Compares what the source uses with what the target has, or could have.
    static func extensions(
        source: [SourceSurvey.Extension],
        target: [SourceSurvey.Extension],
        major: Int,
        denied: Set<String>
    ) -> [Finding] {
        let check = "target.extensions"
        let there = Dictionary(target.map { ($0.name, $0) }) { first, _ in first }
        let used = source.filter { $0.installed != nil }.map(\.name)
        var findings = used.filter { there[$0] == nil }.map { missing($0, check: check, major: major) }
        findings += source.compactMap { one in
            guard let wanted = one.schema, let present = there[one.name]?.schema, wanted != present else { return nil }
            return Finding(
                check,
                .blocker,
                "extension \"\(one.name)\" is in schema \(present) on the target, and in \(wanted) on the source",
                detail: "Functions and views that name its objects with their schema would not find them.",
                remedy: [
                    "CREATE SCHEMA IF NOT EXISTS \(wanted);",
                    "ALTER EXTENSION \(Identifier(one.name).quoted) SET SCHEMA \(wanted);",
                ]
            )
        }
        let schemas = Dictionary(source.map { ($0.name, $0.schema ?? "public") }) { first, _ in first }
        let locked = used.filter { denied.contains($0) }
        if !locked.isEmpty {
            findings.append(
                Finding(
                    check,
                    .blocker,
                    "only a superuser can create \(Finding.count(locked.count, "extension"))",
                    detail:
                        "It was tried, and refused. Let a superuser do it beforehand, or whom the provider lets do it.",
                    remedy: locked.map { name in
                        let schema = schemas[name] ?? "public"
                        return
                            "CREATE SCHEMA IF NOT EXISTS \(schema); CREATE EXTENSION \(Identifier(name).quoted) SCHEMA \(schema);"
                    }
                )
            )
        }
        if findings.isEmpty {
            findings.append(Finding(check, .pass, "every extension of the source is available"))
        }
        return findings
    }

    var extensionVersions: [Finding] {
        Self.extensionVersions(source: source.extensions, target: target.extensions)
    }

    static func extensionVersions(
        source: [SourceSurvey.Extension],
        target: [SourceSurvey.Extension]
    ) -> [Finding] {
        let there = Dictionary(target.map { ($0.name, $0) }) { first, _ in first }
        let differing = source.compactMap { one -> String? in
            guard let from = one.installed, let other = there[one.name],
                let to = other.installed ?? other.available, from != to
            else { return nil }
            return "\"\(one.name)\" is \(from) on the source, and will be \(to)."
        }
        guard !differing.isEmpty else { return [] }
        return [
            Finding(
                "target.extension_versions",
                .warning,
                "\(Finding.count(differing.count, "extension")) will have another version",
                detail: differing.joined(separator: "\n")
            )
        ]
    }

    /// Extensions that came with PostgreSQL, and the version without them.
    private static let removals = ["adminpack": 17, "old_snapshot": 17]

    private static func missing(_ name: String, check: String, major: Int) -> Finding {
        let drop = "DROP EXTENSION \(Identifier(name).quoted);"
        if let removal = removals[name], major >= removal {
            return Finding(
                check,
                .blocker,
                "extension \"\(name)\" does not exist in PostgreSQL \(major)",
                detail: "It was removed in version \(removal). Drop it on the source, if nothing needs it:",
                remedy: [drop]
            )
        }
        return Finding(
            check,
            .blocker,
            "extension \"\(name)\" is not available",
            detail: "The package may not have it for PostgreSQL \(major). If nothing needs it, drop it on the source "
                + "instead: \(drop)",
            remedy: [
                "apt-get install \(package(of: name, major: major))",
                "CREATE EXTENSION \(Identifier(name).quoted);",
            ]
        )
    }

    /// The Debian package of an extension: what comes with PostgreSQL is in the server's own.
    private static func package(of name: String, major: Int) -> String {
        let contrib: Set<String> = [
            "adminpack", "amcheck", "autoinc", "bloom", "btree_gin", "btree_gist", "citext", "cube", "dblink",
            "dict_int",
            "dict_xsyn", "earthdistance", "file_fdw", "fuzzystrmatch", "hstore", "insert_username", "intagg",
            "intarray",
            "isn", "lo", "ltree", "moddatetime", "old_snapshot", "pageinspect", "pg_buffercache", "pg_freespacemap",
            "pg_prewarm", "pg_stat_statements", "pg_surgery", "pg_trgm", "pg_visibility", "pg_walinspect", "pgcrypto",
            "pgrowlocks", "pgstattuple", "plpgsql", "postgres_fdw", "refint", "seg", "sslinfo", "tablefunc", "tcn",
            "tsm_system_rows", "tsm_system_time", "unaccent", "uuid-ossp", "xml2",
        ]
        if contrib.contains(name) { return "postgresql-\(major)" }
        let known = [
            "vector": "pgvector", "postgis": "postgis-3", "postgis_topology": "postgis-3",
            "postgis_raster": "postgis-3",
            "pg_partman": "partman", "pg_cron": "cron", "pg_repack": "repack",
        ]
        if ["plpython3u", "plperl", "plperlu", "pltcl", "pltclu"].contains(name) {
            return "postgresql-\(name.hasSuffix("u") ? String(name.dropLast()) : name)-\(major)"
        }
        return "postgresql-\(major)-\(known[name] ?? name.replacing("_", with: "-"))"
    }
}
