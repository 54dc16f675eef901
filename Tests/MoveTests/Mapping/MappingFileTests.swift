import Foundation
import Postgres
import Testing

@testable import Move

/// Reads mapping files, and refuses what it does not understand.
struct MappingFileTests {
    /// A file with one transformation of everything in schema "test".
    static func file(_ rules: String...) -> String {
        """
        {"rules": [{"rule-type": "selection", "rule-id": "1", "rule-name": "1", "rule-action": "include",
                    "object-locator": {"schema-name": "%", "table-name": "%"}, "filters": []},
                   \(rules.joined(separator: ",\n"))]}
        """
    }

    static func transformation(_ rest: String, id: Int = 2, table: String = "%", column: String? = nil) -> String {
        let place = column.map { #", "column-name": "\#($0)""# } ?? ""
        return """
            {"rule-type": "transformation", "rule-id": "\(id)", "rule-name": "\(id)",
             "object-locator": {"schema-name": "%", "table-name": "\(table)"\(place)}, \(rest)}
            """
    }

    @Test func `files are the same only byte by byte`() throws {
        let names = ["\u{e9}", "e\u{301}"]
        let files = try names.map {
            try TableMapping(
                parsing: Self.file(
                    Self.transformation(#""rule-target": "table", "rule-action": "rename", "value": "x""#, table: $0)
                )
            )
        }
        #expect(files[0] != files[1] && Set(files).count == 2)
    }

    private func refusal(_ file: String) -> PostgresError? {
        do throws(PostgresError) {
            _ = try TableMapping(parsing: file)
            return nil
        } catch {
            return error
        }
    }

    @Test func `the same structure is read as YAML`() throws {
        let json = Self.file(
            Self.transformation(#""rule-action": "rename", "rule-target": "table", "value": "b""#, table: "a")
        )
        let yaml = """
            rules:
              - rule-type: selection
                rule-id: 1
                rule-name: 1
                rule-action: include
                object-locator: {schema-name: "%", table-name: "%"}
              - rule-type: transformation
                rule-id: 2
                rule-name: 2
                rule-action: rename
                rule-target: table
                object-locator:
                  schema-name: "%"
                  table-name: a
                value: b
            """
        #expect(try TableMapping(parsing: yaml).rules == TableMapping(parsing: json).rules)
        #expect(try TableMapping(parsing: json).rules.count == 2)
    }

    @Test func `a file comes back from the journal as it was`() async throws {
        let mapping = try TableMapping(
            parsing: Self.file(
                Self.transformation(#""rule-action": "rename", "rule-target": "table", "value": "\#u{e9}\"b""#)
            )
        )
        var options = MigrationOptions()
        options.mapping = mapping
        let back = try JSONDecoder().decode(MigrationOptions.self, from: try JSONEncoder().encode(options))
        #expect(back.mapping?.rules == mapping.rules)
    }

    @Test func `rules are in the order of their numbers`() throws {
        let rename = #""rule-action": "rename", "rule-target": "table", "value": "b""#
        let mapping = try TableMapping(
            parsing: Self.file(Self.transformation(rename, id: 30), Self.transformation(rename, id: 4))
        )
        #expect(mapping.rules.map(\.id) == [1, 4, 30])
    }

    @Test(arguments: [
        (#"{"rules": [], "more": 1}"#, "\"more\""),
        (#"{"rules": []}"#, "no rules"),
        (#"{"rules": [}"#, "could not read"),
        (#"{"rules": [{"rule-type": "selection"}]}"#, "\"rule-id\""),
        (file(transformation(#""rule-action": "rename", "rule-target": "table", "value": "b""#, id: 1)), "number 1"),
        (
            file(transformation(#""rule-action": "rename", "rule-target": "table", "value": "b", "colour": "red""#)),
            "\"colour\""
        ),
        (file(transformation(#""rule-action": "rename", "rule-target": "table""#)), "\"value\""),
        (file(transformation(#""rule-action": "paint", "rule-target": "table", "value": "b""#)), "rule 2"),
        (file(transformation(#""rule-action": "remove-column", "rule-target": "table", "value": "b""#)), "rule-target"),
        (
            file(transformation(#""rule-action": "rename", "rule-target": "table-tablespace", "value": "b""#)),
            "tablespaces"
        ),
        (
            file(
                transformation(#""rule-action": "data-masking-digits-randomize", "rule-target": "column""#, column: "a")
            ), "random"
        ),
        (
            file(
                transformation(
                    #""rule-action": "data-masking-digits-mask", "rule-target": "column", "value": "ab""#,
                    column: "a"
                )
            ), "one printable"
        ),
        (
            file(transformation(#""rule-action": "add-before-image-columns", "rule-target": "column""#, column: "a")),
            "rule 2"
        ),
        (
            file(
                transformation(
                    #""rule-action": "change-data-type", "rule-target": "column", "data-type": {"type": "uuid"}"#,
                    column: "a"
                )
            ), "\"uuid\""
        ),
        (
            #"{"rules": [{"rule-type": "selection", "rule-id": 7, "rule-action": "exclude", "object-locator": {"schema-name": "a", "table-name": "b"}}]}"#,
            "selects no table"
        ),
        (
            #"{"rules": [{"rule-type": "selection", "rule-id": 7, "rule-action": "include", "object-locator": {"schema-name": "a", "table-name": "b", "table-type": "view"}}]}"#,
            "views"
        ),
        (#"{"rules": [{"rule-type": "selection", "rule-id": 7, "rule-id": 8}]}"#, "could not read"),
        (#"{"TargetMetadata": {"Colour": "red"}}"#, "TargetMetadata.Colour"),
        (#"{"TargetMetadata": {"TargetSchema": "other"}}"#, "TargetMetadata.TargetSchema"),
        (#"{"FullLoadSettings": {"StopTaskCachedChangesApplied": true}}"#, "StopTaskCachedChangesApplied"),
    ])
    func `what is not understood is named`(file: String, word: String) throws {
        let error = try #require(refusal(file))
        #expect("\(error.message) \(error.detail ?? "")".contains(word), "\(error)")
    }

    /// As some editors write it; anywhere else Foundation would drop it without a word.
    @Test func `a byte order mark begins a file, or is refused`() throws {
        #expect(
            refusal(
                "\u{feff}"
                    + Self.file(Self.transformation(#""rule-action": "rename", "rule-target": "table", "value": "b""#))
            ) == nil
        )
        for mark in ["\u{feff}", "\\uFEFF"] {
            let rename = Self.transformation(
                #""rule-action": "rename", "rule-target": "table", "value": "\#(mark)b""#,
                table: "a"
            )
            #expect(refusal(Self.file(rename))?.message.contains("byte order mark") == true)
        }
    }

    @Test func `every task setting is answered`() throws {
        let mapping = try TableMapping(
            parsing: """
                {"TargetMetadata": {"TargetSchema": "", "FullLobMode": true, "LobMaxSize": 32, "BatchApplyEnabled": false},
                 "ErrorBehavior": {"DataErrorPolicy": "LOG_ERROR"}, "PostProcessingRules": null,
                 "BeforeImageSettings": null, "Logging": {"LogComponents": [{"Id": "IO", "Severity": "X"}]}}
                """
        )
        #expect(
            mapping.settings.map(\.name) == [
                "TargetMetadata.TargetSchema", "TargetMetadata.FullLobMode", "TargetMetadata.LobMaxSize",
                "TargetMetadata.BatchApplyEnabled", "Logging.LogComponents", "ErrorBehavior.DataErrorPolicy",
            ]
        )
        #expect(
            mapping.settings.contains {
                $0.line.contains("LobMaxSize = 32") && $0.line.contains("nothing is truncated")
            }
        )
    }
}
