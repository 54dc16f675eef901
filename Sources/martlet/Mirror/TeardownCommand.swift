import ArgumentParser
import Cluster
import Fields
import Foundation
import Postgres
import Sync

/// `martlet teardown`.
struct TeardownCommand: Command {
    static let configuration = CommandConfiguration(
        commandName: "teardown",
        abstract: "Remove servers and all that was made from them, in the right order.",
        discussion: """
            Replicas, clones and restored servers go before the server that they were made from, and a replica's slot \
            goes with it. What would be removed is listed first, and then the name must be typed, or given with \
            --confirm. What fails ends it; run again, it goes on with what is left. A plan is a YAML file that names \
            servers under "sandboxes", and may say "backups: true".

            EXAMPLES
              martlet teardown shop --dry-run
              martlet teardown shop --with-backups
              martlet teardown trial.yaml --confirm trial.yaml
            """
    )

    @Argument(help: ArgumentHelp("A sandbox, or the path of a plan.", valueName: "name|plan"))
    var subject: String

    @Flag(help: "List what would be removed, and remove nothing.")
    var dryRun = false

    @Flag(help: "Remove their backups, too: no moment of them can be restored then.")
    var withBackups = false

    @Option(help: ArgumentHelp("The name or plan again, which is asked for otherwise.", valueName: "name|plan"))
    var confirm: String?

    func run(output: Output) async throws -> ExitStatus {
        let plan = try TeardownPlan(subject, withBackups: withBackups)
        let (sandboxes, backups) = (Sandboxes(), Backups())
        let family = try sandboxes.family(of: plan.sandboxes)
        let saved = plan.removesBackups ? family.map(\.name).filter { backups.areThere(of: $0) } : []
        for (number, sandbox) in family.enumerated() { output.result("\(number + 1). \(Self.line(sandbox))") }
        for (number, name) in saved.enumerated() {
            let count = Quantity.of(backups.list(of: name).count, "backup")
            output.result("\(family.count + number + 1). archive of \(name), with \(count)")
        }
        guard !dryRun else { return .done }
        try TypedConfirmation(of: subject, given: confirm).ask(
            "All of it is removed for good. Type \(subject) to do it:",
            refusal: "could not remove \"\(subject)\"",
            hint: { "To remove it, say so with its name: --confirm \($0)" },
            output
        )
        for sandbox in family {
            try Task.checkCancellation()
            // What it has on a server that is stopped, and goes next, goes with that.
            let source = family.first { $0.name == sandbox.origin?.sandbox && $0.origin?.database == nil }
            let isGone = source.map { $0.status != .running } ?? false
            try await sandboxes.remove(sandbox.name, sourceIsGone: isGone)
            output.result("\(sandbox.origin?.kind.rawValue ?? "sandbox") \"\(sandbox.name)\" is removed")
        }
        for name in saved {
            try Task.checkCancellation()
            try await backups.remove(of: name)
            output.result("the backups of \"\(name)\" are removed")
        }
        return .done
    }

    private static func line(_ sandbox: Sandbox) -> String {
        let what =
            sandbox.origin.map { "\($0.kind.rawValue) \(sandbox.name) of \($0.source)" } ?? "sandbox \(sandbox.name)"
        return "\(what), \(sandbox.status.rawValue)"
    }
}

/// What is to be torn down: one sandbox, or what a file lists.
///
///     sandboxes: [shop, trial]
///     backups: true
struct TeardownPlan {
    let sandboxes: [String]
    let removesBackups: Bool

    /// The plan of a name, or of a path when there is a file.
    ///
    /// - Throws: when the file is not understood.
    init(_ subject: String, withBackups: Bool) throws {
        guard subject.contains("/") || subject.contains(".") else {
            (sandboxes, removesBackups) = ([subject], withBackups)
            return
        }
        let text: String
        do {
            text = try String(contentsOf: URL(filePath: subject), encoding: .utf8)
        } catch {
            throw PostgresError(
                "could not read the plan \"\(subject)\"",
                detail: error.localizedDescription,
                hint: "It is the path of a YAML file, or a name as \"martlet sandbox list\" shows it."
            )
        }
        let file = FieldFile(
            title: "plan \"\(subject)\"",
            form: "It is YAML: sandboxes, a list of names, and backups, true or false.",
            hint: "Nothing in it is ignored."
        )
        var top = try FieldReader(FieldNode(parsing: text, as: file), title: "the top", of: file)
        sandboxes = try top.texts("sandboxes")
        removesBackups = try top.optionalFlag("backups") ?? withBackups
        try top.finish()
        guard !sandboxes.isEmpty else { throw top.refusal("It has no \"sandboxes\".") }
    }
}
