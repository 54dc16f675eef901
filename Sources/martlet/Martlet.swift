import ArgumentParser
import Engine
import Foundation

/// The root of the command line; each command is a file of its own.
@main
struct Martlet: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "martlet",
        abstract: "Move, change and look after live PostgreSQL databases.",
        discussion: """
            Databases are named by libpq connection strings: postgresql://user@host:5432/database or \
            "host=… dbname=…", with service files, .pgpass and PG* variables. Results go to stdout, talk to stderr. \
            A command exits with 0 when it is done, 1 when it failed, 2 when it found differences or problems, \
            64 when it was called wrongly, and 130 when it was interrupted.
            """,
        version: Version.text,
        groupedSubcommands: [
            CommandGroup(
                name: "MOVE",
                subcommands: [
                    AssessCommand.self, MigrateCommand.self, WorkCommand.self, StatusCommand.self, VerifyCommand.self,
                    ResyncCommand.self, PauseCommand.self, ResumeCommand.self,
                    CutoverCommand.self,
                    RollbackCommand.self,
                    FinishCommand.self, AbortCommand.self,
                ]
            ),
            CommandGroup(
                name: "MIRROR",
                subcommands: [
                    ReplicaCommand.self, CloneCommand.self, BackupCommand.self, RestoreCommand.self,
                    TeardownCommand.self,
                ]
            ),
            CommandGroup(
                name: "EVERYDAY",
                subcommands: [
                    DatabaseCommand.self, QueryCommand.self, GenerateCommand.self, LoadCommand.self,
                    WorkloadCommand.self,
                ]
            ),
            CommandGroup(name: "TRY", subcommands: [SandboxCommand.self, DemoCommand.self]),
        ]
    )

    static func main() async {
        Crash.tellsNothing()
        Heap.beShared()
        let status = await CommandLineRun(output: Output()).execute(Array(CommandLine.arguments.dropFirst()))
        Foundation.exit(status.rawValue)
    }
}

/// The version of this program.
enum Version {
    static let text = "martlet 0.1.0"
}
