import Foundation
import Postgres
import TestSupport
import Testing

/// Mapping files whose names and values would be statements of their own if they were taken for SQL.
struct HostileMappingTests {
    /// One table for each name, with a column that is named after it.
    private struct Tables {
        /// Short enough for a suffix.
        let names = Self.texts(HostileTexts.names).filter { $0.utf8.count <= 48 }
        let suffix = "\"';--"
        let schema: String
        /// The value of rows that are left out, and one that is added to all.
        let left: String
        let added: String

        init(_ random: inout SeededGenerator) {
            schema = random.pick(names.filter { $0 != "public" && !$0.hasPrefix("pg_") })
            left = random.pick(Self.texts(HostileTexts.values).filter { !$0.isEmpty && $0.utf8.count < 1000 })
            added = random.pick(names)
        }

        /// No mapping file can hold a byte order mark.
        private static func texts(_ texts: [String]) -> [String] { texts.filter { !$0.hasPrefix("\u{feff}") } }

        /// What column `names[index]` of table `names[index]` becomes.
        func column(_ index: Int) -> String { names[(index + 1) % names.count] + "'" }

        /// The rules, all of them as JSON that Foundation has escaped.
        var mapping: String {
            get throws {
                var rules: [[String: Any]] = [
                    [
                        "rule-type": "selection", "rule-id": "1", "rule-name": "1", "rule-action": "include",
                        "object-locator": ["schema-name": "S", "table-name": "%"],
                        "filters": [
                            [
                                "filter-type": "source", "column-name": "v",
                                "filter-conditions": [["filter-operator": "noteq", "value": left]],
                            ]
                        ],
                    ],
                    [
                        "rule-type": "selection", "rule-id": "6", "rule-name": "6", "rule-action": "include",
                        "object-locator": ["schema-name": "public", "table-name": "canary"],
                    ],
                    rule(2, "schema", ["schema-name": "S"], ["rule-action": "rename", "value": schema]),
                    rule(3, "table", at("%"), ["rule-action": "add-suffix", "value": suffix]),
                    rule(
                        4,
                        "column",
                        at("%"),
                        [
                            "rule-action": "add-column", "value": added + "\"",
                            "expression": "'\(HostileTexts.doublingQuotes(of: left))' || $AR_M_SOURCE_TABLE_NAME",
                            "data-type": ["type": "string", "length": 2000],
                        ]
                    ),
                    rule(5, "column", at("%", "digits"), ["rule-action": "data-masking-digits-mask", "value": "'"]),
                ]
                for (index, name) in names.enumerated() {
                    rules.append(
                        rule(10 + index, "column", at(name, name), ["rule-action": "rename", "value": column(index)])
                    )
                }
                return String(decoding: try JSONSerialization.data(withJSONObject: ["rules": rules]), as: UTF8.self)
            }
        }

        private func rule(_ id: Int, _ target: String, _ place: [String: Any], _ rest: [String: Any]) -> [String: Any] {
            let rule: [String: Any] = [
                "rule-type": "transformation", "rule-id": "\(id)", "rule-name": "\(id)", "rule-target": target,
                "object-locator": place,
            ]
            return rule.merging(rest) { _, new in new }
        }

        private func at(_ table: String, _ column: String? = nil) -> [String: Any] {
            var place = ["schema-name": "S", "table-name": table == "%" ? table : pattern(table)]
            if let column { place["column-name"] = pattern(column) }
            return place
        }

        /// A name that is no pattern.
        private func pattern(_ name: String) -> String {
            String(name.unicodeScalars.flatMap { "[%_".unicodeScalars.contains($0) ? "[\($0)]" : String($0) })
        }
    }

    @Test(.timeLimit(.minutes(6)))
    func `hostile names and values in a mapping are what they are`() async throws {
        var random = SeededGenerator()
        let tables = Tables(&random)
        try await MappingTests.withMapping(try tables.mapping, of: HostileTexts.canary) { move, options in
            try await make(tables, in: move.source)
            try await move.follow(options, then: .none) {
                try await change(tables, in: move.source)
                try await move.mustBeEqual()
                try await withConnection(to: move.target) { target in
                    for (index, name) in tables.names.enumerated() {
                        let texts = [
                            tables.schema, name + tables.suffix, tables.column(index), tables.added + "\"", tables.left,
                            name,
                        ]
                        let pattern = """
                            SELECT string_agg(%3$I, ',' ORDER BY id) = 'b,x' AND bool_and(%4$I = %5$L || %6$L)
                                   AND bool_and(v <> %5$L) AND bool_and(digits = 'a''b') FROM %1$I.%2$I
                            """
                        let isRight = try HostileTexts.query(pattern, texts, on: target)
                        #expect(isRight == "t", "\(name)")
                    }
                }
                let again = try await move.program.run([
                    "resync", "--target", move.target.secretURI, "--table", "S.*",
                ])
                #expect(again.status == 0, "\(again.output)\(again.error)")
                try await move.mustBeEqual()
                try await move.must("cutover", "--no-rollback")
            }
            for place in [move.source, move.target] { #expect(try await HostileTexts.isCanaryAlive(in: place)) }
        }
    }

    private func make(_ tables: Tables, in place: ConnectionString) async throws {
        try await withConnection(to: place) { connection in
            try connection.execute("CREATE SCHEMA \"S\"; BEGIN")
            for name in tables.names {
                try HostileTexts.execute(
                    "CREATE TABLE \"S\".%1$I (id int PRIMARY KEY, v text, digits text DEFAULT 'a1b', %1$I text)",
                    [name],
                    on: connection
                )
                try HostileTexts.execute(
                    "INSERT INTO \"S\".%1$I (id, v, %1$I) VALUES (1, '', 'a'), (2, %2$L, 'hidden')",
                    [name, tables.left],
                    on: connection
                )
            }
            try connection.execute("COMMIT")
        }
    }

    private func change(_ tables: Tables, in place: ConnectionString) async throws {
        try await withConnection(to: place) { connection in
            for name in tables.names {
                try HostileTexts.execute("UPDATE \"S\".%1$I SET %1$I = 'b' WHERE id = 1", [name], on: connection)
                try HostileTexts.execute(
                    "INSERT INTO \"S\".%1$I (id, v, %1$I) VALUES (3, %2$L || 'x', 'x'), (4, %2$L, 'hidden')",
                    [name, tables.left],
                    on: connection
                )
            }
        }
    }
}
