import Fields
import Postgres

/// One setting of an AWS DMS task, and what martlet does about it.
struct TaskSetting: Sendable, Hashable {
    /// As DMS calls it, with its group: `TargetMetadata.FullLobMode`.
    let name: String
    /// As it was given.
    let value: String
    /// What martlet does, in a sentence.
    let answer: String

    /// How messages show it.
    var line: String { "\(name) = \(value): \(answer)" }
}

extension TaskSetting {
    /// Reads all groups of settings that a file has at its top.
    ///
    /// - Throws: a setting that is not known, or one that asks for what cannot be done.
    static func readAll(_ file: inout FieldReader) throws(PostgresError) -> [TaskSetting] {
        var settings: [TaskSetting] = []
        for group in TaskSettingAnswers.groups {
            guard let node = file.node(group) else { continue }
            guard case .fields(let fields) = node else {
                settings.append(try answer(group, key: "", node))
                continue
            }
            for (key, value) in fields { settings.append(try answer(group, key: key, value)) }
        }
        return settings
    }

    private static func answer(_ group: String, key: String, _ node: FieldNode) throws(PostgresError) -> TaskSetting {
        let name = key.isEmpty ? group : "\(group).\(key)"
        guard let rule = TaskSettingAnswers.rule(for: group, key) else {
            throw PostgresError(
                "could not understand the task setting \"\(name)\"",
                detail: "It is none that martlet knows.",
                hint: "Take it out of the file, or correct its name; docs/guide/mapping.md lists what is known."
            )
        }
        let value = text(node)
        guard !rule.isRefused(value) else {
            throw PostgresError("cannot do what the task setting \"\(name)\" asks for", detail: rule.answer)
        }
        return TaskSetting(name: name, value: value, answer: rule.answer)
    }

    private static func text(_ node: FieldNode) -> String {
        switch node {
        case .text(let text): text
        case .null: "null"
        case .list(let list): "[" + list.map(text).joined(separator: ", ") + "]"
        case .fields(let fields): "{" + fields.map { "\($0.key): \(text($0.value))" }.joined(separator: ", ") + "}"
        }
    }
}

/// What is answered to each setting.
enum TaskSettingAnswers {
    /// An answer, and for which values it is a refusal.
    struct Rule: Sendable {
        let answer: String
        var refused: @Sendable (String) -> Bool = { _ in false }

        func isRefused(_ value: String) -> Bool { refused(value) }
    }

    static let groups = [
        "TargetMetadata", "FullLoadSettings", "Logging", "ControlTablesSettings", "StreamBufferSettings",
        "ChangeProcessingDdlHandlingPolicy", "ChangeProcessingTuning", "ErrorBehavior", "ValidationSettings",
        "PostProcessingRules", "CharacterSetSettings", "LoopbackPreventionSettings", "BeforeImageSettings",
        "TTSettings", "FailTaskWhenCleanTaskResourceFailed", "DataResyncSettings", "TimeTravelSettings",
    ]

    static func rule(for group: String, _ key: String) -> Rule? {
        byName["\(group).\(key)"] ?? (key.isEmpty ? byName[group] : nil)
            ?? prefixes.first { group == $0.group && key.hasPrefix($0.key) }?.rule
    }

    private static let isTrue: @Sendable (String) -> Bool = { $0.lowercased() == "true" }
    private static let isGiven: @Sendable (String) -> Bool = { !["", "null", "[]", "{}"].contains($0) }

    private static let byName: [String: Rule] = [
        "TargetMetadata.TargetSchema": Rule(
            answer: "Rename schemas by a transformation rule, one for each schema.",
            refused: isGiven
        ),
        "TargetMetadata.BatchApplyEnabled": Rule(answer: "Changes are always applied in sets."),
        "TargetMetadata.TaskRecoveryTableEnabled": Rule(answer: "The position is always kept with the rows."),
        "TargetMetadata.LoadMaxFileSize": Rule(answer: "No files are written; rows go from server to server."),
        "FullLoadSettings.TargetTablePrepMode": Rule(
            answer: "The target must hold no tables; martlet makes them, and overwrites nothing."
        ),
        "FullLoadSettings.CreatePkAfterFullLoad": Rule(answer: "Indexes and keys are always built after the rows."),
        "FullLoadSettings.StopTaskCachedChangesApplied": Rule(
            answer: "A move goes on following changes until martlet cutover; to copy only, use --once.",
            refused: isTrue
        ),
        "FullLoadSettings.StopTaskCachedChangesNotApplied": Rule(
            answer: "A move goes on following changes until martlet cutover; to copy only, use --once.",
            refused: isTrue
        ),
        "FullLoadSettings.MaxFullLoadSubTasks": Rule(answer: "Use --jobs."),
        "FullLoadSettings.TransactionConsistencyTimeout": Rule(
            answer: "The snapshot waits for open transactions for as long as they take, and says which."
        ),
        "FullLoadSettings.CommitRate": Rule(answer: "A table's rows arrive in one transaction."),
        "ChangeProcessingDdlHandlingPolicy.HandleSourceTableTruncated": Rule(answer: "TRUNCATE is followed."),
        "ChangeProcessingDdlHandlingPolicy.HandleSourceTableDropped": Rule(
            answer: "A table that is dropped on the source stays on the target."
        ),
        "ChangeProcessingDdlHandlingPolicy.HandleSourceTableAltered": Rule(
            answer: "Changes of structure are noticed and named, not followed."
        ),
        "PostProcessingRules": Rule(answer: "There are no such rules.", refused: isGiven),
        "FailTaskWhenCleanTaskResourceFailed": Rule(answer: "What could not be removed is told, and tried again."),
        "LoopbackPreventionSettings": Rule(answer: "Changes flow in one direction at a time.", refused: isGiven),
        "LoopbackPreventionSettings.EnableLoopbackPrevention": Rule(
            answer: "Changes flow in one direction at a time; there is no loop to prevent.",
            refused: isTrue
        ),
        "BeforeImageSettings": Rule(answer: "What rows were before a change is not kept.", refused: isGiven),
        "BeforeImageSettings.EnableBeforeImage": Rule(
            answer: "What rows were before a change is not kept.",
            refused: isTrue
        ),
        "CharacterSetSettings": Rule(answer: "Characters are not replaced.", refused: isGiven),
        "CharacterSetSettings.CharacterReplacements": Rule(answer: "Characters are not replaced.", refused: isGiven),
        "TTSettings.EnableTT": Rule(answer: "There is no log of all changes to look back in.", refused: isTrue),
        "DataResyncSettings.EnableDataResync": Rule(
            answer: "Rows that differ keep a cutover away; see martlet verify."
        ),
    ]

    private static let prefixes: [(group: String, key: String, rule: Rule)] = [
        ("TargetMetadata", "SupportLobs", lobs), ("TargetMetadata", "FullLobMode", lobs),
        ("TargetMetadata", "LobChunkSize", lobs), ("TargetMetadata", "LimitedSizeLobMode", lobs),
        ("TargetMetadata", "LobMaxSize", lobs), ("TargetMetadata", "InlineLobMaxSize", lobs),
        ("TargetMetadata", "ParallelLoad", Rule(answer: "Use --jobs; a table that is large is cut by itself.")),
        ("TargetMetadata", "ParallelApply", Rule(answer: "Use --lanes.")),
        ("Logging", "", Rule(answer: "Logs are in the work directory, and what happened is in the journal.")),
        ("ControlTablesSettings", "", Rule(answer: "The journal is schema martlet of the target; see martlet status.")),
        ("StreamBufferSettings", "", Rule(answer: "Changes wait on disk, in the work directory's spool.")),
        ("ChangeProcessingTuning", "", Rule(answer: "The size of a set of changes follows from how much is waiting.")),
        (
            "ErrorBehavior", "",
            Rule(
                answer:
                    "No row is ever skipped: an error in the copy stops the move, which can be resumed; later that table stands still."
            )
        ),
        ("ValidationSettings", "", Rule(answer: "martlet verify compares every row, and so does every cutover.")),
        ("TTSettings", "", Rule(answer: "There is no log of all changes to look back in.")),
        ("TimeTravelSettings", "", Rule(answer: "There is no log of all changes to look back in.")),
        ("BeforeImageSettings", "", Rule(answer: "What rows were before a change is not kept.")),
        ("CharacterSetSettings", "CharacterSetSupport", Rule(answer: "The servers convert between encodings.")),
        ("DataResyncSettings", "", Rule(answer: "Rows that differ keep a cutover away; see martlet verify.")),
        ("LoopbackPreventionSettings", "", Rule(answer: "Changes flow in one direction at a time.")),
    ]

    private static let lobs = Rule(answer: "Not needed: values of every size are moved whole, nothing is truncated.")
}
